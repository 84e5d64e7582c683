//! The caller of the API: an operator, with what its token allows.

use crate::domain::OperatorId;
use crate::gateway::Gateway;
use axum::extract::FromRequestParts;
use http::request::Parts;
use web::Problem;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To list, read and revoke mandates.
    Mandates,
    /// To debit, and to give debits back.
    Debits,
    /// To pay out.
    Credits,
    /// To read what the operator is told.
    Events,
}

/// An operator whose token and proof were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub operator: OperatorId,
    /// What the token allows.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Refuses unless the token allows `scope`.
    pub fn check(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Problem::forbidden()) }
    }
}

impl FromRequestParts<Gateway> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Gateway) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}
