//! The wallet as a [`Domain`]: routes commands, events and rows to the rooms of their nouns. No rule lives here.

use crate::effect::{Counted, Counter};
use crate::effect::{Effect, Whose};
use crate::ids::{PersonId, WalletId};
use crate::refusal::Noun;
use crate::state::{Rows, wrong_row};
use crate::wallet::Wallet;
use crate::{Command, Context, Event, Receipt, Refusal, Refused, Row};
use crate::{
    bank_account, bonus, case, chart, holder, mandate, operation, payment, payout, reimbursement, send, shop, switches,
    table, top_up, voucher, wallet,
};
use domain::{Decision, Domain, Key, Moment, State, TableSpec, Value};
use ledger::{Account, AccountId, Yen};

/// The domain of wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallets;

impl Domain for Wallets {
    type Command = Command;
    type Context = Context;
    type Row = Row;
    type Event = Event;
    type Receipt = Receipt;
    type Refusal = Refusal;

    const NAME: &'static str = "wallet";
    const VOCABULARY: u32 = 500;
    const TABLES: &'static [TableSpec] = table::SPECS;
    const ROWS_VERSION: u32 = 13;

    fn keys(command: &Command, keys: &mut Vec<Key>) {
        match command {
            Command::Holder(command) => holder::keys(command, keys),
            Command::Wallet(command) => wallet::keys(command, keys),
            Command::Mandate(command) => mandate::keys(command, keys),
            Command::TopUp(command) => top_up::keys(command, keys),
            Command::Payout(command) => payout::keys(command, keys),
            Command::Shop(command) => shop::keys(command, keys),
            Command::Payment(command) => payment::keys(command, keys),
            Command::Send(command) => send::keys(command, keys),
            Command::Voucher(command) => voucher::keys(command, keys),
            Command::Bonus(command) => bonus::keys(command, keys),
            Command::Switches(_) => keys.push(switches::KEY),
            Command::Case(command) => case::keys(command, keys),
            Command::Reimbursement(command) => reimbursement::keys(command, keys),
        }
    }

    fn keys_further(command: &Command, state: &dyn State<Row>, keys: &mut Vec<Key>) {
        match command {
            Command::Holder(command) => holder::keys_further(command, Rows(state), keys),
            Command::Wallet(command) => wallet::keys_further(command, Rows(state), keys),
            Command::Mandate(command) => mandate::keys_further(command, Rows(state), keys),
            Command::TopUp(command) => top_up::keys_further(command, Rows(state), keys),
            Command::Payout(command) => payout::keys_further(command, Rows(state), keys),
            Command::Payment(command) => payment::keys_further(command, Rows(state), keys),
            Command::Send(command) => send::keys_further(command, Rows(state), keys),
            Command::Case(command) => case::keys_further(command, Rows(state), keys),
            Command::Reimbursement(command) => reimbursement::keys_further(command, Rows(state), keys),
            Command::Voucher(_) | Command::Bonus(_) => {}
            Command::Shop(_) | Command::Switches(_) => {}
        }
    }

    fn decide(state: &dyn State<Row>, command: &Command, moment: Moment, context: &Context) -> Decision<Self> {
        let rows = Rows(state);
        let decided = match command {
            Command::Holder(command) => holder::decide(rows, command, moment, context),
            Command::Wallet(command) => wallet::decide(rows, command, moment, context),
            Command::Mandate(command) => mandate::decide(rows, command, moment, context),
            Command::TopUp(command) => top_up::decide(rows, command, moment, context),
            Command::Payout(command) => payout::decide(rows, command, moment, context),
            Command::Shop(command) => shop::decide(rows, command, moment),
            Command::Payment(command) => payment::decide(rows, command, moment, context),
            Command::Send(command) => send::decide(rows, command, moment, context),
            Command::Voucher(command) => voucher::decide(rows, command, moment, context),
            Command::Bonus(command) => bonus::decide(rows, command, moment, context),
            Command::Switches(command) => switches::decide(rows, command, moment, context),
            Command::Case(command) => case::decide(rows, command, moment, context),
            Command::Reimbursement(command) => reimbursement::decide(rows, command, moment),
        };
        match decided {
            Ok((mut events, receipt)) => {
                wallet::recover(rows, &mut events, moment.now);
                Decision { events, reply: Ok(receipt) }
            }
            Err(refusal) => Decision { events: vec![refused(rows, command, &refusal, moment)], reply: Err(refusal) },
        }
    }

