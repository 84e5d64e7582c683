//! Deciding a batch: each command in its turn, on the overlay, sealed into the chain.
//!
//! A batch is decided together. If a command panics, the overlay is dropped and the batch decided again one by one, so
//! that the guilty command alone is journaled as a defect and its neighbours never notice.

use super::Core;
use super::refusals::hour_end;
use crate::canary;
use crate::clock::Believed;
use crate::consumer::is_worth_a_line;
use crate::encoding::{EntryRef, OutcomeRef};
use crate::options::{AGGREGATED_A_COMMAND_MAX, CLOCK_DRIFT_MS_MAX};
use crate::record::{Actor, ActorKind, Place, Record, Request, SealedRecord, Touch, chain};
use crate::store::{Head, KnownRequest, Store, StoreError};
use crate::submission::{Answer, Answered, EngineError, Submission, recorded_answer};
use domain::{Domain, Key, Moment, Time};
use hashbrown::HashMap;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The command name of a record that counts refusals.
const AGGREGATED_NAME: &str = "engine.refusals";
/// What is kept of a defect's message, and of the reason that its command came with: either may be what was too long.
const DEFECT_CHARACTERS_MAX: usize = 500;

/// What the running batch has come to.
pub(super) struct Batch {
    /// The head as it will be after the commit.
    pub head: Head,
    pub sealed: Vec<SealedRecord>,
    /// Buffers of the batch before, to be used again.
    spare: Vec<Vec<u8>>,
    pub requests: Vec<KnownRequest>,
    /// The request keys of this batch: the body's MAC, and the index of the answer.
    seen: HashMap<[u8; 16], ([u8; 16], usize)>,
    /// Refusals that were counted instead of journaled.
    pub counted: u64,
    touched: Vec<Touch>,
    event_keys: Vec<Key>,
}

impl Batch {
    pub fn new(head: Head) -> Self {
        Self {
            head,
            sealed: Vec::new(),
            spare: Vec::new(),
            requests: Vec::new(),
            seen: HashMap::new(),
            counted: 0,
            touched: Vec::new(),
            event_keys: Vec::new(),
        }
    }

    pub fn begin(&mut self, head: Head) {
        self.head = head;
        self.spare.extend(self.sealed.drain(..).map(|sealed| sealed.bytes));
        self.requests.clear();
        self.seen.clear();
        self.counted = 0;
    }
}

/// Why a command's turn did not end.
enum Interrupted {
    Store(StoreError),
    Defect(String),
}

