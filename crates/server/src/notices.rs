//! Notices: the consumer that says, of each committed record, whom to tell of it, and leaves that in an outbox.
//!
//! Whoever writes mails and messages takes the notices from the outbox in order; the words, the addresses and what was
//! said already are theirs. A notice's [`EffectId`] is its own for ever. A row a notice would cost more than the payment it
//! tells of, so the outbox keeps pages of many notices, packed, each saved with the cursor that covers it: every notice
//! stands there exactly once, whatever crashes.
//! Start reading at [`follower`], then [`Notices::handle`] and [`Pending`].

use domain::Time;
use engine::{
    Consumer, ConsumerError, Cursors, EffectId, Follower, JournalReader, Outbox, OutboxReader, Place, Record,
    StoreError,
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wallet::Wallets;
use wallet::notice::{self, Notice};

/// The consumer's name: its cursor and its outbox are kept under it.
pub const NAME: &str = "notices";
/// Bytes of a page after which it is saved.
pub const PAGE_BYTES_MAX: usize = 128 << 10;
/// How long a notice may wait for its page to be saved, by the lane's time; at most until nothing is left to do.
pub const PAGE_DELAY_MS_MAX: i64 = 200;
/// The packed form of a page. The file can be rebuilt, so there is never more than one form to read.
const FORMAT: u8 = 1;

/// A notice, with the id under which it is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Its id.
    pub id: EffectId,
    /// What is told to whom.
    pub notice: Notice,
}

/// The consumer, in the data directory at `directory`, with its own cursor: to be given to an engine's consumers.
pub fn follower(directory: &Path, journal: Box<dyn JournalReader>) -> Result<Follower<Wallets>, StoreError> {
    let notices = Notices::open(directory)?;
    let cursor = notices.packer().through;
    if cursor > 0 && journal.get(cursor)?.is_none() {
        return Err(StoreError::Damaged(format!(
            "the notices have seen record {cursor}, which the journal does not have. Was the journal restored from a \
             backup? Delete {} beside it: the notices are then made again",
            engine::CONSUMERS_FILE
        )));
    }
    let cursors = Box::new(notices.cursors());
    Follower::open(Box::new(notices), journal, cursors)
}

/// The consumer.
pub struct Notices(Arc<Mutex<Packer>>);

/// The consumer's cursor: saved with the notices that it covers.
pub struct NoticesCursor(Arc<Mutex<Packer>>);

impl Notices {
    /// Opens the consumer's outbox in the data directory at `directory`.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Mutex::new(Packer::new(Outbox::open(directory, NAME)?)))))
    }

    /// The cursor, for the follower.
    pub fn cursors(&self) -> NoticesCursor {
        NoticesCursor(Arc::clone(&self.0))
    }

    fn packer(&self) -> MutexGuard<'_, Packer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer<Wallets> for Notices {
    fn name(&self) -> &'static str {
        NAME
    }

    fn handle(&mut self, records: &[Record<Wallets>]) -> Result<(), ConsumerError> {
        let mut packer = self.packer();
        for record in records {
            packer.pack(record);
        }
        if packer.is_due() { Ok(packer.save()?) } else { Ok(()) }
    }
}

impl Cursors for NoticesCursor {
    fn load(&mut self, _: &str) -> Result<u64, StoreError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).outbox.cursor())
    }

    fn save(&mut self, _: &str, _: u64) -> Result<(), StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).save()
    }
}

/// One notice as a page has it; numbers and times are counted from the notice before.
#[derive(Serialize, Deserialize)]
struct Packed {
    n_since: u64,
    index: u32,
    ms_since: i64,
    notice: Notice,
}

/// Fills a page.
struct Packer {
    outbox: Outbox,
    page: Vec<u8>,
    /// The last record that was packed; those up to it that come again are skipped.
    through: u64,
    /// The number and time that the next notice is counted from.
    base: (u64, i64),
    /// The lane's time at the page's first record, and at its last.
    span: Option<(Time, Time)>,
}

impl Packer {
    fn new(outbox: Outbox) -> Self {
        Self { through: outbox.cursor(), outbox, page: Vec::new(), base: (0, 0), span: None }
    }

    fn pack(&mut self, record: &Record<Wallets>) {
        let n = record.place.n;
        if n <= self.through {
            return;
        }
        if self.page.is_empty() {
            begin(&mut self.page, record.place.lane);
            self.base = (0, 0);
        }
        let mut index = 0;
        for event in &record.entry.events {
            notice::notices(event, &mut |notice| {
                let told = Told { id: EffectId { place: record.place, index }, notice };
                add(&mut self.page, &mut self.base, &told);
                index += 1;
            });
        }
        self.through = n;
        self.span = Some((self.span.map_or(record.at, |(first, _)| first), record.at));
    }

