//! `kinchaku audit`: is the journal what was written, do the rows follow from it, do the books balance, what was when.
//!
//! Everything here reads in short pages and writes nothing but anchors, so it may run beside the engine. Findings are the
//! output, one a line; what they mean is said by whoever found them. Start reading at [`run`].

mod as_of;

use crate::progress::Shown;
use clap::{Args, Subcommand};
use domain::{Domain, Key};
use engine::anchor;
use engine::audit::{self, Anchors, Finding, RowFinding};
use engine::sqlite::SqliteJournal;
use engine::{Head, StoreError};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wallet::books::{Books, Issued, Open, OpenMovement};
use wallet::{Purse, Row, Wallets};

/// Movements in doubt that are told one by one for each bank; `--json` has all of them.
const IN_DOUBT_LISTED_MAX: usize = 100;

/// What is looked into.
#[derive(Subcommand)]
pub enum Audit {
    /// Checks that no record was changed, removed, added, moved, cut off or rewritten, and names those that were.
    #[command(after_help = VERIFY_HELP)]
    Verify(Verify),
    /// Replays the journal from its first record, and compares every stored row at the version that it has.
    #[command(after_help = REPLAY_HELP)]
    Replay(Verify),
    /// Adds up the books from the journal alone: debits and credits, purses and lots, movements and accounts, mandates.
    #[command(after_help = BALANCE_HELP)]
    Balance(Data),
    /// Shows a wallet as it was.
    #[command(after_help = AS_OF_HELP)]
    AsOf(as_of::AsOf),
    /// Signs how far the journal has come and appends that to an anchor file, for a later `verify --anchors`.
    #[command(after_help = ANCHOR_HELP)]
    Anchor(Anchor),
}

const VERIFY_HELP: &str = "\
Without anchors, a journal that was rewritten from some record on to its end, or put back to an older copy, looks whole. \
`kinchaku serve` anchors each service's journal, unless it is told otherwise in ./data/anchors.

The key is the file of --key, or else the one beside the anchor file that has `.pub` at its end. Whoever can change both can \
sign anchors of their own: keep a copy of the public key elsewhere, and name that one.

Examples:
  kinchaku audit verify --data ./data/wallet --anchors ./data/anchors/wallet.jsonl
  kinchaku audit verify --data ./data/wallet --anchors /mnt/elsewhere/anchors.jsonl --key ./anchor.key.pub

Exit code: 0 nothing was found, 1 something was found or the journal cannot be read, 2 the command line is wrong.";

const REPLAY_HELP: &str = "\
Rows that were edited in state.sqlite are named with their table and id. A wrong state.sqlite may be deleted while the \
engine is stopped: it is rebuilt from the journal. With anchors, the rows that the journal makes are also compared with \
those that `audit anchor` signed: so this program makes the same rows of the past as the one that signed. The journal's chain \
is checked on the way; `audit verify` says what was done to it.

Examples:
  kinchaku audit replay --data ./data/wallet --json
  kinchaku audit replay --data ./data/wallet --anchors /mnt/elsewhere/anchors.jsonl --key ./anchor.key.pub";

const BALANCE_HELP: &str = "\
What is checked: all debits equal all credits, posted and pending; no purse is overdrawn; each purse is the sum of its \
lots, and each lot came with a movement that brought so much; every account is the sum of the movements that fill it, \
posted and pending; what was issued into a wallet is still in it, or was redeemed, returned, taken back, lapsed or waits in \
suspense, and is shown in all; what is held or arriving in a wallet is what its open movements say; what its holder owes \
stands in its receivable account; no bank account has two live mandates. What is open at each bank is listed: by that, and by \
nothing else, the bank's statement may differ. The journal's chain is checked on the \
way; `audit verify` says what was done to it.

Example:
  kinchaku audit balance --data ./data/wallet";

const AS_OF_HELP: &str = "\
Example:
  kinchaku audit as-of 2026-01-31T23:59:59+09:00 --wallet wlt_0190a6c2f4b87d3c9e1f2a3b4c5d6e7f
  kinchaku audit as-of 1048576 --wallet wlt_0190a6c2f4b87d3c9e1f2a3b4c5d6e7f --json";

