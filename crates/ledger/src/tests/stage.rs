//! The language of the stories. Lines are separated by `;`. A line asks for something (`A pays B 30 as t`,
//! `A holds 30 for B as h until 9`, `post 20 of h`, `void h`, `expire h`, `open A free`, `close A`), moves the clock
//! (`it is 5`), or tells how things must stand (`A has 70, 40 available`, `h is voided`, `A had 70 at 5`). `A has 70` of
//! an unknown A opens it as a purse that holds 70.
//!
//! What follows ` -> ` is the answer: why it was refused, or `again` where the same command had been carried out before
//! and the first receipt comes back. Without it the command must be carried out. Time is in milliseconds.

use super::world::World;
use crate::{
    Command, Event, Field, Receipt, Refusal, Row, Rule, TransferState, Yen, account_as_of, account_key, transfer_key,
};
use domain::{Id, Time};

/// Plays `story` in an empty ledger.
pub fn check(story: &str) {
    let mut stage = Stage::default();
    for line in story.split(';') {
        stage.play(line.trim(), story);
    }
    assert_eq!(stage.world.replayed(), stage.world.rows, "replay differs after: {story}");
}

#[derive(Default)]
struct Stage {
    world: World,
    receipts: Vec<(Command, Receipt)>,
    unnamed: u8,
}

impl Stage {
    fn play(&mut self, line: &str, story: &str) {
        let (action, answer) = line.split_once(" -> ").unwrap_or((line, ""));
        let spaced = action.replace(',', " ,");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        if let Some(command) = self.command(&words) {
            let told = self.tell(command);
            assert_eq!(told, answer, "answer to `{line}` of: {story}");
            return;
        }
        match words.as_slice() {
            ["it", "is", now] => self.world.now = time(now),
            ["clock", "drifts"] => self.world.clock_drifted = true,
            [name, "is", state] => assert_eq!(self.state(name), *state, "`{line}` of: {story}"),
            [name, "was", "unknown", "at", then] => assert_eq!(self.as_of(name, then), None, "`{line}` of: {story}"),
            [name, "had", sums @ .., "at", then] => {
                let shown = self.as_of(name, then).map(|account| show(&account, sums));
                assert_eq!(shown.as_deref(), Some(&*sums.join(" ")), "`{line}` of: {story}");
            }
            [name, "has", sums @ ..] => match self.world.account(id(name)) {
                Some(account) => assert_eq!(show(&account, sums), sums.join(" "), "`{line}` of: {story}"),
                None => self.endow(name, sums),
            },
            _ => panic!("`{line}` is not understood"),
        }
    }

    /// The command that `words` ask for, if they ask for one.
    fn command(&mut self, words: &[&str]) -> Option<Command> {
        Some(match words {
            ["open", name, rule @ ..] => Command::OpenAccount { id: id(name), rule: rule_named(rule) },
            ["close", name] => Command::CloseAccount { id: id(name) },
            [from, "pays", to, amount, rest @ ..] => {
                Command::Transfer { id: self.id_in(rest), debit: id(from), credit: id(to), amount: yen(amount) }
            }
            [from, "holds", amount, "for", to, rest @ ..] => {
                let expires_at = rest.iter().skip_while(|word| **word != "until").nth(1).map(|until| time(until));
                let id_made = self.id_in(rest);
                Command::Hold { id: id_made, debit: id(from), credit: id(to), amount: yen(amount), expires_at }
            }
            ["post", hold] => Command::PostHold { hold: id(hold), amount: None },
            ["post", amount, "of", hold] => Command::PostHold { hold: id(hold), amount: Some(yen(amount)) },
            ["void", hold] => Command::VoidHold { hold: id(hold) },
            ["expire", hold] => Command::ExpireHold { hold: id(hold) },
            _ => return None,
        })
    }

    /// The id after `as`, or a new one.
    fn id_in(&mut self, words: &[&str]) -> Id {
        if let ["as", name, ..] = words {
            return id(name);
        }
        self.unnamed += 1;
        id(&format!("unnamed{}", self.unnamed))
    }

    /// Runs `command` and says what came of it: nothing to say where it was simply done.
    fn tell(&mut self, command: Command) -> String {
        let rows = self.world.rows.clone();
        let (event, reply) = self.world.run(command);
        if reply.is_err() || event.is_none() {
            assert_eq!(self.world.rows, rows, "{command:?} changed a row, and should not");
        }
        match reply {
            Err(refusal) => say(&refusal),
            Ok(receipt) => match event {
                Some(_) => {
                    self.receipts.push((command, receipt));
                    String::new()
                }
                None => self.say_again(&command, receipt),
            },
        }
    }

    fn say_again(&self, command: &Command, receipt: Receipt) -> String {
        let first = |(earlier, _): &&(Command, _)| earlier.id() == command.id() && earlier.name() == command.name();
        let first = self.receipts.iter().find(first).map(|(_, receipt)| *receipt);
        assert_eq!(first, Some(receipt), "{command:?} was not answered as at first");
        "again".to_owned()
    }

