//! Rows in memory that run one command after the other and check what must hold after each: the smallest engine there can be.

use crate::domain::account::{AccountKind, Details, Sealed};
use crate::domain::bank::Bank;
use crate::domain::gateways::decide_alone;
use crate::domain::mandate::{self, Grant, Limits};
use crate::domain::movement::{self, Movement, Outcome, Source, Target};
use crate::domain::name::Grade;
use crate::domain::open::Thing;
use crate::domain::state::{Rows, bank_key};
use crate::domain::{
    AccountId, AccountRefId, BankCode, Command, Context, Event, Factor, FindingId, Gateway, MandateId, MovementId,
    NoticeId, OperatorId, Policy, Receipt, Reference, Refusal, Row, Spread, open, operator, table,
};
use domain::{Decision, Domain, Id, Key, Moment, State, Time};
use ledger::Yen;
use std::collections::BTreeMap;

/// 2026-09-15T12:00:00+09:00.
pub const T0: Time = Time::from_milliseconds(1_789_441_200_000);

/// Rows, the moment, and all that happened.
pub struct World {
    pub now: Time,
    pub rows: BTreeMap<Key, Row>,
    pub journal: Vec<Event>,
    pub policy: Policy,
}

/// The rows that a command named; asking for another is a bug.
struct Named<'a> {
    rows: &'a BTreeMap<Key, Row>,
    keys: &'a [Key],
}

impl State<Row> for Named<'_> {
    fn row(&self, key: Key) -> Option<&Row> {
        assert!(self.keys.contains(&key), "{key:?} was not named");
        self.rows.get(&key)
    }
}

impl World {
    /// One operator.
    pub fn new() -> Self {
        let mut world = Self { now: T0, rows: BTreeMap::new(), journal: Vec::new(), policy: Policy::default() };
        world.done(&Command::Operator(operator::Command::Register { operator: operator_id() }));
        world
    }

    /// Runs `command` as an engine would.
    pub fn run(&mut self, command: &Command) -> Result<Receipt, Refusal> {
        let keys = self.keys(command);
        let moment = Moment { now: self.now, clock_drifted: false };
        let before = Named { rows: &self.rows, keys: &keys };
        let Decision { events, reply } =
            Gateway::decide(&before, command, moment, &Context { policy: self.policy.clone() });
        for event in &events {
            apply(&mut self.rows, event, Some(&keys));
        }
        Gateway::assert_decided(&events, &Named { rows: &self.rows, keys: &keys });
        self.journal.extend(events);
        self.assert_invariants();
        reply
    }

    /// The rows that `command` names.
    fn keys(&self, command: &Command) -> Vec<Key> {
        let mut keys = Vec::new();
        Gateway::keys(command, &mut keys);
        let mut further = Vec::new();
        Gateway::keys_further(command, &Named { rows: &self.rows, keys: &keys }, &mut further);
        keys.append(&mut further);
        keys
    }

    /// Does what takes two, as it was when one person's word sufficed.
    pub fn done_alone(&mut self, command: &Command) {
        let moment = Moment { now: self.now, clock_drifted: false };
        let context = Context { policy: self.policy.clone() };
        let keys = self.keys(command);
        let before = Named { rows: &self.rows, keys: &keys };
        let (events, _) = decide_alone(Rows(&before), command, moment, &context).expect("it may be done");
        for event in events {
            self.happened(event);
        }
    }

    /// Applies what happened before, and is not decided any more.
    pub fn happened(&mut self, event: Event) {
        apply(&mut self.rows, &event, None);
        self.journal.push(event);
    }

    /// The number of what the operator was told last.
    pub fn told_last(&self) -> u64 {
        let Some(Row::Operators(row)) = self.rows.get(&operator::OPERATORS_KEY) else { return 0 };
        row.operators.first().map_or(0, |operator| operator.told)
    }

