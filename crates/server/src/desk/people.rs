//! People of the desk: who they are, and what each may do. Everything is done under a person's own name, and what takes two
//! takes two persons, however many sessions one of them has.
//!
//! What they do about a wallet, a movement, a case, a stop or a control they give a [`Reason`] for, in the journal beside the name.
//!
//! Start reading at [`Role`], then [`Desk::check`].

use crate::asked::Repeat;
use crate::entrance::bearer;
use crate::refusals;
use crate::service::Service;
use axum::extract::FromRequestParts;
use engine::{Actor, ActorKind};
use http::request::Parts;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;
use wallet::{Command, Receipt, StaffId};
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

/// The longest reason, in characters.
const REASON_CHARACTERS_MAX: usize = 500;

/// Why somebody of the desk does something, for everybody of the desk to read: 1 to 500 characters. It is kept for ever, so it
/// never says who somebody is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = DeskReason)]
#[serde(try_from = "String")]
pub struct Reason(String);

impl Reason {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let text = text.trim();
        let is_text = (1..=REASON_CHARACTERS_MAX).contains(&text.chars().count());
        if !is_text || text.chars().any(|character| character.is_control() && character != '\n') {
            return Err("a reason has 1 to 500 characters: people read it");
        }
        Ok(Self(text.to_owned()))
    }
}

/// A body that says why and nothing else.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeskBecause)]
#[serde(deny_unknown_fields)]
pub struct Because {
    /// Why.
    pub reason: Reason,
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
    /// Hands what somebody of the desk wants to the engine: the journal has who, and why.
    pub async fn submit_for(
        &self,
        desk: Desk,
        reason: &Reason,
        repeat: &Repeat,
        command: Command,
    ) -> Result<Receipt, Problem> {
        let (actor, reason) = (desk.actor(), Some(reason.0.clone()));
        let answered = self.ask_because(actor, reason, Some(repeat.by(self, actor)), command).await?;
        answered.reply.map_err(|refusal| refusals::problem(&refusal))
    }

    /// Somebody of the desk, by the id that the journal has.
    pub fn person(&self, id: StaffId) -> Person {
        let staff = self.options.staff.iter().find(|staff| staff.id == id);
        Person { id: id.to_string(), name: staff.map(|staff| staff.name.clone()) }
    }
}
