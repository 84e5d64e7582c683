//! Days: what is owed at the end of each, and what moved at each bank. Counted event by event, in the transaction that moves the
//! cursor, so that a day's figures are those of its records and of no others.

use super::Cursor;
use crate::doors::{Door, DoorsError, Transaction};
use domain::{Day, Id, Time};
use serde::{Deserialize, Serialize};
use wallet::movement::{self, AtBank};
use wallet::safeguarding::{Figures, Outstanding};
use wallet::{BankCode, Event, Policies, payout, reimbursement, top_up};

/// The owner of rows that are nobody's but ours: they are listed by it.
pub const OURS: Id = Id([0; 16]);

/// What is owed, as far as the cursor has come, on the day that is not closed yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    day: Option<Day>,
    funds: i64,
    prepaid: i64,
    bonus: i64,
    suspense: Vec<(Id, i64)>,
}

impl Door for Books {
    const TABLE: &'static str = "books";

    fn id(&self) -> Id {
        Id::default()
    }
}

/// The figures of a day that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayFigures {
    /// Which day.
    pub day: Day,
    /// What was owed at its end.
    pub figures: Figures,
}

impl DayFigures {
    /// The id of a day's figures.
    pub fn key(day: Day) -> Id {
        day_id(day, 0)
    }
}

impl Door for DayFigures {
    const TABLE: &'static str = "day_figures";

    fn id(&self) -> Id {
        Self::key(self.day)
    }

    fn owner(&self) -> Option<Id> {
        Some(OURS)
    }
}

/// What moved at a bank on one day, by the books: on the day on which the books learnt of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankDay {
    /// Which day.
    pub day: Day,
    /// Which bank.
    pub bank: BankCode,
    /// Debits that were done, and their sum in yen.
    pub debits: u64,
    /// Their sum.
    pub debited: i64,
    /// Credits of payouts.
    pub credits: u64,
    /// Their sum.
    pub credited: i64,
    /// Debits that were given back, by reimbursements too.
    pub give_backs: u64,
    /// Their sum.
    pub given_back: i64,
    /// Debits that the bank took back.
    pub reversals: u64,
    /// Their sum.
    pub reversed: i64,
    /// What the day added to the bank's clearing account, whatever for.
    pub posted: i64,
    /// What the bank owed us after the day's last movement.
    pub balance: i64,
}

/// What of one movement stands in its bank's clearing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankMovement {
    /// The top-up or payout.
    pub about: Id,
    /// At which bank.
    pub bank: BankCode,
    /// The day on which that last changed.
    pub day: Day,
    /// What the bank owes us for it, in yen.
    pub posted: i64,
}

impl Door for BankMovement {
    const TABLE: &'static str = "bank_movement";

    fn id(&self) -> Id {
        self.about
    }

    fn owner(&self) -> Option<Id> {
        Some(day_owner(self.day))
    }
}

/// The owner of what is listed by its day.
pub fn day_owner(day: Day) -> Id {
    day_id(day, 0)
}

/// What stands in a bank's clearing account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankTotal {
    bank: BankCode,
    posted: i64,
}

impl Door for BankTotal {
    const TABLE: &'static str = "bank_total";

    fn id(&self) -> Id {
        self.bank.id()
    }
}

impl BankDay {
    /// The id of a bank's day.
    pub fn key(day: Day, bank: BankCode) -> Id {
        day_id(day, bank.number())
    }

    const fn new(day: Day, bank: BankCode) -> Self {
        let (debits, credits, give_backs, reversals) = (0, 0, 0, 0);
        let (debited, credited, given_back, reversed) = (0, 0, 0, 0);
        let (posted, balance) = (0, 0);
        Self {
            day,
            bank,
            debits,
            debited,
            credits,
            credited,
            give_backs,
            given_back,
            reversals,
            reversed,
            posted,
            balance,
        }
    }
}

impl Door for BankDay {
    const TABLE: &'static str = "bank_day";

    fn id(&self) -> Id {
        Self::key(self.day, self.bank)
    }

    fn owner(&self) -> Option<Id> {
        Some(OURS)
    }
}

/// Ordered by day.
fn day_id(day: Day, bank: u16) -> Id {
    let days = u128::try_from(day.number()).unwrap_or(0);
    Id::from_number((days << 16) | u128::from(bank) | 1 << 64)
}

impl Books {
    /// Counts one event that happened at `at`; days that ended before it are closed first.
    pub fn count(
        doors: &Transaction<'_>,
        events: &[Event],
        at: Time,
        policies: &Policies,
        books: &mut Self,
    ) -> Result<(), DoorsError> {
        books.close_until(doors, at.day(), policies)?;
        let mut outstanding = Outstanding {
            funds: books.funds,
            prepaid: books.prepaid,
            bonus: books.bonus,
            suspense: books.suspense.iter().copied().collect(),
        };
        for event in events {
            outstanding.apply(event);
            moved_at_bank(doors, event, at.day())?;
            posted_at_bank(doors, event, at.day())?;
        }
        (books.funds, books.prepaid, books.bonus) = (outstanding.funds, outstanding.prepaid, outstanding.bonus);
        books.suspense = outstanding.suspense.into_iter().collect();
        Ok(())
    }

