//! `kinchaku audit` over a small data directory that the engine made, and after what somebody did to its files.

use domain::{Decision, Domain, Id, Key, Moment, State, TableSpec, Time, Value as Column};
use engine::sqlite::{SqliteOptions, SqliteStore};
use engine::{Actor, ActorKind, Core, Options, Submission};
use ledger::Yen;
use rusqlite::Connection;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command as Process;
use std::sync::Arc;
use tempfile::TempDir;
use wallet::holder::{self, Sealed};
use wallet::payment::{self, Authorise, Payer};
use wallet::{
    BonusId, CampaignId, Command, ContactId, Context, Event, HolderId, PaymentId, Receipt, Refusal, Row, ShopId,
    VoucherId, WalletId, Wallets, bonus, shop, voucher,
};

/// 2026-01-01T00:00:00+09:00.
const BEGIN: Time = Time::from_milliseconds(1_767_193_200_000);
const WALLET: WalletId = WalletId(Id::from_number(0xa1));

/// A shop, a wallet with 500 yen of bonus, and five payments of 10 yen, each a second after the one before: the shop opens
/// at 00:00:00 with record 1, the bonus comes with record 5, and payment `i` is record 5 + i at 00:00:(4 + i).
struct Data {
    place: TempDir,
    core: Option<Core<Wallets, SqliteStore<Wallets>>>,
}

impl Data {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let store =
            SqliteStore::open(&place.path().join("data/wallet"), &SqliteOptions::default()).expect("the store opens");
        let mut core = Core::open(store, Arc::new(Context::default()), Options::default()).expect("the core opens");
        for (seconds, command) in (0..).zip(commands()) {
            let at = BEGIN.plus_milliseconds(seconds * 1_000);
            let actor = Actor { kind: ActorKind::System, id: Id::default() };
            let mut answers = Vec::new();
            core.step(&[Submission { command, actor, reason: None, request: None, at }], &mut answers);
            let answer = answers.pop().expect("an answer").expect("the engine answers");
            assert!(answer.reply.is_ok(), "{answer:?}");
        }
        Self { place, core: Some(core) }
    }

    /// The same, after the engine was stopped.
    fn stopped() -> Self {
        let mut data = Self::new();
        drop(data.core.take().expect("it runs").close().expect("it stops"));
        data
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn edit(&self, file: &str, sql: &str) {
        let connection = Connection::open(self.path("data/wallet").join(file)).expect("the file opens");
        connection.execute_batch(sql).expect("the edit is made");
    }

    /// Runs `kinchaku audit` beside the data directory.
    fn audit(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut process = Process::new(env!("CARGO_BIN_EXE_kinchaku"));
        let output = process.current_dir(self.place.path()).arg("audit").args(arguments).output();
        let output = output.expect("the binary starts");
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        (output.status.code(), String::from_utf8(text).expect("it prints text"))
    }

    fn check(&self, arguments: &[&str], code: i32, shows: &str) {
        let (found, text) = self.audit(arguments);
        assert_eq!(found, Some(code), "kinchaku audit {arguments:?} printed: {text}");
        assert!(text.contains(shows), "kinchaku audit {arguments:?} printed: {text}");
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let (found, text) = self.audit(&[arguments, &["--json"]].concat());
        assert_eq!(found, Some(code), "kinchaku audit {arguments:?} printed: {text}");
        serde_json::from_str(&text).expect("it prints JSON")
    }
}

fn commands() -> Vec<Command> {
    let (holder, mail) = (HolderId(Id::from_number(0xb1)), ContactId(Id::from_number(0xd1)));
    let shop = ShopId(Id::from_number(0xc1));
    let mut commands = vec![
        Command::Shop(shop::Command::Open { shop }),
        Command::Holder(holder::Command::Open { holder, mail, mail_domain: None, profile: Sealed::default() }),
        Command::Holder(holder::Command::VerifyMail { holder, mail }),
        Command::Wallet(wallet::wallet::Command::Open { wallet: WALLET, holder, origin: None }),
        Command::Bonus(bonus::Command::Give {
            bonus: BonusId(Id::from_number(0xe1)),
            campaign: CampaignId(Id::from_number(0xf1)),
            wallet: WALLET,
            amount: Yen::new(500),
        }),
    ];
    commands.extend((1..=5).map(|number| {
        Command::Payment(payment::Command::Authorise(Authorise {
            payment: PaymentId(Id::from_number(0x100 + number)),
            payer: Payer::Holder(WALLET, holder),
            shop,
            amount: Yen::new(10),
            capture: true,
            reference: None,
            origin: None,
            proof: None,
        }))
    }));
    commands
}

