//! Stand-ins for the outside: a clock that stands, chance from a seed, and an inbox that keeps what is delivered.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use domain::Time;
use engine::Clock;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use web::{Chance, Json};

/// A clock that goes on when it is told to. Its calendar may be set wrong by so many milliseconds.
pub struct StandingClock(pub AtomicI64, pub AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> Time {
        Time::from_milliseconds(self.0.load(Ordering::SeqCst) + self.1.load(Ordering::SeqCst))
    }

    fn monotonic_milliseconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Chance from a seed.
pub struct SeededChance(Mutex<blake3::OutputReader>);

impl SeededChance {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof()))
    }
}

impl Chance for SeededChance {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("nobody panicked").fill(bytes);
    }
}

/// A stand-in for the identity vendor, by script.
#[derive(Clone)]
pub struct Vendor(pub Arc<Mutex<&'static str>>);

impl Default for Vendor {
    fn default() -> Self {
        Self(Arc::new(Mutex::new("approved")))
    }
}

impl Vendor {
    pub fn says(&self, status: &'static str) {
        *self.0.lock().expect("nobody panicked") = status;
    }

    /// The reference is the id; a person is known by what was claimed.
    pub fn router(&self) -> Router {
        type Claims = Arc<Mutex<BTreeMap<String, Value>>>;
        type At = State<(Vendor, Claims)>;
        fn verdict(vendor: &Vendor, reference: &str, claimed: &Value) -> Value {
            let status = *vendor.0.lock().expect("nobody panicked");
            let mut verdict = json!({ "id": reference, "reference": reference, "status": status, "url": null });
            if status == "approved" && claimed.is_object() {
                verdict["subject"] = claimed["birth_date"].clone();
                verdict["verified"] = claimed.clone();
            }
            verdict
        }
        async fn begin(State((vendor, claims)): At, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
            let reference = body["reference"].as_str().expect("a reference").to_owned();
            let verdict = verdict(&vendor, &reference, &body["claimed"]);
            claims.lock().expect("nobody panicked").insert(reference, body["claimed"].clone());
            (StatusCode::CREATED, Json(verdict))
        }
        async fn show(State((vendor, claims)): At, Path(id): Path<String>) -> Json<Value> {
            let claimed = claims.lock().expect("nobody panicked").get(&id).cloned().unwrap_or(Value::Null);
            Json(verdict(&vendor, &id, &claimed))
        }
        Router::new()
            .route("/identity/v1/identifications", post(begin))
            .route("/identity/v1/identifications/{id}", get(show))
            .route("/identity/v1/rechecks", post(begin))
            .route("/identity/v1/rechecks/{id}", get(show))
            .with_state((self.clone(), Claims::default()))
    }
}

/// What was delivered, in order.
#[derive(Clone, Default)]
pub struct Inbox(pub Arc<Mutex<Vec<Value>>>);

impl Inbox {
    pub fn router(&self) -> Router {
        async fn take(State(inbox): State<Inbox>, Json(message): Json<Value>) -> StatusCode {
            let mut messages = inbox.0.lock().expect("nobody panicked");
            if !messages.iter().any(|taken| taken["id"] == message["id"]) {
                messages.push(message);
            }
            StatusCode::ACCEPTED
        }
        Router::new().route("/messages/v1/messages", post(take)).with_state(self.clone())
    }

    /// The texts that were delivered to `to`.
    pub fn texts(&self, to: &str) -> Vec<String> {
        let messages = self.0.lock().expect("nobody panicked");
        let to_them = messages.iter().filter(|message| message["to"] == to);
        to_them.map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
    }

    /// The last code, of eight digits or of twelve, that was delivered to `to`.
    pub fn code(&self, to: &str) -> String {
        let texts = self.texts(to).join(" ");
        let mut codes =
            texts.split(|character: char| !character.is_ascii_digit()).filter(|digits| matches!(digits.len(), 8 | 12));
        codes.next_back().unwrap_or_else(|| panic!("no code came to {to}: {texts}")).to_owned()
    }
}
