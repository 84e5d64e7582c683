//! Wallets in memory that run one command after the other and check what must hold after each: the smallest engine
//! there can be. It knows nothing of how balances ought to come out.

use crate::books::Books;
use crate::holder::{ContactHolders, Holder, Sealed};
use crate::ids::{BankAccountId, CampaignId, ContactId, HolderId, PaymentCodeId, PersonId, ShopId, WalletId};
use crate::person::Person;
use crate::purse::{Lot, Purse, Source};
use crate::shop::Shop;
use crate::traits::{IdentificationMethod, Tier, Traits};
use crate::wallet::Wallet;
use crate::{Command, Context, Event, Policies, Policy, Receipt, Refusal, Row, Wallets, chart, table};
use domain::{Decision, Domain, Id, Key, Moment, State, Time};
use ledger::{Account, Yen};
use std::collections::BTreeMap;

/// When a world begins: 2026-09-15T12:00:00+09:00, in the middle of a month.
pub(crate) const T0: Time = Time::from_milliseconds(1_789_441_200_000);

/// A day, in milliseconds.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// The policy of a world whose stories are about something else: without what asks or holds beside a movement's own rules.
/// Those have a room of their own, `controls`.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy { monitoring: Vec::new(), ..Policy::default() };
    policy.top_up.unproven_per_day_max = Yen::MAX;
    policy.mandate.new_lately_max = Yen::MAX;
    policy.mandate.new_links_lately_max = Yen::MAX;
    policy.payment.unproven_per_time_max = Yen::MAX;
    policy.ageing.proven_per_day_max = Yen::ZERO;
    policy.mandate.requires_phone = false;
    policy
}

/// Rows, the moment, and all that happened.
pub(crate) struct World {
    /// The moment at which the next command is decided.
    pub(crate) now: Time,
    /// Whether that moment can be believed.
    pub(crate) clock_drifted: bool,
    /// Policy and guard.
    pub(crate) context: Context,
    /// All rows.
    pub(crate) rows: BTreeMap<Key, Row>,
    /// All events, by command.
    pub(crate) journal: Vec<Vec<Event>>,
    /// The rows that no event made: what a test begins with.
    given: BTreeMap<Key, Row>,
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
    pub(crate) fn new() -> Self {
        Self {
            now: T0,
            clock_drifted: false,
            context: Context { policies: Policies::new(policy()), ..Context::default() },
            rows: BTreeMap::new(),
            journal: Vec::new(),
            given: BTreeMap::new(),
        }
    }

    /// Runs `command` as an engine would, and checks the invariants.
    pub(crate) fn run(&mut self, command: &Command) -> Result<Receipt, Refusal> {
        let mut keys = Vec::new();
        Wallets::keys(command, &mut keys);
        let mut further = Vec::new();
        Wallets::keys_further(command, &Named { rows: &self.rows, keys: &keys }, &mut further);
        keys.append(&mut further);

        let moment = Moment { now: self.now, clock_drifted: self.clock_drifted };
        let before = Named { rows: &self.rows, keys: &keys };
        let Decision { events, reply } = Wallets::decide(&before, command, moment, &self.context);
        if reply.is_err() {
            let only_refused = matches!(events.as_slice(), [Event::Refused(_)]);
            assert!(only_refused, "{command:?} was refused, and left {events:?}");
        }
        for event in &events {
            apply(&mut self.rows, event, Some(&keys));
        }
        Wallets::assert_decided(&events, &Named { rows: &self.rows, keys: &keys });
        self.journal.push(events);
        self.assert_invariants();
        reply
    }

    /// Runs `command`, which must be carried out.
    pub(crate) fn done(&mut self, command: &Command) -> Receipt {
        self.run(command).unwrap_or_else(|refusal| panic!("{command:?} was refused: {refusal:?}"))
    }

    /// Runs `command`, which must be refused.
    pub(crate) fn refused(&mut self, command: &Command) -> Refusal {
        self.run(command).expect_err("the command is refused")
    }

    /// Lets `milliseconds` pass.
    pub(crate) fn pass(&mut self, milliseconds: i64) {
        self.now = self.now.plus_milliseconds(milliseconds);
    }

    /// Puts `row` at `key` as if it had always been there. Only before the first command: no event made it.
    pub(crate) fn give_row(&mut self, key: Key, row: Row) {
        assert!(self.journal.is_empty(), "what a test begins with comes first");
        self.rows.insert(key, row.clone());
        self.given.insert(key, row);
    }

    /// A holder of `tier` with an open wallet, both of number `number`; the person has that number too.
    pub(crate) fn give_wallet(&mut self, number: u128, tier: Tier) -> WalletId {
        let (id, owner) = (wallet(number), holder(number));
        let person = (tier == Tier::Identified).then_some(PersonId(Id::from_number(number)));
        let identified = person.map(|_| (IdentificationMethod::SigningCertificate, T0));
        let phone_verified = (tier >= Tier::Phone).then_some(T0);
        let traits = Traits { opened: T0, mail_domain: None, phone_verified, identified, first: None, last: None };
        let row = Wallet::new(owner, person, tier, traits);
        self.give_row(Key::new(table::WALLET, id.0), Row::Wallet(Box::new(row)));
        let phone = (tier >= Tier::Phone).then_some(ContactId(Id::from_number(1_000_000 + number)));
        let row = Holder {
            opened: T0,
            tier,
            mail: ContactId(Id::from_number(number)),
            mail_domain: None,
            mail_verified: Some(T0),
            phone,
            phone_verified,
            wanted: None,
            person,
            identified,
            wallet: Some(id),
            profile: Sealed::default(),
        };
        if let Some(person) = person {
            let row = Person { wallet: Some(id), ..Person::default() };
            self.give_row(Key::new(table::PERSON, person.0), Row::Person(Box::new(row)));
        }
        for contact in [Some(row.mail), row.phone].into_iter().flatten() {
            self.give_row(Key::new(table::CONTACT, contact.0), Row::Contact(ContactHolders(vec![owner])));
        }
        self.give_row(Key::new(table::HOLDER, owner.0), Row::Holder(Box::new(row)));
        id
    }