#[test]
fn an_untouched_directory_is_clean() {
    let data = Data::stopped();
    data.check(&["verify"], 0, "10 records verified; the last is 10 of 2026-01-01T00:00:09+09:00");
    data.check(&["verify"], 0, "no anchors given");
    data.check(&["replay"], 0, "10 records make");
    data.check(&["balance"], 0, "outstanding: 0 yen funds, 0 yen prepaid, 450 yen bonus");
    data.check(&["balance"], 0, "issued: 500 yen = 450 outstanding + 50 paid to shops + 0 paid out");
    let verified = data.json(&["verify"], 0);
    assert_eq!((&verified["records"], &verified["findings"]), (&10.into(), &Value::Array(Vec::new())));
    let replayed = data.json(&["replay"], 0);
    assert_eq!((&replayed["records"], &replayed["rows"]), (&10.into(), &replayed["compared"]));
    let balance = data.json(&["balance"], 0);
    assert_eq!((&balance["wallets"], &balance["outstanding"]["bonus"]), (&1.into(), &450.into()));
    assert_eq!((&balance["issued"]["issued"], &balance["issued"]["redeemed"]), (&500.into(), &50.into()));
}

#[test]
fn a_running_engine_is_audited() {
    let data = Data::new();
    data.check(&["verify"], 0, "10 records verified");
    data.check(&["replay"], 0, "10 records make");
    data.check(&["balance"], 0, "450 yen bonus");
    data.check(&["as-of", "10", "--wallet", &WALLET.to_string()], 0, "450 yen available");
    data.check(&["anchor", "--key", "key", "--anchors", "anchors"], 0, "record 10");
}

#[test]
fn an_edited_record_is_named() {
    let data = Data::stopped();
    data.edit("journal.sqlite", "UPDATE journal SET at = at + 1 WHERE n = 7");
    data.check(&["verify"], 1, "record 7 was changed");
    for audit in ["replay", "balance"] {
        data.check(&[audit], 1, "record 7 is not what was written");
    }
    assert_eq!(data.json(&["verify"], 1)["findings"][0]["record"], 7);
}

#[test]
fn what_the_books_find_is_told_with_exit_code_1() {
    let data = Data::stopped();
    let store =
        SqliteStore::<Unruly>::open(&data.path("data/wallet"), &SqliteOptions::default()).expect("the store opens");
    let mut core = Core::open(store, Arc::new(()), Options::default()).expect("the core opens");
    let (voucher, at) = (VoucherId(Id::from_number(0x201)), BEGIN.plus_milliseconds(60_000));
    let issued = voucher::Event::Issued { voucher, amount: Yen::new(500), expires: at };
    let redeemed = voucher::Event::Redeemed { voucher, wallet: WALLET, amount: Yen::new(900), at, origin: None };
    let command = vec![Event::Voucher(issued), Event::Voucher(redeemed)];
    let actor = Actor { kind: ActorKind::System, id: Id::default() };
    core.step(&[Submission { command, actor, reason: None, request: None, at }], &mut Vec::new());
    drop(core.close().expect("it stops"));

    // Whole, and each row as the journal says: only the books know that a voucher of 500 yen brings no 900.
    data.check(&["verify"], 0, "11 records verified");
    data.check(&["replay"], 0, "11 records make");
    data.check(
        &["balance"],
        1,
        "(voucher clearing) of 00000000000000000000000000000000 is -900 yen, its movements sum up to -500",
    );
    data.check(&["balance"], 1, "accounts for 1350 yen, its movements brought 950 more than they took");
    assert_eq!(data.json(&["balance"], 1)["findings"].as_array().map(Vec::len), Some(3));
}

/// Journals whatever events it is told, as a program with a mistake in its rules would, and otherwise is the wallet.
#[derive(Debug)]
struct Unruly;

impl Domain for Unruly {
    type Command = Vec<Event>;
    type Context = ();
    type Row = Row;
    type Event = Event;
    type Receipt = Receipt;
    type Refusal = Refusal;

