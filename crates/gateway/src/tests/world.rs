//! A gateway in a directory of its own, one bank that does as it is told, two operators, and a clock that stands still.

use super::bank::Bank;
use crate::connector::AccountNumber;
use crate::desk::{Role, Staff};
use crate::domain::account::AccountKind;
use crate::domain::mandate::{self, Grant, Limits, RevokedBy, Why};
use crate::domain::name::Grade;
use crate::domain::{BankCode, Command, Factor, Factors, MandateId, OperatorId, Receipt, Reference};
use crate::gateway::{Gateway, NotDone};
use crate::oauth::{Caller, Scope};
use crate::options::{BankOptions, OperatorOptions, Options};
use axum::extract::Request as AxumRequest;
use axum::middleware::{Next, from_fn};
use bytes::Bytes;
use domain::Time;
use engine::Clock;
use http::Request;
use ledger::Yen;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use web::jose::SigningKey;
use web::{Bounds, Chance, Outside, Routers, Secret, Transport};

/// 2026-09-15T12:00:00+09:00.
pub const T0: Time = Time::from_milliseconds(1_789_441_200_000);
pub const BANK: &str = "0125";
pub const OTHER_BANK: &str = "0126";
pub const SECRET: &str = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";

/// A clock that moves when it is told to.
pub struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Time {
        Time::from_milliseconds(self.0.load(Ordering::SeqCst))
    }

    fn monotonic_milliseconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl TestClock {
    pub fn pass(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

/// Chance that counts: the same in each run.
#[derive(Default)]
struct Counting(AtomicI64);

impl Chance for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let next = self.0.fetch_add(1, Ordering::SeqCst);
            *byte = (next.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()) >> 32).to_le_bytes()[0];
        }
    }
}

pub struct World {
    pub gateway: Gateway,
    pub bank: Bank,
    pub other_bank: Bank,
    pub clock: Arc<TestClock>,
    pub routers: Arc<Routers>,
    outside: Outside,
    /// What the next process is opened with.
    pub options: Options,
    directory: TempDir,
}

fn options(directory: &TempDir, files: bool) -> Options {
    let mut options = Options::new(directory.path().join("gateway"), "http://gateway.localhost:8080".into());
    options.master_key = directory.path().join("master.key");
    options.desk = vec![
        staff("abe", Role::Act, "desk"),
        staff("kudo", Role::Act, "desk-2"),
        staff("ono", Role::Read, "desk-reader"),
    ];
    let operator = |client_id: &str| OperatorOptions {
        client_id: client_id.into(),
        name: "巾着".into(),
        name_en: "Kinchaku".into(),
        redirect_uris: vec!["http://localhost:8080/link/callback".into()],
        jwks: json!({ "keys": [SigningKey::eddsa(&[7; 32]).public().to_value()] }),
        events_url: Some(format!("http://{client_id}.localhost/events")),
    };
    options.operators = vec![operator("kinchaku"), operator("fukuro")];
    // Nothing here takes long but what a test holds up.
    options.inline_ms_max = 60_000;
    let bank = |code: &str, name: &str, files: bool| BankOptions {
        code: code.parse().expect("a code"),
        name: name.into(),
        name_en: "A Bank".into(),
        origin: format!("http://bank-{code}.localhost:8080"),
        secret: Secret::new(SECRET.into()),
        desk: match code {
            BANK => vec![
                staff("hara", Role::Act, "bank-desk"),
                staff("kondo", Role::Act, "bank-desk-2"),
                staff("kato", Role::Read, "bank-reader"),
                staff("systems", Role::System, "bank-systems"),
            ],
            _ => vec![staff("hara", Role::Act, "other-bank-desk")],
        },
        own_page: None,
        factors: vec![[Factor::Account, Factor::NameKana, Factor::Pin].into_iter().collect()],
        descriptor: "キンチャク".into(),
        files: files.then(super::files::options),
    };
    options.banks = vec![bank(BANK, "七十七銀行", files), bank(OTHER_BANK, "東邦銀行", false)];
    options
}

/// Somebody of a desk.
fn staff(id: &str, role: Role, token: &str) -> Staff {
    Staff { id: id.into(), name: format!("{id} of the desk"), roles: vec![role], token: Secret::new(token.into()) }
}

impl World {
    pub async fn new() -> Self {
        Self::with_files(false).await
    }

    /// The bank takes debits by files, if `files`.
    pub async fn with_files(files: bool) -> Self {
        Self::with(files, |_| {}).await
    }

    /// The same, with other options.
    pub async fn with(files: bool, change: impl FnOnce(&mut Options)) -> Self {
        Self::through(files, change, |routers| routers).await
    }

    /// The same, where everybody is called through `transport`.
    pub async fn through(
        files: bool,
        change: impl FnOnce(&mut Options),
        transport: impl FnOnce(Arc<Routers>) -> Arc<dyn Transport>,
    ) -> Self {
        let directory = TempDir::new().expect("a directory");
        let clock = Arc::new(TestClock(AtomicI64::new(T0.milliseconds())));
        let (bank, other_bank, routers) = (Bank::new(), Bank::new(), Arc::new(Routers::new()));
        routers.add("bank-0125.localhost", bank.router());
        routers.add("bank-0126.localhost", other_bank.router());
        let transport = transport(Arc::clone(&routers));
        let clock_as: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
        let outside = Outside { clock: clock_as, transport, chance: Arc::new(Counting::default()) };
        let mut options = options(&directory, files);
        change(&mut options);
        let gateway = open(&options, &outside, &routers).await;
        Self { gateway, bank, other_bank, clock, routers, outside, options, directory }
    }