impl From<StoreError> for Interrupted {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<D: Domain, S: Store<D>> Core<D, S> {
    pub(super) fn decide_batch(
        &mut self,
        batch: &[Submission<D>],
        answers: &mut Vec<Answered<D>>,
    ) -> Result<(), StoreError> {
        match catch_unwind(AssertUnwindSafe(|| self.decide_together(batch, answers))) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(Interrupted::Store(error))) => return Err(error),
            Ok(Err(Interrupted::Defect(_))) | Err(_) => {}
        }
        self.cache.drop_overlay();
        self.refusals.drop_batch();
        self.plan.forget();
        self.batch.begin(self.head);
        answers.clear();
        self.cache.set_undoable(true);
        let result = self.decide_one_by_one(batch, answers);
        self.cache.set_undoable(false);
        result
    }

    fn decide_together(&mut self, batch: &[Submission<D>], answers: &mut Vec<Answered<D>>) -> Result<(), Interrupted> {
        self.plan_batch(batch)?;
        for (index, submission) in batch.iter().enumerate() {
            let moment = self.begin_turn(submission.at)?;
            if let Some(answer) = self.repeat(submission.request, answers)? {
                answers.push(answer);
                continue;
            }
            self.take_planned_rows(index, &submission.command)?;
            answers.push(self.decide(index, submission, moment)?);
        }
        Ok(())
    }

    fn decide_one_by_one(&mut self, batch: &[Submission<D>], answers: &mut Vec<Answered<D>>) -> Result<(), StoreError> {
        for (index, submission) in batch.iter().enumerate() {
            let moment = self.begin_turn(submission.at)?;
            if let Some(answer) = self.repeat(submission.request, answers)? {
                answers.push(answer);
                continue;
            }
            self.cache.begin_command();
            let mark = self.refusals.mark();
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                self.name_rows(&submission.command)?;
                self.decide(index, submission, moment)
            }));
            let what = match outcome {
                Ok(Ok(answer)) => {
                    answers.push(answer);
                    continue;
                }
                Ok(Err(Interrupted::Store(error))) => return Err(error),
                Ok(Err(Interrupted::Defect(what))) => what,
                Err(panic) => panic_message(panic.as_ref()),
            };
            self.plan.forget();
            self.cache.undo_command();
            self.refusals.undo_to(mark);
            answers.push(Err(self.seal_defect(index, submission, moment, &what)?));
        }
        Ok(())
    }

    /// The command's time: never before the lane's last record, and what a clock that is not believed says never enters
    /// the lane. Of an hour that ended some counts are journaled first.
    fn begin_turn(&mut self, at: Time) -> Result<Moment, StoreError> {
        let last = self.batch.head.at;
        let Believed { is_trusted, time_max } = self.believed;
        let (believed, is_believed) = if is_trusted { (at.min(time_max), at <= time_max) } else { (time_max, false) };
        let now = if canary::active("time_steps_back") { at } else { believed.max(last) };
        self.turn_hour(now)?;
        let clock_drifted = !is_believed || last.milliseconds_since(at) > CLOCK_DRIFT_MS_MAX;
        Ok(Moment { now, clock_drifted })
    }

    fn turn_hour(&mut self, now: Time) -> Result<(), StoreError> {
        self.refusals.turn(now);
        self.seal_ended(now, AGGREGATED_A_COMMAND_MAX)
    }

    /// Journals up to `count_max` counts of hours that have ended.
    pub(super) fn seal_ended(&mut self, at: Time, count_max: usize) -> Result<(), StoreError> {
        for _ in 0..count_max {
            let Some((actor, refusals)) = self.refusals.next_ended() else { break };
            self.batch.touched.clear();
            let outcome = OutcomeRef::Aggregated { refusals };
            let asked = Asked { actor, command: AGGREGATED_NAME, reason: None, request: None };
            self.seal(at, &asked, &[], outcome).map_err(StoreError::Damaged)?;
        }
        Ok(())
    }

    /// The answer to a request that is known, from this batch or from the journal.
    fn repeat(&mut self, request: Option<Request>, answers: &[Answered<D>]) -> Result<Option<Answered<D>>, StoreError> {
        let Some(request) = request else { return Ok(None) };
        let Some(&(body, index)) = self.batch.seen.get(&request.key) else { return self.recorded(request) };
        let again = answers[index].clone().map(|answer| Answer { repeated: true, ..answer });
        Ok(Some(if is_same(body, request) { again } else { Err(EngineError::KeyReused) }))
    }

    /// The answer to a request that is known from the journal. A record that cannot be read is the trouble of whoever repeats that
    /// request: nothing that is decided now depends on it.
    pub(super) fn recorded(&mut self, request: Request) -> Result<Option<Answered<D>>, StoreError> {
        let Some(sealed) = self.store.find_recorded(&request.key)? else { return Ok(None) };
        let record = match read::<D>(&sealed) {
            Ok(record) => record,
            Err(what) => {
                let record = sealed.place.n;
                tracing::error!(record, "the record of a request that was repeated cannot be read");
                return Ok(Some(Err(EngineError::Unavailable(what))));
            }
        };
        match record.entry.request {
            Some(kept) if kept.key == request.key => {
                if is_same(kept.body, request) {
                    recorded_answer(record).map(Some)
                } else {
                    Ok(Some(Err(EngineError::KeyReused)))
                }
            }
            Some(_) | None => Err(StoreError::Damaged(format!(
                "the request index points at record {}, which has another request",
                sealed.place.n
            ))),
        }
    }

    /// Decides the batch's command `index`, whose rows are in the working set.
    fn decide(&mut self, index: usize, submission: &Submission<D>, moment: Moment) -> Result<Answered<D>, Interrupted> {
        let view = self.working_set.view(&self.cache);
        let decision = D::decide(&view, &submission.command, moment, &self.context);
        let at = moment.now;
        // What only asks for more is no answer: the key stays free for the request that brings it.
        let asks_for_more = decision.reply.as_ref().is_err_and(D::asks_for_more);
        let request = submission.request.filter(|_| !asks_for_more);
        if decision.reply.is_err() && !self.refusals.journals(submission.actor) {
            self.batch.counted += 1;
            // Without a record nobody would know the answer again, and the key could come to carry another one. Those who
            // have no name share one bound: if it silenced them, one would silence all, and silence itself would tell.
            if request.is_some() && submission.actor.kind != ActorKind::Anyone {
                return Ok(Err(EngineError::RefusedTooOften { at, again_at: hour_end(at) }));
            }
            return Ok(Ok(Answer { place: None, at, repeated: false, reply: decision.reply }));
        }
        self.evolve(&decision.events);
        D::assert_decided(&decision.events, &self.working_set.view(&self.cache));
        // Whatever is asked of the domain comes before the seal: a panic after it would leave a record without its rows.
        let begins_operation = request.is_some() && D::operation_begun(&decision.events).is_some();
        let asked = Asked { request, ..Asked::of(submission) };
        let outcome = match &decision.reply {
            Ok(receipt) => OutcomeRef::Done(receipt),
            Err(refusal) => OutcomeRef::Refused(refusal),
        };
        let place = self.seal(at, &asked, &decision.events, outcome).map_err(Interrupted::Defect)?;
        self.remember(request, index, begins_operation);
        Ok(Ok(Answer { place: Some(place), at, repeated: false, reply: decision.reply }))
    }

    /// Applies what was decided to the overlay; each row that the record touches gets one new version.
    fn evolve(&mut self, events: &[D::Event]) {
        let Self { batch, working_set, cache, .. } = self;
        let place = next(batch.head.place);
        batch.touched.clear();
        for event in events {
            batch.event_keys.clear();
            D::touches(event, &mut batch.event_keys);
            for &key in &batch.event_keys {
                let (index, first) = cache.touch(working_set.slot(key), place);
                if let Some((version, previous)) = first {
                    batch.touched.push(Touch { key, version, previous });
                }
                D::evolve(key, cache.evolved_mut(index), event);
            }
        }
    }

    /// Adds the next record: encodes it and links it to the one before.
    fn seal(
        &mut self,
        at: Time,
        asked: &Asked<'_>,
        events: &[D::Event],
        outcome: OutcomeRef<'_, D>,
    ) -> Result<Place, String> {
        let Self { batch, encoder, .. } = self;
        let &Asked { actor, command, reason, request } = asked;
        let entry = EntryRef::<D> { actor, command, reason, request, touched: &batch.touched, events, outcome };
        let encoded = encoder.encode(&entry)?;
        let mut bytes = batch.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(encoded);
        let place = next(batch.head.place);
        let hash = chain(D::NAME, batch.head.epoch, &batch.head.hash, place, at, &bytes);
        batch.head = Head { place, at, hash, ..batch.head };
        batch.sealed.push(SealedRecord { place, at, bytes, hash });
        Ok(place)
    }

    /// Journals a defect, up to the bound of its caller's refusals: who finds a command that fails must not fill the journal
    /// with it. Beyond the bound it is answered as a refusal would be, and its request key stays free.
    fn seal_defect(
        &mut self,
        index: usize,
        submission: &Submission<D>,
        moment: Moment,
        what: &str,
    ) -> Result<EngineError, StoreError> {
        self.defects += 1;
        if !self.refusals.journals(submission.actor) {
            self.batch.counted += 1;
            return Ok(EngineError::RefusedTooOften { at: moment.now, again_at: hour_end(moment.now) });
        }
        let what = beginning(what);
        self.batch.touched.clear();
        let asked = Asked::of(submission);
        let asked = Asked { reason: asked.reason.map(beginning), ..asked };
        let place = self.seal(moment.now, &asked, &[], OutcomeRef::Defect(what)).map_err(StoreError::Damaged)?;
        self.remember(submission.request, index, false);
        self.defect_last = Some(format!("record {}: {what}", place.n));
        if is_worth_a_line(self.defects) {
            // What it died of may show what the command was about: that stands in the record, not in a log.
            let (record, defects) = (place.n, self.defects);
            tracing::error!(record, command = asked.command, defects, "a command met a defect, and changed nothing");
        }
        Ok(EngineError::Defect { place })
    }

    fn remember(&mut self, request: Option<Request>, index: usize, begins_operation: bool) {
        if let Some(Request { key, body }) = request {
            self.batch.seen.insert(key, (body, index));
            self.batch.requests.push(KnownRequest { key, n: self.batch.head.place.n, begins_operation });
        }
    }
}