    /// Runs `command`, which must be carried out.
    pub fn done(&mut self, command: &Command) -> Receipt {
        self.run(command).unwrap_or_else(|refusal| panic!("{command:?} was refused: {refusal:?}"))
    }

    /// The rows that the journal alone comes to.
    pub fn replayed(&self) -> BTreeMap<Key, Row> {
        let mut rows = BTreeMap::new();
        for event in &self.journal {
            apply(&mut rows, event, None);
        }
        rows
    }

    /// An active mandate on the account of that number.
    pub fn link(&mut self, number: u128, wallet: &str, factors: &[Factor]) -> MandateId {
        let mandate = MandateId(Id::from_number(number));
        let (operator, bank) = (operator_id(), bank_code());
        let limits = Limits { per_time: Yen::new(100_000), per_month: Yen::new(300_000) };
        let (reference, wallet) = (reference(&format!("m{number}")), reference(wallet));
        let request = mandate::Request { mandate, operator, reference, wallet, bank, limits };
        self.done(&Command::Mandate(mandate::Command::Request(request)));
        self.done(&Command::Mandate(mandate::Command::Authenticate { mandate }));
        let account = AccountId(Id::from_number(7));
        let grant = Grant {
            account,
            account_ref: AccountRefId(Id::from_number(8)),
            name: Grade::Match,
            birth_date_matches: true,
            factors: factors.iter().copied().collect(),
            contact_notified: true,
        };
        let sealed = Sealed(vec![1, 2, 3]);
        let details =
            Details { bank, branch: "100".into(), kind: AccountKind::Ordinary, masked: "****567".into(), sealed };
        self.done(&Command::Mandate(mandate::Command::Grant { mandate, grant, details }));
        self.done(&Command::Mandate(mandate::Command::Collect { mandate, operator, account }));
        mandate
    }

    pub fn request(&mut self, number: u128, target: Target, amount: i64) -> Result<Receipt, Refusal> {
        let movement = MovementId::of_hash(Id::from_number(number));
        let request = movement::Request {
            movement,
            operator: operator_id(),
            reference: reference(&format!("r{number}")),
            target,
            amount: Yen::new(amount),
            at_once: true,
            spread: Spread::default(),
        };
        self.run(&Command::Movement(movement::Command::Request(request)))
    }

    pub fn answer(&mut self, number: u128, outcome: Outcome, source: Source) {
        let (movement, bank) = (MovementId::of_hash(Id::from_number(number)), bank_code());
        self.done(&Command::Movement(movement::Command::Answer { movement, bank, outcome, source }));
    }

    pub fn movement(&self, number: u128) -> Option<&Movement> {
        let key = Key::new(table::MOVEMENT, MovementId::of_hash(Id::from_number(number)).0);
        match self.rows.get(&key) {
            Some(Row::Movement(row)) => Some(row),
            Some(other) => panic!("{other:?} lies in a movement's row"),
            None => None,
        }
    }

    pub fn bank(&self) -> Option<&Bank> {
        match self.rows.get(&bank_key(bank_code())) {
            Some(Row::Bank(row)) => Some(row),
            _ => None,
        }
    }

    pub fn mandate(&self, id: MandateId) -> &mandate::Mandate {
        match self.rows.get(&Key::new(table::MANDATE, id.0)) {
            Some(Row::Mandate(row)) => row,
            other => panic!("{other:?} lies in a mandate's row"),
        }
    }

    /// What is given back of the debit at `key`, or on its way. It is more than was debited only where a bank finds a return
    /// that it had said to know nothing of, after another one was asked for.
    fn given_back(&self, key: Key) -> i64 {
        let of_it = self.rows.values().filter_map(|row| match row {
            Row::Movement(row) if row.order.of.map(|debit| debit.0) == Some(key.id) => Some(row),
            _ => None,
        });
        of_it.filter(|row| row.status != movement::Status::Declined).map(|row| row.order.amount.amount()).sum()
    }