    /// The process ends, and another one begins on the same data.
    pub async fn restart(&mut self) {
        self.gateway.stop().expect("it stops");
        assert!(self.directory.path().exists());
        self.gateway = open(&self.options, &self.outside, &self.routers).await;
    }

    pub fn pass(&self, milliseconds: i64) {
        self.clock.pass(milliseconds);
    }

    /// Lets the worker do all that is due now.
    pub async fn work(&self) {
        for _ in 0..100 {
            if self.gateway.run_due(self.clock.now(), 100).await.due.done == 0 {
                return;
            }
        }
        panic!("the work has no end");
    }

    pub fn operator(&self, client_id: &str) -> OperatorId {
        self.gateway.operator_id(client_id)
    }

    /// A call by an operator: the status, and the body as JSON.
    pub async fn call(&self, client_id: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.call_with(&[("x-operator", client_id)], method, path, body).await
    }

    pub async fn call_with(
        &self,
        headers: &[(&str, &str)],
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let mut request = Request::builder().method(method).uri(format!("http://gateway.localhost:8080{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let request = request.header("content-type", "application/json").body(body).expect("a request");
        let answer = self.routers.call(request, Bounds::default()).await.expect("an answer");
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(answer.body()).unwrap_or(Value::Null))
    }

    pub async fn submit(&self, command: Command) -> Result<Receipt, NotDone> {
        self.gateway.submit(command, self.gateway.system(), None).await
    }

    /// An active mandate of `wallet` at `client_id` on the account `number`, by `factors`.
    pub async fn link(&self, client_id: &str, wallet: &str, number: &str, factors: &[Factor]) -> MandateId {
        self.link_at(BANK, client_id, wallet, number, factors).await
    }

    /// The same at `bank`.
    pub async fn link_at(
        &self,
        bank: &str,
        client_id: &str,
        wallet: &str,
        number: &str,
        factors: &[Factor],
    ) -> MandateId {
        let (id, receipt) = self.try_link(bank, client_id, wallet, number, factors).await;
        let Receipt::Mandate { status, .. } = receipt else { panic!("{receipt:?}") };
        assert_eq!(status, mandate::Status::Active);
        id
    }

    pub async fn try_link(
        &self,
        bank: &str,
        client_id: &str,
        wallet: &str,
        number: &str,
        factors: &[Factor],
    ) -> (MandateId, Receipt) {
        let bank: BankCode = bank.parse().expect("a code");
        let operator = self.operator(client_id);
        let mandate = MandateId(self.gateway.new_id());
        let reference = Reference::try_from(format!("link-{mandate}")).expect("a reference");
        let wallet = Reference::try_from(wallet.to_owned()).expect("a reference");
        let limits = Limits { per_time: Yen::new(100_000), per_month: Yen::new(300_000) };
        let request = mandate::Request { mandate, operator, reference, wallet, bank, limits };
        self.submit(Command::Mandate(mandate::Command::Request(request))).await.expect("it may be asked");
        let number = AccountNumber { branch: "100".into(), kind: AccountKind::Ordinary, number: number.into() };
        let account = self.gateway.account_id(bank, &number);
        let details = self.gateway.details(bank, &number, "ﾔﾏﾀﾞ ﾀﾛｳ").expect("it is sealed");
        let grant = Grant {
            account,
            account_ref: self.gateway.account_ref(operator, account),
            name: Grade::Match,
            birth_date_matches: true,
            factors: factors.iter().copied().collect::<Factors>(),
            contact_notified: true,
        };
        let command = mandate::Command::Grant { mandate, grant, details };
        let receipt = self.submit(Command::Mandate(command)).await.expect("it may be granted");
        if matches!(receipt, Receipt::Mandate { status: mandate::Status::Refused, .. }) {
            return (mandate, receipt);
        }
        let command = mandate::Command::Collect { mandate, operator, account };
        (mandate, self.submit(Command::Mandate(command)).await.expect("it may be collected"))
    }

    /// The true holder confirms.
    pub async fn confirm(&self, mandate: MandateId) {
        let command = mandate::Command::Confirm { mandate, channel: Factor::Letter, by: None };
        self.submit(Command::Mandate(command)).await.expect("it is confirmed");
    }

    pub async fn revoke(&self, mandate: MandateId, why: Why) {
        let command = mandate::Command::Revoke { mandate, operator: None, by: RevokedBy::Operator, why };
        self.submit(Command::Mandate(command)).await.expect("it is revoked");
    }
}

async fn open(options: &Options, outside: &Outside, routers: &Routers) -> Gateway {
    let gateway = Gateway::open(options.clone(), outside.clone()).await.expect("the gateway opens");
    for (host, router) in gateway.routers() {
        let gateway = gateway.clone();
        let router = router.layer(from_fn(move |mut request: AxumRequest, next: Next| {
            let named = request.headers().get("x-operator").and_then(|value| value.to_str().ok());
            let caller = named.map(|client_id| Caller {
                operator: gateway.operator_id(client_id),
                scopes: vec![Scope::Mandates, Scope::Debits, Scope::Credits, Scope::Events],
            });
            async move {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                next.run(request).await
            }
        }));
        routers.add(host, router);
    }
    gateway
}
