//! The demo person of a sandbox: somebody with a wallet whom a newcomer can log in as at once. They join as anybody does,
//! through the sandbox's own API, at the first start.

use bytes::Bytes;
use http::{Request, header};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use web::{Bounds, Outside};

/// Their mail address.
pub const EMAIL: &str = "ichiro@people.example";
/// Their password.
pub const PASSWORD: &str = "sandbox-ichiro";
/// Their account: bank, branch, number, PIN.
pub const ACCOUNT: (&str, &str, &str, &str) = ("0125", "200", "2345678", "1234");
/// The file, in the sandbox's data, that says that they have joined, and with which wallet.
const MARK: &str = "demo-person.json";
/// How long joining may take.
const BOUNDS: Bounds = Bounds { time_ms: 30_000, body_bytes: 65_536 };

/// Their wallet in the sandbox with that data, if they have joined.
pub fn wallet(data: &Path) -> Option<String> {
    let kept: Value = serde_json::from_slice(&std::fs::read(mark(data)).ok()?).ok()?;
    kept["wallet_id"].as_str().map(str::to_owned)
}

fn mark(data: &Path) -> PathBuf {
    data.join("sandbox").join(MARK)
}

/// Has the demo person join in the sandbox at `origin`, unless they have. A sandbox without them is one all the same.
pub async fn join(origin: &str, data: &Path, outside: &Outside) {
    if wallet(data).is_some() {
        return;
    }
    let (bank, branch, number, _) = ACCOUNT;
    let account = json!({ "bank_code": bank, "number": format!("{branch}{number}") });
    let body = json!({ "account": account, "email": EMAIL, "password": PASSWORD }).to_string();
    let request =
        Request::post(format!("{origin}/sandbox/v1/holders")).header(header::CONTENT_TYPE, "application/json");
    let Ok(request) = request.body(Bytes::from(body)) else { return };
    let joined = match outside.transport.call(request, BOUNDS).await {
        Ok(answer) if answer.status().is_success() => keep(data, answer.body()),
        Ok(answer) => Err(answer.status().to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = joined {
        tracing::warn!(%error, "the demo person has not joined");
    }
}

fn keep(data: &Path, made: &[u8]) -> Result<(), String> {
    let made: Value = serde_json::from_slice(made).map_err(|error| error.to_string())?;
    let kept = json!({ "wallet_id": made["wallet_id"] });
    std::fs::write(mark(data), kept.to_string()).map_err(|error| error.to_string())
}
