//! Honest people: each with a wallet, a bank account, a telephone and an identity document of their own, and things to do.
//! Who one is stands in `person`. Start reading at [`Crowd::act`].

mod person;

use super::controls::Control;
use super::holder::{Credentials, Means, Refused};
use super::lives::{self, Homes, Life};
use super::luck::Luck;
use super::report;
use super::scenario::honest as chosen;
use super::stage::Stage;
use domain::{Day, Time};
use person::{Got, Person, person};
use sandbox::people::Opening;
use std::mem;

const DAY_MS: i64 = 86_400_000;
/// The least that somebody tops up, in yen.
const TOP_UP_YEN_MIN: i64 = 1_000;
/// The least that somebody sends or is paid out, in yen.
const YEN_MIN: i64 = 100;

/// How often somebody to send to is looked for.
const RECIPIENTS_MAX: usize = 10;

/// Something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a wallet, and link the account.
    Join,
    /// Top up for the first time: what the link was made for.
    First,
    /// Confirm the link.
    Confirm,
    /// Whatever one does with a wallet.
    Move,
    /// Have what a limit kept back of a wish.
    Rest(Wish),
    /// Stop everything: somebody else is in the wallet.
    Freeze,
}

/// Everybody.
pub struct Crowd<'s> {
    people: Vec<Person<'s>>,
    begin: Day,
    luck: Luck,
    shops: Vec<String>,
    /// Top-ups that had to wait, each with whose it is.
    waiting: Vec<(usize, String)>,
    /// What whoever acts comes back for.
    rests: Vec<(Time, Intent)>,
    /// What became of it.
    pub figures: report::Honest,
}

/// Somebody honest, as a drill begins.
pub struct Honest {
    /// Their account.
    pub opening: Opening,
    /// Another account of theirs, if they have one.
    pub other: Option<Opening>,
}

impl<'s> Crowd<'s> {
    /// `people`, whose lives are drawn for the days from `begin` to `end`.
    pub fn new(stage: &'s Stage, seed: u64, people: &[Honest], shops: Vec<String>, [begin, end]: [Time; 2]) -> Self {
        let (mut luck, mut homes) = (Luck::new(seed, "lives"), Homes::default());
        let days = end.day().number() - begin.day().number();
        let numbered = people.iter().zip(0_u32..);
        let people: Vec<Person<'s>> = numbered
            .map(|(honest, number)| person(stage, honest, number, Life::draw(&mut luck, &mut homes, days)))
            .collect();
        let holders = u64::try_from(people.len()).unwrap_or(0);
        let figures = report::Honest { holders, ..report::Honest::default() };
        Self {
            people,
            begin: begin.day(),
            luck: Luck::new(seed, "honest"),
            shops,
            waiting: Vec::new(),
            rests: Vec::new(),
            figures,
        }
    }

    /// Lets `person` do something; what they want to do next, and when.
    pub async fn act(&mut self, person: usize, intent: Intent) -> Vec<(Time, Intent)> {
        if self.people[person].is_out {
            return Vec::new();
        }
        let place = self.people[person].life.place(&mut self.luck);
        self.people[person].holder.client.be_at(place);
        let before = self.people[person].holder.authentications;
        let next = match intent {
            Intent::Join => self.join(person).await,
            Intent::First => self.first(person).await,
            Intent::Confirm => self.confirm(person).await,
            Intent::Move => self.movement(person).await,
            Intent::Rest(wish) => self.rest(person, wish).await,
            Intent::Freeze => self.freeze(person).await,
        };
        self.figures.authentications += self.people[person].holder.authentications - before;
        next.into_iter().chain(self.rests.drain(..)).collect()
    }