    /// Opens an account that cannot be overdrawn, with money from a source of its own.
    fn endow(&mut self, name: &str, sums: &[&str]) {
        let source = format!("{name}source");
        assert_eq!(self.tell(Command::OpenAccount { id: id(name), rule: rule_named(&[]) }), "");
        if sums != ["0"] {
            let credit = id(name);
            let debit = id(&source);
            assert_eq!(self.tell(Command::OpenAccount { id: debit, rule: Rule::Free }), "");
            let amount = yen(sums.first().expect("an account has something"));
            assert_eq!(self.tell(Command::Transfer { id: id(&source), debit, credit, amount }), "");
        }
    }

    fn as_of(&self, name: &str, then: &str) -> Option<crate::Account> {
        let history: Vec<(Time, &Event)> = self.world.history.iter().map(|(time, event)| (*time, event)).collect();
        account_as_of(id(name), time(then), history)
    }

    fn state(&self, name: &str) -> &'static str {
        let row = self.world.rows.get(&transfer_key(id(name))).or(self.world.rows.get(&account_key(id(name))));
        match row.unwrap_or_else(|| panic!("there is no {name}")) {
            Row::Transfer(transfer) => transfer.state.name(),
            Row::Account(account) if account.closed => "closed",
            Row::Account(_) => "open",
        }
    }
}

/// Shows of `account` what `like` shows.
fn show(account: &crate::Account, like: &[&str]) -> String {
    let balance = account.credit_balance();
    let mut shown = vec![if balance == Yen::MAX.amount() { "max".to_owned() } else { balance.to_string() }];
    for word in like {
        match *word {
            "available" => shown.push(format!(", {} available", account.available().amount())),
            "coming" => shown.push(format!(", {} coming", account.credits_pending.amount())),
            _ => {}
        }
    }
    shown.join(" ")
}

fn say(refusal: &Refusal) -> String {
    match *refusal {
        Refusal::AmountZero => "amount is zero".to_owned(),
        Refusal::SameAccount { account } => format!("{} cannot pay itself", name(account)),
        Refusal::IdTaken { id, field } => format!("{} is taken, {} differs", name(id), field_name(field)),
        Refusal::ExpiryNotAhead { expires_at, now } => {
            format!("would expire at {}, now {}", expires_at.milliseconds(), now.milliseconds())
        }
        Refusal::HoldUnknown { hold } => format!("no hold {}", name(hold)),
        Refusal::NotAHold { transfer } => format!("{} is no hold", name(transfer)),
        Refusal::HoldEnded { hold, state } => match state {
            TransferState::HoldPosted { amount } => format!("{} is posted with {}", name(hold), amount.amount()),
            TransferState::Posted | TransferState::Held | TransferState::Voided | TransferState::Expired => {
                format!("{} is {}", name(hold), state.name())
            }
        },
        Refusal::ClockDrifted => "clock drifted".to_owned(),
        Refusal::HoldNotDue { expires_at: Some(time), .. } => format!("not due before {}", time.milliseconds()),
        Refusal::HoldNotDue { expires_at: None, .. } => "never due".to_owned(),
        Refusal::ExceedsHold { held, requested } => format!("only {} held of {}", held.amount(), requested.amount()),
        Refusal::AccountUnknown { account } => format!("no account {}", name(account)),
        Refusal::AccountClosed { account } => format!("{} is closed", name(account)),
        Refusal::AccountUnsettled { credit_balance, debits_pending, credits_pending } => {
            let pending = format!("pending {} and {}", debits_pending.amount(), credits_pending.amount());
            format!("unsettled, balance {credit_balance}, {pending}")
        }
        Refusal::Overdrawn { account, available, requested } => {
            format!("{} overdrawn, {} available of {}", name(account), available.amount(), requested.amount())
        }
        Refusal::SumTooLarge { account } => format!("sum of {} too large", name(account)),
    }
}

fn field_name(field: Field) -> &'static str {
    match field {
        Field::Kind => "kind",
        Field::Debit => "debit",
        Field::Credit => "credit",
        Field::Amount => "amount",
        Field::ExpiresAt => "expiry",
        Field::Rule => "rule",
    }
}

fn rule_named(words: &[&str]) -> Rule {
    match words {
        [] => Rule::DebitsNeverExceedCredits,
        ["free"] => Rule::Free,
        ["asset"] => Rule::CreditsNeverExceedDebits,
        _ => panic!("no rule is called {words:?}"),
    }
}

/// An id's bytes are its name's, padded with zeros.
fn id(name: &str) -> Id {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    Id(bytes)
}

fn name(id: Id) -> String {
    String::from_utf8_lossy(&id.0).trim_end_matches('\0').to_owned()
}

fn yen(word: &str) -> Yen {
    if word == "max" { Yen::MAX } else { Yen::new(word.parse().expect("an amount")) }
}

fn time(word: &str) -> Time {
    Time::from_milliseconds(word.parse().expect("milliseconds"))
}