    fn is_due(&self) -> bool {
        let waits = self.span.is_some_and(|(first, last)| last.milliseconds_since(first) >= PAGE_DELAY_MS_MAX);
        waits || self.page.len() >= PAGE_BYTES_MAX
    }

    fn save(&mut self) -> Result<(), StoreError> {
        if self.through > self.outbox.cursor() {
            let page = if self.base == (0, 0) { &[] } else { self.page.as_slice() };
            self.outbox.append(self.through, page)?;
            self.page.clear();
            self.span = None;
        }
        Ok(())
    }
}

/// The notices that nobody has taken yet.
pub struct Pending(OutboxReader);

impl Pending {
    /// Opens the outbox in the data directory at `directory`, beside the consumer that fills it.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        OutboxReader::open(directory, NAME).map(Self)
    }

    /// The oldest notices that were not taken, about `limit` of them: a record's notices are never parted.
    pub fn read(&self, limit: usize) -> Result<Vec<Told>, StoreError> {
        let taken = self.0.taken()?;
        let mut told: Vec<Told> = Vec::new();
        let mut after = taken;
        while let Some(page) = self.0.read(after, 1)?.pop() {
            after = page.until;
            for notice in unpack(&page.bytes, page.until)? {
                let n = notice.id.place.n;
                if n <= taken {
                    continue;
                }
                if told.len() >= limit && told.last().is_none_or(|last| last.id.place.n != n) {
                    return Ok(told);
                }
                told.push(notice);
            }
        }
        Ok(told)
    }

    /// Every notice up to that of `id`'s record was passed on: they are not read again.
    pub fn take(&mut self, id: EffectId) -> Result<(), StoreError> {
        self.0.take(id.place.n)
    }
}

/// Begins a page of notices of `lane`.
fn begin(page: &mut Vec<u8>, lane: u16) {
    page.push(FORMAT);
    page.extend_from_slice(&lane.to_be_bytes());
}

/// Adds a notice to a page; its number and time are counted from `base`, those of the notice before.
fn add(page: &mut Vec<u8>, base: &mut (u64, i64), told: &Told) {
    let (n, at) = (told.id.place.n, told.notice.at.milliseconds());
    // The reader puts the time back from its distance.
    let timeless = Notice { at: Time::default(), ..told.notice };
    let packed = Packed { n_since: n - base.0, index: told.id.index, ms_since: at - base.1, notice: timeless };
    *page = postcard::to_extend(&packed, std::mem::take(page)).expect("memory takes a notice");
    *base = (n, at);
}

/// A page of notices, for the tests and the fuzz targets.
#[cfg(any(test, feature = "fuzzing"))]
pub fn pack(lane: u16, told: &[Told]) -> Vec<u8> {
    let (mut page, mut base) = (Vec::new(), (0, 0));
    begin(&mut page, lane);
    for told in told {
        add(&mut page, &mut base, told);
    }
    page
}

/// What must hold for any bytes of a page: they are refused, or are notices that stay the same when they are packed and read
/// again; whether they were understood.
#[cfg(any(test, feature = "fuzzing"))]
pub fn check_page(bytes: &[u8]) -> bool {
    let Ok(told) = unpack(bytes, 0) else { return false };
    let again = pack(told.first().map_or(0, |told| told.id.place.lane), &told);
    assert_eq!(unpack(&again, 0).as_ref(), Ok(&told), "notices stay the same when they are packed again");
    true
}

/// The notices of a page.
fn unpack(page: &[u8], until: u64) -> Result<Vec<Told>, StoreError> {
    let damaged = || {
        StoreError::Damaged(format!(
            "the notices up to record {until} cannot be read; stop the engine and delete {}, it is rebuilt",
            engine::CONSUMERS_FILE
        ))
    };
    let [FORMAT, high, low, rest @ ..] = page else { return Err(damaged()) };
    let lane = u16::from_be_bytes([*high, *low]);
    let (mut n, mut at) = (0_u64, 0_i64);
    let (mut rest, mut told) = (rest, Vec::new());
    while !rest.is_empty() {
        let (packed, left) = postcard::take_from_bytes::<Packed>(rest).map_err(|_| damaged())?;
        n = n.checked_add(packed.n_since).ok_or_else(damaged)?;
        at = at.checked_add(packed.ms_since).ok_or_else(damaged)?;
        let notice = Notice { at: Time::from_milliseconds(at), ..packed.notice };
        told.push(Told { id: EffectId { place: Place { lane, n }, index: packed.index }, notice });
        rest = left;
    }
    Ok(told)
}
