//! Writes valid bytes into `corpus/TARGET`, for the fuzzer to start from: what the golden files of the crates hold, and the
//! entries and rows that the golden events come to. Then it runs all that is in `corpus`, what a fuzzer found before too, through
//! the targets, without a fuzzer: what is valid must be understood. Run from this folder: `cargo run --example seeds`.

use domain::{Domain, Id, Key};
use engine::{Actor, ActorKind, Entry, Outcome, Place, Request, Touch};
use gateway::domain::Gateway;
use ledger::Yen;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wallet::{Event, Refusal, Row, Wallets};

const ENGINE: &str = include_str!("../../crates/engine/src/tests/golden.txt");
const GATEWAY: &str = include_str!("../../crates/gateway/src/domain/tests/golden.txt");
const WALLET: &str = include_str!("../../crates/wallet/src/tests/golden.txt");

fn main() -> std::io::Result<()> {
    for (name, text) in ENGINE.lines().filter_map(|line| line.split_once(' ')) {
        let target = match name.split('.').next() {
            Some("request_block") => "request_block",
            Some("request_filter") => "request_filter",
            Some("vault") => "sealed",
            Some("anchor") => {
                save("anchor_line", name, text.as_bytes())?;
                continue;
            }
            _ => continue,
        };
        save(target, name, &from_hex(text))?;
    }
    save("anchor_file", "three", fuzz::FILE.2.as_bytes())?;
    save("ids", "case", wallet::CaseId(Id::from_number(0xdef)).to_string().as_bytes())?;
    save("ids", "wallet", wallet::WalletId(Id::from_number(0xabc)).to_string().as_bytes())?;
    save("ids", "staff", wallet::StaffId(Id::from_number(u128::MAX)).to_string().as_bytes())?;
    save("ids", "reimbursement", wallet::ReimbursementId(Id::from_number(5)).to_string().as_bytes())?;
    every_id_is_asked_for();
    save_outside()?;
    save_wallet()?;
    save_gateway()?;
    save_sandbox()?;
    save_ledger()?;
    run_all()
}

/// A kind of id that the target does not know would be one that nobody fuzzes.
fn every_id_is_asked_for() {
    let source = include_str!("../../crates/wallet/src/ids.rs");
    let (_, list) = source.split_once("domain::ids! {").expect("the list of ids");
    let (list, _) = list.split_once("\n}").expect("the end of the list");
    let names = list.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names: Vec<&str> = names.filter_map(|line| line.split_once(',')).map(|(name, _)| name.trim()).collect();
    let known: Vec<&str> = fuzz::IDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(known, names, "the target `ids` knows every kind of id");
}

