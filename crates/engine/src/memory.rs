//! The memory store: a disk that outlives its engine, and fails on command. For simulation and tests.
//!
//! [`Disk`] is what survives: the journal as bytes in checksummed frames, one a batch; the rows; the watermark.
//! [`MemoryStore`] is one process's hold on it. Rows are written late, in slices, as on a real disk. A [`Fault`] is armed
//! on the disk and fires once, at the next call that it concerns. Nothing here depends on a clock or on chance.

use crate::canary;
use crate::record::{Place, SealedRecord};
use crate::store::{Commit, Generation, Head, Recovered, Store, StoreError, Stored};
use domain::{Domain, Key, Time};
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The lane and epoch of a memory store: there is only one.
const LANE: u16 = 1;
const EPOCH: u64 = 1;
/// A frame begins with its payload's length and checksum.
const FRAME_HEADER_BYTES: usize = 8 + 32;
/// A record in a frame begins with its time, hash and length.
const RECORD_HEADER_BYTES: usize = 8 + 32 + 4;
/// Rows that one look at the store writes back, until set otherwise.
const SLICE_ROWS: usize = 4_096;

/// What can go wrong, once, at the next call that it concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The next commit finds no room: nothing is written, it may be tried again.
    CommitUnavailable,
    /// The next load fails; it may be tried again.
    LoadUnavailable,
    /// The process dies before the next commit writes anything.
    CrashBeforeCommit,
    /// The process dies while the next commit writes: only `bytes` of the batch reach the disk (never all).
    TornCommit {
        /// How many.
        bytes: usize,
    },
    /// The process dies when the next commit is durable, before anybody hears of it.
    CrashAfterCommit,
    /// The process dies in the write-back, when `rows` more rows are written.
    CrashInWriteBack {
        /// How many.
        rows: usize,
    },
}

impl Fault {
    /// The fault's fixed name, for counting.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitUnavailable => "commit_unavailable",
            Self::LoadUnavailable => "load_unavailable",
            Self::CrashBeforeCommit => "crash_before_commit",
            Self::TornCommit { .. } => "torn_commit",
            Self::CrashAfterCommit => "crash_after_commit",
            Self::CrashInWriteBack { .. } => "crash_in_write_back",
        }
    }
}

/// What survives the process. Clones are the same disk.
pub struct Disk<D: Domain>(Arc<Mutex<State<D>>>);

struct State<D: Domain> {
    /// The journal: frames, one a batch, in order.
    log: Vec<Vec<u8>>,
    /// In which frame, and where there, each record's header stands; record n at n - 1.
    offsets: Vec<(usize, usize)>,
    /// Frames that an earlier recovery found whole, and that nothing has touched since.
    frames_checked: usize,
    head: Head,
    requests: HashMap<[u8; 16], u64>,
    rows: HashMap<Key, Stored<D::Row>>,
    watermark: u64,
    /// Which opening holds the disk.
    holder: u64,
    slice_rows: usize,
    armed: VecDeque<Fault>,
    fired: BTreeMap<&'static str, u64>,
    /// The holder's process is dead.
    crashed: bool,
}

impl<D: Domain> Clone for Disk<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Domain> Default for Disk<D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<D: Domain> Disk<D> {
    /// An empty disk.
    pub fn new() -> Self {
        let place = Place { lane: LANE, n: 0 };
        Self(Arc::new(Mutex::new(State {
            log: Vec::new(),
            offsets: Vec::new(),
            frames_checked: 0,
            head: Head { epoch: EPOCH, place, at: Time::default(), hash: [0; 32] },
            requests: HashMap::new(),
            rows: HashMap::new(),
            watermark: 0,
            holder: 0,
            slice_rows: SLICE_ROWS,
            armed: VecDeque::new(),
            fired: BTreeMap::new(),
            crashed: false,
        })))
    }

    /// Arms a fault. Several of one kind fire one after the other.
    pub fn arm(&self, fault: Fault) {
        self.state().armed.push_back(fault);
    }

    /// Takes back every fault that has not fired.
    pub fn disarm(&self) {
        self.state().armed.clear();
    }

