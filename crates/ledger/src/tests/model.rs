//! The naive ledger: a list of entries that is summed anew for every question, in plain numbers. It shares no
//! arithmetic and no order of work with the real one: it writes first, looks whether the books are still lawful, and
//! tears the page out if they are not.

use crate::{Command, Field, Refusal, Rule, TransferState, Yen};
use domain::{Id, Time};
use std::collections::BTreeMap;

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Debit,
    Credit,
}

struct Entry {
    account: Id,
    side: Side,
    pending: bool,
    amount: i128,
}

#[derive(Clone, Copy, PartialEq)]
struct Asked {
    is_hold: bool,
    debit: Id,
    credit: Id,
    amount: i128,
    expires_at: Option<Time>,
}

#[derive(Default)]
pub struct Model {
    pub now: Time,
    pub clock_drifted: bool,
    rules: BTreeMap<Id, Rule>,
    closed: Vec<Id>,
    entries: Vec<Entry>,
    asked: BTreeMap<Id, Asked>,
    ends: BTreeMap<Id, TransferState>,
}

/// An account's sums: debits pending and posted, credits pending and posted.
pub type Sums = [i128; 4];

impl Model {
    /// What `command` should be answered: whether it happens now or had happened before, or why not.
    pub fn run(&mut self, command: Command) -> Result<bool, Refusal> {
        match command {
            Command::OpenAccount { id, rule } => match self.rules.get(&id) {
                Some(earlier) if *earlier != rule => Err(Refusal::IdTaken { id, field: Field::Rule }),
                earlier => {
                    let happens = earlier.is_none();
                    self.rules.insert(id, rule);
                    Ok(happens)
                }
            },
            Command::CloseAccount { id } => self.close(id),
            Command::Transfer { id, debit, credit, amount } => {
                let amount = amount.amount().into();
                self.make(id, Asked { is_hold: false, debit, credit, amount, expires_at: None })
            }
            Command::Hold { id, debit, credit, amount, expires_at } => {
                let amount = amount.amount().into();
                self.make(id, Asked { is_hold: true, debit, credit, amount, expires_at })
            }
            Command::PostHold { amount: Some(Yen::ZERO), .. } => Err(Refusal::AmountZero),
            Command::PostHold { hold, amount } => {
                let whole = self.asked.get(&hold).map(|asked| yen(asked.amount));
                let end = TransferState::HoldPosted { amount: amount.or(whole).unwrap_or_default() };
                self.end(hold, end)
            }
            Command::VoidHold { hold } => self.end(hold, TransferState::Voided),
            Command::ExpireHold { hold } => self.end(hold, TransferState::Expired),
        }
    }

    pub fn sums(&self, account: Id) -> Sums {
        let sum = |side, pending| {
            let of = |entry: &&Entry| entry.account == account && entry.side == side && entry.pending == pending;
            self.entries.iter().filter(of).map(|entry| entry.amount).sum()
        };
        [sum(Side::Debit, true), sum(Side::Debit, false), sum(Side::Credit, true), sum(Side::Credit, false)]
    }

    pub fn is_closed(&self, account: Id) -> bool {
        self.closed.contains(&account)
    }

    fn close(&mut self, id: Id) -> Result<bool, Refusal> {
        if !self.rules.contains_key(&id) {
            return Err(Refusal::AccountUnknown { account: id });
        }
        if self.is_closed(id) {
            return Ok(false);
        }
        let [debits_pending, debits, credits_pending, credits] = self.sums(id);
        if debits != credits || debits_pending + credits_pending > 0 {
            return Err(Refusal::AccountUnsettled {
                credit_balance: (credits - debits).try_into().expect("a balance fits"),
                debits_pending: yen(debits_pending),
                credits_pending: yen(credits_pending),
            });
        }
        self.closed.push(id);
        Ok(true)
    }

