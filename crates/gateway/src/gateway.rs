//! The gateway as a service: what it holds, how it is opened, what it shows, and its due work.

use crate::connector::{AccountNumber, BankConnector, HttpConnector, Reach, Rhythm};
use crate::domain::account::{AccountKind, Details, Sealed};
use crate::domain::calendar::Calendar;
use crate::domain::comparison::{Comparison, Paper};
use crate::domain::open::Thing;
use crate::domain::{
    self as rules, AccountId, AccountRefId, BankCode, Command, Context, FindingId, MandateId, MovementId, NotMeId,
    OperatorId, Receipt, Reference, Refusal, Row, movement, open, operator,
};
use crate::oauth::{self, ClientId, Oauth, OauthError};
use crate::options::{BankOptions, Options};
use crate::pushes::Pushes;
use crate::rates::{self, Limits};
use crate::windows::{StaticStop, Windows};
use crate::work::{Forgetting, Work};
use crate::{api, bank_desk, desk, pages, proposals};
use axum::Router;
use axum::middleware::from_fn_with_state;
use domain::{Day, Id, Key, Time};
use engine::sqlite::{SqliteJournal, SqliteStore};
use engine::vault::{Vault, VaultError};
use engine::{Actor, ActorKind, Core, Engine, EngineError, Store, StoreError, Submission};
use futures_util::future::{join, join_all};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::{Outside, Ran};

/// A gateway. Clones share it.
#[derive(Clone)]
pub struct Gateway(Arc<Parts>);

/// What a gateway is made of.
struct Parts {
    options: Options,
    outside: Outside,
    engine: Engine<rules::Gateway>,
    journal: Mutex<SqliteJournal>,
    vault: Mutex<Vault>,
    banks: BTreeMap<BankCode, Reach>,
    windows: Windows,
    work: Work,
    forgetting: Forgetting,
    oauth: Oauth,
    pages: pages::Desk,
    pushes: Pushes,
    limits: Limits,
    figures: tokio::sync::Mutex<Option<(i64, api::Figures)>>,
}

/// A part of the gateway's due work that waits for no other part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// One bank's: its debits and credits, its notices, its files.
    Bank(BankCode),
    /// What concerns no bank.
    Rest,
}

/// Why a gateway could not be opened. It says who must act.
#[derive(Debug)]
pub enum OpenError {
    /// The data directory cannot be used.
    Store(StoreError),
    /// The vault or its key file cannot be used.
    Vault(VaultError),
    /// The engine did not take its first commands.
    Engine(EngineError),
    /// Something in the configuration cannot be.
    Options(String),
    /// The signing keys or the clients cannot be used.
    Oauth(OauthError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "the gateway's data cannot be used: {error}"),
            Self::Vault(error) => write!(f, "the gateway's vault cannot be used: {error}"),
            Self::Engine(error) => write!(f, "the gateway's engine does not start: {error}"),
            Self::Oauth(error) => error.fmt(f),
            Self::Options(what) => write!(f, "the gateway's configuration cannot be: {what}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<VaultError> for OpenError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

impl From<OauthError> for OpenError {
    fn from(error: OauthError) -> Self {
        Self::Oauth(error)
    }
}

impl From<NotDone> for OpenError {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::Engine(error) => Self::Engine(error),
            NotDone::Refused(_) => Self::Options(format!(
                "operators and banks together are more than {}, whom one commit can tell of an incident",
                operator::OPERATORS_MAX
            )),
        }
    }
}

impl From<EngineError> for OpenError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// Why a command has no receipt: the rules say no, or the engine could not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The rules.
    Refused(Refusal),
    /// The engine.
    Engine(EngineError),
}