    /// An open shop.
    pub(crate) fn give_shop(&mut self, number: u128) -> ShopId {
        let id = shop(number);
        self.give_row(Key::new(table::SHOP, id.0), Row::Shop(Shop { opened: T0, closed: false }));
        id
    }

    /// `amount` in a purse of `wallet`, as one lot of id `lot` that came in at `received`.
    pub(crate) fn give_money(&mut self, wallet: WalletId, purse: Purse, lot: u128, amount: i64, received: Time) {
        let lot = Id::from_number(lot);
        let (source, from) = match purse {
            Purse::Bonus => (Source::Campaign(CampaignId(Id::from_number(1))), chart::campaign_expense()),
            Purse::Prepaid => (Source::Voucher, chart::voucher_clearing()),
            Purse::Funds => (Source::TopUp(BankAccountId(Id::from_number(1))), chart::suspense(None)),
        };
        let amount = Yen::new(amount);
        let key = chart::key(from);
        let mut other = self.account(from);
        other.debits_posted = other.debits_posted.checked_add(amount).expect("a sum in range");
        self.give_row(key, Row::Account(from, other));
        let mut row = self.wallet(wallet).clone();
        let balance = row.purse_mut(purse);
        balance.account.credits_posted = balance.account.credits_posted.checked_add(amount).expect("a sum in range");
        balance.give(&Lot { id: lot, source, received, amount });
        self.give_row(Key::new(table::WALLET, wallet.0), Row::Wallet(Box::new(row)));
    }

    pub(crate) fn row(&self, key: Key) -> Option<&Row> {
        self.rows.get(&key)
    }

    pub(crate) fn wallet(&self, id: WalletId) -> &Wallet {
        match self.row(Key::new(table::WALLET, id.0)) {
            Some(Row::Wallet(row)) => row,
            other => panic!("no wallet {id}: {other:?}"),
        }
    }

    pub(crate) fn account(&self, id: ledger::AccountId) -> Account {
        match self.row(chart::key(id)) {
            Some(Row::Account(_, row)) => *row,
            None => Account::new(chart::rule(id.code)),
            other => panic!("no account {id:?}: {other:?}"),
        }
    }

    /// The events of the last command.
    pub(crate) fn last_events(&self) -> &[Event] {
        self.journal.last().map_or(&[], Vec::as_slice)
    }

    /// The rows that the journal alone comes to.
    pub(crate) fn replayed(&self) -> BTreeMap<Key, Row> {
        let mut rows = self.given.clone();
        for event in self.journal.iter().flatten() {
            apply(&mut rows, event, None);
        }
        rows
    }

    /// Whether it began with money that no movement brought.
    pub(crate) fn gave_money(&self) -> bool {
        self.given.values().any(|row| matches!(row, Row::Account(..)))
    }

    /// The books over all rows.
    pub(crate) fn books(&self) -> Books {
        let mut books = Books::default();
        self.rows.iter().for_each(|(key, row)| books.add(*key, row));
        books
    }

    /// The invariants of the ledger and of lots, over all rows.
    pub(crate) fn assert_invariants(&self) {
        let mut surplus = (0_i128, 0_i128);
        let mut add = |account: &Account| {
            surplus.0 += i128::from(account.debits_posted.amount()) - i128::from(account.credits_posted.amount());
            surplus.1 += i128::from(account.debits_pending.amount()) - i128::from(account.credits_pending.amount());
        };
        for (key, row) in &self.rows {
            match row {
                Row::Account(id, account) => {
                    assert_eq!(chart::key(*id), *key, "an account lies in another's row");
                    account.assert_rule(*id);
                    add(account);
                }
                Row::Wallet(wallet) => {
                    for purse in Purse::ALL {
                        wallet.purse(purse).account.assert_rule(chart::purse(WalletId(key.id), purse));
                        add(&wallet.purse(purse).account);
                    }
                    wallet.assert_purses();
                }
                _ => {}
            }
        }
        assert_eq!(surplus, (0, 0), "debits and credits differ");
    }
}

/// Applies `event` to the rows that it touches, which must be among `named`.
fn apply(rows: &mut BTreeMap<Key, Row>, event: &Event, named: Option<&[Key]>) {
    let mut touched = Vec::new();
    Wallets::touches(event, &mut touched);
    for key in touched {
        let is_named = named.is_none_or(|named| named.contains(&key));
        assert!(is_named, "{event:?} touches {key:?}, which its command did not name");
        let mut row = rows.get(&key).cloned();
        Wallets::evolve(key, &mut row, event);
        rows.insert(key, row.expect("no row is ever removed"));
    }
}

pub(crate) fn wallet(number: u128) -> WalletId {
    WalletId(Id::from_number(number))
}

pub(crate) fn holder(number: u128) -> HolderId {
    HolderId(Id::from_number(number))
}

pub(crate) fn shop(number: u128) -> ShopId {
    ShopId(Id::from_number(number))
}

pub(crate) fn payment_code(number: u128) -> PaymentCodeId {
    PaymentCodeId(Id::from_number(number))
}
