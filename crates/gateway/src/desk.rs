//! People of the desks, the gateway's own and each bank's: who they are, and what each may do. Everything is done under a
//! person's own name, which is what the journal has.
//!
//! Start reading at [`Role`], then [`Person`]. What a bank's people may look at is in `bank_desk`.

use crate::domain::bank::REASON_BYTES_MAX;
use crate::domain::{BankCode, StaffId};
use crate::gateway::Gateway;
use crate::oauth::bearer;
use crate::options::Options;
use crate::rates::Meter;
use axum::extract::FromRequestParts;
use domain::Id;
use engine::{Actor, ActorKind};
use http::StatusCode;
use http::request::Parts;
use serde::Deserialize;
use std::collections::BTreeSet;
use web::{Problem, Secret, Verdict};

/// The longest id of somebody, in bytes: with the bank's code and a colon it is what the journal keeps.
pub const STAFF_BYTES_MAX: usize = 11;
/// Bytes of an id in the journal.
const JOURNAL_BYTES: usize = 16;

/// What somebody of a desk may do. Whoever has any role may see what the desk sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See.
    Read,
    /// Change: switches, factors, hours, mandates, clients; report incidents.
    Act,
    /// No person: a bank's own systems, which pass on what its customers did in its app.
    System,
}

impl Role {
    /// The word of configuration and API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Act => "act",
            Self::System => "system",
        }
    }
}

/// Somebody of a desk, as configured.
#[derive(Clone, Debug)]
pub struct Staff {
    /// Who, as the journal has them: 1 to 11 visible ASCII characters.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub roles: Vec<Role>,
    /// What they show.
    pub token: Secret<String>,
}

impl Staff {
    /// Whom the journal names, at the desk of `bank` or at the gateway's own: `0125:hara`, `abe`.
    pub fn in_journal(&self, bank: Option<BankCode>) -> StaffId {
        let text = bank.map_or_else(|| self.id.clone(), |bank| format!("{bank}:{}", self.id));
        let mut id = [0; JOURNAL_BYTES];
        for (place, byte) in id.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        StaffId(Id(id))
    }
}

/// Somebody who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: StaffId,
    may_act: bool,
    is_system: bool,
}

impl Person {
    /// Whoever of `staff` has `token`. Every token is compared, so that the time says nothing.
    pub(crate) fn of(staff: &[Staff], bank: Option<BankCode>, token: &str) -> Option<Self> {
        let mut found = None;
        for one in staff {
            if one.token.is(token) && !one.roles.is_empty() {
                let has = |role| one.roles.contains(&role);
                found = Some(Self {
                    id: one.in_journal(bank),
                    may_act: has(Role::Act),
                    is_system: has(Role::System) && bank.is_some(),
                });
            }
        }
        found
    }

    /// Counts one more call of theirs.
    pub(crate) fn count(self, gateway: &Gateway, parts: &Parts) -> Result<(), Problem> {
        let counted = gateway.limits().desk(&Meter::of(parts), self.id, gateway.outside().now());
        counted.map_err(Verdict::problem)
    }

    /// Whether it is no person, but a bank's own systems.
    pub(crate) const fn is_system(self) -> bool {
        self.is_system
    }

    /// Refuses whoever may only look.
    pub(crate) fn check_act(self) -> Result<(), Problem> {
        if self.may_act {
            return Ok(());
        }
        let (title, title_ja) = ("This takes another role at the desk.", "この操作の権限がありません。");
        Err(Problem::new(StatusCode::FORBIDDEN, "role-needed", title, title_ja).with("role", Role::Act.name()))
    }
}

/// Somebody of the gateway's own desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayDesk(pub Person);

impl GatewayDesk {
    /// As who asks.
    pub(crate) const fn actor(self) -> Actor {
        Actor { kind: ActorKind::Operator, id: self.0.id.0 }
    }
}

impl FromRequestParts<Gateway> for GatewayDesk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, gateway: &Gateway) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).unwrap_or_default();
        let person = Person::of(&gateway.options().desk, None, token).ok_or_else(Problem::unauthenticated)?;
        person.count(gateway, parts)?;
        Ok(Self(person))
    }
}

/// Refuses what nobody should have to read: nothing, too much, or what hides or turns the text around it. `member` is where it
/// stands.
pub(crate) fn check_text(text: &str, member: &'static str) -> Result<(), Problem> {
    if !text.trim().is_empty() && text.len() <= REASON_BYTES_MAX && text.chars().all(is_plain) {
        return Ok(());
    }
    let detail = "What everybody whom it concerns reads has 1 to 500 bytes, and no control characters.";
    Err(Problem::malformed(detail).with("member", member))
}

/// No control characters, and none that turn or hide what stands around them on a page.
pub(crate) fn is_plain(character: char) -> bool {
    let hides =
        matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !character.is_control() && !hides
}

/// Whether everybody of every desk can be told apart, in the journal and by what they show.
pub fn check(options: &Options) -> Result<(), String> {
    let (mut ids, mut tokens) = (BTreeSet::new(), BTreeSet::new());
    let own = options.desk.iter().map(|staff| (None, staff));
    let banks = options.banks.iter().flat_map(|bank| bank.desk.iter().map(move |staff| (Some(bank.code), staff)));
    for (bank, staff) in own.chain(banks) {
        let id = &staff.id;
        if id.is_empty() || id.len() > STAFF_BYTES_MAX || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("somebody of a desk is named {id:?}: 1 to {STAFF_BYTES_MAX} visible ASCII characters"));
        }
        if staff.roles.contains(&Role::System) && (bank.is_none() || staff.roles.contains(&Role::Act)) {
            return Err(format!("{id:?} is a bank's systems and a person, or at no bank"));
        }
        if !ids.insert(staff.in_journal(bank)) {
            return Err(format!("{id:?} is at the same desk twice"));
        }
        if !tokens.insert(staff.token.expose()) {
            return Err(format!("{id:?} shows the token of somebody else"));
        }
    }
    Ok(())
}
