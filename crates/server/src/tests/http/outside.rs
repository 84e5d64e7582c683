//! Stand-ins for the outside: a clock that stands, chance from a seed, and an inbox that keeps what is delivered.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use domain::Time;
use engine::Clock;
use http::StatusCode;
use serde_json::Value;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use web::{Chance, Json};

/// A clock that goes on when it is told to.
pub struct StandingClock(pub AtomicI64);

impl Clock for StandingClock {
    fn now(&self) -> Time {
        Time::from_milliseconds(self.0.load(Ordering::SeqCst))
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

    /// The last code of eight digits that was delivered to `to`.
    pub fn code(&self, to: &str) -> String {
        let texts = self.texts(to).join(" ");
        let mut codes = texts.split(|character: char| !character.is_ascii_digit()).filter(|digits| digits.len() == 8);
        codes.next_back().unwrap_or_else(|| panic!("no code came to {to}: {texts}")).to_owned()
    }
}
