//! The server: the service as the program sees it. Opened, asked for its routers, stepped when work is due, stopped.

use crate::options::Options;
use crate::service::{OpenError, Service};
use crate::{api, desk, entrance, pages};
use axum::Router;
use axum::middleware::from_fn_with_state;
use domain::Time;
use engine::StoreError;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use web::{Armour, Outside, Problem, Ran, armour, page};

/// A part of the due work that others are asked for, or that nobody is. Whoever runs each by itself has no one's silence hold
/// up what is asked of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What the journal makes due: questions to banks, ends of what waits. Each bank has a lane of its own in it.
    Banks,
    /// What people are to be told of becomes letters.
    Writing,
    /// Letters go to whoever delivers them.
    Letters,
    /// Whoever says who people are is asked for verdicts.
    People,
    /// The gateway's news are read, and the days closed that they complete.
    Gateway,
    /// Messages to shops and the operator go out. Each endpoint has a courier of its own.
    Shops,
    /// What ended is dropped.
    Keeping,
}

impl Turn {
    /// Every turn, in the order in which a round takes them.
    pub const ALL: [Self; 7] =
        [Self::Banks, Self::Writing, Self::Letters, Self::People, Self::Gateway, Self::Shops, Self::Keeping];
}

/// Whose turn it is: two at once in the same one would do the same twice. Each knows how many of its steps failed in a row.
#[derive(Default)]
pub struct Turns([Mutex<Failing>; Turn::ALL.len()]);

impl Turns {
    async fn take(&self, turn: Turn) -> MutexGuard<'_, Failing> {
        let [banks, writing, letters, people, gateway, shops, keeping] = &self.0;
        let taken = match turn {
            Turn::Banks => banks,
            Turn::Writing => writing,
            Turn::Letters => letters,
            Turn::People => people,
            Turn::Gateway => gateway,
            Turn::Shops => shops,
            Turn::Keeping => keeping,
        };
        taken.lock().await
    }
}

/// The longest that a request may take, in milliseconds.
const REQUEST_MS_MAX: u64 = 30_000;

/// The running service. Clones share it.
#[derive(Clone)]
pub struct Server(Arc<Service>);

impl Server {
    /// Opens the data directory and starts the engine.
    pub fn open(options: Options, outside: Outside) -> Result<Self, OpenError> {
        Service::open(options, outside).map(|service| Self(Arc::new(service)))
    }

    /// The routers, each with its host.
    pub fn routers(&self) -> Vec<(String, Router)> {
        let service = &self.0;
        let guard = || from_fn_with_state(Arc::clone(service), entrance::guard);
        let wallet =
            api::router().merge(pages::router()).layer(guard()).with_state(Arc::clone(service)).merge(page::assets());
        let desk = desk::router().layer(guard()).with_state(Arc::clone(service)).merge(page::assets());
        vec![
            (service.options.host.clone(), self.armoured(wallet, "wallet")),
            (service.options.desk_host.clone(), self.armoured(desk, "desk")),
        ]
    }

    fn armoured(&self, router: Router, service: &'static str) -> Router {
        let outside = &self.0.outside;
        let (clock, chance) = (Arc::clone(&outside.clock), Arc::clone(&outside.chance));
        armour(router, Armour { clock, chance, time_ms_max: REQUEST_MS_MAX, longer: &[], service })
    }

    /// Does what is due at `now` in one turn, at most about `budget` things. The same turn never runs twice at once; banks and
    /// shops are not waited for: what is under way there goes on by itself.
    pub async fn run_turn(&self, turn: Turn, now: Time, budget: usize) -> Ran {
        let service = &self.0;
        let mut failing = service.turns.take(turn).await;
        let before = failing.in_a_row;
        let ran = match turn {
            Turn::Banks => failing.settled(service.work_begun(now, budget).await),
            Turn::Writing => self.write(now, budget, &mut failing).await,
            Turn::Letters => failing.settled(service.deliver_due(now, budget).await).named("wallet.letter"),
            Turn::People => {
                failing.settled(service.refresh_identifications(now, budget).await).named("wallet.identification")
            }
            Turn::Gateway => self.hear_gateway(now, budget, &mut failing).await,
            Turn::Shops => {
                let fed = failing.settled(service.feed_shops().await).named("wallet.webhook_written");
                fed.and(service.begin_webhooks(now).await.named("wallet.webhook"))
            }
            Turn::Keeping => {
                let seen = failing.settled(service.note_sessions(now)).named("wallet.session_noted");
                seen.and(failing.settled(service.sweep(now).await).named("wallet.swept"))
            }
        };
        if failing.in_a_row == before {
            failing.in_a_row = 0;
        }
        ran
    }

    /// Does what is due at `now` in every turn, one after another in the order of [`Turn::ALL`], and then waits until nobody is
    /// at work any more: for whoever wants to know that all is quiet.
    pub async fn run_due(&self, now: Time, budget: usize) -> Ran {
        let (mut ran, mut failing) = (Ran::default(), Failing::default());
        for turn in Turn::ALL {
            ran = ran.and(self.run_turn(turn, now, budget).await);
            match turn {
                Turn::Banks => ran = ran.and(failing.settled(self.0.work_rested(now).await)),
                Turn::Shops => failing.settled(self.0.couriers_back().await),
                Turn::Writing | Turn::Letters | Turn::People | Turn::Gateway | Turn::Keeping => {}
            }
        }
        ran
    }

    /// What people are to be told of, in words.
    async fn write(&self, now: Time, budget: usize, failing: &mut Failing) -> Ran {
        let errands = failing.settled(self.0.run_errands(now, budget)).named("wallet.errand");
        errands.and(failing.settled(self.0.tell(now, budget).await).named("wallet.notice"))
    }

    /// The gateway's news, and what waits for them: a day is closed when its last ones were read.
    async fn hear_gateway(&self, now: Time, budget: usize, failing: &mut Failing) -> Ran {
        let news = failing.settled(self.0.read_news(now, budget).await).named("wallet.news");
        let again = failing.settled(self.0.hear_again(now, budget).await).named("wallet.news_again");
        let closed = failing.settled(self.0.close_days(now).await).named("wallet.day_closed");
        let unclaimed = failing.settled(self.0.end_unclaimed(now, budget).await).named("wallet.unclaimed_ended");
        news.and(again).and(closed).and(unclaimed)
    }

    /// Hands out the engine's answers for as long as it is polled: with it, a batch costs the engine one wake-up.
    pub async fn dispatch(&self) {
        self.0.engine.dispatch().await;
    }

    /// What is behind the routers.
    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.0
    }

    /// Stops: what was accepted is answered, everything is written, and the data may be opened by somebody else.
    pub fn stop(&self) -> Result<(), StoreError> {
        let Service { engine, doors, work, .. } = &**self.service();
        engine.stop()?;
        let let_go = doors.let_go().and(work.let_go());
        let_go.map_err(|error| StoreError::Unavailable(error.to_string()))
    }
}

/// How many steps of a turn failed in a row.
#[derive(Default)]
pub(crate) struct Failing {
    in_a_row: u64,
}

impl Failing {
    /// A step that failed has done nothing; it comes again. The log has a line for the first one in a row, the second, the
    /// fourth and so on: a turn comes ten times a second.
    fn settled<T: Default>(&mut self, step: Result<T, Problem>) -> T {
        step.unwrap_or_else(|problem| {
            self.in_a_row += 1;
            if self.in_a_row.is_power_of_two() {
                tracing::error!(%problem, in_a_row = self.in_a_row, "due work");
            }
            T::default()
        })
    }
}
