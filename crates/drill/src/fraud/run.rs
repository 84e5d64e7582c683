//! One run: the stage is set, people are drawn, and their deeds happen one after the other until the last day.
//!
//! The loop is a plain list of what comes next, in order of time: let time go on to it, do it, write down what follows.
//! Whom the criminals know stands in `plan`. Start reading at [`run`].

mod plan;

use super::attacker::{Deed, Gang};
use super::client::{Client, GATEWAY, OUTSIDE};
use super::discovery::{Sight, World};
use super::holder::open_shop;
use super::honest::{Crowd, Honest, Intent};
use super::options::Staging;
use super::presets::{Preset, Stop};
use super::report::{Moments, Report, compare, compare_end, recorded, tallies};
use super::scenario::honest::{JOINING_A_DAY_MAX, JOINING_DAYS_MIN, ONE_IN_JOINS_LATE, STEP_MINUTES};
use super::scenario::{Method, Scenario, moment};
use super::stage::Stage;
use super::tactics::{Exit, Tactics};
use domain::{Day, Time};
use http::Method as Verb;
use sandbox::people::{self, Opening, Population};
use sandbox::registry::Registry;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

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
    pub tactics: Tactics,
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
    let begin_stage = begin.day().plus(-joining_days(options.honest)).start();
    let staging = Staging { seed: options.seed, begin: begin_stage, people: people_max, preset: &options.preset };
    let stage = Stage::open(&staging).await?;
    let (honest, others) = population(options, people_max);
    let (shops, till) = prepare(&stage).await?;
    let react_minutes = f64::from(options.tactics.react_minutes);
    let customers = others.iter().map(|opening| (opening.number, opening.customer.clone())).collect();
    // Where only subscribers had a wallet, the gang's members are subscribers.
    let has_phones = options.tactics.has_phones || options.scenario.has_lines;
    let tactics = Tactics { has_phones, ..options.tactics };
    let resellers = shops.iter().skip(1).take(RESELLERS).cloned().collect();
    let mut drill = Drill {
        crowd: Crowd::new(&stage, options.seed, &honest, shops.clone(), [begin, end]),
        gang: Gang::new(&stage, options.seed, tactics, resellers),
        world: World::new(&stage, options.seed, react_minutes, customers),
        agenda: Agenda::default(),
        stops: &options.preset.stops,
        stage: &stage,
    };
    drill.invite(honest.len(), begin_stage, begin, end);
    if options.tactics.exit == Exit::Insiders {
        drill.gang.bribe(till);
    }
    drill.plan(options, &others);
    if let Some(news) = options.scenario.news {
        drill.agenda.enter(moment(news), Act::World(Sight::News));
    }
    for (number, stop) in options.preset.stops.iter().enumerate() {
        drill.agenda.enter(moment(stop.at), Act::Stop(number));
    }
    let partial = drill.until(begin, end, watch).await?;
    drill.crowd.settle_up().await;
    let report = drill.report(options, begin, partial).await;
    drop(drill);
    stage.close()?;
    Ok(report)
}

/// Who wants a wallet, and who has a bank account alone.
fn population(options: &Options, people_max: u32) -> (Vec<Honest>, Vec<Opening>) {
    let registry = Registry::read();
    let population = Population { seed: options.seed, people: people_max };
    let (mut honest, mut others, mut seen) =
        (Vec::<Honest>::new(), Vec::new(), BTreeMap::<String, Option<usize>>::new());
    for opening in population.openings(&registry).skip(5) {
        let person = people::document_number(&people::identity(&opening.customer));
        if let Some(known) = seen.get(&person) {
            // Another account of somebody who has a wallet is one that they may take to it.
            let holder = known.and_then(|number| honest.get_mut(number));
            if let Some(holder) = holder {
                holder.other.get_or_insert(opening);
            }
        } else if honest.len() < options.honest as usize {
            seen.insert(person, Some(honest.len()));
            honest.push(Honest { opening, other: None });
        } else {
            seen.insert(person, None);
            others.push(opening);
        }
    }
    (honest, others)
}

