//! Asking for a mandate: the pushed request, and what the exchange of the code brings.

use super::{GatewayError, percent};
use crate::service::Service;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;
use wallet::mandate::NameGrade;

/// The type of our authorization details.
const DETAIL: &str = "jp_account_transfer_mandate";

/// What the pushed request carries over the back channel: the browser sees nothing of it.
pub struct Pushed<'a> {
    /// Our own id of the mandate.
    pub mandate: String,
    /// For which wallet.
    pub wallet: String,
    /// The verified reading of the holder's name.
    pub holder_name_kana: String,
    /// The name as the page of consent shows it.
    pub holder_name_masked: String,
    /// The verified birth date.
    pub birth_date: String,
    /// At which bank.
    pub bank_code: String,
    /// The most at a time, in yen.
    pub per_time: i64,
    /// The most a month, in yen.
    pub per_month: i64,
    /// What comes back with the browser.
    pub state: &'a str,
    /// The hash of the verifier.
    pub code_challenge: &'a str,
}

/// A bank account as a person may see it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// At which bank.
    pub bank_code: String,
    /// At which branch.
    pub branch: String,
    /// Its number, but for the last digits.
    pub masked_number: String,
    /// Ordinary or current.
    #[serde(default, rename = "account_kind")]
    pub kind: Option<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(…)")
    }
}

/// What the bank granted.
#[derive(Clone, Debug, Deserialize)]
pub struct Granted {
    /// What the gateway calls it.
    pub mandate_id: String,
    /// The account, as this operator alone knows it.
    pub account_ref: String,
    /// The account, as a person may see it.
    #[serde(flatten)]
    pub account: Account,
    /// What the bank's side says of whoever authenticated.
    pub grade: Grade,
}

/// How well name and birth date fit, and by which factors.
#[derive(Clone, Debug, Deserialize)]
pub struct Grade {
    name: String,
    birth_date_matches: bool,
    factors_strong: bool,
    contact_notified: bool,
}

impl Granted {
    /// The grant as the rules read it, on the account that they know as `bank_account`.
    pub fn grant(&self, bank_account: wallet::BankAccountId) -> wallet::mandate::Grant {
        let name = match self.grade.name.to_ascii_uppercase().as_str() {
            "MATCH" => NameGrade::Match,
            "MATCH_TRUNCATED" => NameGrade::MatchTruncated,
            "CLOSE" => NameGrade::Close,
            "UNDECIDABLE" => NameGrade::Undecidable,
            // A grade that we do not know is none that passes.
            _ => NameGrade::No,
        };
        wallet::mandate::Grant {
            bank_account,
            name,
            birth_date_matches: self.grade.birth_date_matches,
            factors_strong: self.grade.factors_strong,
            contact_notified: self.grade.contact_notified,
        }
    }
}

#[derive(Deserialize)]
struct ParAnswer {
    request_uri: String,
}

impl Service {
    /// Where the gateway sends the browser back to: one address, fixed.
    pub fn redirect_uri(&self) -> String {
        format!("{}/link/callback", self.options.origin)
    }

    /// Pushes a request. The address that the browser is sent to.
    pub async fn push_mandate(&self, pushed: Pushed<'_>) -> Result<String, GatewayError> {
        let details = json!([{
            "type": DETAIL,
            "mandate_reference": pushed.mandate,
            "wallet": pushed.wallet,
            "holder_name_kana": pushed.holder_name_kana,
            "holder_name_masked": pushed.holder_name_masked,
            "birth_date": pushed.birth_date,
            "bank_code": pushed.bank_code,
            "limits": { "per_time": pushed.per_time, "per_month": pushed.per_month },
        }]);
        let (details, redirect_uri) = (details.to_string(), self.redirect_uri());
        let fields = [
            ("response_type", "code"),
            ("redirect_uri", redirect_uri.as_str()),
            ("scope", "mandate"),
            ("state", pushed.state),
            ("code_challenge", pushed.code_challenge),
            ("code_challenge_method", "S256"),
            ("authorization_details", details.as_str()),
        ];
        let answer = self.gateway_form("/gateway/v1/par", &fields).await?;
        if answer.status != StatusCode::CREATED {
            tracing::warn!(status = answer.status.as_u16(), "the gateway does not take a request");
            return Err(GatewayError::of_form(&answer));
        }
        let par: ParAnswer = serde_json::from_value(answer.body).map_err(|_| GatewayError::Trouble)?;
        let gateway = &self.options.gateway;
        let (client, request) = (percent(&gateway.client_id), percent(&par.request_uri));
        Ok(format!("{}{}?client_id={client}&request_uri={request}", gateway.origin, super::AUTHORIZE_PATH))
    }

    /// Exchanges the code that the browser brought for what the bank granted.
    pub async fn collect_grant(&self, code: &str, verifier: &str) -> Result<Granted, GatewayError> {
        let redirect_uri = self.redirect_uri();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", verifier),
            ("redirect_uri", redirect_uri.as_str()),
        ];
        let answer = self.gateway_form("/gateway/v1/token", &fields).await?;
        if answer.status != StatusCode::OK {
            tracing::warn!(status = answer.status.as_u16(), "the gateway does not take a code");
            return Err(GatewayError::of_form(&answer));
        }
        let details = answer.body["authorization_details"].as_array().map(Vec::as_slice);
        let is_ours = |detail: &&Value| detail["type"] == DETAIL;
        let detail = details.into_iter().flatten().find(is_ours).ok_or(GatewayError::Trouble)?;
        serde_json::from_value(detail.clone()).map_err(|_| GatewayError::Trouble)
    }
}
