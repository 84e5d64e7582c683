//! A bank on a socket that moves the money and cuts its answer: at every byte of it, from the first to the last. What it did is found
//! by inquiry, once, and no part of an answer is taken for one.

use super::world::{BANK, World};
use crate::domain::Factor;
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use web::{Bounds, Call, Routers, Sockets, Transport};

const STRONG: &[Factor] = &[Factor::Account, Factor::Pin, Factor::OneTimePassword];
const AMOUNT: i64 = 100;

/// How the bank says where its answers end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// By their length.
    Length,
    /// By hanging up: only what they say shows that one is cut.
    HangingUp,
}

struct Books {
    ending: Ending,
    /// What it says of whatever it is asked to do.
    word: &'static str,
    /// Bytes of an answer to a request; an inquiry is answered in full.
    cut: usize,
    /// Requests to move money, by reference.
    asked: BTreeMap<String, u32>,
    inquiries: u32,
}

impl Books {
    /// The whole answer about `reference`.
    fn answer(&self, reference: &str) -> Vec<u8> {
        let code = u64::from(self.word == "declined");
        let body = json!({ "reference": reference, "outcome": self.word, "code": code, "amount": AMOUNT }).to_string();
        let length = match self.ending {
            Ending::Length => format!("content-length: {}\r\n", body.len()),
            Ending::HangingUp => String::new(),
        };
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{length}connection: close\r\n\r\n{body}")
            .into_bytes()
    }
}

/// Answers one caller.
async fn serve(mut stream: TcpStream, books: Arc<Mutex<Books>>) -> std::io::Result<()> {
    let mut asked = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4_096];
        let read = stream.read(&mut part).await?;
        if read == 0 {
            return Ok(());
        }
        asked.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&asked).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0_usize) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let bytes = {
        let mut books = books.lock().expect("nobody panicked");
        if head.starts_with("POST") {
            let body: Value = serde_json::from_str(&body)?;
            let reference = body["reference"].as_str().unwrap_or_default().to_owned();
            let answer = books.answer(&reference);
            *books.asked.entry(reference).or_default() += 1;
            answer[..books.cut].to_vec()
        } else {
            books.inquiries += 1;
            let path = head.split(' ').nth(1).unwrap_or_default();
            books.answer(path.rsplit('/').next().unwrap_or_default())
        }
    };
    stream.write_all(&bytes).await?;
    stream.shutdown().await
}

/// The bank is called through sockets, everybody else in process.
struct Streets {
    routers: Arc<Routers>,
    sockets: Sockets,
}

impl Transport for Streets {
    fn call(&self, request: Request<Bytes>, bounds: Bounds) -> Call<'_> {
        let is_bank = request.uri().host() == Some("127.0.0.1");
        if is_bank { self.sockets.call(request, bounds) } else { self.routers.call(request, bounds) }
    }
}

/// Cuts the answer to a debit at every byte, one debit each.
async fn check(said: &'static str, ending: Ending) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let books = Books { ending, word: said, cut: 0, asked: BTreeMap::new(), inquiries: 0 };
    let whole = books.answer(&"A".repeat(20)).len();
    let books = Arc::new(Mutex::new(books));
    let shared = Arc::clone(&books);
    let bank = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A caller that hangs up first has heard enough.
            drop(serve(stream, Arc::clone(&shared)).await);
        }
    });
    let streets = |routers| Arc::new(Streets { routers, sockets: Sockets::new() }) as Arc<dyn Transport>;
    let at_port = |options: &mut crate::Options| {
        let bank = options.banks.iter_mut().find(|bank| bank.code.to_string() == BANK).expect("the bank");
        bank.origin = format!("http://127.0.0.1:{port}");
    };
    let world = World::through(false, at_port, streets).await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await;
    world.confirm(mandate).await;
    for cut in 0..=whole {
        books.lock().expect("nobody panicked").cut = cut;
        let reference = format!("top-{cut}");
        let body = json!({ "reference": reference, "mandate_id": mandate.to_string(), "amount": AMOUNT });
        let (code, at_once) = world.call("kinchaku", "POST", "/gateway/v1/debits", Some(body)).await;
        let expected = if cut == whole { said } else { "in_doubt" };
        assert_eq!(at_once["status"], expected, "{ending:?}, cut at byte {cut}: {code} {at_once}");
        world.pass(6_000);
        world.work().await;
        let (_, last) = world.call("kinchaku", "GET", &format!("/gateway/v1/debits/{reference}"), None).await;
        assert_eq!(last["status"], said, "{ending:?}, cut at byte {cut}: {last}");
    }
    let (_, events) = world.call("kinchaku", "GET", "/gateway/v1/events?limit=100", None).await;
    assert!(events["head"].as_u64().is_some_and(|head| head > u64::try_from(whole).expect("a number")), "{events}");
    bank.abort();
    let books = books.lock().expect("nobody panicked");
    assert_eq!(books.asked.len(), whole + 1, "each debit reached the bank");
    assert!(books.asked.values().all(|asked| *asked == 1), "and none twice: {:?}", books.asked);
    assert_eq!(usize::try_from(books.inquiries), Ok(whole), "each that was cut was asked about once");
}

#[tokio::test]
async fn a_debit_whose_answer_is_cut_at_any_byte_is_settled_once() {
    check("settled", Ending::Length).await;
}

#[tokio::test]
async fn a_refusal_that_is_cut_at_any_byte_is_declined_and_never_sent_again() {
    check("declined", Ending::Length).await;
}

#[tokio::test]
async fn an_answer_whose_end_nobody_can_see_is_understood_whole_or_not_at_all() {
    check("settled", Ending::HangingUp).await;
}