    const NAME: &'static str = Wallets::NAME;
    const VOCABULARY: u32 = Wallets::VOCABULARY;
    const TABLES: &'static [TableSpec] = Wallets::TABLES;
    const ROWS_VERSION: u32 = Wallets::ROWS_VERSION;

    fn keys(command: &Vec<Event>, keys: &mut Vec<Key>) {
        for event in command {
            Wallets::touches(event, keys);
        }
    }

    fn keys_further(_: &Vec<Event>, _: &dyn State<Row>, _: &mut Vec<Key>) {}

    fn decide(_: &dyn State<Row>, command: &Vec<Event>, _: Moment, (): &()) -> Decision<Self> {
        Decision { events: command.clone(), reply: Ok(Receipt::Wallet { id: WALLET, status: "open".into() }) }
    }

    fn touches(event: &Event, keys: &mut Vec<Key>) {
        Wallets::touches(event, keys);
    }

    fn evolve(key: Key, row: &mut Option<Row>, event: &Event) {
        Wallets::evolve(key, row, event);
    }

    fn assert_decided(_: &[Event], _: &dyn State<Row>) {}

    fn columns(row: &Row, values: &mut Vec<Column>) {
        Wallets::columns(row, values);
    }

    fn command_name(_: &Vec<Event>) -> &'static str {
        "unruly"
    }
}

#[test]
fn an_edited_row_is_named() {
    let data = Data::stopped();
    data.edit("state.sqlite", "UPDATE payment SET version = 2 WHERE hex(id) LIKE '%0103'");
    data.check(&["verify"], 0, "10 records");
    data.check(&["replay"], 1, "payment: row 00000000000000000000000000000103");
    let finding = &data.json(&["replay"], 1)["findings"][0];
    assert_eq!((&finding["table"], &finding["id"]), (&"payment".into(), &format!("{:032x}", 0x103).into()));
    // The books are made from the journal, whatever the rows' file says.
    data.check(&["balance"], 0, "450 yen bonus");
}

#[test]
fn anchored_rows_are_compared_and_nothing_is_signed_over_a_finding() {
    let data = Data::stopped();
    let anchor = ["anchor", "--key", "key", "--anchors", "anchors"];
    data.check(&[anchor.as_slice(), &["--journal-only"]].concat(), 0, "record 10");
    assert_eq!(data.json(&["replay", "--anchors", "anchors", "--key", "key.pub"], 0)["roots"], 0);
    assert!(data.json(&anchor, 0)["rows"].is_string());
    data.check(&["replay", "--anchors", "anchors", "--key", "key.pub"], 0, "1 anchored roots of the rows compared");
    data.edit("journal.sqlite", "UPDATE journal SET at = at + 1 WHERE n = 7");
    data.check(&anchor, 1, "nothing was anchored");
    assert_eq!(data.json(&anchor, 1)["n"], Value::Null);
    data.check(&["verify", "--anchors", "anchors", "--key", "key.pub"], 1, "2 anchors believed");
}

#[test]
fn a_journal_put_back_to_an_older_copy_needs_anchors_to_be_found() {
    let data = Data::stopped();
    let verify = |key| ["verify", "--anchors", "anchors", "--key", key];
    data.check(&["anchor", "--key", "key", "--anchors", "anchors"], 0, "record 10 of 2026-01-01T00:00:09+09:00");
    for key in ["key", "key.pub"] {
        data.check(&verify(key), 0, "1 anchors believed");
    }
    data.edit(
        "journal.sqlite",
        "DELETE FROM journal WHERE n > 8; UPDATE lane SET n = 8, at = (SELECT at FROM journal WHERE n = 8),
         hash = (SELECT hash FROM journal WHERE n = 8)",
    );
    data.edit("state.sqlite", "UPDATE progress SET watermark = 0, requests_until = 0");
    data.check(&["verify"], 0, "8 records verified");
    data.check(&verify("key.pub"), 1, "the journal ends at record 8, record 10 was anchored");
    assert_eq!(data.json(&verify("key.pub"), 1)["findings"][0]["record"], Value::Null);
    // The key beside the anchors is the one that signed them.
    data.check(&["verify", "--anchors", "anchors"], 1, "the journal ends at record 8, record 10 was anchored");
    // Somebody else's key signs nothing that is believed.
    std::fs::write(data.path("other"), [1; 32]).expect("a key is written");
    data.check(&verify("other"), 1, "line 1 of the anchor file is invalid");
}

