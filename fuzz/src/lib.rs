//! What the fuzz targets ask of any bytes, by the target's name, so that it can be asked without a fuzzer too: the seeds are run
//! through it each time they are written. Nothing of the product lives here.

use domain::{Id, Time};
use ed25519_dalek::SigningKey;
use engine::anchor::{Anchor, line_hash, sign};
use engine::decoders::{
    check_anchor_file, check_anchor_line, check_entry, check_filter, check_request_block, check_row,
};
use engine::vault::{Vault, VaultError};
use engine::{Head, Place};
use gateway::domain::Gateway;
use ledger::Ledger;
use sandbox::domain::World;
use server::decoders::Rows;
use std::cell::LazyCell;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::LazyLock;
use tempfile::TempDir;
use wallet::{
    BankAccountId, BonusId, CampaignId, CaseId, ContactId, GiveBackId, HolderId, MandateId, PaymentCodeId, PaymentId,
    PayoutId, PersonId, RefundId, ReimbursementId, SendId, ShopId, StaffId, SwitchId, TopUpId, VoucherId, WalletId,
    Wallets,
};
use web::decoders::{Signed, check_message, check_message_key, messages};

/// What a target asks of any bytes: it panics where a decoder's promise is broken, and says whether the bytes were understood.
pub type Check = fn(&[u8]) -> bool;

/// All targets by name. What the vault sealed nobody understands who has not its key.
pub const TARGETS: [(&str, Check); 25] = [
    ("anchor_file", |bytes| check_anchor_file(bytes, &FILE.0, &FILE.1)),
    ("anchor_line", |bytes| check_anchor_line(bytes, &LINES.0, &LINES.1)),
    ("bank_answer", gateway::decoders::check_bank_answer),
    ("client_file", gateway::decoders::check_client_file),
    ("clock_file", sandbox::clock::check_file),
    ("cursor", server::decoders::check_cursor),
    ("day_file", gateway::decoders::check_day_file),
    ("entry_gateway", check_entry::<Gateway>),
    ("entry_ledger", check_entry::<Ledger>),
    ("entry_sandbox", check_entry::<World>),
    ("entry_wallet", check_entry::<Wallets>),
    ("gateway_answer", server::decoders::check_gateway_answer),
    ("ids", check_id),
    ("jose_keys", web::decoders::check_keys),
    ("jose_token", |bytes| SIGNED.check(bytes)),
    ("notice_page", server::notices::check_page),
    ("request_block", check_request_block),
    ("request_filter", check_filter),
    ("row_gateway", check_row::<Gateway>),
    ("row_ledger", check_row::<Ledger>),
    ("row_sandbox", check_row::<World>),
    ("row_server", |bytes| ROWS.0.check(bytes)),
    ("row_wallet", check_row::<Wallets>),
    ("sealed", check_sealed),
    ("webhook", |bytes| check_message(bytes, &MESSAGES) || check_message_key(bytes)),
];

/// Asks what the target of this name asks; whether the bytes were understood.
pub fn run(target: &str, bytes: &[u8]) -> bool {
    let (_, check) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of that name");
    check(bytes)
}

/// The key of the engine's golden file, and the anchors there that it signed: they are among the seeds.
static LINES: LazyLock<(SigningKey, Vec<Anchor>)> = LazyLock::new(|| {
    let golden = include_str!("../../crates/engine/src/tests/golden.txt");
    let of_anchor =
        |line: &str| line.starts_with("anchor.").then(|| line.split_once(' ').map(|(_, json)| json.to_owned()));
    let anchors = golden.lines().filter_map(|line| of_anchor(line).flatten());
    let anchors = anchors.map(|json| serde_json::from_str(&json).expect("the anchor is read"));
    (SigningKey::from_bytes(&[7; 32]), anchors.collect())
});

/// A key, the three anchors that it signed, and the file that they make.
pub static FILE: LazyLock<(SigningKey, Vec<Anchor>, String)> = LazyLock::new(|| {
    let key = SigningKey::from_bytes(&[7; 32]);
    let (mut anchors, mut text, mut previous) = (Vec::new(), String::new(), String::new());
    for n in 1..=3 {
        let head = Head { epoch: 1, place: Place { lane: 1, n }, at: Time::default(), hash: [9; 32] };
        let anchor = sign(&key, "wallet", head, &previous, None);
        let line = serde_json::to_string(&anchor).expect("an anchor can be written");
        previous = line_hash(&line);
        text.push_str(&line);
        text.push('\n');
        anchors.push(anchor);
    }
    (key, anchors, text)
});

/// Two keys and what they signed, and the messages that another one did.
static SIGNED: LazyLock<Signed> = LazyLock::new(Signed::new);
static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(messages);

/// The tables of the service's own files; the directory goes with them.
static ROWS: LazyLock<(Rows, TempDir)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory for the files");
    (Rows::open(directory.path()).expect("the files open"), directory)
});

fn is_one<T: FromStr + Display>(text: &str) -> bool {
    let Ok(id) = text.parse::<T>() else { return false };
    assert_eq!(id.to_string(), text, "an id has one text");
    true
}

/// Every kind of id of the wallet's, by its name.
pub const IDS: [(&str, fn(&str) -> bool); 21] = [
    ("HolderId", is_one::<HolderId>),
    ("PersonId", is_one::<PersonId>),
    ("WalletId", is_one::<WalletId>),
    ("BankAccountId", is_one::<BankAccountId>),
    ("MandateId", is_one::<MandateId>),
    ("TopUpId", is_one::<TopUpId>),
    ("VoucherId", is_one::<VoucherId>),
    ("PaymentCodeId", is_one::<PaymentCodeId>),
    ("PaymentId", is_one::<PaymentId>),
    ("RefundId", is_one::<RefundId>),
    ("SendId", is_one::<SendId>),
    ("PayoutId", is_one::<PayoutId>),
    ("ShopId", is_one::<ShopId>),
    ("CampaignId", is_one::<CampaignId>),
    ("BonusId", is_one::<BonusId>),
    ("ContactId", is_one::<ContactId>),
    ("SwitchId", is_one::<SwitchId>),
    ("GiveBackId", is_one::<GiveBackId>),
    ("StaffId", is_one::<StaffId>),
    ("CaseId", is_one::<CaseId>),
    ("ReimbursementId", is_one::<ReimbursementId>),
];

/// The wallet's ids as texts: any text is malformed, or the one text of its id, of one kind.
fn check_id(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let count = IDS.iter().filter(|(_, is_one)| is_one(text)).count();
    assert!(count <= 1, "{text:?} is an id of two kinds");
    count == 1
}

const PERSON: Id = Id::from_number(1);

thread_local! {
    /// A vault with a key for the person; the directory goes with it.
    static VAULT: LazyCell<(Vault, TempDir)> = LazyCell::new(|| {
        let directory = tempfile::tempdir().expect("a directory for the vault");
        let mut count = 0_u8;
        let chance = Box::new(move |bytes: &mut [u8]| {
            count = count.wrapping_add(1);
            bytes.fill(count);
        });
        let mut vault =
            Vault::open(directory.path(), &directory.path().join("master.key"), chance).expect("the vault opens");
        vault.seal(PERSON, b"").expect("it is sealed");
        (vault, directory)
    });
}

/// What a vault sealed: any bytes are refused, for nobody can seal without the key.
fn check_sealed(bytes: &[u8]) -> bool {
    VAULT.with(|vault| assert_eq!(vault.0.unseal(PERSON, bytes), Err(VaultError::Sealed)));
    false
}