    async fn join(&mut self, number: usize) -> Option<(Time, Intent)> {
        let person = &mut self.people[number];
        if mem::take(&mut person.life.has_new_name) {
            person.take_new_name().await;
        }
        let mistyped = person.life.mistypes(&mut self.luck, &person.known.pin);
        let now = person.holder.client.stage.now();
        let joined = if person.holder.wallet().is_empty() { person.holder.join().await } else { Ok(()) };
        let linked = match joined {
            Ok(()) => person.link(mistyped).await,
            Err(refused) => Err(refused),
        };
        if let Err(refused) = linked {
            return self.not_linked(number, refused, now);
        }
        let waited = person.link_refused;
        if self.luck.percent(chosen::CONFIRM_AT_ONCE_PERCENT) {
            person.is_confirmed = person.holder.confirm(&person.known).await;
        }
        self.figures.movements += 1;
        self.figures.completed += 1;
        if let Some(by) = waited {
            self.delayed(by);
        }
        Some((self.luck.minutes_after(now, chosen::FIRST_TOP_UP_MINUTES), Intent::First))
    }

    /// Who is refused a link tries again some days, unless their bank cannot know them on line at all.
    fn not_linked(&mut self, number: usize, refused: Refused, now: Time) -> Option<(Time, Intent)> {
        let person = &mut self.people[number];
        let lacks_contact = match refused.by {
            // No telephone for the bank's code.
            Control::BankSecondFactor => person.known.in_hand.as_ref().is_some_and(|customer| customer.phone.is_none()),
            // Nothing at all by which they could be told: the page says the same as to a wrong PIN.
            Control::Notice | Control::BankFirstFactor => {
                person.known.in_hand.as_ref().is_some_and(|customer| !customer.has_contact())
            }
            _ => false,
        };
        if lacks_contact {
            self.figures.unreachable += 1;
            return None;
        }
        // The bank writes the new name into its books when it is told of it.
        if let Some((known, budget)) = person.rewritten.take() {
            (person.known, person.budget) = (known, budget);
        }
        person.link_tries += 1;
        person.link_refused.get_or_insert(refused.by);
        if person.link_tries < chosen::LINK_TRIES {
            return Some((now.plus_milliseconds(DAY_MS), Intent::Join));
        }
        self.figures.movements += 1;
        self.figures.turned_away += 1;
        self.refused(number, refused);
        None
    }

    /// People link because they want to top up.
    async fn first(&mut self, number: usize) -> Option<(Time, Intent)> {
        let wish = self.luck.between(chosen::FIRST_TOP_UP_THOUSANDS) * 1_000;
        self.top_up(number, wish).await;
        let person = &self.people[number];
        let now = person.holder.client.stage.now();
        if person.is_confirmed || self.luck.percent(chosen::NEVER_CONFIRM_PERCENT) {
            return Some((lives::next(&mut self.luck, now), Intent::Move));
        }
        Some((self.luck.minutes_after(now, chosen::CONFIRM_MINUTES), Intent::Confirm))
    }

    async fn confirm(&mut self, number: usize) -> Option<(Time, Intent)> {
        let person = &mut self.people[number];
        let now = person.holder.client.stage.now();
        person.is_confirmed = person.holder.confirm(&person.known).await;
        Some((lives::next(&mut self.luck, now), Intent::Move))
    }

    /// What befell them since: a new telephone is a device that nobody knows; a new bank is linked, and confirmed later. What
    /// they do then, if that was all for today.
    async fn live(&mut self, number: usize, now: Time) -> Option<(Time, Intent)> {
        let day = now.day().number() - self.begin.number();
        let person = &mut self.people[number];
        if person.life.loses_phone.take_if(|lost| *lost <= day).is_some() {
            person.holder.lose_device();
        }
        person.life.changes_bank.take_if(|changed| *changed <= day)?;
        let (known, budget) = person.other.take()?;
        let mistyped = person.life.mistypes(&mut self.luck, &known.pin);
        let before = mem::replace(&mut person.known, known);
        self.figures.movements += 1;
        if let Err(refused) = person.link(mistyped).await {
            person.known = before;
            self.refused(number, refused);
            return None;
        }
        self.figures.completed += 1;
        (person.budget, person.is_confirmed) = (budget, false);
        Some((self.luck.minutes_after(now, chosen::CONFIRM_MINUTES), Intent::Confirm))
    }