/// Whether a request came with the body that its key is known with.
fn is_same(body: [u8; 16], request: Request) -> bool {
    body == request.body || canary::active("request_body_not_compared")
}

/// The head of an entry.
struct Asked<'a> {
    actor: Actor,
    command: &'a str,
    reason: Option<&'a str>,
    request: Option<Request>,
}

impl<'a> Asked<'a> {
    fn of<D: Domain>(submission: &'a Submission<D>) -> Self {
        Self {
            actor: submission.actor,
            command: D::command_name(&submission.command),
            reason: submission.reason.as_deref(),
            request: submission.request,
        }
    }
}

fn next(place: Place) -> Place {
    Place { lane: place.lane, n: place.n + 1 }
}

/// As much of a text as a defect's record keeps.
fn beginning(text: &str) -> &str {
    text.char_indices().nth(DEFECT_CHARACTERS_MAX).map_or(text, |(end, _)| &text[..end])
}

/// What was sealed, or why it cannot be read: our own decoder may panic, too.
fn read<D: Domain>(sealed: &SealedRecord) -> Result<Record<D>, String> {
    match catch_unwind(AssertUnwindSafe(|| Record::<D>::decode(sealed))) {
        Ok(Ok(record)) => Ok(record),
        Ok(Err(error)) => Err(error.to_string()),
        Err(panic) => Err(format!("record {} cannot be read: {}", sealed.place.n, panic_message(panic.as_ref()))),
    }
}

/// What a panic said.
pub(super) fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without words".to_owned()
    }
}
