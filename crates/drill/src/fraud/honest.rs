//! Honest people: each with a wallet, a bank account, a telephone and an identity document of their own, and things to do.
//! Start reading at [`Crowd::act`].

use super::client::Client;
use super::controls::Control;
use super::holder::{Credentials, Holder, Means, Refused, Typed};
use super::luck::Luck;
use super::report;
use super::scenario::honest::{HOURS, MISTYPED_PERCENT, MOVEMENTS_PER_MILLE, SHARES};
use super::stage::Stage;
use domain::Time;
use sandbox::people::{self, Opening};
use std::net::{IpAddr, Ipv4Addr};

const DAY_MS: i64 = 86_400_000;
/// Of what an account had at first, in per cent, its holder moves so much into the wallet at most.
const BUDGET_PERCENT: i64 = 60;
/// The least that a top-up may be, in yen.
const TOP_UP_YEN_MIN: i64 = 1_000;

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a wallet, and link the account.
    Join,
    /// Confirm the link.
    Confirm,
    /// Whatever one does with a wallet.
    Move,
}

/// Everybody.
pub struct Crowd<'s> {
    people: Vec<Person<'s>>,
    luck: Luck,
    shops: Vec<String>,
    /// What became of it.
    pub figures: report::Honest,
}

struct Person<'s> {
    holder: Holder<'s>,
    known: Credentials,
    /// What may still come from the account, and what is thought to be in the wallet, in yen.
    budget: i64,
    purse: i64,
    /// When the last payment made this device known.
    paid: Option<Time>,
}

impl<'s> Crowd<'s> {
    /// People who own the accounts of `openings`.
    pub fn new(stage: &'s Stage, seed: u64, openings: &[Opening], shops: Vec<String>) -> Self {
        let people = openings.iter().zip(0_u32..).map(|(opening, number)| person(stage, opening, number)).collect();
        let holders = u64::try_from(openings.len()).unwrap_or(0);
        let figures = report::Honest { holders, ..report::Honest::default() };
        Self { people, luck: Luck::new(seed, "honest"), shops, figures }
    }

    /// When somebody who acted at `now` has something to do again.
    pub fn next(&mut self, now: Time) -> Time {
        let days = (1_000 / MOVEMENTS_PER_MILLE).max(1);
        let wait = i64::try_from(self.luck.below(2 * days)).unwrap_or(0);
        let day = now.day().plus(i32::try_from(wait).unwrap_or(0) + 1);
        self.luck.moment_of(day.start(), &HOURS)
    }

    /// Lets `person` do something; what they want to do next, and when.
    pub async fn act(&mut self, person: usize, intent: Intent) -> Option<(Time, Intent)> {
        let before = self.people[person].holder.authentications;
        let next = match intent {
            Intent::Join => self.join(person).await,
            Intent::Confirm => self.confirm(person).await,
            Intent::Move => self.movement(person).await,
        };
        self.figures.authentications += self.people[person].holder.authentications - before;
        next
    }

    async fn join(&mut self, number: usize) -> Option<(Time, Intent)> {
        let mistypes = self.luck.percent(MISTYPED_PERCENT);
        let person = &mut self.people[number];
        let now = person.holder.client.stage.now();
        let linked = match person.holder.join().await {
            Ok(()) => person.link(mistypes).await,
            Err(refused) => Err(refused),
        };
        if let Err(Refused { by, .. }) = linked {
            *self.figures.refused_by.entry(by.name()).or_default() += 1;
            self.figures.refused += 1;
            return None;
        }
        Some((self.luck.minutes_after(now, (5, 600)), Intent::Confirm))
    }

    async fn confirm(&mut self, number: usize) -> Option<(Time, Intent)> {
        let person = &mut self.people[number];
        let now = person.holder.client.stage.now();
        person.holder.confirm(&person.known).await;
        Some((self.next(now), Intent::Move))
    }

    async fn movement(&mut self, number: usize) -> Option<(Time, Intent)> {
        let now = self.people[number].holder.client.stage.now();
        let shares = [SHARES[0], SHARES[1], SHARES[2], 100 - SHARES.iter().sum::<u64>()];
        let kind = self.luck.weighted(shares.into_iter());
        let wish = [self.luck.between((2, 30)) * 1_000, self.luck.between((150, 6_000)), 500, 1_000][kind];
        let to = self.luck.index(self.people.len());
        let shop = self.luck.index(self.shops.len());
        if kind != 0 && self.people[number].purse < wish {
            self.top_up(number, wish.max(5_000)).await;
        }
        match kind {
            0 => self.top_up(number, wish).await,
            _ if self.people[number].purse < wish => {}
            1 => {
                let shop = self.shops[shop].clone();
                let person = &mut self.people[number];
                let is_first = person.paid.is_none_or(|paid| now.milliseconds_since(paid) > DAY_MS / 2);
                person.paid = Some(now);
                let before = person.holder.authentications;
                let done = person.holder.pay(&shop, wish).await;
                let proofs = person.holder.authentications - before;
                self.count(number, done, wish, !is_first && proofs > 0);
            }
            2 if to != number && self.people[to].holder.is_linked() => {
                let to = self.people[to].holder.wallet().to_owned();
                let done = self.people[number].holder.send(&to, wish).await;
                self.count(number, done, wish, false);
            }
            _ => {
                let done = self.people[number].holder.pay_out(wish).await;
                self.count(number, done, wish, false);
            }
        }
        Some((self.next(now), Intent::Move))
    }

