//! One run: the stage is set, people are drawn, and their deeds happen one after the other until the last day.
//!
//! The loop is a plain list of what comes next, in order of time: let time go on to it, do it, write down what follows.
//! Start reading at [`run`].

use super::attacker::{Deed, Gang, Person, anybody};
use super::client::{Client, GATEWAY, OUTSIDE};
use super::discovery::{Sight, World};
use super::holder::{Credentials, open_shop};
use super::honest::{Crowd, Intent};
use super::luck::Luck;
use super::options::Staging;
use super::presets::{Preset, Stop};
use super::report::{Report, compare, tallies};
use super::scenario::attack::{GHOSTS_PER_ACCOUNT, GUESSED_PERCENT};
use super::scenario::honest::HOURS;
use super::scenario::{Method, Scenario, moment};
use super::stage::Stage;
use super::tactics::Tactics;
use domain::{Day, Time};
use http::Method as Verb;
use sandbox::domain::account::AccountNumber;
use sandbox::domain::bank::{BankCode, Factor};
use sandbox::people::{self, Opening, Population};
use sandbox::registry::Registry;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// Days before the first one of the report, in which honest people join.
const PRELUDE_DAYS: i32 = 3;
const DAY_MS: i64 = 86_400_000;
/// Shops, and those of them that resell.
const SHOPS: usize = 12;
const RESELLERS: usize = 3;

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which attack.
    pub scenario: &'static Scenario,
    /// Under which controls.
    pub preset: Preset,
    /// By which way.
    pub method: Method,
    /// With which tactics.
    pub tactics: &'static Tactics,
    /// From which seed.
    pub seed: u64,
    /// Ordinary holders.
    pub honest: u32,
}

/// How far a run is. Whoever watches says whether it is to go on.
pub type Watch<'a> = dyn Fn(Day, u64, u64) -> bool + 'a;

/// Something that comes next.
#[derive(Clone, Copy, Debug)]
enum Act {
    Honest(usize, Intent),
    Gang(Deed),
    World(Sight),
    Stop(usize),
}

/// What comes next, in order of time, and of entry where that is the same.
#[derive(Default)]
struct Agenda {
    acts: BTreeMap<(Time, u64), Act>,
    entries: u64,
}

impl Agenda {
    fn enter(&mut self, at: Time, act: Act) {
        self.entries += 1;
        self.acts.insert((at, self.entries), act);
    }
}

/// Runs it on a thread of one's own: the report, also where `watch` ends it early.
pub fn run(options: &Options, watch: &Watch<'_>) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(play(options, watch))
}

async fn play(options: &Options, watch: &Watch<'_>) -> Result<Report, String> {
    let [begin, end] = options.scenario.days.map(moment);
    let people_max = options.honest + options.scenario.others;
    let begin_stage = begin.day().plus(-PRELUDE_DAYS).start();
    let staging = Staging { seed: options.seed, begin: begin_stage, people: people_max, preset: &options.preset };
    let stage = Stage::open(&staging).await?;
    let (honest, others) = population(options, people_max);
    let shops = prepare(&stage).await?;
    let customers = others.iter().map(|opening| (opening.number, opening.customer.clone())).collect();
    let mut drill = Drill {
        crowd: Crowd::new(&stage, options.seed, &honest, shops.clone()),
        gang: Gang::new(
            &stage,
            options.seed,
            options.tactics,
            options.scenario.in_any_name,
            shops[..RESELLERS].to_vec(),
        ),
        world: World::new(&stage, options.seed, customers),
        agenda: Agenda::default(),
        stops: &options.preset.stops,
        stage: &stage,
    };
    drill.invite(honest.len(), begin_stage, begin);
    drill.plan(options, &others);
    if let Some(news) = options.scenario.news {
        drill.agenda.enter(moment(news), Act::World(Sight::News));
    }
    for (number, stop) in options.preset.stops.iter().enumerate() {
        drill.agenda.enter(moment(stop.at), Act::Stop(number));
    }
    let partial = drill.until(begin, end, watch).await?;
    let report = drill.report(options, begin, partial).await;
    drop(drill);
    stage.close()?;
    Ok(report)
}

