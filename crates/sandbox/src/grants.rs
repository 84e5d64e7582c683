//! What is under way on the banks' own pages: the requests that the gateway pushed, each bound to the first browser that
//! came with it, until its code is exchanged. In memory alone: a restart ends them, and the person begins again.
//! Start reading at [`Grant`].

use crate::domain::account::AccountNumber;
use crate::domain::bank::{BankCode, FactorSet};
use ::domain::Time;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// Requests that are under way at once; beyond, the oldest is dropped.
pub(crate) const GRANTS_MAX: usize = 10_000;
/// How long a pushed request waits for its browser.
pub(crate) const REQUEST_SECONDS: i64 = 300;
/// How long a person has on the page.
pub(crate) const VISIT_SECONDS: i64 = 600;
/// How long a code is good.
pub(crate) const CODE_SECONDS: i64 = 60;
/// Tries on one page, right or wrong.
pub(crate) const TRIES_MAX: u8 = 5;

/// What the gateway pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    pub bank: BankCode,
    pub redirect_uri: String,
    pub state: String,
    pub code_challenge: String,
}

/// One request and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub pushed: Pushed,
    pub stage: Stage,
    pub tries: u8,
    pub expires_at: Time,
}

/// How far a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Waits for a browser that brings this request URI.
    Pushed { request_uri: String },
    /// A browser has come; the form is shown to it.
    Form,
    /// The first step was made in the attempt of that name; the challenge is shown.
    Challenge { attempt: String, account: AccountNumber, hint: String, factor: &'static str },
    /// Proven; the code waits to be exchanged.
    Proven { code: String, account: AccountNumber, factors: FactorSet },
}

/// All of them, by the token that names each: it is the browser's cookie once there is a browser.
#[derive(Default)]
pub(crate) struct Grants(Mutex<BTreeMap<String, Grant>>);

impl Grants {
    /// Keeps what the gateway pushed under `token`, waiting for `request_uri`.
    pub(crate) fn push(&self, token: String, request_uri: String, pushed: Pushed, now: Time) {
        let expires_at = now.plus_milliseconds(REQUEST_SECONDS * 1_000);
        self.with(now, |grants| {
            if grants.len() >= GRANTS_MAX
                && let Some(oldest) =
                    grants.iter().min_by_key(|(_, grant)| grant.expires_at).map(|(token, _)| token.clone())
            {
                grants.remove(&oldest);
            }
            grants.insert(token, Grant { pushed, stage: Stage::Pushed { request_uri }, tries: 0, expires_at });
        });
    }

    /// A browser brings `request_uri` to `bank`, once: the token that it gets.
    pub(crate) fn begin(&self, bank: BankCode, request_uri: &str, now: Time) -> Option<String> {
        self.with(now, |grants| {
            let (token, grant) = grants.iter_mut().find(|(_, grant)| {
                let waits = matches!(&grant.stage, Stage::Pushed { request_uri: waiting } if waiting == request_uri);
                waits && grant.pushed.bank == bank
            })?;
            grant.stage = Stage::Form;
            grant.expires_at = now.plus_milliseconds(VISIT_SECONDS * 1_000);
            Some(token.clone())
        })
    }

    /// What the browser with `token` is at, at `bank`.
    pub(crate) fn visit(&self, bank: BankCode, token: &str, now: Time) -> Option<Grant> {
        self.with(now, |grants| grants.get(token).filter(|grant| grant.pushed.bank == bank).cloned())
            .filter(|grant| matches!(grant.stage, Stage::Form | Stage::Challenge { .. }))
    }

    /// Counts one more try of the browser with `token`; nothing, when there are no more.
    pub(crate) fn count(&self, token: &str, now: Time) -> Option<()> {
        self.with(now, |grants| {
            let grant = grants.get_mut(token)?;
            grant.tries = grant.tries.saturating_add(1);
            (grant.tries <= TRIES_MAX).then_some(())
        })
    }

    /// The browser with `token` is at `stage` now.
    pub(crate) fn set(&self, token: &str, stage: Stage, now: Time) {
        self.with(now, |grants| {
            if let Some(grant) = grants.get_mut(token) {
                if matches!(stage, Stage::Proven { .. }) {
                    grant.expires_at = now.plus_milliseconds(CODE_SECONDS * 1_000);
                }
                grant.stage = stage;
            }
        });
    }

    /// Ends what the browser with `token` was at.
    pub(crate) fn end(&self, token: &str, now: Time) -> Option<Grant> {
        self.with(now, |grants| grants.remove(token))
    }

    /// The gateway brings `code` to `bank`: it is good once, whatever comes of it.
    pub(crate) fn exchange(&self, bank: BankCode, code: &str, now: Time) -> Option<Grant> {
        self.with(now, |grants| {
            let is_it = |grant: &Grant| match &grant.stage {
                Stage::Proven { code: waiting, .. } => {
                    grant.pushed.bank == bank && bool::from(waiting.as_bytes().ct_eq(code.as_bytes()))
                }
                Stage::Pushed { .. } | Stage::Form | Stage::Challenge { .. } => false,
            };
            let token = grants.iter().find(|(_, grant)| is_it(grant)).map(|(token, _)| token.clone())?;
            grants.remove(&token)
        })
    }

    /// Everything that has not expired.
    fn with<T>(&self, now: Time, look: impl FnOnce(&mut BTreeMap<String, Grant>) -> T) -> T {
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|_, grant| grant.expires_at > now);
        look(&mut grants)
    }
}