    /// How many they are.
    pub const fn len(&self) -> usize {
        self.people.len()
    }

    /// What somebody knows of their account, and how they log in.
    pub fn phished(&self, person: usize) -> Option<(Credentials, Means)> {
        let person = self.people.get(person)?;
        Some((person.known.clone(), person.holder.means.clone()))
    }

    async fn freeze(&mut self, number: usize) -> Option<(Time, Intent)> {
        let person = &mut self.people[number];
        person.is_out = person.holder.freeze().await.is_ok();
        None
    }

    async fn movement(&mut self, number: usize) -> Option<(Time, Intent)> {
        let now = self.people[number].holder.client.stage.now();
        if let Some(next) = self.live(number, now).await {
            return Some(next);
        }
        match self.wish(number, now) {
            Wish::TopUp(yen) => self.top_up(number, yen).await,
            Wish::Spend(yen, way) => self.spend(number, yen, way).await,
        }
        Some((lives::next(&mut self.luck, now), Intent::Move))
    }

    /// What somebody wants to do.
    fn wish(&mut self, number: usize, now: Time) -> Wish {
        let [top_ups, payments, sends] = chosen::SHARES;
        let kind = self.luck.below(100);
        if kind < top_ups {
            return Wish::TopUp(self.luck.between(chosen::TOP_UP_THOUSANDS) * 1_000);
        }
        if kind < top_ups + payments {
            let is_at_sale = lives::is_sale(now.day()) && self.luck.percent(chosen::SALE_SHARE_PERCENT);
            let shop = if is_at_sale { self.shops.len() - 1 } else { self.luck.index(self.shops.len()) };
            return Wish::Spend(self.amount(chosen::PAY_YEN), Way::Pay(shop));
        }
        let is_sent = kind < top_ups + payments + sends;
        let recipient = (0..RECIPIENTS_MAX).map(|_| self.luck.index(self.people.len()));
        let mut recipient = recipient.filter(|to| *to != number && self.people[*to].holder.is_linked());
        match recipient.next().filter(|_| is_sent) {
            Some(to) => Wish::Spend(self.amount(chosen::SEND_YEN), Way::Send(to)),
            // Who knows nobody with a wallet has nobody to send to.
            None if is_sent => Wish::TopUp(self.luck.between(chosen::TOP_UP_THOUSANDS) * 1_000),
            None => Wish::Spend(self.amount(chosen::PAY_OUT_YEN), Way::PayOut),
        }
    }

    /// An amount by the weights of `ranges`.
    fn amount(&mut self, ranges: &[(u64, (i64, i64))]) -> i64 {
        let place = self.luck.weighted(ranges.iter().map(|(weight, _)| *weight));
        self.luck.between(ranges[place].1)
    }

    /// A top-up that is wanted by itself. Whose account has no more wants none.
    async fn top_up(&mut self, number: usize, wish: i64) {
        let got = self.fund(number, wish).await;
        if got == Got::NoMoney {
            return;
        }
        self.figures.movements += 1;
        match got {
            Got::All => self.figures.completed += 1,
            Got::Part(by, rest) => {
                self.delayed(by);
                self.comes_back(number, Wish::TopUp(rest));
            }
            Got::Later(id) => {
                self.delayed(Control::Monitoring);
                self.waiting.push((number, id));
            }
            Got::Nothing(refused) if refused.left.is_some() => {
                self.delayed(refused.by);
                self.comes_back(number, Wish::TopUp(wish));
            }
            Got::Nothing(refused) => self.refused(number, refused),
            Got::NoMoney => {}
        }
    }

    /// Who was told what is left comes back for the rest a day later, at the same time.
    fn comes_back(&mut self, number: usize, rest: Wish) {
        let now = self.people[number].holder.client.stage.now();
        self.rests.push((now.plus_milliseconds(DAY_MS), Intent::Rest(rest)));
    }

