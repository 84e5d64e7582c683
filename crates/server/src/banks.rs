//! Banks as the gateway shows them: names, and what is open there. Kept for a minute; a holder's page must not wait longer.

use crate::service::Service;
use domain::Time;
use http::Method;
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use wallet::BankCode;

/// How long the list is believed, in milliseconds.
const LIST_MS: i64 = 60_000;

/// The list, and when the gateway said so.
pub type ListedBanks = (Arc<Vec<Value>>, Time);

/// The list, if the gateway ever said one.
#[derive(Default)]
pub struct Banks(Mutex<Option<ListedBanks>>);

impl Banks {
    /// The list is to be fetched again: something was stopped or opened.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Service {
    /// The banks, each as the gateway describes it, and since when it does; nothing while it cannot be asked and no list of before
    /// is known.
    pub async fn banks(&self) -> Option<ListedBanks> {
        let now = self.now();
        let kept = self.banks.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if kept.as_ref().is_some_and(|(_, at)| now < at.plus_milliseconds(LIST_MS)) {
            return kept;
        }
        let answer = self.gateway_call(Method::GET, "/gateway/v1/banks", None).await;
        let list = answer.ok().filter(|answer| answer.status.is_success());
        let list = list.and_then(|answer| answer.body["data"].as_array().or(answer.body.as_array()).cloned());
        let Some(list) = list else {
            // An old list is better than none: whoever is shown it is told how old it is.
            return kept;
        };
        let listed = Some((Arc::new(list), now));
        self.banks.0.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&listed);
        listed
    }

    /// A bank's name, or its code while the name is not known.
    pub async fn bank_name(&self, bank: BankCode) -> String {
        let (listed, code) = (self.banks().await, bank.to_string());
        let row = listed.as_ref().and_then(|(banks, _)| banks.iter().find(|row| row["code"] == code));
        let name = row.and_then(|row| row["name_ja"].as_str().or(row["name"]["ja"].as_str()).or(row["name"].as_str()));
        name.map_or(code, str::to_owned)
    }
}