/// The identity vendor looks at documents from now on; and there are shops. With their ids, the token of the first one's till.
pub(super) async fn prepare(stage: &Stage) -> Result<(Vec<String>, String), String> {
    let mut staff = Client::new(stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let script = json!({ "script": "document" });
    let set = staff.ask(Verb::PUT, &format!("{OUTSIDE}/sandbox/v1/identity"), &script).await;
    if !set.is_done() {
        return Err(format!("the identity vendor: {}", set.text));
    }
    staff.log_in(Some(stage.desks.wallet[0].expose().clone()));
    let (mut shops, mut tills) = (Vec::new(), Vec::new());
    for number in 0..SHOPS {
        let (shop, till) = open_shop(&staff, &format!("Shop {number}")).await?;
        shops.push(shop);
        tills.push(till);
    }
    Ok((shops, tills.swap_remove(0)))
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
    /// Honest people join one after the other: most of them before the first day of the report, the others while it goes on.
    fn invite(&mut self, people: usize, from: Time, begin: Time, end: Time) {
        let (late, early): (Vec<usize>, Vec<usize>) = (0..people).partition(|person| joins_late(*person));
        for (people, from, until) in [(early, from, begin), (late, begin, end)] {
            let span_ms = until.milliseconds_since(from);
            let count = i64::try_from(people.len().max(1)).unwrap_or(1);
            for (person, number) in people.into_iter().zip(0_i64..) {
                let at = from.plus_milliseconds(span_ms / count * number);
                self.agenda.enter(next_step(at), Act::Honest(person, Intent::Join));
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
            self.act(act).await?;
        }
        self.stage.reach(end).await?;
        Ok(false)
    }

    async fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Honest(person, intent) => {
                for (at, intent) in self.crowd.act(person, intent).await {
                    self.agenda.enter(next_step(at), Act::Honest(person, intent));
                }
            }
            Act::Gang(deed) => {
                let done = self.gang.act(deed).await;
                done.next.into_iter().for_each(|(at, deed)| self.agenda.enter(at, Act::Gang(deed)));
                let mut seen: Vec<(Time, Sight)> = Vec::new();
                for account in done.touched {
                    seen.extend(self.world.touched(account));
                }
                seen.extend(done.debited.into_iter().filter_map(|(account, yen)| self.world.debited(account, yen)));
                self.look_later(seen);
                for victim in done.entered {
                    self.entered(victim);
                }
            }
            Act::World(sight) => {
                let next = self.world.see(sight).await?;
                self.look_later(next);
            }
            Act::Stop(number) => self.stop(number).await?,
        }
        Ok(())
    }

    /// Somebody logged in to an honest person's wallet, who is told so, and stops everything when they read it.
    fn entered(&mut self, victim: usize) {
        let Some((known, means)) = self.crowd.phished(victim) else { return };
        let (told, reacts) = self.world.entered(known.account, means.mail);
        self.agenda.enter(told.0, Act::World(told.1));
        if let Some(at) = reacts {
            self.agenda.enter(at, Act::Honest(victim, Intent::Freeze));
        }
    }

    fn look_later(&mut self, sights: Vec<(Time, Sight)>) {
        for (at, sight) in sights {
            self.agenda.enter(at, Act::World(sight));
        }
    }

    /// The gateway's desk stops a function of a bank, as it was stopped then.
    async fn stop(&self, number: usize) -> Result<(), String> {
        let Stop { bank, function, .. } = &self.stops[number];
        let mut desk = Client::new(self.stage, IpAddr::V4(Ipv4Addr::LOCALHOST));
        desk.log_in(Some(self.stage.desks.gateway.expose().clone()));
        let url = format!("{GATEWAY}/gateway/v1/banks/{bank}/switches/{function}");
        let body = json!({ "stopped": true, "reason": "不正な登録の疑い / suspected fraud" });
        desk.ask(Verb::PUT, &url, &body).await.did("a stop of the time")
    }

    async fn report(&self, options: &Options, begin: Time, partial: bool) -> Report {
        let taken = self.world.statements().await;
        let hours = |from: Time, to: Time| to.milliseconds_since(from) / 3_600_000;
        let world = &self.world;
        let moments = Moments { known: &world.known_at, mistaken: &world.mistaken_at, debited: &taken.at };
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
            yen_escaped: self.gang.escaped.values().sum(),
            worst: self.world.worst(&taken, &self.gang.escaped),
            notices: world.notices,
            first_detection_hours: world.first_debit.zip(world.first_seen).map(|(from, to)| hours(from, to)),
            attacker: self.gang.figures.clone(),
            tallies: tallies(&world.known, true),
            mistaken: tallies(&world.mistaken, true),
            debits: tallies(&taken.days, false),
            published: compare(options.scenario.published, moments),
            in_the_end: compare_end(options.scenario.in_the_end, &taken.banks),
            earlier: recorded(options.scenario.earlier),
            banks: taken.banks,
            honest: self.crowd.figures.clone(),
            simulated_days: self.stage.now().milliseconds_since(begin) / DAY_MS,
            movements: self.crowd.figures.movements + self.gang.figures.top_ups_tried + self.gang.figures.exits_tried,
            seconds: 0.0,
        }
    }
}

/// Days before the first one of the report, in which so many honest people join.
fn joining_days(honest: u32) -> i32 {
    i32::try_from(honest.div_ceil(JOINING_A_DAY_MAX)).unwrap_or(i32::MAX).max(JOINING_DAYS_MIN)
}

/// Whether that person joins while the attack is on.
const fn joins_late(person: usize) -> bool {
    person % ONE_IN_JOINS_LATE == ONE_IN_JOINS_LATE - 1
}

/// The first moment from `at` on at which honest people act.
fn next_step(at: Time) -> Time {
    let step_ms = STEP_MINUTES * 60_000;
    at.plus_milliseconds((-at.milliseconds()).rem_euclid(step_ms))
}
