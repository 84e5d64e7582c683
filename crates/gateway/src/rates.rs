//! Rates: how much may be asked of the gateway in a minute.
//!
//! Whoever asks is counted for where they are before anybody looks at what they show, programs and people's browsers apart. Who
//! has proven who they are is counted for themselves: an operator, a bank's systems, somebody of a desk; their count is what
//! the answer's headers show. Nobody is counted for whom they only claim to be, so no one uses up what is another's.
//! Start reading at [`programs`], then [`Limits::operator`].

use crate::domain::{BankCode, OperatorId, StaffId};
use crate::gateway::Gateway;
use crate::{options, pages};
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::{Id, Time};
use http::request::Parts;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use web::{RateLimit, Source, Verdict};

const MINUTE_MS: i64 = 60_000;
/// Forgeries in the name of one bank or operator that are logged in a minute; the rest is only refused.
const FORGERIES_LOGGED_MAX: u32 = 60;

/// The limits.
#[derive(Debug)]
pub struct Limits {
    programs: RateLimit<IpAddr>,
    people: RateLimit<IpAddr>,
    operators: RateLimit<Id>,
    banks: RateLimit<Id>,
    desks: RateLimit<Id>,
    forgeries: RateLimit<Id>,
}

/// What an answer is to say of the caller's limit; whoever finds out who calls notes it here.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<OnceLock<Verdict>>);

impl Limits {
    /// Nobody has asked yet.
    pub fn new(rates: options::Rates) -> Self {
        Self {
            programs: RateLimit::new("source", rates.source_max, MINUTE_MS),
            people: RateLimit::new("browser", rates.browser_max, MINUTE_MS),
            operators: RateLimit::new("operator", rates.operator_max, MINUTE_MS),
            banks: RateLimit::new("bank", rates.bank_max, MINUTE_MS),
            desks: RateLimit::new("desk", rates.desk_max, MINUTE_MS),
            forgeries: RateLimit::new("forgery", FORGERIES_LOGGED_MAX, MINUTE_MS),
        }
    }

    /// Refuses `operator`, of whom it is only claimed that it asks, if it has nothing left; counts nothing.
    pub fn claimed(&self, meter: &Meter, operator: OperatorId, now: Time) -> Result<(), Verdict> {
        let id = operator.id();
        if self.operators.is_used_up(&id, now) { meter.note(self.operators.count(id, now)) } else { Ok(()) }
    }

    /// Counts a call of `operator`.
    pub fn operator(&self, meter: &Meter, operator: OperatorId, now: Time) -> Result<(), Verdict> {
        meter.note(self.operators.count(operator.id(), now))
    }

    /// Counts a call of a bank's systems.
    pub fn bank(&self, meter: &Meter, bank: BankCode, now: Time) -> Result<(), Verdict> {
        meter.note(self.banks.count(bank.id(), now))
    }

    /// Counts a call of somebody of a desk.
    pub fn desk(&self, meter: &Meter, staff: StaffId, now: Time) -> Result<(), Verdict> {
        meter.note(self.desks.count(staff.0, now))
    }
}

impl Limits {
    /// Whether one more forgery in the name of `claimed` is logged: so that nobody fills a disk by it, and none who is claimed to
    /// call hides what is done in the name of another.
    pub fn may_log_forgery(&self, claimed: Id, now: Time) -> bool {
        self.forgeries.count(claimed, now).allowed
    }
}

impl Meter {
    /// The meter of the request with `parts`.
    pub fn of(parts: &Parts) -> Self {
        parts.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    fn note(&self, verdict: Verdict) -> Result<(), Verdict> {
        // The first one stays: a request has one caller.
        let noted = *self.0.get_or_init(|| verdict);
        if noted.allowed { Ok(()) } else { Err(noted) }
    }
}

impl<S: Sync> FromRequestParts<S> for Meter {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

/// Counts a program's request, before anything else looks at it.
pub async fn programs(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let verdict = gateway.limits().programs.count(source(&request), gateway.outside().now());
    let meter = Meter::default();
    request.extensions_mut().insert(meter.clone());
    let mut response = if verdict.allowed { next.run(request).await } else { verdict.problem().into_response() };
    meter.0.get().copied().unwrap_or(verdict).mark(&mut response);
    response
}

/// Counts the request of a person's browser.
pub async fn people(State(gateway): State<Gateway>, request: Request, next: Next) -> Response {
    let verdict = gateway.limits().people.count(source(&request), gateway.outside().now());
    let mut response = if verdict.allowed { next.run(request).await } else { pages::too_many(&gateway, verdict) };
    verdict.mark(&mut response);
    response
}

fn source(request: &Request) -> IpAddr {
    request.extensions().get::<Source>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |source| source.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgeries_fill_no_disk_and_hide_none_in_another_name() {
        let limits = Limits::new(options::Rates::default());
        let logged = |claimed, at| {
            let (claimed, at) = (Id::from_number(claimed), Time::from_milliseconds(at));
            (0..1_000).filter(|_| limits.may_log_forgery(claimed, at)).count()
        };
        assert_eq!([logged(1, 0), logged(1, 59_999), logged(2, 59_999), logged(1, 60_000)], [60, 0, 60, 60]);
    }
}
