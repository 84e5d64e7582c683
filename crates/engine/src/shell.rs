//! The shell: a bounded queue, one thread that takes batches from it through the [`Core`], answers after the commit.
//!
//! A full queue refuses at once; it never grows. Point reads wait in the same queue, and look after the batch that they
//! arrived with: they see every answer given before them, and part no batch. A request that is already in flight is joined by
//! its turn: the core answers the second as a repeat.
//! A simulation has no thread: each caller runs the core for its own message, so the order of messages alone says what
//! happens.
//! When the core is dead, or its thread panics, the process ends loudly: nobody knows then what is durable.

use crate::clock::{Clock, ClockWatch};
use crate::core::{Core, Mode, Status};
use crate::options::{CLOCK_DRIFT_MS_MAX, Options};
use crate::record::Request;
use crate::store::{Store, StoreError, Stored};
use crate::submission::{Answer, Answered, EngineError, Submission};
use domain::{Domain, Key, Time};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long one wait for messages lasts while rows are dirty.
const WAIT: Duration = Duration::from_millis(25);
/// Waits in a row without a message after which the queue counts as quiet. The first may end early, by a late wake-up.
const WAITS_QUIET: u32 = 2;
/// Batches whose answers wait to be handed out by [`Engine::dispatch`]; beyond, the engine's thread wakes the callers.
pub const DISPATCH_BATCHES_MAX: usize = 64;
/// The exit code of a process whose engine died.
pub const EXIT_ENGINE_DEAD: i32 = 70;

/// What the shell does when the core is dead: by default it says why and ends the process.
pub type Fatal = Box<dyn Fn(&str) + Send>;

type EngineThread = JoinHandle<Result<(), StoreError>>;

/// A handle on a running engine. Clones share it.
pub struct Engine<D: Domain> {
    queue: Queue<D>,
    clock: Arc<dyn Clock>,
    thread: Arc<Mutex<Option<EngineThread>>>,
}

/// Where messages go.
enum Queue<D: Domain> {
    /// To the engine's thread.
    Thread(mpsc::Sender<Message<D>>),
    /// To the core itself, run by the caller; none once it has stopped.
    Caller(Arc<Mutex<Option<Box<dyn Runs<D>>>>>),
}

/// A core that whoever has a message runs.
trait Runs<D: Domain>: Send {
    fn run(&mut self, message: Message<D>);
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

enum Message<D: Domain> {
    Submit(Submission<D>, oneshot::Sender<Answered<D>>),
    Look(Look<D>),
    Status(oneshot::Sender<Status>),
    Context(Arc<D::Context>),
    Dispatch(mpsc::Sender<Bundle<D>>),
    Stop,
}

/// Something that is looked at, and changes nothing.
enum Look<D: Domain> {
    Read(Key, oneshot::Sender<Result<Option<Stored<D::Row>>, EngineError>>),
    Recall(Request, oneshot::Sender<Recalled<D>>),
}

/// What a request was answered, if it was.
type Recalled<D> = Result<Option<Answer<D>>, EngineError>;

/// The answers of one batch, each with whom it is for.
type Bundle<D> = Vec<(oneshot::Sender<Answered<D>>, Answered<D>)>;

impl<D: Domain> Clone for Engine<D> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), clock: Arc::clone(&self.clock), thread: Arc::clone(&self.thread) }
    }
}

impl<D: Domain> Clone for Queue<D> {
    fn clone(&self) -> Self {
        match self {
            Self::Thread(sender) => Self::Thread(sender.clone()),
            Self::Caller(core) => Self::Caller(Arc::clone(core)),
        }
    }
}

