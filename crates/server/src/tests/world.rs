//! A small world: an engine on a data directory of its own, three holders with filled wallets, two shops.

use domain::{Id, Key, Time};
use engine::sqlite::{SqliteJournal, SqliteOptions, SqliteStore};
use engine::{Actor, ActorKind, Committed, Core, Options, Record, Stored, Submission};
use ledger::Yen;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wallet::holder::{self, Sealed};
use wallet::payment::{self, Authorise, Payer};
use wallet::wallet::Asker;
use wallet::{
    BonusId, CampaignId, Command, ContactId, Context, HolderId, PaymentId, RefundId, Row, ShopId, VoucherId, WalletId,
    Wallets, bonus, shop, voucher,
};

const BEGIN: Time = Time::from_milliseconds(1_767_193_200_000);

pub struct World {
    pub directory: TempDir,
    pub core: Option<Core<Wallets, SqliteStore<Wallets>>>,
    pub batches: Arc<Mutex<Vec<Committed>>>,
    now: Time,
    payments: u64,
}

pub fn wallet(number: u64) -> WalletId {
    WalletId(Id::from_number(0xaa00 + u128::from(number)))
}

pub fn holder(number: u64) -> HolderId {
    HolderId(Id::from_number(0xbb00 + u128::from(number)))
}

pub fn shop(number: u64) -> ShopId {
    ShopId(Id::from_number(0xcc00 + u128::from(number)))
}

impl World {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut world = Self { directory, core: None, batches: Arc::default(), now: BEGIN, payments: 0 };
        world.open();
        world.run((1..=2).map(|number| Command::Shop(shop::Command::Open { shop: shop(number) })).collect());
        for number in 1..=3 {
            world.run(joining(number));
        }
        world
    }

    /// Opens the engine: again after a crash or a stop.
    pub fn open(&mut self) {
        self.core = None;
        let store = SqliteStore::open(self.directory.path(), &SqliteOptions::default()).expect("the store opens");
        let mut core = Core::open(store, Arc::new(Context::default()), Options::default()).expect("the core opens");
        let batches = Arc::clone(&self.batches);
        core.observe(Box::new(move |batch| batches.lock().expect("nobody panicked").push(Arc::clone(batch))));
        self.core = Some(core);
    }

    pub fn core(&mut self) -> &mut Core<Wallets, SqliteStore<Wallets>> {
        self.core.as_mut().expect("the engine is open")
    }

    /// Runs the commands as one batch, a second later; each must get an answer, if only a refusal.
    pub fn run(&mut self, commands: Vec<Command>) {
        self.now = self.now.plus_milliseconds(1_000);
        let (at, actor) = (self.now, Actor { kind: ActorKind::System, id: Id::default() });
        let batch: Vec<_> = commands
            .into_iter()
            .map(|command| Submission { command, actor, reason: None, request: None, at })
            .collect();
        let mut answers = Vec::new();
        self.core().step(&batch, &mut answers);
        for answer in answers {
            answer.expect("the engine answers");
        }
    }

    /// One round of everything that can happen to payments, with what shows in no list in between.
    pub fn round(&mut self) {
        let number = self.payments;
        self.payments += 1;
        let (payer, at_shop) = (1 + number % 3, shop(1 + number % 2));
        let id = |kind: u128| PaymentId(Id::from_number(0x0100_0000 + u128::from(number) * 16 + kind));
        let pay = |kind, amount: i64, capture| {
            Command::Payment(payment::Command::Authorise(Authorise {
                payment: id(kind),
                payer: Payer::Holder(wallet(payer), holder(payer)),
                shop: at_shop,
                amount: Yen::new(amount),
                capture,
                reference: None,
                origin: None,
                proof: None,
            }))
        };
        let capture = |kind, amount| payment::Command::Capture { payment: id(kind), shop: at_shop, amount };
        let refund = RefundId(Id::from_number(0x0200_0000 + u128::from(number)));
        let refund = payment::Command::Refund { refund, payment: id(0), shop: at_shop, amount: Yen::new(30) };
        self.run(vec![pay(0, 100, true), pay(1, 70, false), pay(2, 50, false), pay(3, 9_999_999, true)]);
        self.run(vec![
            Command::Payment(capture(1, Some(Yen::new(20)))),
            Command::Payment(payment::Command::Void { payment: id(2), shop: at_shop }),
            Command::Wallet(::wallet::wallet::Command::Freeze {
                wallet: wallet(payer),
                by: Asker::Holder(holder(payer)),
            }),
            pay(4, 10, true),
            Command::Wallet(::wallet::wallet::Command::Unfreeze {
                wallet: wallet(payer),
                by: Asker::Holder(holder(payer)),
            }),
            Command::Payment(refund),
        ]);
    }

    pub fn journal(&self) -> SqliteJournal {
        SqliteJournal::open(self.directory.path()).expect("the journal opens")
    }

    /// Every record, from the first.
    pub fn records(&self) -> Vec<Record<Wallets>> {
        let sealed = self.journal().read(1, usize::MAX).expect("the journal is read");
        sealed.iter().map(|record| Record::decode(record).expect("a record is read")).collect()
    }

    pub fn row(&mut self, key: Key) -> Stored<Row> {
        self.core().read(key).expect("the row is read").expect("there is such a row")
    }
}

/// A holder joins, and fills a wallet with bonus and a voucher.
fn joining(number: u64) -> Vec<Command> {
    let (holder, wallet) = (holder(number), wallet(number));
    let id = |kind: u128| Id::from_number((kind << 32) + u128::from(number));
    let (mail, phone, given) = (ContactId(id(1)), ContactId(id(2)), VoucherId(id(3)));
    let expires = BEGIN.plus_milliseconds(86_400_000);
    vec![
        Command::Holder(holder::Command::Open { holder, mail, mail_domain: None, profile: Sealed::default() }),
        Command::Holder(holder::Command::VerifyMail { holder, mail }),
        Command::Holder(holder::Command::ChangeContact {
            holder,
            to: holder::Contact::Phone(phone),
            proof: Some(::wallet::Proof::SecondFactor),
        }),
        Command::Holder(holder::Command::VerifyPhone { holder, phone }),
        Command::Wallet(::wallet::wallet::Command::Open { wallet, holder, origin: None }),
        Command::Bonus(bonus::Command::Give {
            bonus: BonusId(id(4)),
            campaign: CampaignId(id(5)),
            wallet,
            amount: Yen::new(500),
        }),
        Command::Voucher(voucher::Command::Issue { voucher: given, amount: Yen::new(10_000), expires, by: None }),
        Command::Voucher(voucher::Command::Redeem { voucher: given, wallet, holder, origin: None, proof: None }),
    ]
}
