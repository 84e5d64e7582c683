//! Endpoints: where a shop, or the operator, wants to be told, of what, and under which keys.

use crate::doors::{Door, DoorsError};
use crate::sealed::Ciphertext;
use crate::service::Service;
use domain::{Id, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use wallet::HolderId;
use web::strangers::may_be_public;
use web::webhook::Key;
use web::{Problem, Secret};

/// Endpoints of one owner.
pub const ENDPOINTS_MAX: usize = 16;
/// The longest address, in bytes.
pub const URL_BYTES_MAX: usize = 2_048;
/// How long the old key signs beside the new one, in milliseconds: a day.
pub const OVERLAP_MS: i64 = 24 * 60 * 60 * 1_000;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id: that of the request that made it.
    pub key: Id,
    /// The MAC of that request's body.
    pub body: Id,
    /// Whose: a shop's id, or [`wallet::OPERATOR`].
    #[serde(rename = "shop")]
    pub owner: Id,
    /// Where.
    pub url: String,
    /// Of what: names of events, or `*`.
    pub events: Vec<String>,
    /// The keys, the newest first; the sealed text of each.
    pub keys: Vec<SigningKey>,
    /// Since when: what happened before is not told.
    pub made: Time,
    /// Why nothing is sent any more, if so.
    pub disabled: Option<Disabled>,
    /// How often it was changed.
    #[serde(default)]
    pub version: u64,
}

/// A key that signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    sealed: Ciphertext,
    /// The request that made it.
    pub made_by: Id,
    /// Until when it signs; without it until it is replaced.
    pub until: Option<Time>,
}

/// Why nothing is sent any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disabled {
    /// The receiver said that it is gone (410).
    Gone,
    /// A message could not be delivered in the whole of its schedule.
    Failing,
}

impl Door for Endpoint {
    const TABLE: &'static str = "webhook_endpoint";

    fn id(&self) -> Id {
        self.key
    }

    fn owner(&self) -> Option<Id> {
        Some(self.owner)
    }
}

impl Endpoint {
    /// Its id as the API shows it.
    pub fn shown(&self) -> String {
        shown(self.key)
    }

    /// What tells this version of it from every other, for `If-Match`.
    pub fn tag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// Whether it is to be told of `event`.
    pub fn wants(&self, event: &str) -> bool {
        self.disabled.is_none() && self.events.iter().any(|wanted| wanted == "*" || wanted == event)
    }
}

/// An endpoint's id as the API shows it.
pub fn shown(key: Id) -> String {
    format!("whe_{key}")
}

/// The id that [`shown`] wrote.
pub fn parse(text: &str) -> Option<Id> {
    let digits = text.strip_prefix("whe_").filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok().map(Id::from_number)
}

/// Where a webhook may go: HTTPS on the public internet, or a host that the configuration names.
pub fn check_url(url: &str, allowed: &[String]) -> Result<(), Problem> {
    let wrong = |detail: &'static str| Problem::malformed(detail).with("member", "url");
    let uri: http::Uri = url.parse().map_err(|_| wrong("This is no address."))?;
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if url.len() > URL_BYTES_MAX || has_user || url.contains('#') {
        return Err(wrong("An address has at most 2,048 bytes, no user and no fragment."));
    }
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && is_allowed(&uri, allowed) {
        return Ok(());
    }
    if uri.scheme_str() == Some("https") && uri.host().is_some_and(may_be_public) {
        return Ok(());
    }
    Err(wrong("Webhooks go to `https://` addresses on the public internet."))
}

/// Whether the configuration names the host of `uri`, with its port or without.
pub fn is_allowed(uri: &http::Uri, allowed: &[String]) -> bool {
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    let host = uri.host().unwrap_or_default();
    allowed.iter().any(|allowed| allowed == host || allowed == authority)
}

/// The live endpoints by owner, in memory: the feed looks here for every payment.
#[derive(Default)]
pub struct Endpoints(RwLock<BTreeMap<Id, Arc<[Endpoint]>>>);

impl Endpoints {
    /// The endpoints of `owner`, if it has any.
    pub fn of(&self, owner: Id) -> Option<Arc<[Endpoint]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&owner).cloned()
    }

    fn keep(&self, owner: Id, endpoints: Vec<Endpoint>) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if endpoints.is_empty() {
            kept.remove(&owner);
        } else {
            kept.insert(owner, endpoints.into());
        }
    }

    /// Reads every endpoint that is kept.
    pub fn load(&self, doors: &crate::doors::Doors) -> Result<(), DoorsError> {
        let mut after = Id::default();
        loop {
            let endpoints: Vec<Endpoint> = doors.all(after, crate::doors::DOORS_LISTED_MAX)?;
            let Some(last) = endpoints.last() else { return Ok(()) };
            after = last.key;
            for endpoint in endpoints {
                self.keep(endpoint.owner, doors.of(endpoint.owner)?);
            }
        }
    }
}

impl Service {
    /// Changes what is kept of `owner`'s endpoints, and what the feed knows of them.
    pub fn change_endpoints<R>(
        &self,
        owner: Id,
        change: impl FnOnce(&crate::doors::Transaction<'_>) -> Result<R, Problem>,
    ) -> Result<R, Problem> {
        let result = self.doors.change(change)?;
        self.endpoints.keep(owner, self.doors.of(owner)?);
        Ok(result)
    }

    /// A new key of an endpoint of `owner`: as it is kept, and as it is shown once.
    pub fn new_signing_key(&self, owner: Id, made_by: Id) -> Result<(SigningKey, Secret<String>), Problem> {
        let text = Key::draw(self.outside.chance.as_ref()).text();
        let sealed = Ciphertext(self.seal(HolderId(owner), text.expose().as_bytes())?.0);
        Ok((SigningKey { sealed, made_by, until: None }, text))
    }

    /// The keys that sign for `endpoint` now.
    pub fn signing_keys(&self, endpoint: &Endpoint) -> Result<Vec<Key>, Problem> {
        let now = self.now();
        let live = endpoint.keys.iter().filter(|key| key.until.is_none_or(|until| now < until));
        live.map(|key| {
            let text = self.unseal(HolderId(endpoint.owner), &key.sealed.0)?;
            let text = Secret::new(String::from_utf8(text).map_err(|_| Problem::internal())?);
            Key::parse(text.expose()).map_err(|_| Problem::internal())
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_go_to_the_public_internet_and_where_the_configuration_says() {
        let allowed = ["127.0.0.1:9000".to_owned(), "shop.localhost".to_owned()];
        let check = |url: &str, is_good: bool| assert_eq!(check_url(url, &allowed).is_ok(), is_good, "{url}");
        check("https://shop.example/hooks?a=b", true);
        check("https://shop.example:8443/", true);
        check("http://127.0.0.1:9000/hooks", true);
        check("http://shop.localhost:8080/hooks", true);
        check("http://shop.example/", false);
        check("http://127.0.0.1:9001/", false);
        check("https://localhost/", false);
        check("https://10.0.0.1/", false);
        check("https://[::1]/", false);
        check("https://2130706433/", false);
        check("https://user@shop.example/", false);
        check("https://shop.example/#part", false);
        check("ftp://shop.localhost/", false);
        check("/hooks", false);
        check("", false);
        check(&format!("https://shop.example/{}", "a".repeat(URL_BYTES_MAX)), false);
    }
}
