//! The bank's desk, `/bank/v1`: what a bank sees and may do of what concerns its own customers, and nobody else's.
//!
//! | path | what |
//! |---|---|
//! | `POST /bank/v1/links/search` | which wallets may debit this account? (the number comes in the body, never in an address) |
//! | `POST /bank/v1/mandates/{id}/revoke` | end one, at once |
//! | `POST /bank/v1/mandates/{id}/confirm` | the customer confirmed it in the bank's app, or at the counter |
//! | `POST /bank/v1/mandates/{id}/letter` | the number for a letter by which the customer confirms it |
//! | `GET /bank/v1/reviews`, `POST /bank/v1/mandates/{id}/decide` | names that are only nearly the same |
//! | `GET`, `PUT /bank/v1/factors` | what the bank's customers are asked for |
//! | `GET`, `PUT /bank/v1/calendar` | its hours and its maintenance: while it is closed nothing is sent to it |
//! | `GET /bank/v1/switches`, `PUT /bank/v1/switches/{function}` | what is stopped, since when, by whom and why |
//! | `GET /bank/v1/proposals` | what one person wants to be weaker, and no other has agreed to yet |
//! | `POST /bank/v1/incidents` | a fraud is confirmed: every operator and every other bank is told in the same commit |
//! | `GET /bank/v1/events` | what this bank was told of, numbered without gaps |
//!
//! Which person of which bank asks, their bearer token says; whoever has the role `act` changes things, whoever has any sees
//! them, and the bank's systems (`system`) pass on that a customer confirmed. What gets weaker takes two people
//! (`domain::proposal`). Another bank's mandate is not found.
//! Start reading at [`Desk`].

mod calendar;
mod events;
mod factors;
mod links;
mod reviews;

pub(crate) use calendar::CalendarBody;

use crate::desk::Person;
use crate::domain::{BankCode, OperatorId, StaffId};
use crate::gateway::Gateway;
use crate::oauth::bearer;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::routing::{get, post, put};
use engine::{Actor, ActorKind};
use http::request::Parts;
use web::Problem;

/// The paths of the banks' desks.
pub fn routes() -> Router<Gateway> {
    Router::new()
        .route("/bank/v1/links/search", post(links::search))
        .route("/bank/v1/mandates/{id}/revoke", post(links::revoke))
        .route("/bank/v1/mandates/{id}/confirm", post(links::confirm))
        .route("/bank/v1/mandates/{id}/letter", post(links::letter))
        .route("/bank/v1/mandates/{id}/decide", post(reviews::decide))
        .route("/bank/v1/reviews", get(reviews::list))
        .route("/bank/v1/factors", get(factors::show).put(factors::set))
        .route("/bank/v1/calendar", get(calendar::show).put(calendar::set))
        .route("/bank/v1/switches", get(factors::switches))
        .route("/bank/v1/switches/{function}", put(factors::switch))
        .route("/bank/v1/incidents", post(events::report))
        .route("/bank/v1/events", get(events::list))
}

/// Somebody of a bank's desk, as their token shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desk {
    /// Whose desk.
    pub bank: BankCode,
    /// Who.
    pub staff: StaffId,
    person: Person,
}

impl Desk {
    /// Refuses whoever may only look.
    pub(crate) fn check_act(self) -> Result<(), Problem> {
        self.person.check_act()
    }

    /// The person who says that a customer confirmed; none where the bank's own systems do. Refuses whoever may only look.
    pub(crate) fn person_who_confirms(self) -> Result<Option<StaffId>, Problem> {
        if self.person.is_system() {
            return Ok(None);
        }
        self.check_act().map(|()| Some(self.staff))
    }

    /// As who asks.
    pub(crate) const fn actor(self) -> Actor {
        Actor { kind: ActorKind::Bank, id: self.staff.0 }
    }
}

impl FromRequestParts<Gateway> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).unwrap_or_default();
        let mut found = None;
        // Every bank's people are looked at, so that the time says nothing.
        for bank in &gateway.options().banks {
            let person = Person::of(&bank.desk, Some(bank.code), token);
            found = person.map(|person| Self { bank: bank.code, staff: person.id, person }).or(found);
        }
        let found = found.ok_or_else(Problem::unauthenticated)?;
        found.person.count(gateway, parts)?;
        Ok(found)
    }
}

/// What a bank is among those who are told of things: banks stand in the same list as operators.
pub(crate) fn listener(gateway: &Gateway, bank: BankCode) -> OperatorId {
    gateway.operator_id(&format!("bank:{bank}"))
}
