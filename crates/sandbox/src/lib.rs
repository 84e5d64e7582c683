//! The sandbox: the outside world, simulated. Thirty-five banks with their connectors and pages, the provider of mails and
//! SMS with its inbox, the identity vendor, and the clock that everything in it goes by.
//!
//! It is reached over HTTP alone, like the world it stands for: it knows neither the wallet's code nor the gateway's. Each
//! answer and each page says that it is simulated. What a bank booked stands in a domain of its own ([`mod@domain`]) on an
//! engine of its own, so that the product's books can be checked against it.
//! Start reading at [`Sandbox::open`]; then `connector` (what a bank says to the gateway) and `api` (what a test says to
//! the sandbox).

mod api;
mod callbacks;
pub mod clock;
mod confirmations;
mod connector;
pub mod domain;
mod grants;
mod hooks;
mod identity;
mod kana;
mod messages;
pub mod operator;
mod options;
mod pages;
pub mod people;
pub mod registry;
mod state;
#[cfg(test)]
mod tests;
mod world;

pub use clock::{Advanced, DueHook, SandboxClock};
pub use options::{OpenError, Options, Origins, Policies, Secrets};
pub use state::{direct, local, marked};

use crate::domain::Command;
use crate::domain::{account, bank};
use crate::people::Population;
use crate::state::State;
use crate::world::Undone;
use ::domain::Time;
use axum::Router;
use engine::StoreError;
use std::sync::Arc;
use web::{Armour, Outside, Ran};

/// The longest that a request to the sandbox may take, in milliseconds of the machine's clock: a bank that keeps silent
/// must be able to outlast its caller.
pub const REQUEST_MS_MAX: u64 = 60_000;
/// The longest that advancing the clock may take, in milliseconds of the machine's clock: years of due work are done first.
pub const ADVANCE_MS_MAX: u64 = 1_800_000;
/// Where the clock is advanced.
const ADVANCING: &[(&str, u64)] = &[(api::CLOCK, ADVANCE_MS_MAX), (pages::CLOCK, ADVANCE_MS_MAX)];
/// Commands of the first start that are under way at once.
const OPENINGS_AT_ONCE: usize = 512;

/// The running sandbox.
pub struct Sandbox(Arc<State>);

impl Sandbox {
    /// Opens the world; at the first start its banks are set up and its people open their accounts.
    pub async fn open(options: Options, outside: Outside) -> Result<Self, OpenError> {
        let state = Arc::new(State::open(options, outside)?);
        populate(&state).await.map_err(|undone| OpenError::Population(format!("{undone:?}")))?;
        tracing::info!(accounts = state.world.index().accounts.len(), "sandbox: simulated banks are open");
        Ok(Self(state))
    }

    /// What each host answers: `sandbox.localhost`, and one host a bank.
    pub fn routers(&self) -> Vec<(String, Router)> {
        let state = &self.0;
        let banks = state.registry.banks().map(|bank| {
            let host = format!("bank-{}.{}", bank.code, state.options.origins.domain);
            (host, self.armoured(connector::router(state, bank.code)))
        });
        let outside = Router::new()
            .merge(messages::router(state))
            .merge(identity::router(state))
            .merge(hooks::router(state))
            .merge(api::router(state))
            .merge(pages::router(state))
            .merge(state.world.health());
        let host = format!("sandbox.{}", state.options.origins.domain);
        std::iter::once((host, self.armoured(outside))).chain(banks).collect()
    }

    /// `/sandbox/v1` alone, to be mounted under another host as well.
    pub fn api(&self) -> Router {
        web::armour_routes(state::marked(api::router(&self.0)), self.plates())
    }

    /// Does what is due at `now`, at most `budget` things: callbacks of the banks, decisions of the vendor.
    pub async fn run_due(&self, now: Time, budget: usize) -> Ran {
        let told = callbacks::run_due(&self.0, now, budget).await;
        let decided = identity::run_due(&self.0, now, budget.saturating_sub(told.done)).await;
        told.named("sandbox.callback").and(decided.named("sandbox.identification"))
    }

    /// What the gateway's configuration needs to know of the second operator.
    pub fn second_operator(&self) -> operator::OperatorFacts {
        self.0.operator.facts(&self.0)
    }

    /// Stops; everything that was answered is on disk.
    pub fn stop(&self) -> Result<(), StoreError> {
        self.0.world.stop()
    }

    fn armoured(&self, router: Router) -> Router {
        web::armour(state::marked(router), self.plates())
    }

    fn plates(&self) -> Armour {
        let Outside { clock, chance, .. } = self.0.outside.clone();
        Armour { clock, chance, time_ms_max: REQUEST_MS_MAX, longer: ADVANCING, service: "sandbox" }
    }
}

/// Sets up the banks, and opens the accounts of the people, where this has not been done.
async fn populate(state: &State) -> Result<(), Undone> {
    for facts in state.registry.banks() {
        if state.world.read(facts.code.key()).await?.is_none() {
            let set = match state.options.policies {
                Policies::AsOf2020 => facts.factors_2020,
                Policies::Raised => facts.factors_raised,
            };
            let command = bank::Command::SetFactors { bank: facts.code, sets: vec![set] };
            state.world.submit(Command::Bank(command)).await?;
        }
    }
    let population = Population { seed: state.options.seed, people: state.options.people };
    let known = state.world.index().accounts.clone();
    let mut missing = population.openings(&state.registry).filter(|opening| !known.contains(&opening.number));
    loop {
        let some: Vec<_> = missing.by_ref().take(OPENINGS_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        let commands = some.into_iter().map(|opening| {
            Command::Account(account::Command::Open {
                number: opening.number,
                customer: Box::new(opening.customer),
                balance: opening.balance,
                overdraft_max: opening.overdraft_max,
            })
        });
        state.world.submit_all(commands).await?;
    }
}