/// Who has a wallet, and who has a bank account alone.
fn population(options: &Options, people_max: u32) -> (Vec<Opening>, Vec<Opening>) {
    let registry = Registry::read();
    let population = Population { seed: options.seed, people: people_max };
    let (mut honest, mut others, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for opening in population.openings(&registry).skip(5) {
        let person = people::document_number(&people::identity(&opening.customer));
        let is_first = seen.insert(person);
        let wants = honest.len() < options.honest as usize;
        if wants && is_first && opening.customer.has_contact() {
            honest.push(opening);
        } else if is_first {
            others.push(opening);
        }
    }
    (honest, others)
}

/// The identity vendor looks at documents from now on; and there are shops.
async fn prepare(stage: &Stage) -> Result<Vec<String>, String> {
    let mut staff = Client::new(stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let script = json!({ "script": "document" });
    let set = staff.ask(Verb::PUT, &format!("{OUTSIDE}/sandbox/v1/identity"), &script).await;
    if !set.is_done() {
        return Err(format!("the identity vendor: {}", set.text));
    }
    staff.log_in(Some(stage.desks.wallet[0].expose().clone()));
    let mut shops = Vec::new();
    for number in 0..SHOPS {
        shops.push(open_shop(&staff, &format!("Shop {number}")).await?);
    }
    Ok(shops)
}

/// Everybody, and what they are up to.
struct Drill<'s> {
    stage: &'s Stage,
    crowd: Crowd<'s>,
    gang: Gang<'s>,
    world: World<'s>,
    agenda: Agenda,
    stops: &'s [Stop],
}

impl Drill<'_> {
    /// Honest people join one after the other.
    fn invite(&mut self, people: usize, from: Time, until: Time) {
        let span_ms = until.milliseconds_since(from);
        let count = i64::try_from(people.max(1)).unwrap_or(1);
        for (person, number) in (0..people).zip(0_i64..) {
            let at = from.plus_milliseconds(span_ms / count * number);
            self.agenda.enter(at, Act::Honest(person, Intent::Join));
        }
    }

    /// What the criminals know, and when they use it.
    fn plan(&mut self, options: &Options, others: &[Opening]) {
        let mut luck = Luck::new(options.seed, "plan");
        let registry = Registry::read();
        let mut pools: BTreeMap<BankCode, Vec<&Opening>> = BTreeMap::new();
        for opening in others {
            pools.entry(opening.number.bank).or_default().push(opening);
        }
        for wave in options.scenario.waves {
            let (from, until) = (moment(wave.from), moment(wave.until).plus_milliseconds(DAY_MS));
            let mut by_list: BTreeMap<BankCode, u32> = BTreeMap::new();
            for _ in 0..wave.accounts {
                let weights = options.scenario.banks.iter().map(|(_, weight)| *weight);
                let (code, _) = options.scenario.banks[luck.weighted(weights)];
                let Some(bank) = BankCode::parse(code) else { continue };
                // A birth date is nothing that a list of numbers and names has.
                let can_guess = !registry.bank(bank).factors_2020.names().contains(&Factor::BirthDate.name());
                let guesses = match options.method {
                    Method::Guess => true,
                    Method::Phish => false,
                    Method::Both => can_guess && luck.percent(GUESSED_PERCENT),
                };
                if guesses {
                    *by_list.entry(bank).or_default() += u32::from(can_guess);
                    continue;
                }
                let Some(pool) = pools.get_mut(&bank).filter(|pool| !pool.is_empty()) else { continue };
                let opening = pool.swap_remove(luck.index(pool.len()));
                let days = until.milliseconds_since(from) / DAY_MS;
                let day = from.day().plus(i32::try_from(luck.between((0, days - 1))).unwrap_or(0));
                let document = luck.percent(options.tactics.faces_percent);
                let person = if options.scenario.in_any_name { anybody() } else { person(opening, document) };
                let in_hand = options.tactics.relays.then(|| Box::new(opening.customer.clone()));
                let deed = self.gang.phish(Credentials { in_hand, ..credentials(opening) }, person);
                self.agenda.enter(luck.moment_of(day.start(), &HOURS), Act::Gang(deed));
            }
            for (bank, wanted) in by_list.into_iter().filter(|(_, wanted)| *wanted > 0) {
                let pool = pools.get(&bank).map(Vec::as_slice).unwrap_or_default();
                let list = list(&mut luck, pool);
                let deed = self.gang.list(&bank.to_string(), list, wanted, (from, until));
                self.agenda.enter(luck.moment_of(from.day().start(), &HOURS), Act::Gang(deed));
            }
        }
    }

    /// Lets everything happen until `end`. Whether somebody ended it before.
    async fn until(&mut self, begin: Time, end: Time, watch: &Watch<'_>) -> Result<bool, String> {
        let mut day = None;
        while let Some(((at, _), act)) = self.agenda.acts.pop_first() {
            if at >= end {
                break;
            }
            self.stage.reach(at).await?;
            if day.replace(at.day()) != Some(at.day()) {
                let done = u64::try_from(at.milliseconds_since(begin) / DAY_MS).unwrap_or(0);
                let days = u64::try_from(end.milliseconds_since(begin) / DAY_MS).unwrap_or(0);
                if !watch(at.day(), done, days) {
                    return Ok(true);
                }
            }
            self.act(act).await;
        }
        self.stage.reach(end).await?;
        Ok(false)
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Honest(person, intent) => {
                if let Some((at, intent)) = self.crowd.act(person, intent).await {
                    self.agenda.enter(at, Act::Honest(person, intent));
                }
            }
            Act::Gang(deed) => {
                let done = self.gang.act(deed).await;
                done.next.into_iter().for_each(|(at, deed)| self.agenda.enter(at, Act::Gang(deed)));
                let touched = done.touched.into_iter().filter_map(|account| self.world.touched(account));
                let mut seen: Vec<(Time, Sight)> = touched.collect();
                seen.extend(done.debited.into_iter().filter_map(|(account, yen)| self.world.debited(account, yen)));
                self.look_later(seen);
            }
            Act::World(sight) => {
                let next = self.world.see(sight).await;
                self.look_later(next);
            }
            Act::Stop(number) => self.stop(number).await,
        }
    }

    fn look_later(&mut self, sights: Vec<(Time, Sight)>) {
        for (at, sight) in sights {
            self.agenda.enter(at, Act::World(sight));
        }
    }

    /// The gateway's desk stops a function of a bank, as it was stopped then.
    async fn stop(&self, number: usize) {
        let Stop { bank, function, .. } = &self.stops[number];
        let mut desk = Client::new(self.stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
        desk.log_in(Some(self.stage.desks.gateway.expose().clone()));
        let url = format!("{GATEWAY}/gateway/v1/banks/{bank}/switches/{function}");
        let body = json!({ "stopped": true, "reason": "不正な登録の疑い / suspected fraud" });
        desk.ask(Verb::PUT, &url, &body).await;
    }

    async fn report(&self, options: &Options, begin: Time, partial: bool) -> Report {
        let taken = self.world.statements().await;
        let hours = |from: Time, to: Time| to.milliseconds_since(from) / 3_600_000;
        let world = &self.world;
        Report {
            drill: options.scenario.name.to_owned(),
            preset: options.preset.name.to_owned(),
            tactics: options.tactics.name.to_owned(),
            seed: options.seed,
            partial,
            cases: world.known.values().map(|sum| sum.cases).sum(),
            victims: taken.victims,
            banks_hit: u64::try_from(taken.banks.len()).unwrap_or(0),
            yen_taken: taken.debited - taken.returned,
            yen_returned: taken.returned,
            yen_escaped: self.gang.escaped,
            first_detection_hours: world.first_debit.zip(world.first_seen).map(|(from, to)| hours(from, to)),
            attacker: self.gang.figures.clone(),
            tallies: tallies(&world.known, true),
            mistaken: tallies(&world.mistaken, true),
            debits: tallies(&taken.days, false),
            published: compare(options.scenario.published, &world.known_at),
            banks: taken.banks,
            honest: self.crowd.figures.clone(),
            simulated_days: self.stage.now().milliseconds_since(begin) / DAY_MS,
            movements: self.crowd.figures.movements + self.gang.figures.top_ups_tried,
            seconds: 0.0,
        }
    }
}