    fn touches(event: &Event, keys: &mut Vec<Key>) {
        let mut each = |key| {
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        event.effects(&mut |effect| effect.touches(&mut each));
        match event {
            Event::Refused(_) => {}
            Event::Holder(event) => event.touches(&mut each),
            Event::Wallet(event) => event.touches(&mut each),
            Event::Mandate(event) => event.touches(&mut each),
            Event::TopUp(event) => event.touches(&mut each),
            Event::Payout(event) => event.touches(&mut each),
            Event::Shop(event) => event.touches(&mut each),
            Event::Payment(event) => event.touches(&mut each),
            Event::Send(event) => event.touches(&mut each),
            Event::Voucher(event) => event.touches(&mut each),
            Event::Bonus(event) => event.touches(&mut each),
            Event::Switches(_) => each(switches::KEY),
            Event::Case(event) => event.touches(&mut each),
            Event::Reimbursement(event) => event.touches(&mut each),
        }
    }

    fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
        match key.table {
            table::WALLET => evolve_wallet(key, row, event),
            table::PERSON => evolve_person(key, row, event),
            table::BANK_ACCOUNT => bank_account::evolve(key, row, event),
            table::ACCOUNT => evolve_account(key, row, event),
            _ => evolve_noun(key, row, event),
        }
    }

    fn assert_decided(events: &[Event], after: &dyn State<Row>) {
        let rows = Rows(after);
        for event in events {
            event.effects(&mut |effect| {
                if let Effect::Leg(leg) = effect {
                    leg.assert_balanced();
                    for account in [leg.debit, leg.credit] {
                        sums(rows, account).assert_rule(account);
                    }
                }
            });
            assert_noun(rows, event);
        }
    }

    fn operation_begun(events: &[Event]) -> Option<Key> {
        operation::begun(events)
    }

    fn is_final(row: &Row) -> bool {
        operation::is_final(row)
    }

    fn asks_for_more(refusal: &Refusal) -> bool {
        matches!(refusal, Refusal::StepUpRequired { .. })
    }

    fn columns(row: &Row, values: &mut Vec<Value>) {
        columns(row, values);
    }

    fn command_name(command: &Command) -> &'static str {
        command.subject().0
    }
}

/// What a room promises of its own rows once all events are applied.
fn assert_noun(rows: Rows<'_>, event: &Event) {
    match event {
        Event::Mandate(event) => event.assert_decided(rows),
        Event::TopUp(event) => event.assert_decided(rows),
        Event::Payout(event) => event.assert_decided(rows),
        Event::Refused(_) | Event::Holder(_) | Event::Wallet(_) | Event::Shop(_) | Event::Payment(_) => {}
        Event::Send(_) | Event::Voucher(_) | Event::Bonus(_) | Event::Switches(_) | Event::Case(_) => {}
        Event::Reimbursement(_) => {}
    }
}

/// What a stranger asks of a wallet does not count there, or anyone could fill its sums of refused attempts. Nor does what
/// waits for a proof: its holder is asked for one every day.
fn refused(rows: Rows<'_>, command: &Command, refusal: &Refusal, moment: Moment) -> Event {
    let (_, wallet, amount) = command.subject();
    let is_strangers = *refusal == Refusal::Unknown { noun: Noun::Wallet };
    let waits = matches!(refusal, Refusal::StepUpRequired { .. });
    let wallet = wallet.filter(|id| !is_strangers && !waits && rows.wallet(*id).is_some());
    Event::Refused(Refused { wallet, amount, at: moment.now })
}

