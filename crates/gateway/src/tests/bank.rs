//! A bank that does as it is told, behind a router: what the gateway asks it, and every way in which it can fail.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::RwLock;

/// How the bank behaves towards a debit or credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It moves the money, and says so.
    Settles,
    /// It declines with this code.
    Declines(u64),
    /// It moves the money, and its answer is lost.
    LosesAnswers,
    /// It does nothing, and answers nothing.
    IsDown,
    /// It moves this much, and says so.
    Moves(i64),
    /// It answers something that nobody understands.
    Babbles,
    /// It sends the gateway elsewhere.
    Redirects,
    /// Its answer has no end.
    Floods,
    /// It moves the money, and answers when its gate opens.
    KeepsSilent,
}

/// What the bank has done and heard.
pub struct Books {
    /// How it behaves now.
    pub mood: Mood,
    /// What it moved, by reference.
    pub moved: BTreeMap<String, i64>,
    /// What it declined, by reference.
    pub declined: BTreeMap<String, u64>,
    /// Requests to move money, by reference.
    pub asked: BTreeMap<String, u32>,
    /// Inquiries.
    pub inquiries: u32,
    /// Inquiries that came, answered or not.
    pub waiting: u32,
    /// Whether its cut-off has passed for what it does not know.
    pub cut_off_passed: bool,
    /// Inquiries are answered as if nothing were known.
    pub forgets: bool,
    /// The day file that it hands out, where it has none of that day.
    pub day_file: Option<Vec<u8>>,
    /// The day files that it hands out, by day.
    pub day_files: BTreeMap<String, Vec<u8>>,
    /// The credits of its statements: day, reference and amount; none where it has no statements.
    pub credits: Option<Vec<(String, String, i64)>>,
    /// The days whose files it was asked for.
    pub days_asked: Vec<String>,
    /// It takes no request files.
    pub refuses_files: bool,
    /// The request files that it was given.
    pub collections: Vec<Vec<u8>>,
}

/// The bank. Clones share it.
#[derive(Clone)]
pub struct Bank {
    books: Arc<Mutex<Books>>,
    /// While somebody holds it for writing, inquiries wait.
    pub gate: Arc<RwLock<()>>,
}

impl Bank {
    pub fn new() -> Self {
        let books = Books {
            mood: Mood::Settles,
            moved: BTreeMap::new(),
            declined: BTreeMap::new(),
            asked: BTreeMap::new(),
            inquiries: 0,
            waiting: 0,
            cut_off_passed: false,
            forgets: false,
            day_file: None,
            day_files: BTreeMap::new(),
            credits: Some(Vec::new()),
            days_asked: Vec::new(),
            refuses_files: false,
            collections: Vec::new(),
        };
        Self { books: Arc::new(Mutex::new(books)), gate: Arc::default() }
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no test panicked in the bank")
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/connector/v1/debits", post(movement))
            .route("/connector/v1/debits/{reference}", get(inquiry))
            .route("/connector/v1/credits", post(movement))
            .route("/connector/v1/credits/{reference}", get(inquiry))
            .route("/connector/v1/day-files/{day}", get(day_file))
            .route("/connector/v1/credit-statements/{day}", get(credit_statement))
            .route("/connector/v1/collections", post(collection))
            .with_state(self.clone())
    }
}

fn is_ours(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == "Bearer whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
}

async fn movement(State(bank): State<Bank>, headers: HeaderMap, body: axum::Json<Value>) -> Response {
    if !is_ours(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let reference = body["reference"].as_str().expect("a reference").to_owned();
    let amount = body["amount"].as_i64().expect("an amount");
    let mood = bank.books().mood;
    *bank.books().asked.entry(reference.clone()).or_default() += 1;
    if mood == Mood::KeepsSilent {
        drop(bank.gate.read().await);
    }
    let mut books = bank.books();
    match mood {
        Mood::Settles | Mood::LosesAnswers | Mood::KeepsSilent => {
            books.moved.entry(reference.clone()).or_insert(amount);
        }
        Mood::Moves(other) => {
            books.moved.entry(reference.clone()).or_insert(other);
        }
        Mood::Declines(code) => {
            books.declined.insert(reference.clone(), code);
        }
        Mood::IsDown | Mood::Babbles | Mood::Redirects | Mood::Floods => {}
    }
    match mood {
        Mood::Settles | Mood::Moves(_) | Mood::Declines(_) | Mood::KeepsSilent => word(&books, &reference),
        Mood::LosesAnswers | Mood::IsDown => StatusCode::GATEWAY_TIMEOUT.into_response(),
        Mood::Babbles => {
            axum::Json(json!({ "reference": reference, "outcome": "perhaps", "amount": amount })).into_response()
        }
        Mood::Redirects => Redirect::temporary("http://localhost/elsewhere").into_response(),
        Mood::Floods => "[".repeat(10 << 20).into_response(),
    }
}

async fn inquiry(State(bank): State<Bank>, headers: HeaderMap, Path(reference): Path<String>) -> Response {
    if !is_ours(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    bank.books().waiting += 1;
    let _open = bank.gate.read().await;
    let mut books = bank.books();
    books.inquiries += 1;
    if books.mood == Mood::IsDown {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    word(&books, &reference)
}

fn word(books: &Books, reference: &str) -> Response {
    let answer = |outcome: &str, code: u64, amount: i64| {
        axum::Json(json!({ "reference": reference, "outcome": outcome, "code": code, "amount": amount, "at": "now" }))
    };
    if let Some(amount) = books.moved.get(reference).filter(|_| !books.forgets) {
        return answer("settled", 0, *amount).into_response();
    }
    if let Some(code) = books.declined.get(reference).filter(|_| !books.forgets) {
        return answer("declined", *code, 0).into_response();
    }
    (StatusCode::NOT_FOUND, axum::Json(json!({ "cut_off_passed": books.cut_off_passed }))).into_response()
}

async fn day_file(State(bank): State<Bank>, Path(day): Path<String>) -> Response {
    let mut books = bank.books();
    books.days_asked.push(day.clone());
    match books.day_files.get(&day).or(books.day_file.as_ref()) {
        Some(bytes) if bytes.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Some(bytes) => bytes.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What it says that it credited: its own list where a test gave it one, else nothing.
async fn credit_statement(State(bank): State<Bank>, Path(day): Path<String>) -> Response {
    let books = bank.books();
    let Some(credits) = &books.credits else { return StatusCode::NOT_FOUND.into_response() };
    let credits: Vec<Value> = credits
        .iter()
        .filter(|(on, ..)| *on == day)
        .map(|(_, reference, amount)| json!({ "reference": reference, "amount": amount }))
        .collect();
    axum::Json(json!({ "day": day, "credits": credits })).into_response()
}

async fn collection(State(bank): State<Bank>, body: bytes::Bytes) -> StatusCode {
    let mut books = bank.books();
    if books.refuses_files {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    books.collections.push(body.to_vec());
    StatusCode::ACCEPTED
}