impl From<EngineError> for NotDone {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

/// An account as it is sealed: what a bank must be told to find it, and what its files call its holder.
#[derive(Serialize, Deserialize)]
struct SealedAccount {
    branch: String,
    kind: AccountKind,
    number: String,
    name_kana: String,
    /// The verified name that the bank's was compared with, where a person must look at both.
    #[serde(default)]
    compared: Option<String>,
}

impl Gateway {
    /// Opens the gateway with its data, and registers the operators that it knows from the start.
    pub async fn open(options: Options, outside: Outside) -> Result<Self, OpenError> {
        desk::check(&options).map_err(OpenError::Options)?;
        let banks = reach(&options, &outside)?;
        let store = SqliteStore::open(&options.directory, &options.store)?;
        match Store::<rules::Gateway>::recovered(&store).behind() {
            0 => {}
            records => tracing::info!(records, "these records are replayed into the rows before the first request"),
        }
        let chance = Arc::clone(&outside.chance);
        let fill: engine::vault::Chance = Box::new(move |bytes: &mut [u8]| chance.fill(bytes));
        let vault = Vault::open(&options.directory, &options.master_key, fill)?;
        let context = Arc::new(Context { policy: options.policy.clone() });
        let core = Core::open(store, context, options.engine)?;
        let engine = Engine::start(core, Arc::clone(&outside.clock));
        let journal = Mutex::new(SqliteJournal::open(&options.directory)?);
        let windows = Windows::new(options.windows, Arc::clone(&outside.chance));
        let work = Work::new(banks.keys().copied());
        let forgetting = Forgetting::default();
        let oauth = open_oauth(&options, &vault, &outside)?;
        let pages = pages::Desk::new(outside.chance.as_ref());
        let vault = Mutex::new(vault);
        let pushes = Pushes::default();
        let limits = Limits::new(options.rates);
        let figures = tokio::sync::Mutex::default();
        let parts = Parts {
            options,
            outside,
            engine,
            journal,
            vault,
            banks,
            windows,
            work,
            forgetting,
            oauth,
            pages,
            pushes,
            limits,
            figures,
        };
        let this = Self(Arc::new(parts));
        for client in this.0.oauth.clients.all() {
            let known = this.operator_row(client.operator).await?.and_then(|row| row.settings);
            if !client.is_configured && known.is_some_and(|known| known != client.settings.hash()) {
                let id = client.settings.client_id.as_str();
                tracing::error!(
                    client = id,
                    "a client is not as the desk wrote it, and is let in when it is written again"
                );
                this.0.oauth.clients.forget(id);
            }
            this.listen(client.operator).await?;
        }
        // Banks are told of switches and incidents like everybody else, each in a sequence of its own.
        for bank in &this.0.options.banks {
            this.listen(bank_desk::listener(&this, bank.code)).await?;
        }
        this.0.work.load(&this).await?;
        Ok(this)
    }

    /// `operator` is told of things from now on.
    async fn listen(&self, operator: OperatorId) -> Result<(), NotDone> {
        let command = Command::Operator(operator::Command::Register { operator });
        self.submit(command, self.system(), None).await.map(drop)
    }

    /// The routers by host.
    pub fn routers(&self) -> Vec<(String, Router)> {
        let armour = web::Armour {
            clock: Arc::clone(&self.0.outside.clock),
            chance: Arc::clone(&self.0.outside.chance),
            time_ms_max: self.0.options.request_ms_max,
            longer: &[],
            service: "gateway",
        };
        let programs = api::router().merge(oauth::routes()).merge(bank_desk::routes()).merge(proposals::routes());
        let programs = programs.layer(from_fn_with_state(self.clone(), rates::programs));
        let people = pages::routes().layer(from_fn_with_state(self.clone(), rates::people));
        let router = programs.merge(people).with_state(self.clone());
        let router = router.merge(web::page::assets()).merge(web::health(&self.0.engine));
        vec![(self.0.options.host().to_owned(), web::armour(router, armour))]
    }

