//! The running service: what every handler and worker shares, and the few ways in which they use it.
//!
//! A handler parses, submits, presents; [`Service::submit`] is the only way to the engine, and turns whatever it says into a
//! receipt or a problem.

use crate::banking::Asking;
use crate::banks::Banks;
use crate::doors::{Doors, DoorsError, Safety};
use crate::entrance::Entrance;
use crate::gateway::GatewayToken;
use crate::journals::Journals;
use crate::keys::Keys;
use crate::news::{self, Looks, NextLook};
use crate::options::Options;
use crate::password::Passwords;
use crate::refusals;
use crate::server::Turns;
use crate::sweep::NextSweep;
use crate::telling::Teller;
use crate::webhooks::couriers::Couriers;
use crate::webhooks::endpoint::Endpoints;
use crate::work::{self, Breakers, Lanes, Maker};
use crate::{accounts, codes, contacts, errands, identity, letters, links, proofs, sessions, shops, stops, tallies};
use crate::{api, asked, unclaimed, webhooks};
use domain::{Id, Key, Time};
use engine::sqlite::{Gauges, SqliteJournal, SqliteStore};
use engine::vault::{Vault, VaultError};
use engine::{Actor, Answer, Core, Engine, Request, Store, StoreError, Stored, Submission};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wallet::holder::Sealed;
use wallet::{Command, HolderId, Receipt, Refusal, Row, Wallets, table};
use web::{Outside, Problem};

/// The service's own file in its data directory.
pub const DOORS_FILE: &str = "server.sqlite";
/// The file of due work, which can be made again from the journal.
pub const WORK_FILE: &str = "work.sqlite";

/// What is shared.
pub struct Service {
    /// The books.
    pub engine: Engine<Wallets>,
    /// Credentials, sessions, codes, links.
    pub doors: Doors,
    /// Due work.
    pub work: Arc<Doors>,
    /// What makes it.
    pub maker: Arc<Maker>,
    /// Who tells people.
    pub teller: Teller,
    /// When the gateway's news are looked at.
    pub looks: Looks,
    /// When the use of sessions is noted.
    pub next_note: NextLook,
    /// When the gateway's news were last read to their end.
    pub news_read: NextLook,
    /// When what ended is dropped.
    pub next_sweep: NextSweep,
    /// The banks that do not answer.
    pub breakers: Breakers,
    /// Where somebody is at work.
    pub lanes: Lanes,
    /// Whose turn it is to do what is due.
    pub turns: Turns,
    /// Keyed hashes.
    pub keys: Keys,
    /// Password hashing.
    pub passwords: Passwords,
    /// Clock, chance, transport.
    pub outside: Outside,
    /// The configuration.
    pub options: Options,
    /// Tokens that were seen, and limits on requests.
    pub entrance: Entrance,
    /// Our token at the gateway.
    pub gateway_token: GatewayToken,
    /// The keys with which the gateway signs.
    pub gateway_keys: api::GatewayKeys,
    /// The references that are being asked for.
    pub asking: Asking,
    /// The banks, as the gateway last showed them.
    pub banks: Banks,
    /// Readers of the journal.
    pub journals: Journals,
    /// Where shops and the operator want to be told.
    pub endpoints: Endpoints,
    /// Who goes there.
    pub couriers: Couriers,
    /// What the store says of itself.
    pub gauges: Arc<Gauges>,
    vault: Mutex<Vault>,
}

