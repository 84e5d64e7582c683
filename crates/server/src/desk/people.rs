//! People of the desk: who they are, and what each may do. Everything is done under a person's own name, and what takes two
//! takes two persons, however many sessions one of them has.
//!
//! Start reading at [`Role`], then [`Desk::check`].

use crate::entrance::bearer;
use crate::refusals;
use crate::service::Service;
use axum::extract::FromRequestParts;
use engine::{Actor, ActorKind};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use wallet::StaffId;
use web::{Problem, Secret};

/// What somebody of the desk may do. Whoever has any role may see the desk's lists and figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See.
    Viewer,
    /// Decide what is held, stop, freeze, read and decide claims, propose what takes two.
    Risk,
    /// Approve what another person proposed.
    Approver,
    /// Open shops, make vouchers.
    Sales,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Risk, Self::Approver, Self::Sales];

    /// The word of configuration and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Risk => "risk",
            Self::Approver => "approver",
            Self::Sales => "sales",
        }
    }
}

/// Somebody of the operator's desk, as configured.
#[derive(Clone, Debug)]
pub struct Staff {
    /// Who, as the journal has them.
    pub id: StaffId,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub roles: Vec<Role>,
    /// What they show.
    pub token: Secret<String>,
}

/// Somebody of the desk who asks.
#[derive(Clone, Copy, Debug)]
pub struct Desk {
    /// Who.
    pub id: StaffId,
    roles: [bool; Role::ALL.len()],
}

/// Somebody of the desk, as others of the desk see them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Person {
    /// Their id in the journal.
    id: String,
    /// What they are called; nothing if they left.
    name: Option<String>,
}

impl Desk {
    /// Refuses whoever does not have `role`.
    pub fn check(&self, role: Role) -> Result<(), Problem> {
        if self.has(role) { Ok(()) } else { Err(role_needed(role)) }
    }

    /// Refuses whoever has no role at all.
    pub fn check_any(&self) -> Result<(), Problem> {
        if Role::ALL.into_iter().any(|role| self.has(role)) { Ok(()) } else { Err(role_needed(Role::Viewer)) }
    }

    fn has(&self, role: Role) -> bool {
        Role::ALL.into_iter().zip(self.roles).any(|(each, has)| each == role && has)
    }

    /// As the engine writes it down.
    pub fn actor(self) -> Actor {
        Actor { kind: ActorKind::Operator, id: self.id.0 }
    }
}

fn role_needed(role: Role) -> Problem {
    refusals::new(403, "role-needed", "This takes another role at the desk.", "この操作の権限がありません。")
        .with("role", role.name())
}

impl FromRequestParts<Arc<Service>> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let staff = service.options.staff.iter().find(|staff| staff.token.is(token));
        let staff = staff.ok_or_else(Problem::unauthenticated)?;
        Ok(Self { id: staff.id, roles: Role::ALL.map(|role| staff.roles.contains(&role)) })
    }
}

impl Service {
    /// Somebody of the desk, by the id that the journal has.
    pub fn person(&self, id: StaffId) -> Person {
        let staff = self.options.staff.iter().find(|staff| staff.id == id);
        Person { id: id.to_string(), name: staff.map(|staff| staff.name.clone()) }
    }
}