    /// The turns of its due work: one a bank, and one for what concerns no bank. Whoever runs each by itself has no bank wait
    /// for another.
    pub fn turns(&self) -> Vec<Turn> {
        self.0.banks.keys().copied().map(Turn::Bank).chain([Turn::Rest]).collect()
    }

    /// Does what is due at `now` in one turn, at most about `budget` things. The same turn never runs twice at once.
    pub async fn run_turn(&self, turn: Turn, now: Time, budget: usize) -> Ran {
        match turn {
            Turn::Bank(bank) => {
                let _turn = self.0.work.turn(bank).await;
                let notices = self.0.pages.notices.run_due(self, bank, now, budget);
                let (notices, work) = join(notices, self.0.work.run_due(self, bank, now, budget)).await;
                work.and(notices.named("gateway.notice"))
            }
            Turn::Rest => {
                self.0.windows.forget(now);
                let rotation = self.0.oauth.rotate_due(&self.0.outside, now);
                let pushes = self.0.pushes.run_due(self, now).await;
                let forgotten = self.0.forgetting.run_due(self, now).await;
                let others = forgotten.named("gateway.forgetting").and(rotation.named("gateway.key_rotation"));
                others.and(pushes.named("gateway.push"))
            }
        }
    }

    /// Does what is due at `now` in all turns, at most about `budget` things in each; it takes as long as the slowest bank.
    pub async fn run_due(&self, now: Time, budget: usize) -> Ran {
        let turns = self.turns().into_iter().map(|turn| self.run_turn(turn, now, budget));
        join_all(turns).await.into_iter().fold(Ran::default(), Ran::and)
    }

    /// Stops: what was accepted is answered, every row is written.
    pub fn stop(&self) -> Result<(), StoreError> {
        self.0.engine.stop()
    }

    /// What it was opened with.
    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// The world as it sees it.
    pub fn outside(&self) -> &Outside {
        &self.0.outside
    }

    /// The engine that runs its rules.
    pub fn engine(&self) -> &Engine<rules::Gateway> {
        &self.0.engine
    }

    /// The journal, for whoever reads what has been. Held for one page at a time.
    pub fn journal(&self) -> MutexGuard<'_, SqliteJournal> {
        self.0.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The authorization server's own state: clients, keys, links in the making.
    pub fn oauth(&self) -> &Oauth {
        &self.0.oauth
    }

    /// What the pages share.
    pub fn pages(&self) -> &pages::Desk {
        &self.0.pages
    }

    /// What may be asked in a minute.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The figures that were last read from the books, and when.
    pub(crate) fn figures(&self) -> &tokio::sync::Mutex<Option<(i64, api::Figures)>> {
        &self.0.figures
    }

    /// The windows.
    pub fn windows(&self) -> &Windows {
        &self.0.windows
    }

    /// The bank with `code`, if the gateway has it.
    pub fn bank(&self, code: BankCode) -> Option<&BankOptions> {
        self.0.options.bank(code)
    }

    /// How debits reach the bank with `code`.
    pub fn debits(&self, code: BankCode) -> Option<&dyn BankConnector> {
        self.0.banks.get(&code).map(|bank| bank.debits.as_ref())
    }

    /// How the bank with `code` is asked while somebody waits.
    pub fn online(&self, code: BankCode) -> Option<&HttpConnector> {
        self.0.banks.get(&code).map(|bank| bank.online.as_ref())
    }

    /// The gateway itself, as who asks.
    pub const fn system(&self) -> Actor {
        Actor { kind: ActorKind::System, id: Id([0; 16]) }
    }

    /// Runs a command. What it leaves to be done is in the worker's schedule when this returns, and also when whoever asked
    /// hangs up before: a commit that nobody waits for must not be work that nobody does.
    pub async fn submit(&self, command: Command, actor: Actor, reason: Option<String>) -> Result<Receipt, NotDone> {
        let at = self.0.outside.now();
        let submission = Submission { command, actor, reason, request: None, at };
        let this = self.clone();
        let submitted = carry_through(async move {
            let answer = this.0.engine.submit(submission).await?;
            let receipt = answer.reply.map_err(NotDone::Refused)?;
            this.0.work.note(&receipt);
            Ok(receipt)
        });
        submitted.await.unwrap_or(Err(NotDone::Engine(EngineError::Busy)))
    }