impl<D: Domain> Engine<D> {
    /// Starts the thread that runs `core`; no thread where its options say that callers run it.
    pub fn start<S: Store<D> + 'static>(core: Core<D, S>, clock: Arc<dyn Clock>) -> Self {
        Self::start_with(core, clock, Box::new(end_process))
    }

    /// Starts the thread that runs `core`; `fatal` is called when it is dead.
    pub fn start_with<S: Store<D> + 'static>(core: Core<D, S>, clock: Arc<dyn Clock>, fatal: Fatal) -> Self {
        let in_callers = core.options().in_callers;
        let (sender, receiver) = mpsc::channel(core.options().queue_commands_max);
        let driver = Driver::new(core, receiver, Arc::clone(&clock));
        if in_callers {
            let watch = driver.watch();
            let core: Box<dyn Runs<D>> = Box::new(InCallers { driver, watch, fatal });
            let queue = Queue::Caller(Arc::new(Mutex::new(Some(core))));
            return Self { queue, clock, thread: Arc::default() };
        }
        let thread = thread::Builder::new()
            .name(format!("{} engine", D::NAME))
            .spawn(move || run(driver, &fatal))
            .expect("a thread can be started at the start of the process");
        Self { queue: Queue::Thread(sender), clock, thread: Arc::new(Mutex::new(Some(thread))) }
    }

    /// The time by the engine's clock: for [`Submission::at`].
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Queues a command at once; the answer comes after its commit. Refused as busy when too many wait.
    pub fn submit(&self, submission: Submission<D>) -> impl Future<Output = Answered<D>> + Send + use<D> {
        let (reply, answer) = oneshot::channel();
        let queued = self.queue(Message::Submit(submission, reply));
        async move {
            queued?;
            answer.await.unwrap_or_else(|_| Err(died()))
        }
    }

    /// The same for callers outside of an async runtime: waits for the answer.
    pub fn submit_blocking(&self, submission: Submission<D>) -> Answered<D> {
        let (reply, answer) = oneshot::channel();
        self.queue(Message::Submit(submission, reply))?;
        answer.blocking_recv().unwrap_or_else(|_| Err(died()))
    }

    /// The row at `key` after every command that was answered before.
    pub fn read(&self, key: Key) -> impl Future<Output = Result<Option<Stored<D::Row>>, EngineError>> + Send + use<D> {
        let (reply, row) = oneshot::channel();
        let queued = self.queue(Message::Look(Look::Read(key, reply)));
        async move {
            queued?;
            row.await.unwrap_or_else(|_| Err(died()))
        }
    }

    /// The same for callers outside of an async runtime.
    pub fn read_blocking(&self, key: Key) -> Result<Option<Stored<D::Row>>, EngineError> {
        let (reply, row) = oneshot::channel();
        self.queue(Message::Look(Look::Read(key, reply)))?;
        row.blocking_recv().unwrap_or_else(|_| Err(died()))
    }

    /// What `request` was answered, if it was: of every command that was queued before.
    pub fn recall(
        &self,
        request: Request,
    ) -> impl Future<Output = Result<Option<Answer<D>>, EngineError>> + Send + use<D> {
        let (reply, answer) = oneshot::channel();
        let queued = self.queue(Message::Look(Look::Recall(request, reply)));
        async move {
            queued?;
            answer.await.unwrap_or_else(|_| Err(died()))
        }
    }

    /// How the core is.
    pub async fn status(&self) -> Result<Status, EngineError> {
        let (reply, status) = oneshot::channel();
        self.queue_waiting(Message::Status(reply)).await?;
        status.await.map_err(|_| EngineError::Stopped)
    }

    /// Commands that are queued after this are decided in `context`.
    pub async fn set_context(&self, context: Arc<D::Context>) -> Result<(), EngineError> {
        self.queue_waiting(Message::Context(context)).await
    }

    /// Hands out answers on the caller's own runtime for as long as the future is polled. Without it the engine's thread
    /// wakes every caller itself, one by one; with it a batch costs that thread one wake-up, however many callers wait.
    pub fn dispatch(&self) -> impl Future<Output = ()> + Send + use<D> {
        let (sender, receiver) = mpsc::channel::<Bundle<D>>(DISPATCH_BATCHES_MAX);
        let mut dispatched = Dispatched(receiver);
        let this = self.clone();
        async move {
            // A closed queue has nobody left to answer.
            if this.queue_waiting(Message::Dispatch(sender)).await.is_err() {
                return;
            }
            drop(this);
            while let Some(bundle) = dispatched.0.recv().await {
                tell_all(bundle);
            }
        }
    }

    /// Stops: what is queued is still answered, every row is written, the thread ends. The second call does nothing.
    pub fn stop(&self) -> Result<(), StoreError> {
        let sender = match &self.queue {
            Queue::Thread(sender) => sender,
            Queue::Caller(core) => {
                let core = core.lock().unwrap_or_else(PoisonError::into_inner).take();
                return core.map_or(Ok(()), Runs::close);
            }
        };
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        // A closed queue means that the thread has ended already; joining tells how.
        let mut message = Message::Stop;
        while let Err(mpsc::error::TrySendError::Full(back)) = sender.try_send(message) {
            message = back;
            thread::park_timeout(WAIT);
        }
        thread.join().unwrap_or_else(|_| Err(StoreError::Lost("the engine's thread panicked".into())))
    }

    fn queue(&self, message: Message<D>) -> Result<(), EngineError> {
        match &self.queue {
            Queue::Thread(sender) => sender.try_send(message).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => EngineError::Busy,
                mpsc::error::TrySendError::Closed(_) => EngineError::Stopped,
            }),
            Queue::Caller(core) => {
                let mut core = core.lock().unwrap_or_else(PoisonError::into_inner);
                core.as_mut().map(|core| core.run(message)).ok_or(EngineError::Stopped)
            }
        }
    }

    /// The same for what waits until there is room.
    async fn queue_waiting(&self, message: Message<D>) -> Result<(), EngineError> {
        match &self.queue {
            Queue::Thread(sender) => sender.send(message).await.map_err(|_| EngineError::Stopped),
            Queue::Caller(_) => self.queue(message),
        }
    }
}