    /// What is open is on its page and nothing else is, and sums are what the movements come to.
    fn assert_invariants(&self) {
        let mut unconfirmed: BTreeMap<AccountId, i64> = BTreeMap::new();
        for (key, row) in &self.rows {
            let thing = match row {
                Row::Movement(row) => {
                    let is_confirmed = row.order.mandate.is_some_and(|mandate| self.mandate(mandate).is_confirmed());
                    let counts = row.order.unconfirmed.is_some() && !is_confirmed;
                    if counts && row.status != movement::Status::Declined {
                        *unconfirmed.entry(row.order.account).or_default() += row.order.amount.amount();
                    }
                    assert_eq!(row.returned.amount(), self.given_back(*key), "the sum of what is given back");
                    Some((Thing::Movement(MovementId(key.id)), row.status.is_open()))
                }
                Row::Mandate(row) => Some((Thing::Mandate(MandateId(key.id)), row.status.is_open())),
                Row::Notice(row) => Some((Thing::Notice(NoticeId(key.id)), row.told.is_none())),
                Row::Finding(row) => Some((Thing::Finding(FindingId(key.id)), row.resolution.is_none())),
                _ => None,
            };
            let Some((thing, is_open)) = thing else { continue };
            let page = match self.rows.get(&thing.page_key(bank_code())) {
                Some(Row::Open(page)) => page.clone(),
                _ => open::Page::default(),
            };
            assert_eq!(page.things.contains(&thing), is_open, "{thing:?}");
        }
        self.assert_shares();
        for (key, row) in &self.rows {
            if let Row::Account(account) = row
                && account.confirmations == 0
            {
                let sum = unconfirmed.get(&AccountId(key.id)).copied().unwrap_or(0);
                assert_eq!(account.unconfirmed_total.amount(), sum, "the sums of unconfirmed debits");
            }
        }
    }

    /// What the shares count is open, and nothing else is.
    fn assert_shares(&self) {
        let (mut at_bank, mut of_wallets) = (0, BTreeMap::new());
        for row in self.rows.values() {
            match row {
                Row::Movement(row) if row.status.is_open() => at_bank += 1,
                Row::Mandate(row) if row.status.is_open() => {
                    at_bank += 1;
                    *of_wallets.entry(row.wallet.clone()).or_insert(0) += 1;
                }
                Row::Notice(row) if row.told.is_none() => at_bank += 1,
                _ => {}
            }
        }
        let shares = |table| {
            let of_table = self.rows.iter().filter(move |(key, _)| key.table == table);
            of_table.filter_map(|(_, row)| if let Row::Share(share) = row { Some(share.open) } else { None })
        };
        assert_eq!(shares(table::SHARE).sum::<u32>(), at_bank, "what the operator has open at the bank");
        let mut counted: Vec<u32> = shares(table::WALLET).filter(|open| *open > 0).collect();
        let mut waiting: Vec<u32> = of_wallets.into_values().collect();
        counted.sort_unstable();
        waiting.sort_unstable();
        assert_eq!(counted, waiting, "for what each wallet waits");
    }
}

/// The only operator.
pub fn operator_id() -> OperatorId {
    OperatorId::new(Id::from_number(1 << 64))
}

/// The only bank.
pub fn bank_code() -> BankCode {
    BankCode::new(125).expect("a code")
}

pub fn reference(text: &str) -> Reference {
    Reference::try_from(text.to_owned()).expect("a reference")
}

/// Applies `event` to the rows that it touches, which must be among `named`.
pub fn apply(rows: &mut BTreeMap<Key, Row>, event: &Event, named: Option<&[Key]>) {
    let mut touched = Vec::new();
    Gateway::touches(event, &mut touched);
    for key in touched {
        let is_named = named.is_none_or(|named| named.contains(&key));
        assert!(is_named, "{event:?} touches {key:?}, which its command did not name");
        let mut row = rows.get(&key).cloned();
        Gateway::evolve(key, &mut row, event);
        match row {
            Some(row) => rows.insert(key, row),
            None => rows.remove(&key),
        };
    }
}
