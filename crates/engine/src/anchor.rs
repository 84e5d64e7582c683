//! Anchors: signed statements of how far the journal had come, kept where whoever edits the database cannot reach them.
//!
//! The journal's chain shows edits that were not repaired; it cannot show a chain that was rewritten as a whole, a tail
//! that was cut, or files that were put back to an older copy. An anchor can: it names a record and its hash, is signed
//! with a key that lies outside the database, and names the anchor before it. A thread appends one every so many records
//! and at the stop; the commit only tells it the head.
//!
//! An anchor may also hold the root of all rows. The chain fixes the records, and rows follow from records by the program's
//! code; so the root proves one thing more: that the program of today makes of the same past the same rows as the one that
//! signed. It costs a replay, so the thread leaves it out, and `kinchaku audit anchor` computes it.
//! Start reading at [`sign`] and [`Anchorer`].

use crate::sqlite::{Gauges, lock};
use crate::store::{Head, StoreError};
use crate::witness::Witness;
pub use ed25519_dalek::SigningKey;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Records after which an anchor is due.
pub const ANCHOR_RECORDS_MAX: u64 = 1_000_000;
/// Seconds after which an anchor is due, if there are new records.
pub const ANCHOR_SECONDS_MAX: u64 = 60;
/// The longest line of an anchor file.
pub(crate) const ANCHOR_LINE_BYTES_MAX: usize = 4_096;
/// How far from the file's end the last whole line is looked for: behind it there is at most one that was cut off.
const LAST_LINE_WITHIN_BYTES: u64 = 2 * 4_096;

/// One line of an anchor file. Hashes, keys and the signature are hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The domain whose journal it is.
    pub domain: String,
    /// The journal's lane.
    pub lane: u16,
    /// The lane's epoch.
    pub epoch: u64,
    /// The number of the last record; there are as many records.
    pub n: u64,
    /// The last record's time, in milliseconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// The last record's hash.
    pub hash: String,
    /// The hash of the anchor file's line before; empty for the first.
    pub previous: String,
    /// The root of all rows as the records up to `n` make them (see [`crate::audit::rows_root`]), where it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// The signature over all of these.
    pub signature: String,
}

impl Anchor {
    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"kinchaku anchor 1\0".to_vec();
        for text in [&self.domain, &self.hash, &self.previous] {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(&self.lane.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.n.to_be_bytes());
        bytes.extend_from_slice(&self.at.to_be_bytes());
        if let Some(rows) = &self.rows {
            bytes.extend_from_slice(rows.as_bytes());
        }
        bytes
    }

    /// Whether `key` signed the anchor as it stands.
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        let mut signature = [0_u8; 64];
        let Some(bytes) = from_hex(&self.signature) else { return false };
        if bytes.len() != signature.len() {
            return false;
        }
        signature.copy_from_slice(&bytes);
        key.verify_strict(&self.signed_bytes(), &Signature::from_bytes(&signature)).is_ok()
    }

    /// Whether `key` signed it as it stands, for the journal of `domain` in `lane`.
    pub(crate) fn is_of(&self, key: &VerifyingKey, domain: &str, lane: u16) -> bool {
        self.domain == domain && self.lane == lane && self.is_signed_by(key)
    }
}

/// The anchor of `head`, signed; `previous` is the hash of the line before, `rows` the root of the rows if it is known.
pub fn sign(key: &SigningKey, domain: &str, head: Head, previous: &str, rows: Option<String>) -> Anchor {
    let mut anchor = Anchor {
        domain: domain.to_owned(),
        lane: head.place.lane,
        epoch: head.epoch,
        n: head.place.n,
        at: head.at.milliseconds(),
        hash: to_hex(&head.hash),
        previous: previous.to_owned(),
        rows,
        signature: String::new(),
    };
    anchor.signature = to_hex(&key.sign(&anchor.signed_bytes()).to_bytes());
    anchor
}

/// The hash by which the next line names this one.
pub fn line_hash(line: impl AsRef<[u8]>) -> String {
    to_hex(blake3::hash(line.as_ref()).as_bytes())
}

/// Signs `head`, and the root of the rows if it is known, and appends that to the file at `path`, durably.
pub fn append(
    path: &Path,
    key: &SigningKey,
    domain: &str,
    head: Head,
    rows: Option<String>,
) -> std::io::Result<Anchor> {
    append_after(path, key, domain, head, rows).map(|(anchor, _)| anchor)
}

/// The same, with the anchor of the line before.
fn append_after(
    path: &Path,
    key: &SigningKey,
    domain: &str,
    head: Head,
    rows: Option<String>,
) -> std::io::Result<(Anchor, Option<Anchor>)> {
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    // Somebody else may append at the same time, and each line names the one before it.
    file.lock()?;
    let (previous, before) = last_line(&mut file)?.unzip();
    let anchor = sign(key, domain, head, &previous.map_or_else(String::new, line_hash), rows);
    let mut line = serde_json::to_string(&anchor)?;
    line.push('\n');
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    Ok((anchor, before))
}