    /// Stops a bank's path by static factors, if the windows say so. Its desk, the gateway's and every operator see why.
    pub async fn stop_static_factors(&self, stop: Option<StaticStop>) -> Result<(), NotDone> {
        let Some(StaticStop { bank, reason }) = stop else { return Ok(()) };
        tracing::warn!(%bank, reason, "a bank's path by static factors is stopped");
        let command = rules::bank::Command::Switch {
            bank,
            function: rules::bank::Function::StaticFactors,
            stop: true,
            side: rules::bank::Side::Windows,
            by: None,
            reason: reason.to_owned(),
        };
        self.submit(Command::Bank(command), self.system(), None).await.map(drop)
    }

    /// Whether the bank that `target` leads to is asked at once; where nobody knows, the rules will say why.
    pub(crate) async fn takes_at_once(&self, target: movement::Target) -> Result<bool, NotDone> {
        let movement::Target::DebitOf(mandate) = target else { return Ok(true) };
        let debits = self.mandate(mandate).await?.and_then(|row| self.debits(row.bank));
        Ok(debits.is_none_or(|debits| debits.rhythm() == Rhythm::OneByOne))
    }

    /// The row at `key`, after everything that was answered before.
    pub async fn row(&self, key: Key) -> Result<Option<Arc<Row>>, EngineError> {
        Ok(self.0.engine.read(key).await?.and_then(|stored| stored.row))
    }

    /// The mandate with `id`.
    pub async fn mandate(&self, id: MandateId) -> Result<Option<rules::mandate::Mandate>, EngineError> {
        let row = self.row(Key::new(rules::table::MANDATE, id.0)).await?;
        Ok(row.and_then(|row| if let Row::Mandate(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None }))
    }

    /// The movement with `id`.
    pub async fn movement(&self, id: MovementId) -> Result<Option<movement::Movement>, EngineError> {
        let row = self.row(Key::new(rules::table::MOVEMENT, id.0)).await?;
        Ok(row.and_then(|row| if let Row::Movement(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None }))
    }

    /// The account with `id`.
    pub async fn account(&self, id: AccountId) -> Result<Option<rules::account::Account>, EngineError> {
        let row = self.row(Key::new(rules::table::ACCOUNT, id.0)).await?;
        Ok(row.and_then(|row| if let Row::Account(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None }))
    }

    /// The finding with `id`.
    pub async fn finding(&self, id: FindingId) -> Result<Option<rules::finding::Finding>, EngineError> {
        let row = self.row(Key::new(rules::table::FINDING, id.0)).await?;
        Ok(row.and_then(|row| if let Row::Finding(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None }))
    }

    /// How far that paper of the bank with `code` is compared.
    pub async fn comparison(&self, code: BankCode, paper: Paper) -> Result<Option<Comparison>, EngineError> {
        let row = self.row(Key::new(rules::table::COMPARISON, rules::comparison::row_id((code, paper)))).await?;
        Ok(row.and_then(|row| if let Row::Comparison(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None }))
    }

    /// What the books have of `operator`.
    pub async fn operator_row(&self, operator: OperatorId) -> Result<Option<operator::Operator>, EngineError> {
        let row = self.row(operator::OPERATORS_KEY).await?;
        let Some(Row::Operators(row)) = row.as_deref() else { return Ok(None) };
        Ok(row.operators.iter().find(|known| known.id == operator).copied())
    }

