//! The gateway as a [`Domain`]: routes commands, events and rows to the rooms of their nouns. No rule lives here.

use super::comparison::Paper;
use super::state::{Decided, Rows, wrong_row};
use super::{
    Command, Context, Event, Receipt, Refusal, Row, account, bank, comparison, expiry, finding, mandate, movement,
    notice, operator, proposal, table,
};
use domain::{Decision, Domain, Key, Moment, State, TableSpec, Value};

/// What a command comes to where one person's word suffices for it.
pub(crate) fn decide_alone(rows: Rows<'_>, command: &Command, moment: Moment, context: &Context) -> Decided {
    match command {
        Command::Operator(command) => operator::decide(rows, command, moment),
        Command::Bank(command) => bank::decide(rows, command, moment, context),
        Command::Account(command) => account::decide(rows, command, moment, context),
        Command::Mandate(command) => mandate::decide(rows, command, moment, context),
        Command::Movement(command) => movement::decide(rows, command, moment, context),
        Command::Notice(command) => notice::decide(rows, command, moment, context),
        Command::Finding(command) => finding::decide(rows, command, moment),
        Command::Comparison(paper, command) => comparison::decide(rows, *paper, command, moment),
        Command::Expiry(command) => expiry::decide(rows, command, moment),
    }
}

/// The domain of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateway;

impl Domain for Gateway {
    type Command = Command;
    type Context = Context;
    type Row = Row;
    type Event = Event;
    type Receipt = Receipt;
    type Refusal = Refusal;

    const NAME: &'static str = "gateway";
    const VOCABULARY: u32 = 288;
    const ROWS_VERSION: u32 = 5;
    const TABLES: &'static [TableSpec] = table::SPECS;

    fn keys(command: &Command, keys: &mut Vec<Key>) {
        match command {
            Command::Operator(command) => operator::keys(command, keys),
            Command::Bank(command) => bank::keys(command, keys),
            Command::Account(command) => account::keys(command, keys),
            Command::Mandate(command) => mandate::keys(command, keys),
            Command::Movement(command) => movement::keys(command, keys),
            Command::Notice(command) => notice::keys(command, keys),
            Command::Finding(command) => finding::keys(command, keys),
            Command::Comparison(paper, command) => comparison::keys(*paper, command, keys),
            Command::Expiry(command) => expiry::keys(command, keys),
        }
    }

    fn keys_further(command: &Command, state: &dyn State<Row>, keys: &mut Vec<Key>) {
        let rows = Rows(state);
        match command {
            Command::Operator(_) | Command::Comparison(..) => {}
            Command::Bank(_) => bank::keys_further(rows, keys),
            Command::Account(command) => account::keys_further(command, rows, keys),
            Command::Mandate(command) => mandate::keys_further(command, rows, keys),
            Command::Movement(command) => movement::keys_further(command, rows, keys),
            Command::Notice(command) => notice::keys_further(command, rows, keys),
            Command::Finding(command) => finding::keys_further(command, rows, keys),
            Command::Expiry(command) => expiry::keys_further(command, rows, keys),
        }
    }

    fn decide(state: &dyn State<Row>, command: &Command, moment: Moment, context: &Context) -> Decision<Self> {
        let rows = Rows(state);
        let decided = decide_alone(rows, command, moment, context);
        let decided = match proposal::asked(rows, command) {
            Some(asked) => proposal::decide(rows, asked, decided, moment.now),
            None => decided,
        };
        match decided {
            Ok((events, receipt)) => Decision { events, reply: Ok(receipt) },
            Err(refusal) => Decision { events: vec![Event::Refused { at: moment.now }], reply: Err(refusal) },
        }
    }

    fn touches(event: &Event, keys: &mut Vec<Key>) {
        let mut each = |key| {
            if !keys.contains(&key) {
                keys.push(key);
            }
        };
        match event {
            Event::Refused { .. } => {}
            Event::Operator(event) => event.touches(&mut each),
            Event::Bank(event) => event.touches(&mut each),
            Event::Account(event) => event.touches(&mut each),
            Event::Mandate(event) => event.touches(&mut each),
            Event::Movement(event) => event.touches(&mut each),
            Event::Told(told) => told.touches(&mut each),
            Event::Share(event) => event.touches(&mut each),
            Event::Notice(event) => event.touches(&mut each),
            Event::Finding(event) => event.touches(&mut each),
            Event::Comparison(event) => event.touches(Paper::Debits, &mut each),
            Event::Expiry(event) => event.touches(&mut each),
            Event::Statement(event) => event.touches(Paper::Credits, &mut each),
        }
    }

    fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
        match event {
            Event::Refused { .. } => wrong_row(key),
            Event::Operator(event) => event.evolve(key, row),
            Event::Bank(event) => event.evolve(key, row),
            Event::Account(event) => event.evolve(key, row),
            Event::Mandate(event) => event.evolve(key, row),
            Event::Movement(event) => event.evolve(key, row),
            Event::Told(told) => told.evolve(key, row),
            Event::Share(event) => event.evolve(key, row),
            Event::Notice(event) => event.evolve(key, row),
            Event::Finding(event) => event.evolve(key, row),
            Event::Comparison(event) | Event::Statement(event) => event.evolve(key, row),
            Event::Expiry(event) => event.evolve(key, row),
        }
    }

    fn assert_decided(events: &[Event], after: &dyn State<Row>) {
        let rows = Rows(after);
        for event in events {
            match event {
                Event::Mandate(event) => event.assert_decided(rows),
                Event::Movement(event) => event.assert_decided(rows),
                Event::Refused { .. } | Event::Operator(_) | Event::Bank(_) | Event::Account(_) | Event::Told(_) => {}
                Event::Share(_) | Event::Notice(_) | Event::Finding(_) | Event::Comparison(_) | Event::Expiry(_) => {}
                Event::Statement(_) => {}
            }
        }
    }

    fn columns(row: &Row, values: &mut Vec<Value>) {
        let count = |count: usize| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        match row {
            Row::Operators(row) => values.push(count(row.operators.len())),
            Row::Told(row) => values.extend(row.columns()),
            Row::Bank(row) => values.push(count(row.stops.len())),
            Row::Account(row) => values.extend(row.columns()),
            Row::AccountRef(row) => values.extend([
                Value::Id(row.operator.id()),
                Value::Id(row.account.0),
                Value::Text(if row.is_open { "open" } else { "closed" }),
            ]),
            Row::NotMe(row) => values.extend([
                Value::Id(row.account.0),
                Value::Id(row.mandate.0),
                row.used.map_or(Value::Null, |used| Value::Integer(used.milliseconds())),
            ]),
            Row::Mandate(row) => values.extend(row.columns()),
            Row::Movement(row) => values.extend(row.columns()),
            Row::Open(row) => values.push(count(row.things.len())),
            Row::Calendar(row) => values.push(count(row.maintenance.len())),
            Row::Share(row) => values.push(Value::Integer(i64::from(row.open))),
            Row::Notice(row) => values.extend(row.columns()),
            Row::Finding(row) => values.extend(row.columns()),
            Row::Comparison(row) => values.extend(row.columns()),
            Row::Expiry(row) => values.push(count(row.codes.len())),
        }
    }

    fn command_name(command: &Command) -> &'static str {
        match command {
            Command::Operator(operator::Command::Register { .. }) => "operator.register",
            Command::Operator(operator::Command::Take { .. }) => "operator.take",
            Command::Operator(operator::Command::Keep { .. }) => "operator.keep",
            Command::Bank(bank::Command::Switch { .. }) => "bank.switch",
            Command::Bank(bank::Command::SetFactors { .. }) => "bank.set_factors",
            Command::Bank(bank::Command::SetCalendar { .. }) => "bank.set_calendar",
            Command::Bank(bank::Command::Report(_)) => "bank.report",
            Command::Account(account::Command::Notice { .. }) => "account.notice",
            Command::Account(account::Command::NotMe { .. }) => "account.not_me",
            Command::Account(account::Command::Forget { .. }) => "account.forget",
            Command::Mandate(command) => command.name(),
            Command::Movement(command) => command.name(),
            Command::Notice(notice::Command::Owe { .. }) => "notice.owe",
            Command::Notice(notice::Command::Tell { .. }) => "notice.tell",
            Command::Notice(notice::Command::GiveUp { .. }) => "notice.give_up",
            Command::Finding(finding::Command::Find { .. }) => "finding.find",
            Command::Finding(finding::Command::Resolve { .. }) => "finding.resolve",
            Command::Expiry(expiry::Command::Forget { .. }) => "expiry.forget",
            Command::Comparison(_, comparison::Command::Begin { .. }) => "comparison.begin",
            Command::Comparison(_, comparison::Command::Compare { .. }) => "comparison.compare",
            Command::Comparison(_, comparison::Command::PutAside { .. }) => "comparison.put_aside",
            Command::Comparison(_, comparison::Command::GiveUp { .. }) => "comparison.give_up",
        }
    }
}