/// What a caller hears whose command was queued and never answered: a stop answers everything, so the thread has died.
fn died() -> EngineError {
    EngineError::Halted("its thread ended before the answer".into())
}

/// The answers that wait for [`Engine::dispatch`]. When nobody polls it any more, they are handed out all the same.
struct Dispatched<D: Domain>(mpsc::Receiver<Bundle<D>>);

impl<D: Domain> Drop for Dispatched<D> {
    fn drop(&mut self) {
        self.0.close();
        while let Ok(bundle) = self.0.try_recv() {
            tell_all(bundle);
        }
    }
}

#[expect(clippy::print_stderr, reason = "the process ends here; there may be no log any more")]
fn end_process(why: &str) {
    eprintln!("the engine is dead, the process ends: {why}");
    std::process::exit(EXIT_ENGINE_DEAD);
}

/// Runs the driver to its end. Death of the core and a panic of our own end in `fatal`.
fn run<D: Domain, S: Store<D>>(driver: Driver<D, S>, fatal: &Fatal) -> Result<(), StoreError> {
    let result = catch_unwind(AssertUnwindSafe(|| driver.run()))
        .unwrap_or_else(|_| Err(StoreError::Lost("the engine's thread panicked".into())));
    if let Err(error) = &result {
        fatal(&error.to_string());
    }
    result
}

/// The side of callers that run the core themselves.
struct InCallers<D: Domain, S: Store<D>> {
    driver: Driver<D, S>,
    watch: ClockWatch,
    fatal: Fatal,
}

impl<D: Domain, S: Store<D>> Runs<D> for InCallers<D, S> {
    fn run(&mut self, message: Message<D>) {
        let Self { driver, watch, fatal } = self;
        driver.core.believe_clock(watch.look(driver.clock.now(), driver.clock.monotonic_milliseconds()));
        driver.messages.push(message);
        driver.take_messages();
        if let Mode::Dead(error) = driver.core.mode() {
            fatal(&error.to_string());
        }
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.driver.core.close().map(drop)
    }
}

/// The thread's side.
struct Driver<D: Domain, S: Store<D>> {
    core: Core<D, S>,
    options: Options,
    receiver: mpsc::Receiver<Message<D>>,
    waker: Waker,
    clock: Arc<dyn Clock>,
    messages: Vec<Message<D>>,
    batch: Vec<Submission<D>>,
    looks: Vec<Look<D>>,
    replies: Vec<oneshot::Sender<Answered<D>>>,
    answers: Vec<Answered<D>>,
    dispatcher: Option<mpsc::Sender<Bundle<D>>>,
    clean: bool,
    stopping: bool,
}

impl<D: Domain, S: Store<D>> Driver<D, S> {
    fn new(core: Core<D, S>, receiver: mpsc::Receiver<Message<D>>, clock: Arc<dyn Clock>) -> Self {
        Self {
            options: *core.options(),
            core,
            receiver,
            waker: Waker::noop().clone(),
            clock,
            messages: Vec::new(),
            batch: Vec::new(),
            looks: Vec::new(),
            replies: Vec::new(),
            answers: Vec::new(),
            dispatcher: None,
            clean: false,
            stopping: false,
        }
    }