/// What comes from outside, as each service has its examples.
fn save_outside() -> std::io::Result<()> {
    let signed = web::decoders::Signed::new();
    let texts: [(&str, Vec<String>); 8] = [
        ("bank_answer", gateway::decoders::bank_answers()),
        ("client_file", gateway::decoders::client_files()),
        ("cursor", vec![server::decoders::cursor()]),
        ("gateway_answer", server::decoders::gateway_answers().map(str::to_owned).to_vec()),
        ("jose_keys", web::decoders::written_keys()),
        ("jose_token", signed.tokens),
        ("clock_file", vec![r#"{"offset_ms":1,"frozen_at_ms":1790000000000,"latest_ms":0}"#.to_owned()]),
        ("row_server", server::decoders::rows()),
    ];
    for (target, texts) in texts {
        for (index, text) in texts.iter().enumerate() {
            save(target, &index.to_string(), text.as_bytes())?;
        }
    }
    for (target, files) in [("day_file", gateway::decoders::day_files()), ("webhook", web::decoders::messages())] {
        for (index, bytes) in files.iter().enumerate() {
            save(target, &index.to_string(), bytes)?;
        }
    }
    Ok(())
}

/// Runs each file of each corpus through its target. A target without one would prove nothing.
fn run_all() -> std::io::Result<()> {
    for (target, check) in fuzz::TARGETS {
        let mut count = 0;
        for file in std::fs::read_dir(corpus(target))? {
            check(&std::fs::read(file?.path())?);
            count += 1;
        }
        println!("{target}: {count} inputs");
    }
    Ok(())
}

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

/// Each golden event of the gateway's in an entry of its own, the rows that they come to, and a page without a notice.
fn save_gateway() -> std::io::Result<()> {
    save("notice_page", "empty", &[1, 0, 1])?;
    let mut rows: BTreeMap<Key, Option<gateway::domain::Row>> = BTreeMap::new();
    for (index, hex) in GATEWAY.lines().filter(|line| !line.contains(' ')).enumerate() {
        let event: gateway::domain::Event = postcard::from_bytes(&from_hex(hex)).expect("a golden event is read");
        let mut keys = Vec::new();
        Gateway::touches(&event, &mut keys);
        for key in &keys {
            let row = rows.entry(*key).or_default();
            Gateway::evolve(*key, row, &event);
            // Some events remove a row.
            if let Some(row) = row {
                save_row("row_gateway", &format!("{index}-{}", key.table.0), row)?;
            }
        }
        let outcome = Outcome::Refused(gateway::domain::Refusal::ClockDrifted);
        let entry = entry::<Gateway>(&keys, vec![event], outcome);
        save("entry_gateway", &index.to_string(), &entry.encode().expect("an entry can be stored"))?;
    }
    Ok(())
}

/// Each golden event in an entry of its own, and every row that the events come to.
fn save_wallet() -> std::io::Result<()> {
    let mut rows: BTreeMap<Key, Option<Row>> = BTreeMap::new();
    let events = WALLET.lines().filter(|line| !line.starts_with("  ")).filter_map(|line| line.split_once(' '));
    for (index, (name, hex)) in events.filter(|(name, _)| *name != "chapters").enumerate() {
        let event: Event = postcard::from_bytes(&from_hex(hex)).expect("a golden event is read");
        let mut keys = Vec::new();
        Wallets::touches(&event, &mut keys);
        for key in &keys {
            let row = rows.entry(*key).or_default();
            Wallets::evolve(*key, row, &event);
            save_row("row_wallet", &format!("{index}-{}", key.table.0), row.as_ref().expect("no row is removed"))?;
        }
        let outcome = Outcome::Refused(Refusal::ClockDrifted);
        let entry = entry::<Wallets>(&keys, vec![event], outcome);
        save("entry_wallet", &format!("{index}-{name}"), &entry.encode().expect("an entry can be stored"))?;
    }
    Ok(())
}

/// A few rows of the simulated world, and an entry of a refusal: the rest the fuzzer finds.
fn save_sandbox() -> std::io::Result<()> {
    save_row("row_sandbox", "inbox", &sandbox::domain::Row::Inbox { messages: 3 })?;
    save_row("row_sandbox", "inquiry", &sandbox::domain::Row::Inquiry { first_at: domain::Time::default() })?;
    let keys = [Key::new(sandbox::domain::table::MOVEMENT, Id::from_number(1))];
    let entry = entry::<sandbox::domain::World>(&keys, Vec::new(), Outcome::Done(sandbox::domain::Receipt::Done));
    save("entry_sandbox", "done", &entry.encode().expect("an entry can be stored"))
}

fn save_ledger() -> std::io::Result<()> {
    let (debit, credit) = (Id::from_number(1), Id::from_number(2));
    let amount = Yen::new(5_000);
    let receipt = ledger::Receipt::Transferred { id: debit, amount };
    let rule = ledger::Rule::Free;
    let events = [
        ledger::Event::AccountOpened { id: debit, rule },
        ledger::Event::AccountOpened { id: credit, rule },
        ledger::Event::Held { id: Id::from_number(3), debit, credit, amount, expires_at: None },
    ];
    let mut rows = BTreeMap::new();
    for (index, event) in events.into_iter().enumerate() {
        let mut keys = Vec::new();
        ledger::Ledger::touches(&event, &mut keys);
        for key in &keys {
            let row = rows.entry(*key).or_default();
            ledger::Ledger::evolve(*key, row, &event);
            save_row("row_ledger", &format!("{index}-{}", key.table.0), row.as_ref().expect("no row is removed"))?;
        }
        let entry = entry::<ledger::Ledger>(&keys, vec![event], Outcome::Done(receipt));
        save("entry_ledger", &index.to_string(), &entry.encode().expect("an entry can be stored"))?;
    }
    Ok(())
}

fn entry<D: Domain>(keys: &[Key], events: Vec<D::Event>, outcome: Outcome<D>) -> Entry<D> {
    let touch = |key: &Key| Touch { key: *key, version: 1, previous: Place { lane: 1, n: 1 } };
    Entry {
        actor: Actor { kind: ActorKind::Holder, id: Id::from_number(1) },
        command: "a.command".into(),
        reason: Some("a reason".into()),
        request: Some(Request { key: [1; 16], body: [2; 16] }),
        touched: keys.iter().map(touch).collect(),
        events,
        outcome,
    }
}

/// A row as the embedded store keeps it: a format byte, then the row.
fn save_row(target: &str, name: &str, row: &impl Serialize) -> std::io::Result<()> {
    let bytes = postcard::to_extend(row, vec![1]).expect("a row can be stored");
    save(target, name, &bytes)
}

fn save(target: &str, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let is_sealed = target == "sealed";
    assert!(fuzz::run(target, bytes) != is_sealed, "{target}: {name} is valid, and only what is sealed stays shut");
    let folder = corpus(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digits).collect()
}