/// The file's last whole line, and what it says. A line that was cut off by a crash is ended, so that the next one stands by
/// itself.
fn last_line(file: &mut File) -> std::io::Result<Option<(String, Anchor)>> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_LINE_WITHIN_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if bytes.last().is_some_and(|last| *last != b'\n') {
        file.write_all(b"\n")?;
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.lines().rev().find_map(|line| Some((line.to_owned(), serde_json::from_str(line).ok()?))))
}

/// The key in the file at `path`: 32 bytes, made with `chance` and readable by its owner alone if the file is missing.
pub fn load_or_make_key(path: &Path, chance: &mut dyn FnMut(&mut [u8])) -> std::io::Result<SigningKey> {
    load_or_make_secret(path, chance).map(|secret| SigningKey::from_bytes(&secret))
}

/// The public key in the file at `path`: as 64 hexadecimal digits, or as the 32 bytes of the private key that it goes with.
pub fn load_verifying_key(path: &Path) -> std::io::Result<VerifyingKey> {
    let bytes = fs::read(path)?;
    let wrong = || {
        let what = "is no key: a private key is 32 bytes, a public one 64 hexadecimal digits";
        std::io::Error::other(format!("{} {what}", path.display()))
    };
    if let Ok(secret) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return Ok(SigningKey::from_bytes(&secret).verifying_key());
    }
    let digits = std::str::from_utf8(&bytes).ok().and_then(|text| from_hex(text.trim())).ok_or_else(wrong)?;
    let public = <[u8; 32]>::try_from(digits).map_err(|_| wrong())?;
    VerifyingKey::from_bytes(&public).map_err(|_| wrong())
}

/// Where the public key is that goes with a file of anchors, or with a private key's file.
pub fn public_key_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes the public key of `key` beside `file`, as 64 hexadecimal digits, and gives that file's path. One that is there stays
/// as it is.
pub fn publish_key(file: &Path, key: &SigningKey) -> std::io::Result<PathBuf> {
    let path = public_key_file(file);
    if !path.exists() {
        let public = format!("{}\n", to_hex(key.verifying_key().as_bytes()));
        make_whole(&path, public.as_bytes(), &mut File::options())?;
    }
    Ok(path)
}

/// The 32 secret bytes in the file at `path`, made if the file is missing.
fn load_or_make_secret(path: &Path, chance: &mut dyn FnMut(&mut [u8])) -> std::io::Result<[u8; 32]> {
    match load_secret(path)? {
        Some(secret) => Ok(secret),
        None => make_secret(path, chance),
    }
}