/// The sums of any account, a purse's too.
fn sums(rows: Rows<'_>, id: AccountId) -> Account {
    let purse = crate::purse::Purse::ALL.into_iter().find(|purse| purse.code() == id.code);
    match purse {
        None => rows.account(id),
        Some(purse) => rows.wallet(WalletId(id.owner)).map_or_else(Account::default, |w| w.purse(purse).account),
    }
}

impl Event {
    /// What this does to balances, lots and limits: each room says it of its own events.
    pub(crate) fn effects(&self, each: &mut impl FnMut(Effect)) {
        match self {
            Self::Refused(Refused { wallet: Some(wallet), amount, at }) => {
                let whose = Whose::Wallet(*wallet);
                each(Effect::Count(Counted { whose, counter: Counter::Refused, day: at.day(), amount: *amount }));
            }
            Self::TopUp(event) => event.effects(each),
            Self::Payout(event) => event.effects(each),
            Self::Payment(event) => event.effects(each),
            Self::Mandate(_) => {}
            Self::Send(event) => event.effects(each),
            Self::Voucher(event) => event.effects(each),
            Self::Bonus(event) => event.effects(each),
            Self::Reimbursement(event) => event.effects(each),
            Self::Refused(Refused { wallet: None, .. }) => {}
            Self::Wallet(event) => event.effects(each),
            Self::Holder(_) | Self::Shop(_) | Self::Switches(_) | Self::Case(_) => {}
        }
    }
}

fn evolve_wallet(key: Key, row: &mut Option<Row>, event: &Event) {
    if let Event::Wallet(event) = event {
        event.evolve_wallet(row);
    }
    let Some(Row::Wallet(wallet)) = row else { wrong_row(key) };
    event.effects(&mut |effect| wallet.apply(WalletId(key.id), &effect));
    match event {
        Event::Holder(event) => event.evolve_wallet(wallet),
        Event::Payment(event) => event.evolve_wallet(wallet),
        Event::TopUp(event) => event.evolve_wallet(wallet),
        Event::Payout(event) => event.evolve_wallet(wallet),
        Event::Mandate(_) => {}
        Event::Send(event) => event.evolve_wallet(WalletId(key.id), wallet),
        Event::Voucher(event) => event.evolve_wallet(wallet),
        Event::Case(event) => event.evolve_wallet(wallet),
        Event::Reimbursement(event) => event.evolve_wallet(WalletId(key.id), wallet),
        Event::Bonus(_) => {}
        Event::Refused(_) | Event::Wallet(_) | Event::Shop(_) | Event::Switches(_) => {}
    }
    wallet.assert_purses();
}

fn evolve_person(key: Key, row: &mut Option<Row>, event: &Event) {
    match event {
        Event::Holder(event) => event.evolve_person(key, row),
        Event::Wallet(event) => event.evolve_person(key, row),
        Event::Refused(_) | Event::Shop(_) | Event::Payment(_) | Event::Switches(_) => {}
        Event::Send(_) | Event::Voucher(_) | Event::Bonus(_) => {}
        Event::Mandate(_) | Event::TopUp(_) | Event::Payout(_) | Event::Case(_) => {}
        Event::Reimbursement(_) => {}
    }
    let Some(Row::Person(person)) = row else { wrong_row(key) };
    event.effects(&mut |effect| person.apply(PersonId(key.id), &effect));
}

fn evolve_account(key: Key, row: &mut Option<Row>, event: &Event) {
    event.effects(&mut |effect| {
        let Effect::Leg(leg) = effect else { return };
        for id in [leg.debit, leg.credit] {
            if chart::key(id) == key {
                let fresh = || Row::Account(id, Account::new(chart::rule(id.code)));
                let Row::Account(_, account) = row.get_or_insert_with(fresh) else { wrong_row(key) };
                account.apply(id, &leg);
            }
        }
    });
}