    fn run(mut self) -> Result<(), StoreError> {
        self.waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut watch = self.watch();
        loop {
            match self.receive() {
                Received::Some => {
                    self.core.believe_clock(watch.look(self.clock.now(), self.clock.monotonic_milliseconds()));
                    self.take_messages();
                    self.clean = false;
                }
                Received::Quiet => self.clean = self.core.idle(),
                Received::Closed => break,
            }
            if let Mode::Dead(error) = self.core.mode() {
                return Err(error.clone());
            }
        }
        self.core.close().map(drop)
    }

    /// The watch over this process's clocks. A calendar that is far from the lane's last record is told at once: it may be
    /// wrong now, or have been wrong then.
    fn watch(&self) -> ClockWatch {
        let (now, steady_milliseconds) = (self.clock.now(), self.clock.monotonic_milliseconds());
        let last = self.core.status().head;
        if !self.clock.is_machines() || self.options.clock_believed || last.place.n == 0 {
            return ClockWatch::begin(now, steady_milliseconds);
        }
        let watch = ClockWatch::begin_after(last.at, now, steady_milliseconds);
        let (domain, calendar, last_record) = (D::NAME, now, last.at);
        if watch.is_far_ahead() {
            tracing::error!(
                domain, %calendar, %last_record,
                "the machine's calendar is hours ahead of the journal: no money leaves until it is set right, or somebody says that \
                 it is right and the process was stopped for so long (`serve --believe-clock`)"
            );
        } else if last.at.milliseconds_since(now) > CLOCK_DRIFT_MS_MAX {
            tracing::error!(
                domain, %calendar, %last_record,
                "the journal's last record is of a time that has not come yet: no money leaves until then; see docs/clocks.md"
            );
        }
        watch
    }

    /// Waits for messages: without end while every row is clean, else until the queue has been quiet for a while.
    fn receive(&mut self) -> Received {
        let mut context = Context::from_waker(&self.waker);
        let mut waits = 0;
        loop {
            match self.receiver.poll_recv_many(&mut context, &mut self.messages, self.options.batch_commands_max) {
                Poll::Ready(0) => return Received::Closed,
                Poll::Ready(_) => return Received::Some,
                Poll::Pending if self.clean => thread::park(),
                Poll::Pending if waits >= WAITS_QUIET => return Received::Quiet,
                Poll::Pending => thread::park_timeout(WAIT),
            }
            waits += 1;
        }
    }

    /// Runs what arrived: commands in their order as one batch, unless they are decided in another context, and then looks.
    fn take_messages(&mut self) {
        let mut messages = std::mem::take(&mut self.messages);
        for message in messages.drain(..) {
            match message {
                Message::Submit(submission, reply) => {
                    self.batch.push(submission);
                    self.replies.push(reply);
                }
                Message::Look(look) => self.looks.push(look),
                Message::Status(reply) => tell(reply, self.core.status()),
                Message::Context(context) => {
                    self.step();
                    self.core.set_context(context);
                }
                Message::Dispatch(dispatcher) => self.dispatcher = Some(dispatcher),
                Message::Stop => self.stopping = true,
            }
        }
        self.messages = messages;
        self.step();
        self.look();
        if self.stopping {
            self.receiver.close();
        }
    }

    /// Answers whoever only looks, after everything that was queued before them.
    fn look(&mut self) {
        for look in self.looks.drain(..) {
            match look {
                Look::Read(key, reply) => tell(reply, self.core.read(key)),
                Look::Recall(request, reply) => tell(reply, self.core.recall(request)),
            }
        }
    }

    fn step(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        self.core.step(&self.batch, &mut self.answers);
        assert_eq!(self.answers.len(), self.replies.len(), "every command gets one answer");
        let answered = self.replies.drain(..).zip(self.answers.drain(..));
        match &self.dispatcher {
            None => tell_all(answered),
            Some(dispatcher) => match dispatcher.try_send(answered.collect()) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(bundle)) => tell_all(bundle),
                Err(mpsc::error::TrySendError::Closed(bundle)) => {
                    tell_all(bundle);
                    self.dispatcher = None;
                }
            },
        }
        self.batch.clear();
    }
}

enum Received {
    Some,
    Quiet,
    Closed,
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn tell_all<D: Domain>(answers: impl IntoIterator<Item = (oneshot::Sender<Answered<D>>, Answered<D>)>) {
    for (reply, answer) in answers {
        tell(reply, answer);
    }
}

/// Answers a caller, who may have gone away.
fn tell<T>(reply: oneshot::Sender<T>, answer: T) {
    drop(reply.send(answer));
}
