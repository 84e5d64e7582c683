//! The server: the service as the program sees it. Opened, asked for its routers, stepped when work is due, stopped.

use crate::options::Options;
use crate::service::{OpenError, Service};
use crate::{api, desk, entrance, pages};
use axum::Router;
use axum::middleware::from_fn_with_state;
use domain::Time;
use engine::StoreError;
use std::sync::Arc;
use web::{Armour, Outside, Problem, Ran, armour, page};

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

    /// Does what is due at `now`, at most about `budget` things, and waits until nobody is at work any more: for whoever
    /// wants to know that all is quiet.
    pub async fn run_due(&self, now: Time, budget: usize) -> Ran {
        let _stepping = self.0.stepping.lock().await;
        let work = settled(self.0.work_due(now, budget).await);
        let rest = self.run_rest(now, budget).await;
        work.and(rest).and(settled(self.0.deliver_webhooks(now).await).named("wallet.webhook"))
    }

    /// The same without waiting for banks and shops: for timers. What is under way goes on by itself.
    pub async fn step(&self, now: Time, budget: usize) -> Ran {
        let _stepping = self.0.stepping.lock().await;
        let work = settled(self.0.work_begun(now, budget).await);
        let rest = self.run_rest(now, budget).await;
        work.and(rest).and(self.0.begin_webhooks(now).await.named("wallet.webhook"))
    }

    async fn run_rest(&self, now: Time, budget: usize) -> Ran {
        let service = &self.0;
        let errands = settled(service.run_errands(now, budget));
        let letters = settled(service.deliver_due(now, budget).await);
        let people = settled(service.refresh_identifications(now, budget).await);
        let fed = settled(service.feed_shops().await);
        let news = settled(service.read_news(now, budget).await);
        let closed = settled(service.close_days(now).await);
        let unclaimed = settled(service.end_unclaimed(now, budget).await);
        let told = settled(service.tell(now, budget).await);
        let seen = settled(service.note_sessions(now));
        let swept = settled(service.sweep(now));
        [
            (errands, "wallet.errand"),
            (letters, "wallet.letter"),
            (people, "wallet.identification"),
            (fed, "wallet.webhook_written"),
            (news, "wallet.news"),
            (closed, "wallet.day_closed"),
            (unclaimed, "wallet.unclaimed_ended"),
            (told, "wallet.notice"),
            (seen, "wallet.session_noted"),
            (swept, "wallet.swept"),
        ]
        .into_iter()
        .fold(Ran::default(), |ran, (due, kind)| ran.and(due.named(kind)))
    }

    /// Hands out the engine's answers for as long as it is polled: with it, a batch costs the engine one wake-up.
    pub async fn dispatch(&self) {
        self.0.engine.dispatch().await;
    }

    /// What is behind the routers.
    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.0
    }

    /// Stops: what was accepted is answered, everything is written.
    pub fn stop(&self) -> Result<(), StoreError> {
        self.0.engine.stop()
    }
}

/// A step that failed has done nothing; it comes again.
fn settled<T: Default>(step: Result<T, Problem>) -> T {
    step.unwrap_or_else(|problem| {
        tracing::error!(%problem, "due work");
        T::default()
    })
}