fn evolve_noun(key: Key, row: &mut Option<Row>, event: &Event) {
    match event {
        Event::Refused(_) => {}
        Event::Holder(event) if key.table == table::CONTACT => event.evolve_contact(key, row),
        Event::Holder(event) => event.evolve(row),
        Event::Wallet(event) => event.evolve_holder(row),
        Event::Mandate(event) => event.evolve(row),
        Event::TopUp(event) => event.evolve(key, row),
        Event::Payout(event) => event.evolve(key, row),
        Event::Shop(event) => event.evolve(row),
        Event::Payment(event) if key.table == table::PAYMENT_CODE => event.evolve_code(row),
        Event::Payment(event) => event.evolve(row),
        Event::Send(event) => event.evolve(row),
        Event::Voucher(event) => event.evolve(row),
        Event::Bonus(event) => event.evolve(row),
        Event::Switches(event) => event.evolve(row),
        Event::Case(event) => event.evolve(row),
        Event::Reimbursement(event) => event.evolve(key, row),
    }
}

fn columns(row: &Row, values: &mut Vec<Value>) {
    let yen = |amount: Yen| Value::Integer(amount.amount());
    match row {
        Row::Holder(row) => values.extend([
            row.wallet.map_or(Value::Null, |wallet| Value::Id(wallet.0)),
            Value::Text(row.tier.name()),
            Value::Integer(row.opened.milliseconds()),
        ]),
        Row::Person(row) => values.push(row.wallet.map_or(Value::Null, |wallet| Value::Id(wallet.0))),
        Row::Contact(row) => values.extend([
            row.0.first().map_or(Value::Null, |holder| Value::Id(holder.0)),
            Value::Integer(i64::try_from(row.0.len()).unwrap_or(i64::MAX)),
        ]),
        Row::Wallet(row) => wallet_columns(row, values),
        Row::BankAccount(row) => values.extend(row.columns()),
        Row::Mandate(row) => values.extend(row.columns()),
        Row::TopUp(row) => values.extend(row.columns()),
        Row::Payout(row) => values.extend(row.columns()),
        Row::Shop(row) => values.push(Value::Text(if row.closed { "closed" } else { "open" })),
        Row::Payment(row) => values.extend([
            Value::Id(row.wallet.0),
            Value::Id(row.shop.0),
            Value::Text(row.status.name()),
            yen(row.amount),
            yen(row.captured),
            yen(row.refunded),
            Value::Integer(row.accepted.milliseconds()),
        ]),
        Row::PaymentCode(row) => values.extend([
            Value::Id(row.wallet.0),
            Value::Text(if row.used_by.is_some() { "used" } else { "unused" }),
            Value::Integer(row.expires.milliseconds()),
        ]),
        Row::Send(row) => values.extend([
            Value::Id(row.from.0),
            Value::Id(row.to.0),
            Value::Text(row.status.name()),
            yen(row.amount),
            Value::Integer(row.accepted.milliseconds()),
        ]),
        Row::Voucher(row) => values.extend([
            row.wallet.map_or(Value::Null, |wallet| Value::Id(wallet.0)),
            Value::Text(row.status.name()),
            yen(row.amount),
        ]),
        Row::Bonus(row) => values.extend([Value::Id(row.wallet.0), Value::Id(row.campaign.0), yen(row.amount)]),
        Row::Account(id, row) => values.extend([
            Value::Integer(i64::from(id.code.0)),
            yen(row.debits_pending),
            yen(row.debits_posted),
            yen(row.credits_pending),
            yen(row.credits_posted),
        ]),
        Row::Switches(row) => values.push(Value::Integer(i64::try_from(row.stops.len()).unwrap_or(i64::MAX))),
        Row::Case(row) => values.extend(row.columns()),
        Row::Reimbursement(row) => values.extend(row.columns()),
    }
}

fn wallet_columns(row: &Wallet, values: &mut Vec<Value>) {
    let available = |balance: &crate::purse::Balance| Value::Integer(balance.account.available().amount());
    values.extend([
        Value::Id(row.holder.0),
        Value::Text(row.status()),
        Value::Text(row.tier.name()),
        available(&row.funds),
        available(&row.prepaid),
        available(&row.bonus),
        Value::Integer(row.held().amount()),
        Value::Integer(row.traits.opened.milliseconds()),
    ]);
}