    /// What is open at the bank with `code`.
    pub async fn open_things(&self, code: BankCode) -> Result<Vec<Thing>, EngineError> {
        let mut things = Vec::new();
        for page in 0..open::PAGES + open::FINDING_PAGES {
            if let Some(Row::Open(page)) = self.row(open::key(code, page)).await?.as_deref() {
                things.extend_from_slice(&page.things);
            }
        }
        Ok(things)
    }

    /// The switches and factors of the bank with `code`.
    pub async fn bank_row(&self, code: BankCode) -> Result<rules::bank::Bank, EngineError> {
        let row = self.row(Key::new(rules::table::BANK, code.id())).await?;
        let bank =
            row.and_then(|row| if let Row::Bank(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None });
        Ok(bank.unwrap_or_default())
    }

    /// When the bank with `code` is open.
    pub async fn calendar(&self, code: BankCode) -> Result<Calendar, EngineError> {
        let row = self.row(Key::new(rules::table::CALENDAR, code.id())).await?;
        let calendar =
            row.and_then(|row| if let Row::Calendar(row) = row.as_ref() { Some(row.as_ref().clone()) } else { None });
        Ok(calendar.unwrap_or_default())
    }

    /// The first moment from `now` on at which the bank with `code` is open: `now` itself, if it is.
    pub async fn open_from(&self, code: BankCode, now: Time) -> Result<Time, EngineError> {
        Ok(self.calendar(code).await?.open_from(now))
    }

    /// The work that is due, and how each bank does.
    pub(crate) fn work(&self) -> &Work {
        &self.0.work
    }

    /// What is forgotten with the time.
    pub(crate) fn forgetting(&self) -> &Forgetting {
        &self.0.forgetting
    }

    /// A new id, ordered by time.
    pub fn new_id(&self) -> Id {
        self.0.outside.id()
    }

    /// The id of the operator with this client id.
    pub fn operator_id(&self, client_id: &str) -> OperatorId {
        OperatorId::new(self.vault().look_up("operator", client_id.as_bytes()))
    }

    /// The id of an account at a bank.
    pub fn account_id(&self, bank: BankCode, account: &AccountNumber) -> AccountId {
        let text = format!("{bank}-{}-{}-{}", account.branch, account.kind.name(), account.number);
        AccountId(self.vault().look_up("account", text.as_bytes()))
    }

    /// What `operator` calls `account`.
    pub fn account_ref(&self, operator: OperatorId, account: AccountId) -> AccountRefId {
        let both = [operator.id().0, account.0.0].concat();
        AccountRefId(self.vault().look_up("account_ref", &both))
    }

    /// The id of the movement that `operator` calls `reference`.
    pub fn movement_id(&self, operator: OperatorId, kind: movement::Kind, reference: &str) -> MovementId {
        let whole = [operator.id().0.as_slice(), kind.name().as_bytes(), b":", reference.as_bytes()].concat();
        MovementId::of_hash(self.vault().look_up("movement", &whole))
    }

    /// The id of a code that says "not me".
    pub fn not_me_id(&self, code: &str) -> NotMeId {
        NotMeId(self.vault().look_up("not_me", code.as_bytes()))
    }

    /// What may be seen of an account, and the rest sealed.
    pub fn details(&self, bank: BankCode, account: &AccountNumber, name_kana: &str) -> Result<Details, VaultError> {
        self.details_compared(bank, account, name_kana, None)
    }

    /// The same with the verified name that a desk must compare.
    pub fn details_compared(
        &self,
        bank: BankCode,
        account: &AccountNumber,
        name_kana: &str,
        compared: Option<&str>,
    ) -> Result<Details, VaultError> {
        let sealed = SealedAccount {
            branch: account.branch.clone(),
            kind: account.kind,
            number: account.number.clone(),
            name_kana: name_kana.to_owned(),
            compared: compared.map(str::to_owned),
        };
        let plain = serde_json::to_vec(&sealed).map_err(|_| VaultError::TooLong)?;
        let id = self.account_id(bank, account);
        let sealed = Sealed(self.vault().seal(id.0, &plain)?);
        let shown = account.number.len().saturating_sub(3);
        let masked = format!("{}{}", "*".repeat(shown), account.number.get(shown..).unwrap_or_default());
        Ok(Details { bank, branch: account.branch.clone(), kind: account.kind, masked, sealed })
    }