/// Why the service could not be opened: for the operator.
#[derive(Debug)]
pub enum OpenError {
    /// The books.
    Store(StoreError),
    /// The vault.
    Vault(VaultError),
    /// The service's own files.
    Doors(DoorsError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Vault(error) => error.fmt(f),
            Self::Doors(error) => error.fmt(f),
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

impl From<DoorsError> for OpenError {
    fn from(error: DoorsError) -> Self {
        Self::Doors(error)
    }
}

/// What a command came to.
pub type Answered = Result<Answer<Wallets>, Problem>;

impl Service {
    /// Opens books, vault and doors.
    pub fn open(options: Options, outside: Outside) -> Result<Self, OpenError> {
        let store = SqliteStore::open(&options.directory, &options.store)?;
        let gauges = store.gauges();
        match Store::<Wallets>::recovered(&store).behind() {
            0 => {}
            records => tracing::info!(records, "these records are replayed into the rows before the first request"),
        }
        let core = Core::open(store, Arc::clone(&options.context), options.engine)?;
        let chance = Arc::clone(&outside.chance);
        let vault =
            Vault::open(&options.directory, &options.master_key, Box::new(move |bytes: &mut [u8]| chance.fill(bytes)))?;
        let doors = Doors::open(&options.directory.join(DOORS_FILE), Safety::Durable)?;
        let journal = SqliteJournal::open(&options.directory)?;
        let (work, maker) =
            work::open(&options.directory.join(WORK_FILE), Box::new(journal), Arc::clone(&options.context))?;
        let teller = Teller::open(&options.directory)?;
        prepare(&doors)?;
        prepare_money(&doors, &work)?;
        let endpoints = Endpoints::default();
        endpoints.load(&doors)?;
        let couriers = Couriers::default();
        couriers.load(&work)?;
        let engine = Engine::start(core, Arc::clone(&outside.clock));
        Ok(Self {
            engine,
            doors,
            work,
            maker: Arc::new(maker),
            teller,
            looks: Looks::default(),
            news_read: NextLook::default(),
            next_note: NextLook::default(),
            next_sweep: NextSweep::default(),
            breakers: Breakers::default(),
            lanes: Lanes::default(),
            turns: Turns::default(),
            keys: Keys::new(&vault),
            passwords: Passwords::new(options.password_cost),
            entrance: Entrance::new(options.rates),
            gateway_token: GatewayToken::default(),
            gateway_keys: api::GatewayKeys::default(),
            asking: Asking::default(),
            banks: Banks::default(),
            journals: Journals::new(&options.directory),
            endpoints,
            couriers,
            gauges,
            vault: Mutex::new(vault),
            outside,
            options,
        })
    }

    /// The time now.
    pub fn now(&self) -> Time {
        self.outside.now()
    }

    /// A new id.
    pub fn id(&self) -> Id {
        self.outside.id()
    }

    /// Hands `command` to the engine; the answer's reply is a receipt or the domain's own refusal.
    pub async fn ask(&self, actor: Actor, request: Option<Request>, command: Command) -> Answered {
        self.ask_because(actor, None, request, command).await
    }

    /// The same with why, which the journal keeps.
    pub async fn ask_because(
        &self,
        actor: Actor,
        reason: Option<String>,
        request: Option<Request>,
        command: Command,
    ) -> Answered {
        let submission = Submission { command, actor, reason, request, at: self.engine.now() };
        self.engine.submit(submission).await.map_err(|error| {
            tracing::warn!(kind = ?actor.kind, %error, "a command got no reply");
            refusals::engine_problem(&error)
        })
    }

    /// The same, where a refusal is the end of it.
    pub async fn submit(&self, actor: Actor, request: Option<Request>, command: Command) -> Result<Receipt, Problem> {
        self.ask(actor, request, command).await?.reply.map_err(|refusal| refusals::problem(&refusal))
    }

    /// The row at `key` with its place, after everything that was answered before.
    pub async fn stored(&self, key: Key) -> Result<Option<Stored<Row>>, Problem> {
        self.engine.read(key).await.map_err(|error| refusals::engine_problem(&error))
    }

    /// The row at `key`.
    pub async fn row(&self, key: Key) -> Result<Option<Arc<Row>>, Problem> {
        Ok(self.stored(key).await?.and_then(|stored| stored.row))
    }

    /// The wallet `id`, if it is `holder`'s: another's looks like none.
    pub async fn wallet_of(&self, id: wallet::WalletId, holder: HolderId) -> Result<wallet::wallet::Wallet, Problem> {
        match self.row(Key::new(table::WALLET, id.0)).await?.as_deref() {
            Some(Row::Wallet(wallet)) if wallet.holder == holder => Ok((**wallet).clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: wallet::Noun::Wallet })),
        }
    }

    /// The holder `id`.
    pub async fn holder(&self, id: HolderId) -> Result<wallet::holder::Holder, Problem> {
        match self.row(Key::new(table::HOLDER, id.0)).await?.as_deref() {
            Some(Row::Holder(holder)) => Ok((**holder).clone()),
            Some(_) | None => Err(refusals::problem(&Refusal::Unknown { noun: wallet::Noun::Holder })),
        }
    }