    /// Whether everything that happened on `day` is counted: something that came later is.
    pub fn is_past(&self, day: Day) -> bool {
        self.day.is_some_and(|counted| counted > day)
    }

    /// Closes every day before `today`.
    pub fn close_until(&mut self, doors: &Transaction<'_>, today: Day, policies: &Policies) -> Result<(), DoorsError> {
        let mut day = self.day.unwrap_or(today);
        while day < today {
            let outstanding = Outstanding {
                funds: self.funds,
                prepaid: self.prepaid,
                bonus: self.bonus,
                suspense: self.suspense.iter().copied().collect(),
            };
            let figures = outstanding.figures(&policies.on(day).safeguarding);
            doors.put(&DayFigures { day, figures })?;
            day = day.plus(1);
        }
        self.day = Some(today.max(day));
        Ok(())
    }
}

/// Closes the days before `today`, when every record until now was counted.
pub fn close(doors: &Transaction<'_>, head: u64, today: Day, policies: &Policies) -> Result<(), DoorsError> {
    let is_all = doors.get::<Cursor>(Id::default())?.is_some_and(|cursor| cursor.n >= head);
    let books: Option<Books> = doors.get(Id::default())?;
    match books {
        Some(mut books) if is_all && books.day.is_some_and(|day| day < today) => {
            books.close_until(doors, today, policies)?;
            doors.put(&books)
        }
        Some(_) | None => Ok(()),
    }
}

/// Counts what an event moved at a bank.
fn moved_at_bank(doors: &Transaction<'_>, event: &Event, day: Day) -> Result<(), DoorsError> {
    let (bank, amount, what) = match event {
        Event::TopUp(top_up::Event::Settled { debit, .. }) => (debit.bank, debit.amount, What::Debit),
        Event::TopUp(top_up::Event::Returned { debit, debited, .. }) => (debit.bank, *debited, What::Debit),
        Event::TopUp(
            top_up::Event::GivenBack { debit, amount, .. } | top_up::Event::GivenBackTwice { debit, amount, .. },
        ) => (debit.bank, *amount, What::GiveBack),
        Event::Reimbursement(
            reimbursement::Event::Done { credit, .. }
            | reimbursement::Event::DoneAfterAll { credit, .. }
            | reimbursement::Event::PaidTwice { credit, .. },
        ) => (credit.bank, credit.amount, What::GiveBack),
        Event::TopUp(top_up::Event::Reversed { debit, .. }) => (debit.bank, debit.amount, What::Reversal),
        Event::Payout(payout::Event::Settled { credit, .. } | payout::Event::PaidAfterAll { credit, .. }) => {
            (credit.bank, credit.amount, What::Credit)
        }
        Event::TopUp(_)
        | Event::Payout(_)
        | Event::Payment(_)
        | Event::Send(_)
        | Event::Voucher(_)
        | Event::Bonus(_)
        | Event::Switches(_)
        | Event::Refused(_)
        | Event::Holder(_)
        | Event::Wallet(_)
        | Event::Case(_)
        | Event::Reimbursement(_)
        | Event::Shop(_)
        | Event::Mandate(_) => return Ok(()),
    };
    let fresh = BankDay::new(day, bank);
    let mut row = doors.get::<BankDay>(fresh.id())?.unwrap_or(fresh);
    let (count, sum) = match what {
        What::Debit => (&mut row.debits, &mut row.debited),
        What::Credit => (&mut row.credits, &mut row.credited),
        What::GiveBack => (&mut row.give_backs, &mut row.given_back),
        What::Reversal => (&mut row.reversals, &mut row.reversed),
    };
    *count += 1;
    *sum += amount.amount();
    doors.put(&row)
}

/// Counts what an event posted to a bank's clearing account.
fn posted_at_bank(doors: &Transaction<'_>, event: &Event, day: Day) -> Result<(), DoorsError> {
    let Some(AtBank { about, bank, posted }) = movement::at_bank(event) else { return Ok(()) };
    let before = doors.get::<BankMovement>(about)?.map_or(0, |row| row.posted);
    doors.put(&BankMovement { about, bank, day, posted: before + posted })?;
    let total = doors.get::<BankTotal>(bank.id())?.map_or(0, |total| total.posted) + posted;
    doors.put(&BankTotal { bank, posted: total })?;
    let fresh = BankDay::new(day, bank);
    let row = doors.get::<BankDay>(fresh.id())?.unwrap_or(fresh);
    doors.put(&BankDay { posted: row.posted + posted, balance: total, ..row })
}

#[derive(Clone, Copy)]
enum What {
    Debit,
    Credit,
    GiveBack,
    Reversal,
}