    /// What a limit kept back is tried again, day by day, until it is there: a wish is got when all of it was.
    async fn rest(&mut self, number: usize, wish: Wish) -> Option<(Time, Intent)> {
        match wish {
            Wish::TopUp(yen) => match self.fund_confirmed(number, yen, false).await {
                Got::All => self.figures.completed += 1,
                Got::Part(_, rest) => self.comes_back(number, Wish::TopUp(rest)),
                Got::Later(id) => self.waiting.push((number, id)),
                Got::Nothing(refused) if refused.left.is_some() => self.comes_back(number, wish),
                Got::Nothing(refused) => self.refused(number, refused),
                // Their account has no more: nobody wishes for that.
                Got::NoMoney => self.figures.movements -= 1,
            },
            Wish::Spend(yen, way) => self.spend_rest(number, yen, way).await,
        }
        None
    }

    async fn spend_rest(&mut self, number: usize, yen: i64, way: Way) {
        if self.people[number].purse < yen {
            self.fund_confirmed(number, yen, false).await;
        }
        match self.move_out(number, yen, way).await {
            Ok(()) => {
                self.people[number].purse -= yen;
                self.figures.completed += 1;
            }
            Err(refused) => self.had_in_part(number, yen, way, refused).await,
        }
    }

    /// The same for whoever put the confirmation off until nothing more comes without it, or not enough for what they buy: they
    /// are asked for it then.
    async fn fund_confirmed(&mut self, number: usize, yen: i64, at_once: bool) -> Got {
        let got = self.fund(number, yen).await;
        let (by, rest) = match &got {
            Got::Part(by, rest) if at_once => (*by, *rest),
            Got::Nothing(Refused { by, left: Some(_) }) => (*by, yen),
            Got::All | Got::Part(..) | Got::Later(_) | Got::Nothing(_) | Got::NoMoney => return got,
        };
        let person = &mut self.people[number];
        if person.is_confirmed || by != Control::CoolingOff {
            return got;
        }
        person.is_confirmed = person.holder.confirm(&person.known).await;
        self.figures.challenged += 1;
        self.fund(number, rest).await
    }

    /// Of what may be had in parts, what is left goes today, and the rest when it may.
    async fn had_in_part(&mut self, number: usize, wish: i64, way: Way, refused: Refused) {
        let Some(left) = refused.left.filter(|left| way.is_divisible() && *left < wish) else {
            return self.refused(number, refused);
        };
        let mut rest = wish;
        if left >= YEN_MIN && self.move_out(number, left, way).await.is_ok() {
            self.people[number].purse -= left;
            rest -= left;
        }
        self.comes_back(number, Wish::Spend(rest, way));
    }

    /// Money that is to leave the wallet, and to come into it before where there is not enough: all that is one wish.
    async fn spend(&mut self, number: usize, wish: i64, way: Way) {
        let mut refused = None;
        if self.people[number].purse < wish {
            let funded = self.fund_confirmed(number, wish.max(chosen::TOP_UP_FOR_PURCHASE_YEN), true).await;
            refused = match funded {
                Got::NoMoney => return,
                Got::All => None,
                Got::Part(by, _) => Some(Refused { by, left: Some(0) }),
                Got::Later(_) => Some(Refused { by: Control::Monitoring, left: None }),
                Got::Nothing(refused) => Some(refused),
            };
            refused = refused.filter(|_| self.people[number].purse < wish);
            // Their account has less than that.
            if refused.is_none() && self.people[number].purse < wish {
                return;
            }
        }
        self.figures.movements += 1;
        let holder = &self.people[number].holder;
        let (asked, was_known) = (holder.challenges, holder.is_device_known());
        let done = match refused {
            Some(refused) => Err(refused),
            None => self.move_out(number, wish, way).await,
        };
        let person = &mut self.people[number];
        // What leaves to people and banks always takes a proof, and so does the first of whatever a device does, or a large payment.
        let is_small = matches!(way, Way::Pay(_)) && wish <= chosen::PAY_PROVEN_YEN;
        let is_beyond = is_small && was_known && person.holder.challenges > asked;
        self.figures.challenged += u64::from(is_beyond);
        match done {
            Ok(()) => {
                self.people[number].purse -= wish;
                self.figures.completed += 1;
            }
            Err(refused) => {
                if way.is_divisible() && refused.left.is_some_and(|left| left < wish) {
                    self.delayed(refused.by);
                }
                self.had_in_part(number, wish, way, refused).await;
            }
        }
    }