    /// Seals `plaintext` for `holder`.
    pub fn seal(&self, holder: HolderId, plaintext: &[u8]) -> Result<Sealed, Problem> {
        self.vault().seal(holder.0, plaintext).map(Sealed).map_err(|error| vault_problem(&error))
    }

    /// Opens what was sealed for `holder`.
    pub fn unseal(&self, holder: HolderId, sealed: &[u8]) -> Result<Vec<u8>, Problem> {
        self.vault().unseal(holder.0, sealed).map_err(|error| vault_problem(&error))
    }

    /// Destroys the key of `person`, of whom the journal has something: it opens no more, and none is made again.
    pub fn erase_person(&self, person: Id) -> Result<(), Problem> {
        self.vault().erase(person).map_err(|error| vault_problem(&error))
    }

    /// Removes the key of `person`, of whom nothing is kept.
    pub fn forget_person(&self, person: Id) -> Result<(), Problem> {
        self.vault().forget(person).map_err(|error| vault_problem(&error))
    }

    /// The keyed hash by which `value` is found again.
    pub fn look_up(&self, purpose: &str, value: &[u8]) -> Id {
        self.vault().look_up(purpose, value)
    }

    fn vault(&self) -> MutexGuard<'_, Vault> {
        self.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn vault_problem(error: &VaultError) -> Problem {
    tracing::error!(%error, "the vault");
    match error {
        VaultError::Erased => Problem::not_found(),
        VaultError::TooLong => Problem::malformed("A text is too long."),
        VaultError::Unknown | VaultError::Sealed | VaultError::Store(_) => refusals::unavailable(),
    }
}

impl From<DoorsError> for Problem {
    fn from(error: DoorsError) -> Self {
        tracing::error!(%error, "the doors");
        refusals::unavailable()
    }
}

/// Makes every table that the people's side keeps.
pub fn prepare(doors: &Doors) -> Result<(), DoorsError> {
    doors.prepare::<accounts::Credential>()?;
    doors.prepare::<accounts::Login>()?;
    doors.prepare::<accounts::Candidate>()?;
    doors.prepare::<contacts::Contact>()?;
    doors.prepare::<codes::Code>()?;
    doors.prepare::<letters::Letter>()?;
    doors.prepare::<letters::DayOfLetters>()?;
    doors.prepare::<tallies::Tally>()?;
    doors.prepare::<errands::Errand>()?;
    doors.prepare::<asked::Done>()?;
    doors.prepare::<sessions::Session>()?;
    doors.prepare::<shops::ShopToken>()?;
    doors.prepare::<shops::ShopName>()?;
    doors.prepare::<identity::Identification>()?;
    doors.prepare::<identity::Subject>()?;
    doors.prepare::<proofs::Challenge>()?;
    doors.prepare::<proofs::KnownDevice>()?;
    doors.prepare::<links::Link>()?;
    doors.prepare::<links::LinkState>()?;
    doors.prepare::<links::LinkedAccount>()?;
    doors.prepare::<links::GatewayMandate>()?;
    doors.prepare::<news::NewsCursor>()?;
    doors.prepare::<news::Aside>()?;
    doors.prepare::<unclaimed::Unclaimed>()?;
    doors.prepare::<stops::StopNote>()?;
    doors.prepare::<api::Recovery>()?;
    doors.prepare::<api::SeenProof>()?;
    doors.prepare::<api::Look>()?;
    Ok(())
}

/// Makes every table that the money's side keeps.
pub fn prepare_money(doors: &Doors, work: &Doors) -> Result<(), DoorsError> {
    work::closing::prepare(doors)?;
    doors.prepare::<api::Claim>()?;
    doors.prepare::<webhooks::endpoint::Endpoint>()?;
    work.prepare::<webhooks::delivery::Delivery>()?;
    work.prepare_lanes::<webhooks::delivery::Delivery>()?;
    work.prepare::<webhooks::feed::Settlement>()?;
    work.prepare::<webhooks::feed::FeedCursor>()
}