    fn make(&mut self, id: Id, asked: Asked) -> Result<bool, Refusal> {
        let Asked { is_hold, debit, credit, amount, expires_at } = asked;
        if amount == 0 {
            return Err(Refusal::AmountZero);
        }
        if debit == credit {
            return Err(Refusal::SameAccount { account: debit });
        }
        if let Some(earlier) = self.asked.get(&id) {
            let differences = [
                (earlier.is_hold != is_hold, Field::Kind),
                (earlier.debit != debit, Field::Debit),
                (earlier.credit != credit, Field::Credit),
                (earlier.amount != amount, Field::Amount),
                (earlier.expires_at != expires_at, Field::ExpiresAt),
            ];
            let first = differences.into_iter().find(|(differs, _)| *differs);
            return first.map_or(Ok(false), |(_, field)| Err(Refusal::IdTaken { id, field }));
        }
        if let Some(expires_at) = expires_at.filter(|expires_at| *expires_at <= self.now) {
            return Err(Refusal::ExpiryNotAhead { expires_at, now: self.now });
        }
        if let Some(account) = [debit, credit].into_iter().find(|account| !self.rules.contains_key(account)) {
            return Err(Refusal::AccountUnknown { account });
        }
        if let Some(account) = [debit, credit].into_iter().find(|account| self.is_closed(*account)) {
            return Err(Refusal::AccountClosed { account });
        }
        let page = self.entries.len();
        self.write(asked, is_hold, amount);
        if let Some(unlawful) = self.unlawful(asked) {
            self.entries.truncate(page);
            return Err(unlawful);
        }
        self.asked.insert(id, asked);
        Ok(true)
    }

    fn end(&mut self, hold: Id, end: TransferState) -> Result<bool, Refusal> {
        let Some(asked) = self.asked.get(&hold).copied() else { return Err(Refusal::HoldUnknown { hold }) };
        if !asked.is_hold {
            return Err(Refusal::NotAHold { transfer: hold });
        }
        if let Some(state) = self.ends.get(&hold).copied() {
            return if state == end { Ok(false) } else { Err(Refusal::HoldEnded { hold, state }) };
        }
        match end {
            TransferState::HoldPosted { amount } => {
                let posted = i128::from(amount.amount());
                if posted > asked.amount {
                    return Err(Refusal::ExceedsHold { held: yen(asked.amount), requested: amount });
                }
                self.write(asked, false, posted);
            }
            TransferState::Expired if self.clock_drifted => return Err(Refusal::ClockDrifted),
            TransferState::Expired if asked.expires_at.is_none_or(|expires_at| expires_at > self.now) => {
                return Err(Refusal::HoldNotDue { expires_at: asked.expires_at, now: self.now });
            }
            TransferState::Expired | TransferState::Voided | TransferState::Posted | TransferState::Held => {}
        }
        self.write(asked, true, -asked.amount);
        self.ends.insert(hold, end);
        Ok(true)
    }

    fn write(&mut self, asked: Asked, pending: bool, amount: i128) {
        self.entries.push(Entry { account: asked.debit, side: Side::Debit, pending, amount });
        self.entries.push(Entry { account: asked.credit, side: Side::Credit, pending, amount });
    }

    /// What the books, with the new entries already in them, offend against.
    fn unlawful(&self, asked: Asked) -> Option<Refusal> {
        let overdrawn = |account, over: i128| {
            let requested = asked.amount;
            let refusal =
                || Refusal::Overdrawn { account, available: yen(requested - over), requested: yen(requested) };
            (over > 0).then(refusal)
        };
        let over = |account| {
            let [debits_pending, debits, credits_pending, credits] = self.sums(account);
            match self.rules.get(&account) {
                Some(Rule::DebitsNeverExceedCredits) => overdrawn(account, debits + debits_pending - credits),
                Some(Rule::CreditsNeverExceedDebits) => overdrawn(account, credits + credits_pending - debits),
                Some(Rule::Free) | None => None,
            }
        };
        let too_large = |account| {
            let [debits_pending, debits, credits_pending, credits] = self.sums(account);
            let bound = i128::from(Yen::MAX.amount());
            let exceeds = debits_pending + debits > bound || credits_pending + credits > bound;
            exceeds.then_some(Refusal::SumTooLarge { account })
        };
        over(asked.debit)
            .or_else(|| over(asked.credit))
            .or_else(|| too_large(asked.debit))
            .or_else(|| too_large(asked.credit))
    }
}

fn yen(amount: i128) -> Yen {
    Yen::new(amount.try_into().expect("the naive ledger stays in range"))
}