    async fn move_out(&mut self, number: usize, amount: i64, way: Way) -> Result<(), Refused> {
        match way {
            Way::Pay(shop) => {
                let shop = self.shops[shop].clone();
                self.people[number].holder.pay(&shop, amount).await
            }
            Way::Send(to) => self.send(number, to, amount).await,
            Way::PayOut => {
                let holder = &mut self.people[number].holder;
                holder.be_identified().await?;
                holder.pay_out(amount).await
            }
        }
    }

    /// Both show who they are, if nobody wanted to know before.
    async fn send(&mut self, from: usize, to: usize, amount: i64) -> Result<(), Refused> {
        let recipient = &mut self.people[to].holder;
        let before = recipient.authentications;
        recipient.be_identified().await?;
        self.figures.authentications += recipient.authentications - before;
        let to = recipient.wallet().to_owned();
        let holder = &mut self.people[from].holder;
        holder.be_identified().await?;
        holder.send(&to, amount).await
    }

    /// As much as they wish, as the wallet shows that they may, and as they have; what is left where the answer says so.
    async fn fund(&mut self, number: usize, wish: i64) -> Got {
        let person = &mut self.people[number];
        let shown = match person.holder.look().await {
            Ok(shown) => shown,
            Err(refused) => return Got::Nothing(refused),
        };
        person.purse = shown["balances"]["funds"].as_i64().unwrap_or(0);
        if person.budget < TOP_UP_YEN_MIN {
            return Got::NoMoney;
        }
        let limits = &shown["limits"]["top_up"];
        let may = ["per_time", "month_left", "rolling_left"].map(|name| limits[name].as_i64().unwrap_or(0));
        let wish = wish.min(person.budget);
        let mut amount = may.into_iter().fold(wish, i64::min);
        let mut less = (amount < wish).then_some(Refused { by: Control::Limits, left: None });
        for _ in 0..2 {
            if amount < TOP_UP_YEN_MIN {
                break;
            }
            let (before, was_known) = (person.holder.challenges, person.holder.is_device_known());
            let asked = person.holder.top_up(amount).await;
            let is_beyond = amount <= chosen::TOP_UP_PROVEN_YEN && was_known && person.holder.challenges > before;
            self.figures.challenged += u64::from(is_beyond);
            match asked {
                Ok(asked) if asked.status == "settled" => {
                    (person.budget, person.purse) = (person.budget - amount, person.purse + amount);
                    return less.map_or(Got::All, |refused| Got::Part(refused.by, wish - amount));
                }
                Ok(asked) if asked.status == "declined" => return person.declined(amount).await,
                Ok(asked) => return Got::Later(asked.id),
                Err(refused) => {
                    amount = refused.left.filter(|left| *left < amount).unwrap_or(0);
                    less = Some(refused);
                }
            }
        }
        less.map_or(Got::NoMoney, Got::Nothing)
    }

    fn delayed(&mut self, by: Control) {
        *self.figures.delayed_by.entry(by.name()).or_default() += 1;
        self.figures.delayed += 1;
    }

    /// They did not get it. Whose wallet or link was ended because somebody else was in it waits for the desk.
    fn refused(&mut self, number: usize, refused: Refused) {
        *self.figures.refused_by.entry(refused.by.name()).or_default() += 1;
        self.figures.refused += 1;
        self.people[number].is_out |= refused.by == Control::Notice;
    }