#[test]
fn an_anchor_file_without_an_anchor_is_no_clean_bill() {
    let data = Data::stopped();
    data.check(&["anchor", "--key", "key", "--anchors", "anchors"], 0, "record 10");
    data.check(&["verify", "--anchors", "anchors"], 0, "1 anchors believed");
    data.check(&["replay", "--anchors", "anchors"], 0, "1 anchored roots of the rows compared");
    for content in ["", "garbage\n"] {
        std::fs::write(data.path("anchors"), content).expect("the anchors are written over");
        for audit in ["verify", "replay"] {
            data.check(&[audit, "--anchors", "anchors"], 1, "no anchor is believed");
        }
    }
    data.check(&["anchor", "--key", "key", "--anchors", "anchors"], 1, "line 1 of the anchor file is invalid");
    std::fs::remove_file(data.path("anchors.pub")).expect("the key is taken away");
    data.check(&["verify", "--anchors", "anchors"], 1, "name the key that signed with --key");
}

#[test]
fn a_wallet_is_shown_as_it_was() {
    let data = Data::stopped();
    let as_of = |moment: &str| data.json(&["as-of", moment, "--wallet", &WALLET.to_string()], 0);
    for (moment, available, record) in [
        ("4", 0, 4),
        ("5", 500, 5),
        ("7", 480, 7),
        ("999", 450, 10),
        ("2026-01-01T00:00:05.999+09:00", 490, 6),
        ("2025-12-31T15:00:06Z", 480, 7),
        ("2030-01-01T00:00:00Z", 450, 10),
    ] {
        let wallet = as_of(moment);
        assert_eq!((&wallet["available"], &wallet["record"]), (&available.into(), &record.into()), "{moment}");
        assert_eq!((&wallet["status"], &wallet["tier"]), (&"open".into(), &"email".into()));
        assert_eq!(wallet["purses"]["bonus"]["lots"].as_array().map(Vec::len), Some(usize::from(available > 0)));
    }
    let id = WALLET.to_string();
    data.check(&["as-of", "7", "--wallet", &id], 0, "480 yen available, 0 held, 0 arriving");
    data.check(&["as-of", "7", "--wallet", &id], 0, "480 yen of campaign");
    data.check(&["as-of", "3", "--wallet", &id], 1, "there was no wallet");
    data.check(&["as-of", "2025-01-01T00:00:00Z", "--wallet", &id], 1, "there was no wallet");
}

#[test]
fn a_wrong_command_line_exits_2_and_says_what_it_should_be() {
    let data = Data::stopped();
    let id = WALLET.to_string();
    data.check(&["as-of", "yesterday", "--wallet", &id], 2, "neither a record's number nor a time");
    data.check(&["as-of", "99999999999999999999999", "--wallet", &id], 2, "no journal has so many records");
    data.check(&["as-of", "7", "--wallet", "a1"], 2, "an id here is `wlt_` and 32 lower-case hexadecimal digits");
    data.check(&["verify", "--key", "key"], 2, "--anchors");
}

#[test]
fn data_that_cannot_be_read_is_told_with_what_to_do() {
    let data = Data::stopped();
    for audit in ["verify", "replay", "balance"] {
        data.check(&[audit, "--data", "nowhere"], 1, "there is no journal at nowhere/journal.sqlite");
    }
    data.check(&["verify", "--anchors", "none", "--key", "none"], 1, "none");
    data.check(&["anchor", "--key", "data/wallet/key", "--anchors", "anchors"], 1, "keep the key elsewhere");
    assert!(!data.path("data/wallet/key").exists(), "no key was made there");
    std::fs::write(data.path("short"), [1; 7]).expect("a file is written");
    data.check(&["anchor", "--key", "short", "--anchors", "anchors"], 1, "a key has 32");

    data.edit("journal.sqlite", "PRAGMA user_version = 99");
    data.check(&["verify"], 1, "journal.sqlite has version 99");
    std::fs::write(data.path("data/wallet/journal.sqlite"), [7; 9000]).expect("the journal is overwritten");
    data.check(&["verify"], 1, "is not a database; restore it from a backup");
}

#[test]
fn help_teaches_with_an_example() {
    let data = Data::stopped();
    for audit in ["verify", "replay", "balance", "as-of", "anchor"] {
        data.check(&[audit, "--help"], 0, &format!("kinchaku audit {audit} "));
    }
}