    /// One movement out of the purse.
    fn count(&mut self, number: usize, done: Result<(), Refused>, amount: i64, challenged: bool) {
        self.figures.movements += 1;
        self.figures.challenged += u64::from(challenged);
        match done {
            Ok(()) => {
                self.people[number].purse -= amount;
                self.figures.completed += 1;
            }
            Err(refused) => self.refused(refused),
        }
    }

    fn refused(&mut self, refused: Refused) {
        *self.figures.refused_by.entry(refused.by.name()).or_default() += 1;
        self.figures.refused += 1;
    }

    /// As much as they wish, as the wallet shows that they may, and as they have.
    async fn top_up(&mut self, number: usize, wish: i64) {
        let person = &mut self.people[number];
        let Ok(shown) = person.holder.look().await else { return };
        person.purse = shown["balances"]["funds"].as_i64().unwrap_or(0);
        let limits = &shown["limits"]["top_up"];
        let may = ["per_time", "month_left", "rolling_left"].map(|name| limits[name].as_i64().unwrap_or(0));
        let amount = may.into_iter().fold(wish.min(person.budget), i64::min);
        if amount < TOP_UP_YEN_MIN {
            return;
        }
        let before = person.holder.authentications;
        let status = person.holder.top_up(amount).await;
        let proofs = person.holder.authentications - before;
        self.figures.movements += 1;
        self.figures.challenged += u64::from(proofs > 0);
        match status.as_deref() {
            Ok("settled") => {
                self.figures.completed += 1;
                (person.budget, person.purse) = (person.budget - amount, person.purse + amount);
            }
            Ok("declined") => {
                // The bank has less than its customer thought: they would hear the same at the counter.
                self.figures.completed += 1;
                person.budget = 0;
            }
            Ok(_) => self.figures.delayed += 1,
            Err(refused) => {
                let refused = *refused;
                self.refused(refused);
            }
        }
    }
}

impl Person<'_> {
    /// Links the account; who mistypes the PIN at first types it right then.
    async fn link(&mut self, mistypes: bool) -> Result<(), Refused> {
        let bank = self.known.account.bank.to_string();
        let (mandate, form) = self.holder.begin_link(&bank).await?;
        let wrong = Credentials { pin: "0987".to_owned(), ..self.known.clone() };
        let first = if mistypes { &wrong } else { &self.known };
        match self.holder.type_in(&mandate, form, first).await {
            Typed::Linked => Ok(()),
            Typed::Over(refused) => Err(refused),
            Typed::Again(form) => match self.holder.type_in(&mandate, *form, &self.known).await {
                Typed::Linked => Ok(()),
                Typed::Over(refused) => Err(refused),
                Typed::Again(_) => Err(Refused { by: Control::BankFirstFactor, left: None }),
            },
        }
    }
}

fn person<'s>(stage: &'s Stage, opening: &Opening, number: u32) -> Person<'s> {
    let customer = &opening.customer;
    let means = Means {
        mail: format!("honest{number}@people.example"),
        password: format!("password of {number}"),
        phone: Some(format!("070{number:08}")),
        document: Some(people::document_number(&people::identity(customer))),
        names: [&customer.family_name, &customer.given_name, &customer.family_kana, &customer.given_kana]
            .map(Clone::clone),
        birth_date: customer.birth_date.to_string(),
    };
    let known = Credentials {
        account: opening.number,
        name_kana: customer.name_kana(),
        pin: customer.pin.digits().to_owned(),
        birth_date: customer.birth_date.to_string(),
        in_hand: Some(Box::new(customer.clone())),
    };
    let budget = opening.balance.amount() / 100 * BUDGET_PERCENT;
    let holder = Holder::new(Client::new(stage, address(number)), means);
    Person { holder, known, budget, purse: 0, paid: None }
}

/// Where somebody honest is: one in twenty shares an address with nineteen others, as on a campus.
fn address(number: u32) -> IpAddr {
    let place = if number.is_multiple_of(20) { number / 400 } else { 1_000_000 + number };
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + place))
}