    /// The number of an account, and the name that its bank has, from what was sealed.
    pub fn unseal(&self, id: AccountId, details: &Details) -> Result<(AccountNumber, String), VaultError> {
        let plain = self.vault().unseal(id.0, &details.sealed.0)?;
        let sealed: SealedAccount = serde_json::from_slice(&plain).map_err(|_| VaultError::Sealed)?;
        let account = AccountNumber { branch: sealed.branch, kind: sealed.kind, number: sealed.number };
        Ok((account, sealed.name_kana))
    }

    /// The bank's name of an account's holder, and the verified one that it was compared with, from what was sealed.
    pub fn names(&self, id: AccountId, details: &Details) -> Result<(String, Option<String>), VaultError> {
        let plain = self.vault().unseal(id.0, &details.sealed.0)?;
        let sealed: SealedAccount = serde_json::from_slice(&plain).map_err(|_| VaultError::Sealed)?;
        Ok((sealed.name_kana, sealed.compared))
    }

    /// The id of the incident that a bank calls `reference`.
    pub fn incident_id(&self, bank: BankCode, reference: &Reference) -> Id {
        self.vault().look_up("incident", format!("{bank} {reference}").as_bytes())
    }

    /// The id of a record in the day file of `bank` that is no movement of ours: the `nth` of those that look alike.
    pub fn finding_id(&self, bank: BankCode, day: Day, record: &str, nth: usize) -> FindingId {
        FindingId(self.vault().look_up("finding", format!("{bank} {day} {nth} {record}").as_bytes()))
    }

    /// What the letter that confirms a mandate of an account is told apart by.
    pub fn letter_id(&self, mandate: MandateId, account: AccountId) -> Id {
        self.vault().look_up("letter", &[mandate.0.0, account.0.0].concat())
    }

    /// Removes the key of an account that is in no row any more.
    pub fn forget_key(&self, id: AccountId) -> Result<(), VaultError> {
        self.vault().forget(id.0)
    }

    fn vault(&self) -> MutexGuard<'_, Vault> {
        self.0.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` to its end, also when whoever waits for it hangs up; none if it broke in the middle.
pub(crate) async fn carry_through<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> Option<T> {
    let ended = tokio::spawn(work).await;
    if ended.is_err() {
        // What it panicked with may hold what somebody typed.
        tracing::error!("work broke in the middle");
    }
    ended.ok()
}

fn reach(options: &Options, outside: &Outside) -> Result<BTreeMap<BankCode, Reach>, OpenError> {
    let mut banks = BTreeMap::new();
    for bank in &options.banks {
        let reach = Reach::new(bank, Arc::clone(&outside.transport), options.inline_ms_max);
        let unwritable = || OpenError::Options(format!("the files of the bank {} cannot be written so", bank.code));
        if banks.insert(bank.code, reach.ok_or_else(unwritable)?).is_some() {
            return Err(OpenError::Options(format!("the bank {} is there twice", bank.code)));
        }
    }
    Ok(banks)
}

fn open_oauth(options: &Options, vault: &Vault, outside: &Outside) -> Result<Oauth, OpenError> {
    let mut clients = Vec::new();
    for operator in &options.operators {
        clients.push(operator.try_into().map_err(|what: &str| OpenError::Options(what.to_owned()))?);
    }
    let operator = |id: &ClientId| OperatorId::new(vault.look_up("operator", id.as_str().as_bytes()));
    Ok(Oauth::open(&options.origin, &options.directory, clients, operator, outside)?)
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({})", self.0.options.origin)
    }
}
