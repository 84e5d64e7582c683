//! The demo person of a sandbox: somebody with a wallet whom a newcomer can log in as at once. They join as anybody does,
//! through the sandbox's own API, at the first start.

use bytes::Bytes;
use http::{Request, header};
use serde_json::json;
use std::path::Path;
use web::{Bounds, Outside};

/// Their mail address.
pub const EMAIL: &str = "ichiro@people.example";
/// Their password.
pub const PASSWORD: &str = "sandbox-ichiro";
/// Their account: bank, branch, number, PIN.
pub const ACCOUNT: (&str, &str, &str, &str) = ("0125", "200", "2345678", "1234");
/// The file, in the sandbox's data, that says that they have joined.
const MARK: &str = "demo-person";
/// How long joining may take.
const BOUNDS: Bounds = Bounds { time_ms: 30_000, body_bytes: 65_536 };

/// Has the demo person join in the sandbox at `origin`, unless they have. A sandbox without them is one all the same.
pub async fn join(origin: &str, data: &Path, outside: &Outside) {
    let mark = data.join("sandbox").join(MARK);
    if mark.exists() {
        return;
    }
    let (bank, branch, number, _) = ACCOUNT;
    let account = json!({ "bank_code": bank, "number": format!("{branch}{number}") });
    let body = json!({ "account": account, "email": EMAIL, "password": PASSWORD }).to_string();
    let request =
        Request::post(format!("{origin}/sandbox/v1/holders")).header(header::CONTENT_TYPE, "application/json");
    let Ok(request) = request.body(Bytes::from(body)) else { return };
    let joined = match outside.transport.call(request, BOUNDS).await {
        Ok(answer) if answer.status().is_success() => std::fs::write(mark, EMAIL).map_err(|error| error.to_string()),
        Ok(answer) => Err(answer.status().to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = joined {
        tracing::warn!(%error, "the demo person has not joined");
    }
}