/// What a victim typed into a false page.
fn credentials(opening: &Opening) -> Credentials {
    Credentials {
        account: opening.number,
        name_kana: opening.customer.name_kana(),
        pin: opening.customer.pin.digits().to_owned(),
        birth_date: opening.customer.birth_date.to_string(),
        in_hand: None,
    }
}

/// The account's holder, as whom a wallet is opened; with a copy of their document or without.
fn person(opening: &Opening, has_document: bool) -> Person {
    let customer = &opening.customer;
    let names = [&customer.family_name, &customer.given_name, &customer.family_kana, &customer.given_kana];
    Person {
        names: names.map(Clone::clone),
        birth_date: customer.birth_date.to_string(),
        document: has_document.then(|| people::document_number(&people::identity(customer))),
    }
}

/// A guesser's list: numbers and names, most of which are stale.
fn list(luck: &mut Luck, pool: &[&Opening]) -> Vec<(Credentials, Person)> {
    let mut list: Vec<(Credentials, Person)> = Vec::new();
    for opening in pool {
        let known = Credentials { pin: String::new(), birth_date: "1980-01-01".to_owned(), ..credentials(opening) };
        let ghosts = luck.below(2 * GHOSTS_PER_ACCOUNT + 1);
        for _ in 0..ghosts {
            let number = u32::try_from(luck.between((1_000_000, 9_999_999))).unwrap_or(1_000_000);
            let stale = Credentials { account: AccountNumber { number, ..known.account }, ..known.clone() };
            list.push((stale, person(opening, false)));
        }
        list.push((known, person(opening, false)));
    }
    list
}
