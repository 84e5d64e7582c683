//! Asks: commands on their way to the service, with who asks, the key under which they are asked again, and the queue that
//! they wait in.

use super::world::{Due, World};
use domain::{Id, Time};
use engine::{Actor, ActorKind, Believed, Place, Request, Submission};
use wallet::{Command, Wallets};

/// Asks that may wait; those beyond are told "busy" and come again.
const QUEUE_ASKS_MAX: usize = 96;
/// Asks that may wait while the service is busy with something else.
const QUEUE_ASKS_FEW: usize = 3;
/// Answered asks that may be repeated later.
const HISTORY_ASKS_MAX: usize = 400;
/// How often an ask may be told to come again because the disk fails: one in four batches meets a fault.
const TRIES_MAX: u32 = 40;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const DAY_MS: i64 = 24 * 3_600_000;

/// A command on its way.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked.
    pub command: Command,
    /// Who asks.
    pub actor: Actor,
    /// Under which key.
    pub request: Request,
    /// When it was last sent, by the sender's clock.
    pub at: Time,
    /// What the service believed of the clock when it last took this.
    pub believed: Believed,
    /// The attempts whose answers were lost.
    pub lost: Vec<Lost>,
    /// How often it was told to come again.
    pub tries: u32,
    /// The fault that it is, if it comes again although it was answered.
    repeats: Option<&'static str>,
}

/// An attempt that got no answer, because the process died.
#[derive(Clone, Copy, Debug)]
pub struct Lost {
    /// When it was sent, by the sender's clock.
    pub at: Time,
    /// What the service believed of the clock then.
    pub believed: Believed,
    /// The lane's last record when the next process began: what this attempt did stands there or before.
    pub head: Place,
}

impl Ask {
    /// `command`, asked by somebody of `kind`, under the key and body of `request`.
    pub fn new(command: Command, kind: ActorKind, request: Request, at: Time) -> Self {
        Self {
            command,
            actor: Actor { kind, id: Id::default() },
            request,
            at,
            believed: Believed::ALL,
            lost: Vec::new(),
            tries: 0,
            repeats: None,
        }
    }

    /// What the engine is given.
    pub fn submission(&self) -> Submission<Wallets> {
        Submission {
            command: self.command.clone(),
            actor: self.actor,
            reason: None,
            request: Some(self.request),
            at: self.at,
        }
    }

    /// The command's fixed name.
    pub fn name(&self) -> &'static str {
        <Wallets as domain::Domain>::command_name(&self.command)
    }
}

/// The asks that wait for the service, and those that may be repeated.
pub struct Queue {
    waiting: Vec<Ask>,
    asks_max: usize,
    history: Vec<Ask>,
}

impl Default for Queue {
    fn default() -> Self {
        Self { waiting: Vec::new(), asks_max: QUEUE_ASKS_MAX, history: Vec::new() }
    }
}

impl Queue {
    /// How many wait.
    pub const fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes the `count` that wait the longest.
    pub fn take(&mut self, count: usize) -> Vec<Ask> {
        self.waiting.drain(..count).collect()
    }

    /// Those that wait.
    pub fn waiting(&self) -> impl Iterator<Item = &Ask> {
        self.waiting.iter()
    }
}

impl World {
    /// Puts an ask into the queue; a full queue refuses it at once, and it comes again.
    pub fn enqueue(&mut self, mut ask: Ask) {
        ask.at = self.now.plus_milliseconds(self.clock_skew_ms);
        self.meet_circumstances(&ask);
        if self.queue.waiting.len() >= self.queue.asks_max {
            self.meet_ask("queue_full", &ask);
            self.coverage.fault("queue_full");
            let wait_ms = self.chance.between(1, 30) * SECOND_MS;
            self.schedule.at(self.now.plus_milliseconds(wait_ms), Due::Again(Box::new(ask)));
            return;
        }
        if let Some(fault) = ask.repeats.take() {
            self.meet_ask(fault, &ask);
            self.coverage.fault(fault);
        }
        self.queue.waiting.push(ask);
    }

    /// Asks for `command` under a fresh key.
    pub fn ask(&mut self, kind: ActorKind, command: Command) {
        let request = Request { key: self.chance.bytes(), body: self.chance.bytes() };
        let ask = Ask::new(command, kind, request, self.now);
        self.enqueue(ask);
    }

    /// Sometimes the service is busy, and little fits into its queue.
    pub fn narrow_queue(&mut self) {
        self.queue.asks_max = if self.chance.one_in(6) { QUEUE_ASKS_FEW } else { QUEUE_ASKS_MAX };
    }

    /// What was refused as unavailable is asked again, under the same key, so often and no more.
    pub(super) fn come_again(&mut self, asks: Vec<Ask>) -> Result<(), String> {
        for mut ask in asks {
            ask.tries += 1;
            if ask.tries > TRIES_MAX {
                return Err(format!("{:?} was asked {TRIES_MAX} times, and never answered", ask.command));
            }
            let wait_ms = self.chance.between(1, 60) * SECOND_MS;
            self.schedule.at(self.now.plus_milliseconds(wait_ms), Due::Again(Box::new(ask)));
        }
        Ok(())
    }

    /// Whoever asked hears the answer; some ask again all the same, some with another body.
    pub(super) fn remember(&mut self, ask: Ask) {
        let is_repeated = self.chance.one_in(12);
        // Half of those who repeat themselves do it at once, while what they asked for is still under way.
        let at_once = self.chance.one_in(2);
        let mut again = ask.clone();
        if self.queue.history.len() < HISTORY_ASKS_MAX {
            self.queue.history.push(ask);
        } else {
            let index = self.chance.index(self.queue.history.len());
            self.queue.history[index] = ask;
        }
        if !is_repeated {
            return;
        }
        if !at_once {
            again = self.queue.history[self.chance.index(self.queue.history.len())].clone();
        }
        let fault = if self.chance.one_in(4) {
            again.request.body = self.chance.bytes();
            "key_with_other_body"
        } else {
            "key_repeated"
        };
        again.repeats = Some(fault);
        let wait_ms = if at_once { self.chance.between(0, MINUTE_MS) } else { self.chance.between(0, 2 * DAY_MS) };
        self.schedule.at(self.now.plus_milliseconds(wait_ms), Due::Again(Box::new(again)));
    }
}