    /// Looks in the end what became of what had to wait.
    pub async fn settle_up(&mut self) {
        for (number, id) in mem::take(&mut self.waiting) {
            let status = self.people[number].holder.look_at_top_up(&id).await;
            match status.as_deref() {
                Some("settled") => self.figures.completed += 1,
                // It may still come.
                Some("held" | "pending" | "in_doubt") => {}
                Some(_) | None => self.refused(number, Refused { by: Control::Monitoring, left: None }),
            }
        }
    }
}

/// What somebody wants to do, and for how many yen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Money into the wallet.
    TopUp(i64),
    /// Money out of it.
    Spend(i64, Way),
}

/// Where money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To that shop.
    Pay(usize),
    /// To that person.
    Send(usize),
    /// To their own account.
    PayOut,
}

impl Way {
    /// A price is what it is; the rest may be had in parts.
    const fn is_divisible(self) -> bool {
        match self {
            Self::Pay(_) => false,
            Self::Send(_) | Self::PayOut => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::Staging;
    use super::super::run::prepare;
    use super::super::scenario::moment;
    use super::super::{presets, stage};
    use super::*;
    use sandbox::people::Population;
    use sandbox::registry::Registry;

    #[tokio::test]
    async fn a_new_name_costs_a_day_a_shared_telephone_nothing_and_a_new_one_a_proof_that_is_no_challenge() {
        let (preset, begin) = (presets::find("hardened").expect("it is there"), moment("2020-08-29"));
        let staging = Staging { seed: 1, begin, people: 60, preset: &preset };
        let stage = stage::Stage::open(&staging).await.expect("it opens");
        let (shops, _) = prepare(&stage).await.expect("shops and a vendor");
        let (registry, population) = (Registry::read(), Population { seed: 1, people: 60 });
        let openings = population.openings(&registry).skip(5);
        let rich = openings.filter(|opening| opening.customer.phone.is_some() && opening.balance.amount() > 100_000);
        let people: Vec<Honest> = rich.map(|opening| Honest { opening, other: None }).take(3).collect();
        let end = begin.plus_milliseconds(7 * DAY_MS);
        let mut crowd = Crowd::new(&stage, 1, &people, shops, [begin, end]);
        for person in &mut crowd.people {
            person.life.has_new_name = false;
        }
        let (married, sharers) = (1, [0, 2]);
        crowd.people[married].life.has_new_name = true;
        for person in sharers {
            crowd.people[person].holder.share_device(7);
        }
        for person in 0..3 {
            crowd.act(person, Intent::Join).await;
        }
        let linked = |crowd: &Crowd<'_>| [0, 1, 2].map(|person| crowd.people[person].holder.is_linked());
        assert_eq!(linked(&crowd), [true, false, true], "{:?}", crowd.figures);
        stage.reach(begin.plus_milliseconds(DAY_MS)).await.expect("a day later");
        crowd.act(married, Intent::Join).await;
        assert_eq!(linked(&crowd), [true; 3], "{:?}", crowd.figures);
        let figures = &crowd.figures;
        assert_eq!((figures.movements, figures.completed, figures.delayed, figures.refused), (3, 3, 1, 0));

        crowd.people[0].life.loses_phone = Some(0);
        crowd.live(0, stage.now()).await;
        let before = crowd.people[0].holder.challenges;
        crowd.top_up(0, 5_000).await;
        assert_eq!(crowd.people[0].holder.challenges, before + 1, "a device that nobody knows takes a proof");
        crowd.top_up(0, 1_000).await;
        assert_eq!(crowd.people[0].holder.challenges, before + 1, "and is known then");
        assert_eq!((crowd.figures.challenged, crowd.figures.completed), (0, 5), "{:?}", crowd.figures);
        drop(crowd);
        stage.close().expect("it closes");
    }
}