const ANCHOR_HELP: &str = "\
The journal and the anchors that are there are verified first: what is not whole is not signed. An anchor holds the last \
record's place and hash, and the root of all rows that the journal makes: that takes a replay, which --journal-only \
leaves out.

Keep the key and the anchor file where whoever can edit the data directory cannot reach them. The key is made if its \
file is missing (32 bytes, readable by its owner alone), and the public key is written beside it and beside the anchor \
file, with `.pub` at the end: 64 hexadecimal digits, all that `verify` needs.

Example:
  kinchaku audit anchor --data ./data/wallet --key ./anchor.key --anchors /mnt/elsewhere/anchors.jsonl";

/// Which data, and how to print.
#[derive(Args)]
pub struct Data {
    /// The data directory of one service's engine.
    #[arg(long, default_value = "./data/wallet")]
    data: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// How `audit verify` and `audit replay` run.
#[derive(Args)]
pub struct Verify {
    #[command(flatten)]
    data: Data,
    /// The anchor file: the journal must be the one that was anchored.
    #[arg(long)]
    anchors: Option<PathBuf>,
    /// The key that signed the anchors: the public key's file (64 hexadecimal digits) or the private key's (32 bytes).
    /// Without it, the anchor file's name with `.pub` at its end.
    #[arg(long, requires = "anchors")]
    key: Option<PathBuf>,
}

/// How `audit anchor` runs.
#[derive(Args)]
pub struct Anchor {
    #[command(flatten)]
    data: Data,
    /// The private key's file, made if it is missing; outside the data directory.
    #[arg(long)]
    key: PathBuf,
    /// The anchor file that is appended to.
    #[arg(long)]
    anchors: PathBuf,
    /// Leave out the root of the rows: the journal is verified and not replayed.
    #[arg(long)]
    journal_only: bool,
}

/// Runs what was asked; 1 if something was found, or if it could not run.
pub fn run(audit: &Audit) -> ExitCode {
    let report = match audit {
        Audit::Verify(arguments) => run_verify(arguments),
        Audit::Replay(arguments) => run_replay(arguments),
        Audit::Balance(data) => run_balance(data),
        Audit::AsOf(arguments) => as_of::run(arguments),
        Audit::Anchor(arguments) => run_anchor(arguments),
    };
    match report {
        Ok(report) => report.print(audit.data().json),
        Err(why) => complain(&why),
    }
}

impl Audit {
    const fn data(&self) -> &Data {
        match self {
            Self::Verify(arguments) | Self::Replay(arguments) => &arguments.data,
            Self::Balance(data) => data,
            Self::AsOf(arguments) => arguments.data(),
            Self::Anchor(arguments) => &arguments.data,
        }
    }
}

/// What an audit came to.
struct Report {
    json: Value,
    lines: Vec<String>,
    clean: bool,
}

impl Report {
    #[expect(clippy::print_stdout, reason = "what was found is the command's output")]
    fn print(&self, json: bool) -> ExitCode {
        if json {
            println!("{}", self.json);
        } else {
            self.lines.iter().for_each(|line| println!("{line}"));
        }
        if self.clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

#[expect(clippy::print_stderr, reason = "the command says why it failed")]
fn complain(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

fn why(error: &StoreError) -> String {
    error.to_string()
}

fn head(data: &Data) -> Result<Head, String> {
    SqliteJournal::open(&data.data).and_then(|journal| journal.head()).map_err(|error| why(&error))
}

impl Verify {
    fn anchors(&self) -> Result<Option<Anchors>, String> {
        let Some(file) = &self.anchors else { return Ok(None) };
        let path = self.key.clone().unwrap_or_else(|| anchor::public_key_file(file));
        let key = anchor::load_verifying_key(&path).map_err(|error| {
            let name_it = if self.key.is_none() { "; name the key that signed with --key" } else { "" };
            format!("the key of the anchors, {}: {error}{name_it}", path.display())
        })?;
        Ok(Some(Anchors { file: file.clone(), key }))
    }
}

fn verify(data: &Data, anchors: Option<&Anchors>) -> Result<audit::Verified, String> {
    let of = head(data)?.place.n;
    let shown = Shown::default();
    let verified = audit::verify(&data.data, anchors, &mut |done| shown.show("records verified", done, of));
    shown.end();
    verified.map_err(|error| why(&error))
}

fn run_verify(arguments: &Verify) -> Result<Report, String> {
    let anchors = arguments.anchors()?;
    let verified = verify(&arguments.data, anchors.as_ref())?;
    let record = |finding: &Finding| Some(finding.first()).filter(|n| (1..i64::MAX).contains(n));
    let mut lines: Vec<String> = verified.findings.iter().map(ToString::to_string).collect();
    lines.extend(verified.more_findings.then(|| "and more".to_owned()));
    let last = verified.head;
    lines.push(format!("{} records verified; the last is {} of {}", verified.records, last.place.n, last.at));
    lines.push(match &anchors {
        Some(_) => format!("{} anchors believed", verified.anchors),
        None => "no anchors given: a journal rewritten to its end, or an older copy, would look whole".into(),
    });
    let findings: Vec<Value> = verified
        .findings
        .iter()
        .map(|finding| json!({ "record": record(finding), "finding": finding.to_string() }))
        .collect();
    let json = json!({
        "records": verified.records,
        "head": { "n": last.place.n, "at": last.at.to_string() },
        "anchors": anchors.map(|_| verified.anchors),
        "findings": findings,
        "more_findings": verified.more_findings,
    });
    Ok(Report { json, lines, clean: verified.findings.is_empty() })
}

fn run_replay(arguments: &Verify) -> Result<Report, String> {
    let anchors = arguments.anchors()?;
    let replayed = replay(&arguments.data, anchors.as_ref(), "records replayed", &mut |_, _| {})?;
    let mut lines: Vec<String> = replayed.findings.iter().map(row_finding).collect();
    lines.extend(replayed.more_findings.then(|| "and more".to_owned()));
    lines.extend(replayed.root_findings.iter().map(ToString::to_string));
    lines.extend(replayed.anchor_findings.iter().map(ToString::to_string));
    lines.extend(replayed.unchained.map(unchained));
    lines.push(format!(
        "{} records make {} rows; {} stored rows compared",
        replayed.records, replayed.rows, replayed.compared
    ));
    lines.extend(anchors.is_some().then(|| format!("{} anchored roots of the rows compared", replayed.roots)));
    let findings: Vec<Value> = replayed
        .findings
        .iter()
        .map(|finding| {
            let key = finding.key();
            json!({ "table": table_name(key), "id": key.id.to_string(), "finding": finding.to_string() })
        })
        .collect();
    let json = json!({
        "records": replayed.records,
        "rows": replayed.rows,
        "compared": replayed.compared,
        "findings": findings,
        "more_findings": replayed.more_findings,
        "roots": anchors.map(|_| replayed.roots),
        "root_findings": replayed.root_findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "anchor_findings": replayed.anchor_findings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "unchained": replayed.unchained,
    });
    let clean = replayed.findings.is_empty()
        && replayed.root_findings.is_empty()
        && replayed.anchor_findings.is_empty()
        && replayed.unchained.is_none();
    Ok(Report { json, lines, clean })
}

fn unchained(n: u64) -> String {
    format!("record {n} is not what was written: `kinchaku audit verify` says what was done to the journal")
}

fn replay(
    data: &Data,
    anchors: Option<&Anchors>,
    stage: &'static str,
    visit: &mut dyn FnMut(Key, &Row),
) -> Result<audit::Replayed, String> {
    let of = head(data)?.place.n;
    let shown = Shown::default();
    let replayed = audit::replay::<Wallets>(&data.data, anchors, visit, &mut |done| shown.show(stage, done, of));
    shown.end();
    replayed.map_err(|error| why(&error))
}

fn table_name(key: Key) -> &'static str {
    Wallets::TABLES.get(usize::from(key.table.0)).map_or("unknown", |spec| spec.name)
}

fn row_finding(finding: &RowFinding) -> String {
    format!("{}: {finding}", table_name(finding.key()))
}

/// What the wallets have in them together.
#[derive(Default)]
struct Outstanding {
    wallets: u64,
    purses: [i64; 3],
    held: i64,
    arriving: i64,
}

impl Outstanding {
    fn add(&mut self, row: &Row) {
        let Row::Wallet(wallet) = row else { return };
        self.wallets += 1;
        for (sum, purse) in self.purses.iter_mut().zip(Purse::ALL) {
            *sum = sum.saturating_add(wallet.purse(purse).account.credit_balance());
        }
        self.held = self.held.saturating_add(wallet.held().amount());
        self.arriving = self.arriving.saturating_add(wallet.arriving().amount());
    }
}

fn run_balance(data: &Data) -> Result<Report, String> {
    let (mut books, mut outstanding) = (Books::default(), Outstanding::default());
    let replayed = replay(data, None, "records added up", &mut |key, row| {
        books.add(key, row);
        outstanding.add(row);
    })?;
    // Stored rows that differ are for `replay` to tell; a record that does not follow makes the books themselves doubtful.
    let doubtful = replayed.findings.iter().filter(|finding| match finding {
        RowFinding::Gap { .. } | RowFinding::Defect { .. } => true,
        RowFinding::Differs { .. }
        | RowFinding::Unknown { .. }
        | RowFinding::Missing { .. }
        | RowFinding::Lags { .. } => false,
    });
    let mut lines: Vec<String> = doubtful.map(row_finding).collect();
    lines.extend(replayed.unchained.map(unchained));
    let (open, issued) = (books.open(), books.issued());
    lines.extend(books.findings().iter().map(ToString::to_string));
    let findings = lines.clone();
    let [bonus, prepaid, funds] = outstanding.purses;
    let Outstanding { wallets, held, arriving, .. } = outstanding;
    lines.push(format!("{} records, {} rows, {wallets} wallets", replayed.records, replayed.rows));
    lines.push(format!("outstanding: {funds} yen funds, {prepaid} yen prepaid, {bonus} yen bonus"));
    lines.push(format!("of these held: {held} yen; arriving: {arriving} yen"));
    lines.push(issued_line(&issued));
    lines.extend(open_lines(&open));
    let json = json!({
        "records": replayed.records,
        "rows": replayed.rows,
        "wallets": wallets,
        "outstanding": { "funds": funds, "prepaid": prepaid, "bonus": bonus },
        "held": held,
        "arriving": arriving,
        "issued": issued_json(&issued),
        "open": open.iter().map(open_json).collect::<Vec<_>>(),
        "findings": findings,
    });
    Ok(Report { json, clean: findings.is_empty(), lines })
}

/// Where the money is that was issued: what stands before the equals sign is the sum of what stands behind it.
fn issued_line(issued: &Issued) -> String {
    let Issued { issued, outstanding, redeemed, returned, clawed_back, lapsed, waiting, owed, written_off } = issued;
    format!(
        "issued: {issued} yen = {outstanding} outstanding + {redeemed} paid to shops + {returned} paid out or given back + \
         {clawed_back} taken back by banks + {lapsed} lapsed + {waiting} waiting in suspense - {owed} owed - \
         {written_off} written off"
    )
}

fn issued_json(issued: &Issued) -> Value {
    let Issued { issued, outstanding, redeemed, returned, clawed_back, lapsed, waiting, owed, written_off } = issued;
    let yen = |sum: &i128| i64::try_from(*sum).ok();
    json!({
        "issued": yen(issued),
        "outstanding": yen(outstanding),
        "redeemed": yen(redeemed),
        "returned": yen(returned),
        "clawed_back": yen(clawed_back),
        "lapsed": yen(lapsed),
        "waiting": yen(waiting),
        "owed": yen(owed),
        "written_off": yen(written_off),
    })
}

/// What is open at the banks: how much at each, and each movement that is in doubt.
fn open_lines(open: &[Open]) -> Vec<String> {
    let mut lines = Vec::new();
    for at_bank in open.chunk_by(|one, other| one.bank == other.bank) {
        let sum: i64 = at_bank.iter().map(|open| open.amount.amount()).sum();
        let bank = at_bank[0].bank;
        lines.push(format!(
            "open at bank {bank}: {} movements, {sum} yen; its statement may have them or not",
            at_bank.len()
        ));
        for open in at_bank.iter().filter(|open| open.in_doubt).take(IN_DOUBT_LISTED_MAX) {
            lines.push(format!("  {} is in doubt: {} yen", open_id(open), open.amount.amount()));
        }
    }
    lines
}

fn open_json(open: &Open) -> Value {
    json!({
        "bank": open.bank.to_string(),
        "movement": open_id(open),
        "amount": open.amount.amount(),
        "in_doubt": open.in_doubt,
    })
}

fn open_id(open: &Open) -> String {
    match open.movement {
        OpenMovement::TopUp(top_up) => top_up.to_string(),
        OpenMovement::Payout(payout) => payout.to_string(),
        OpenMovement::Reimbursement(reimbursement) => reimbursement.to_string(),
    }
}

fn run_anchor(arguments: &Anchor) -> Result<Report, String> {
    let Anchor { data, key, anchors, journal_only } = arguments;
    let journal = SqliteJournal::open(&data.data).map_err(|error| why(&error))?;
    let head = journal.head().map_err(|error| why(&error))?;
    if head.place.n == 0 {
        return Err(format!("the journal in {} has no record yet: there is nothing to anchor", data.data.display()));
    }
    if is_inside(key, &data.data) {
        return Err(format!(
            "{} lies in the data directory: whoever edits the journal could sign it too; keep the key elsewhere",
            key.display()
        ));
    }
    let (signing, public) = signing_key(key)?;
    let earlier = Anchors { file: anchors.clone(), key: signing.verifying_key() };
    let has_anchors = fs::metadata(anchors).is_ok_and(|metadata| metadata.len() > 0);
    let verified = verify(data, has_anchors.then_some(&earlier))?;
    if !verified.findings.is_empty() {
        return Ok(unsigned(&verified));
    }
    // The head of what was verified: the engine may have gone on since.
    let head = verified.head;
    let rows = if *journal_only { None } else { Some(rows_root(data, head.place.n)?) };
    let anchored = anchor::append(anchors, &signing, journal.domain(), head, rows)
        .map_err(|error| format!("the anchor file {}: {error}", anchors.display()))?;
    anchor::publish_key(anchors, &signing).map_err(|error| format!("the public key beside the anchors: {error}"))?;
    let line = format!("record {} of {} is anchored in {}", anchored.n, head.at, anchors.display());
    let json = json!({
        "n": anchored.n,
        "at": head.at.to_string(),
        "hash": anchored.hash,
        "rows": anchored.rows,
        "public_key": public,
        "findings": [],
    });
    Ok(Report { json, lines: vec![line], clean: true })
}

fn rows_root(data: &Data, n: u64) -> Result<String, String> {
    let shown = Shown::default();
    let root = audit::rows_root::<Wallets>(&data.data, n, &mut |done| shown.show("records replayed", done, n));
    shown.end();
    root.map_err(|error| why(&error))
}

/// What was found before anything was signed.
fn unsigned(verified: &audit::Verified) -> Report {
    let mut lines: Vec<String> = verified.findings.iter().map(ToString::to_string).collect();
    let json = json!({ "n": null, "findings": lines });
    lines.push("nothing was anchored: look into these first".into());
    Report { json, lines, clean: false }
}

/// The key in the file, made if it is missing, and where its public half lies.
fn signing_key(key: &Path) -> Result<(anchor::SigningKey, PathBuf), String> {
    let mut no_chance = None;
    let signing = anchor::load_or_make_key(key, &mut |bytes| no_chance = getrandom::fill(bytes).err())
        .map_err(|error| format!("the key {}: {error}", key.display()))?;
    if let Some(error) = no_chance {
        drop(fs::remove_file(key));
        return Err(format!("the system gives no chance to make a key from: {error}"));
    }
    let public =
        anchor::publish_key(key, &signing).map_err(|error| format!("the public key of {}: {error}", key.display()))?;
    Ok((signing, public))
}

/// Whether `file`, which may not be there yet, would lie below `directory`.
fn is_inside(file: &Path, directory: &Path) -> bool {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (parent.canonicalize(), directory.canonicalize()) {
        (Ok(parent), Ok(directory)) => parent.starts_with(directory),
        (Err(_), _) | (_, Err(_)) => false,
    }
}
