//! The load over sockets: as little HTTP as a payment takes, written by hand, so that the caller costs the machine little.

use crate::bench::Failure;
use crate::bench::meter::{Meter, now};
use crate::bench::workload::mix;
use std::cell::RefCell;
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use wallet::{ShopId, WalletId};

/// The largest payment, in yen. Small, so that no wallet runs dry.
const PAYMENT_YEN_MAX: u64 = 5;
/// How often progress is shown.
const SHOW: Duration = Duration::from_millis(250);
/// The largest answer.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Somebody who pays.
pub struct Caller {
    wallet: WalletId,
    /// The request up to the value of its `Idempotency-Key`.
    head: Vec<u8>,
    paid: i64,
}

impl Caller {
    /// The holder of `wallet`, who shows `token`.
    pub fn new(wallet: WalletId, token: &str) -> Self {
        let head = format!(
            "POST /v1/wallets/{wallet}/payments HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\nidempotency-key: ",
            super::HOST
        );
        Self { wallet, head: head.into_bytes(), paid: 0 }
    }
}

/// The load, and what came of it.
pub struct Load {
    callers: Vec<Caller>,
    shops: Vec<(ShopId, String, i64)>,
    until: Instant,
    drawn: u64,
    /// How many payments were answered as made.
    pub acknowledged: u64,
    /// How long they took.
    pub meter: Meter,
    wrong: Option<String>,
}

/// One payment.
struct Order {
    caller: usize,
    shop: usize,
    amount: i64,
}

impl Load {
    /// Payments of `callers` at `shops`, until `until`.
    pub fn new(callers: Vec<Caller>, shops: Vec<ShopId>, until: Instant) -> Self {
        let shops = shops.into_iter().map(|shop| (shop, shop.to_string(), 0)).collect();
        Self { callers, shops, until, drawn: 0, acknowledged: 0, meter: Meter::new(), wrong: None }
    }

    /// What was acknowledged to each wallet.
    pub fn paid(&self) -> impl Iterator<Item = (WalletId, i64)> {
        self.callers.iter().map(|caller| (caller.wallet, caller.paid))
    }

    /// What was acknowledged for each shop.
    pub fn received(&self) -> impl Iterator<Item = (ShopId, i64)> {
        self.shops.iter().map(|(shop, _, received)| (*shop, *received))
    }

    /// Runs the load over `connections` to `address`, on this thread.
    pub fn run(self, address: SocketAddr, connections: usize, show: &dyn Fn(u64)) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::Setup(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let load = Rc::new(RefCell::new(self));
        let local = LocalSet::new();
        for _ in 0..connections {
            let load = Rc::clone(&load);
            local.spawn_local(async move {
                if let Err(error) = connection(&load, address).await {
                    load.borrow_mut().wrong.get_or_insert(error.to_string());
                }
            });
        }
        let shown = async {
            loop {
                show(load.borrow().acknowledged);
                tokio::time::sleep(SHOW).await;
            }
        };
        runtime.block_on(async {
            tokio::select! { () = local => {}, () = shown => {} }
        });
        let load = Rc::into_inner(load).ok_or_else(|| Failure::Setup("a connection has not ended".into()))?;
        let mut load = load.into_inner();
        load.wrong.take().map_or(Ok(load), |what| Err(Failure::Setup(what)))
    }

    fn is_over(&self, at: Instant) -> bool {
        self.wrong.is_some() || at >= self.until
    }

    /// Draws the next payment, and writes its request into `request`.
    fn draw(&mut self, request: &mut Vec<u8>) -> Order {
        self.drawn += 1;
        let chance = mix(self.drawn);
        let pick = |chance: u64, of: usize| usize::try_from(chance % of.max(1) as u64).unwrap_or(0);
        let (caller, shop) = (pick(chance >> 8, self.callers.len()), pick(chance >> 32, self.shops.len()));
        let amount = (1 + mix(chance) % PAYMENT_YEN_MAX).cast_signed();
        let body = format!("{{\"shop_id\":\"{}\",\"amount\":{amount}}}", self.shops[shop].1);
        request.clear();
        request.extend_from_slice(&self.callers[caller].head);
        let written = write!(request, "load-{}\r\ncontent-length: {}\r\n\r\n{body}", self.drawn, body.len());
        written.expect("memory takes a request");
        Order { caller, shop, amount }
    }

    fn acknowledge(&mut self, order: &Order, begun: Instant, at: Instant) {
        self.callers[order.caller].paid += order.amount;
        self.shops[order.shop].2 += order.amount;
        self.acknowledged += 1;
        self.meter.count(begun, at);
    }
}

/// One connection: a payment after the other.
async fn connection(load: &RefCell<Load>, address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut request, mut answer) = (Vec::new(), vec![0; ANSWER_BYTES_MAX]);
    loop {
        let begun = now();
        if load.borrow().is_over(begun) {
            return Ok(());
        }
        let order = load.borrow_mut().draw(&mut request);
        stream.write_all(&request).await?;
        let length = read_answer(&mut stream, &mut answer).await?;
        let answer = &answer[..length];
        if !answer.starts_with(b"HTTP/1.1 201") || !contains(answer, b"\"status\":\"captured\"") {
            return Err(std::io::Error::other(String::from_utf8_lossy(answer).into_owned()));
        }
        load.borrow_mut().acknowledge(&order, begun, now());
    }
}

/// Reads one whole answer; its length.
async fn read_answer(stream: &mut TcpStream, answer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut answer[length..]).await?;
        if read == 0 {
            return Err(std::io::Error::other("the server closed the connection, or its answer is too long"));
        }
        length += read;
        if whole(&answer[..length]).is_some_and(|whole| length >= whole) {
            return Ok(length);
        }
    }
}

/// How long the answer that begins so is, once its head is there.
fn whole(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let name = b"content-length: ";
    let at = answer[..head].windows(name.len()).position(|window| window.eq_ignore_ascii_case(name))? + name.len();
    let digits = answer[at..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(head + 4 + digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

fn contains(answer: &[u8], part: &[u8]) -> bool {
    answer.windows(part.len()).any(|window| window == part)
}