    /// How many faults are armed.
    pub fn armed(&self) -> usize {
        self.state().armed.len()
    }

    /// How often each fault has fired, by name.
    pub fn fired(&self) -> BTreeMap<&'static str, u64> {
        self.state().fired.clone()
    }

    /// Whether a fault has killed the process that held the disk.
    pub fn has_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Kills the process that holds the disk, at a moment when it writes nothing.
    pub fn crash(&self) {
        self.state().crashed = true;
    }

    /// How many rows one look at the store writes back.
    pub fn set_slice_rows(&self, rows: usize) {
        self.state().slice_rows = rows;
    }

    /// The durable rows, in the order of their keys.
    pub fn rows(&self) -> BTreeMap<Key, Stored<D::Row>> {
        self.state().rows.iter().map(|(key, stored)| (*key, stored.clone())).collect()
    }

    /// Every change up to this record is in the durable rows.
    pub fn watermark(&self) -> u64 {
        self.state().watermark
    }

    /// Durable records from number `from` on, at most `limit`.
    pub fn records(&self, from: u64, limit: usize) -> Vec<SealedRecord> {
        self.state().records(from, limit)
    }

    /// Flips one bit of the journal's frame `frame`, as a bad sector would.
    pub fn flip_bit(&self, frame: usize, byte: usize) {
        let mut state = self.state();
        state.frames_checked = state.frames_checked.min(frame);
        if let Some(byte) = state.log.get_mut(frame).and_then(|frame| frame.get_mut(byte)) {
            *byte ^= 1;
        }
    }

    /// Replaces a durable row, as a bug would; `None` removes it.
    pub fn plant_row(&self, key: Key, stored: Option<Stored<D::Row>>) {
        let mut state = self.state();
        match stored {
            Some(stored) => state.rows.insert(key, stored),
            None => state.rows.remove(&key),
        };
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Domain> State<D> {
    fn take_fault(&mut self, concerns: impl Fn(Fault) -> bool) -> Option<Fault> {
        let index = self.armed.iter().position(|fault| concerns(*fault))?;
        let fault = self.armed.remove(index)?;
        *self.fired.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    fn records(&self, from: u64, limit: usize) -> Vec<SealedRecord> {
        let first = usize::try_from(from.max(1) - 1).unwrap_or(usize::MAX);
        let offsets = self.offsets.iter().enumerate().skip(first).take(limit);
        offsets.map(|(index, &offset)| self.record_at(index as u64 + 1, offset)).collect()
    }

    fn record_at(&self, n: u64, (frame, offset): (usize, usize)) -> SealedRecord {
        let frame = &self.log[frame];
        let header = &frame[offset..offset + RECORD_HEADER_BYTES];
        let at = Time::from_milliseconds(i64::from_be_bytes(fixed(&header[..8])));
        let hash = fixed(&header[8..40]);
        let length = u32::from_be_bytes(fixed(&header[40..])) as usize;
        let start = offset + RECORD_HEADER_BYTES;
        SealedRecord { place: Place { lane: LANE, n }, at, bytes: frame[start..start + length].to_vec(), hash }
    }

    /// Reads the log from its start, as a new process does. A last frame that is cut or torn was never acknowledged and
    /// goes; any other frame that does not fit its checksum is damage.
    fn recover(&mut self) -> Result<(), StoreError> {
        self.offsets.clear();
        self.head = Head { epoch: EPOCH, place: Place { lane: LANE, n: 0 }, at: Time::default(), hash: [0; 32] };
        let mut log = std::mem::take(&mut self.log);
        if log.last().is_some_and(|frame| !is_whole(frame)) {
            log.pop();
        }
        for (index, frame) in log.iter().enumerate() {
            if index >= self.frames_checked && !is_whole(frame) {
                let n = self.offsets.len() + 1;
                return Err(StoreError::Damaged(format!("the batch that begins with record {n} was changed")));
            }
            self.index_frame(index, frame);
        }
        self.frames_checked = log.len();
        self.log = log;
        if let (Some(&offset), n) = (self.offsets.last(), self.offsets.len() as u64) {
            let last = self.record_at(n, offset);
            self.head = Head { epoch: EPOCH, place: last.place, at: last.at, hash: last.hash };
        }
        let head = self.head.place.n;
        self.requests.retain(|_, n| *n <= head && !canary::active("request_forgotten_at_restart"));
        Ok(())
    }

    fn index_frame(&mut self, index: usize, frame: &[u8]) {
        let mut offset = FRAME_HEADER_BYTES;
        while offset < frame.len() {
            self.offsets.push((index, offset));
            let length = u32::from_be_bytes(fixed(&frame[offset + 40..offset + RECORD_HEADER_BYTES]));
            offset += RECORD_HEADER_BYTES + length as usize;
        }
    }

    /// Appends the batch as one frame, of which at most `bytes_max` bytes reach the disk.
    fn append(&mut self, records: &[SealedRecord], bytes_max: usize) {
        let bytes: usize = records.iter().map(|record| RECORD_HEADER_BYTES + record.bytes.len()).sum();
        let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + bytes);
        frame.resize(FRAME_HEADER_BYTES, 0);
        for record in records {
            let length = u32::try_from(record.bytes.len()).expect("an entry is bounded far below 4 GiB");
            self.offsets.push((self.log.len(), frame.len()));
            frame.extend_from_slice(&record.at.milliseconds().to_be_bytes());
            frame.extend_from_slice(&record.hash);
            frame.extend_from_slice(&length.to_be_bytes());
            frame.extend_from_slice(&record.bytes);
        }
        let checksum = blake3::hash(&frame[FRAME_HEADER_BYTES..]);
        frame[..8].copy_from_slice(&(bytes as u64).to_be_bytes());
        frame[8..FRAME_HEADER_BYTES].copy_from_slice(checksum.as_bytes());
        frame.truncate(bytes_max);
        self.log.push(frame);
    }
}

/// Whether all of a frame reached the disk, unchanged.
fn is_whole(frame: &[u8]) -> bool {
    frame.split_at_checked(FRAME_HEADER_BYTES).is_some_and(|(header, payload)| {
        header[..8] == (payload.len() as u64).to_be_bytes() && *blake3::hash(payload).as_bytes() == header[8..]
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cut exactly so many bytes")
}

/// One process's hold on a [`Disk`].
pub struct MemoryStore<D: Domain> {
    disk: Disk<D>,
    holder: u64,
    recovered: Recovered,
    /// The generation that is being written, and how many of its rows are.
    writing: Option<(Generation<D>, usize)>,
    done: u64,
}

impl<D: Domain> MemoryStore<D> {
    /// Opens the disk as a new process; whoever held it before is fenced off.
    pub fn open(disk: &Disk<D>) -> Result<Self, StoreError> {
        let mut state = disk.state();
        state.crashed = false;
        state.holder += 1;
        let holder = state.holder;
        state.recover()?;
        if state.watermark > state.head.place.n {
            return Err(StoreError::Damaged(format!(
                "the rows are written up to record {}, the journal ends at {}",
                state.watermark, state.head.place.n
            )));
        }
        let recovered = Recovered { head: state.head, watermark: state.watermark };
        drop(state);
        Ok(Self { disk: disk.clone(), holder, recovered, writing: None, done: 0 })
    }

    /// The disk, if this process is alive and holds it.
    fn held(&self) -> Result<MutexGuard<'_, State<D>>, StoreError> {
        let state = self.disk.state();
        if state.holder != self.holder {
            return Err(StoreError::Fenced("the disk was opened again".into()));
        }
        if state.crashed {
            return Err(StoreError::Lost("the process has crashed".into()));
        }
        Ok(state)
    }

    /// Writes up to `rows_max` rows of the generation under way; the last one sets the watermark.
    fn write_rows(&mut self, rows_max: usize) -> Result<(), StoreError> {
        let Some((generation, written)) = self.writing.take() else { return Ok(()) };
        let mut state = self.held()?;
        let left = generation.rows.len() - written;
        let fault = state.take_fault(|fault| match fault {
            Fault::CrashInWriteBack { rows } => rows < left,
            Fault::CommitUnavailable
            | Fault::LoadUnavailable
            | Fault::CrashBeforeCommit
            | Fault::TornCommit { .. }
            | Fault::CrashAfterCommit => false,
        });
        let count = match fault {
            Some(Fault::CrashInWriteBack { rows }) => rows,
            Some(_) | None => rows_max.min(left),
        };
        for changed in &generation.rows[written..written + count] {
            state.rows.insert(changed.key, changed.stored.clone());
        }
        if fault.is_some() {
            state.crashed = true;
            return Err(StoreError::Lost("the process crashed while rows were written".into()));
        }
        if count < left {
            drop(state);
            self.writing = Some((generation, written + count));
            return Ok(());
        }
        let beyond = u64::from(canary::active("watermark_too_high"));
        state.watermark = generation.watermark + beyond;
        drop(state);
        self.done = generation.number;
        Ok(())
    }
}

impl<D: Domain> Store<D> for MemoryStore<D> {
    fn recovered(&self) -> Recovered {
        self.recovered
    }

    fn load(&mut self, keys: &[Key]) -> Result<Vec<Option<Stored<D::Row>>>, StoreError> {
        let mut state = self.held()?;
        if state.take_fault(|fault| fault == Fault::LoadUnavailable).is_some() {
            return Err(StoreError::Unavailable("a fault was armed: nothing can be read".into()));
        }
        Ok(keys.iter().map(|key| state.rows.get(key).cloned()).collect())
    }

    fn commit(&mut self, commit: &Commit<'_, D>) -> Result<(), StoreError> {
        let mut state = self.held()?;
        if commit.expected != state.head {
            return Err(StoreError::Fenced(format!("the head is record {}", state.head.place.n)));
        }
        let Some(last) = commit.records.last() else { return Ok(()) };
        let fault = state.take_fault(|fault| match fault {
            Fault::CommitUnavailable
            | Fault::CrashBeforeCommit
            | Fault::TornCommit { .. }
            | Fault::CrashAfterCommit => true,
            Fault::LoadUnavailable | Fault::CrashInWriteBack { .. } => false,
        });
        let crashed = || Err(StoreError::Lost("the process crashed in a commit".into()));
        match fault {
            Some(Fault::CommitUnavailable) => {
                return Err(StoreError::Unavailable("a fault was armed: the disk is full".into()));
            }
            Some(Fault::CrashBeforeCommit) => {
                state.crashed = true;
                return crashed();
            }
            Some(Fault::TornCommit { bytes }) => {
                let all: usize = commit.records.iter().map(|record| RECORD_HEADER_BYTES + record.bytes.len()).sum();
                state.append(commit.records, bytes.min(FRAME_HEADER_BYTES + all - 1));
                state.crashed = true;
                return crashed();
            }
            Some(Fault::CrashAfterCommit | Fault::LoadUnavailable | Fault::CrashInWriteBack { .. }) | None => {}
        }
        state.append(commit.records, usize::MAX);
        state.head = Head { place: last.place, at: last.at, hash: last.hash, ..commit.expected };
        state.requests.extend(commit.requests.iter().map(|known| (known.key, known.n)));
        if fault.is_some() {
            state.crashed = true;
            return crashed();
        }
        Ok(())
    }

    fn read(&mut self, from: u64, limit: usize) -> Result<Vec<SealedRecord>, StoreError> {
        Ok(self.held()?.records(from, limit))
    }

    fn find_request(&mut self, key: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        Ok(self.held()?.requests.get(key).copied())
    }

    fn write_back(&mut self, generation: Generation<D>, wait: bool) -> Result<Option<Generation<D>>, StoreError> {
        if wait {
            self.write_rows(usize::MAX)?;
        }
        if self.writing.is_some() {
            return Ok(Some(generation));
        }
        self.writing = Some((generation, 0));
        Ok(None)
    }

    fn written_back(&mut self, wait: bool) -> Result<u64, StoreError> {
        let rows = if wait { usize::MAX } else { self.disk.state().slice_rows };
        self.write_rows(rows)?;
        Ok(self.done)
    }

    fn wait_for_write_back(&mut self, _milliseconds_max: u64) {}
}