/// The 32 secret bytes in the file at `path`; `None` if there is no such file.
pub(crate) fn load_secret(path: &Path) -> std::io::Result<Option<[u8; 32]>> {
    match fs::read(path) {
        Ok(bytes) => bytes.try_into().map(Some).map_err(|bytes: Vec<u8>| {
            std::io::Error::other(format!("{} has {} bytes; a key has 32", path.display(), bytes.len()))
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a file with 32 secret bytes at `path`, where none may be.
pub(crate) fn make_secret(path: &Path, chance: &mut dyn FnMut(&mut [u8])) -> std::io::Result<[u8; 32]> {
    if path.exists() {
        return Err(std::io::ErrorKind::AlreadyExists.into());
    }
    let mut secret = [0; 32];
    chance(&mut secret);
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    make_whole(path, &secret, &mut options)?;
    Ok(secret)
}

/// Makes a file with `bytes` at `path`. Whatever happens meanwhile, no part of it ever has that name: whoever found half a key
/// there would refuse to start, and nobody could tell that nothing was lost with it. What is sealed or signed with a key must
/// not outlive the key's name either.
fn make_whole(path: &Path, bytes: &[u8], options: &mut fs::OpenOptions) -> std::io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".new");
    let mut file = options.write(true).create(true).truncate(true).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Where anchors go, with which key, and how often.
#[derive(Clone, Debug)]
pub struct AnchorOptions {
    /// The file that is appended to: best on another machine's disk.
    pub file: PathBuf,
    /// The key; its file lies outside the data directory.
    pub key: SigningKey,
    /// Records after which an anchor is due.
    pub records_max: u64,
    /// Seconds after which an anchor is due, if there are new records.
    pub seconds_max: u64,
}

impl AnchorOptions {
    /// Anchors in `file` at the usual intervals, signed with the key in the file `key`. It is made with `chance` where nothing
    /// was ever signed; the public key is published beside `file`, and no other key signs there afterwards.
    pub fn open(file: PathBuf, key: &Path, chance: &mut dyn FnMut(&mut [u8])) -> std::io::Result<Self> {
        let refused = |what: &str| {
            let (key, public) = (key.display(), public_key_file(&file));
            let what = format!(
                "the key {key} {what} that signed {}; put that one back, or begin anew by moving that file and {} away",
                file.display(),
                public.display()
            );
            Err(std::io::Error::other(what))
        };
        let known = match load_verifying_key(&public_key_file(&file)) {
            Ok(known) => Some(known),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let signing = match (load_secret(key)?, known) {
            (Some(secret), _) => SigningKey::from_bytes(&secret),
            (None, None) => SigningKey::from_bytes(&make_secret(key, chance)?),
            (None, Some(_)) => return refused("is missing,"),
        };
        if known.is_some_and(|known| known != signing.verifying_key()) {
            return refused("is not the one");
        }
        publish_key(&file, &signing)?;
        Ok(Self::new(file, signing))
    }

    /// The usual intervals.
    pub fn new(file: PathBuf, key: SigningKey) -> Self {
        Self { file, key, records_max: ANCHOR_RECORDS_MAX, seconds_max: ANCHOR_SECONDS_MAX }
    }
}

/// The thread that appends anchors; dropping it appends a last one.
pub(crate) struct Anchorer {
    shared: Arc<Shared>,
    records_max: u64,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    head: Head,
    /// The last record that an anchor covers, or would if it had not failed.
    tried: u64,
    stopping: bool,
}

impl Anchorer {
    pub(crate) fn start(
        options: AnchorOptions,
        domain: &'static str,
        head: Head,
        witness: &Witness,
        gauges: Arc<Gauges>,
    ) -> Result<Self, StoreError> {
        // One that cannot be written is told now, and not after the first minute.
        File::options()
            .append(true)
            .create(true)
            .open(&options.file)
            .map_err(|error| StoreError::Unavailable(format!("anchor file {}: {error}", options.file.display())))?;
        if witness.strange > 0 {
            strange_lines(&options.file, witness.strange, &gauges);
        }
        // What was there before this start is anchored with what comes: an anchor covers all records up to it.
        let anchored = witness.anchored();
        if let Some(last) = &witness.last {
            gauges.anchored(last);
        }
        let state = Mutex::new(State { head, tried: anchored, stopping: false });
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let (records_max, at_work) = (options.records_max, Arc::clone(&shared));
        let thread = std::thread::Builder::new()
            .name("anchor".into())
            .spawn(move || run(&options, domain, &at_work, anchored, &gauges))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the anchor thread: {error}")))?;
        Ok(Self { shared, records_max, thread: Some(thread) })
    }

    /// Tells the thread the durable head.
    pub(crate) fn advance(&self, head: Head) {
        let mut state = lock(&self.shared.state);
        state.head = head;
        if head.place.n.saturating_sub(state.tried) >= self.records_max {
            drop(state);
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Anchorer {
    fn drop(&mut self) {
        lock(&self.shared.state).stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by its own message.
            drop(thread.join());
        }
    }
}

fn run(options: &AnchorOptions, domain: &str, shared: &Shared, mut anchored: u64, gauges: &Gauges) {
    loop {
        let state = lock(&shared.state);
        let due =
            |state: &mut State| !state.stopping && state.head.place.n.saturating_sub(state.tried) < options.records_max;
        let wait = Duration::from_secs(options.seconds_max);
        let state = shared.changed.wait_timeout_while(state, wait, due).unwrap_or_else(PoisonError::into_inner).0;
        let (head, stopping) = (state.head, state.stopping);
        drop(state);
        if head.place.n > anchored {
            match append_after(&options.file, &options.key, domain, head, None) {
                Ok((anchor, before)) => {
                    anchored = head.place.n;
                    gauges.anchored(&anchor);
                    let key = options.key.verifying_key();
                    if before.is_some_and(|before| !before.is_of(&key, domain, head.place.lane)) {
                        strange_lines(&options.file, 1, gauges);
                    }
                }
                Err(error) => {
                    // One line a try: at most one in so many records or seconds.
                    let (file, n) = (options.file.display(), head.place.n);
                    tracing::error!(%file, n, %error, "an anchor cannot be written");
                    gauges.anchors_failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            // One that failed is not tried at once, but after the next records or seconds, and at the stop.
            lock(&shared.state).tried = head.place.n;
        }
        if stopping {
            return;
        }
    }
}

/// Somebody else writes to the anchor file: nothing that they write is believed, and whoever watches hears of it.
fn strange_lines(file: &Path, lines: u64, gauges: &Gauges) {
    let file = file.display();
    tracing::error!(%file, lines, "the anchor file has lines that are not ours: run `kinchaku audit verify` with it");
    gauges.anchors_strange.fetch_add(lines, Ordering::Relaxed);
}

/// The bytes in hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes that `text` gives in hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let (pairs, rest) = digits.as_ref()?.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high * 16 + low).collect())
}
