//! Files: the debits of a day go together to a bank that takes them so. What each bank says of its days is read beside that
//! ([`papers`](super::papers)).
//!
//! Start reading at [`Desk::run_due`].

use super::papers::{AGAIN_MS, Reader};
use crate::connector::{BankConnector, BankOrder, Rhythm};
use crate::domain::bank::Function;
use crate::domain::comparison::Paper;
use crate::domain::movement::{Command, Kind, Movement, Next};
use crate::domain::{BankCode, Command as Asked, MovementId, Receipt, mandate};
use crate::gateway::{Gateway, NotDone};
use domain::{Day, Time};
use engine::EngineError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use web::Due;

/// One bank's files, and who reads what it says of its days.
pub(super) struct Desk {
    files: Mutex<Files>,
    readers: [Reader; 2],
}

#[derive(Default)]
struct Files {
    /// The day whose debits were put together last.
    requested: Option<Day>,
    /// A day's debits that the bank has not taken yet, those too that may not be handed in just now.
    waiting: Option<(Day, Arc<[MovementId]>)>,
    /// When they are handed in again.
    again: Option<Time>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { files: Mutex::default(), readers: Paper::ALL.map(Reader::new) }
    }
}

impl Desk {
    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares the bank's next papers, and sends the day's debits together, as far as it is time for that.
    pub async fn run_due(&self, gateway: &Gateway, bank: BankCode, now: Time) -> Due {
        let Some(debits) = gateway.debits(bank) else { return Due::default() };
        let (mut done, mut nexts) = (0, Vec::new());
        for reader in &self.readers {
            let read = reader.run_due(gateway, bank, now).await;
            done += read.done;
            nexts.extend(read.next);
        }
        if let Rhythm::Daily { cut_off_minute } = debits.rhythm() {
            let today = now.day();
            let cut_off = today.start().plus_milliseconds(super::minutes(cut_off_minute));
            if now < cut_off {
                nexts.push(cut_off);
            } else if self.files().requested != Some(today) && debits.rhythm().has_results(today) {
                done += self.request(gateway, bank, today, cut_off).await;
            }
            done += self.hand_in(gateway, bank, debits, now).await;
            nexts.extend(self.files().again.filter(|again| now < *again));
        }
        Due { done, next: nexts.into_iter().min() }
    }

    /// The debits that are not with the bank yet go together. Each is taken first, so that it is durable that the bank may know
    /// it; whose mandate is over by now is not asked for. After a restart nobody knows whether the bank has them already: they
    /// are put together again, and what it has of them the bank knows by our references.
    async fn request(&self, gateway: &Gateway, bank: BankCode, day: Day, cut_off: Time) -> usize {
        let mut orders = Vec::new();
        for movement in gateway.work().open(bank) {
            match is_for(gateway, movement, day, cut_off).await {
                Ok(true) => orders.push(movement),
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(?error, %bank, "a debit waits for the next file");
                }
            }
        }
        let count = orders.len();
        let mut desk = self.files();
        desk.requested = Some(day);
        desk.waiting = (count > 0).then(|| (day, orders.into()));
        count
    }

    /// Hands in what waits, as far as it is permitted at that moment: what an account's holder disowned, whose mandate is over or
    /// what the bank's switch stops since the file was made is left out, and the day's results end it. The same debits twice are
    /// one each to the bank: they carry our references. What the bank did not take on its day is not handed in any more once that
    /// day's file was looked for.
    async fn hand_in(&self, gateway: &Gateway, bank: BankCode, debits: &dyn BankConnector, now: Time) -> usize {
        if self.files().again.is_some_and(|again| now < again) {
            return 0;
        }
        let Some((day, movements)) = self.files().waiting.clone() else { return 0 };
        let file = match file(gateway, bank, day, &movements).await {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(%error, %bank, "a request file waits for the engine");
                self.files().again = Some(now.plus_milliseconds(AGAIN_MS));
                return 0;
            }
        };
        let result = match &file {
            File::Over => Ok(Vec::new()),
            File::Stopped => {
                self.files().again = Some(now.plus_milliseconds(AGAIN_MS));
                return 0;
            }
            File::Orders(orders) => debits.send(day, orders).await,
        };
        let mut desk = self.files();
        match result {
            // What became of each is heard with the day's results.
            Ok(_) => {
                (desk.waiting, desk.again) = (None, None);
                1
            }
            Err(error) => {
                tracing::warn!(%bank, %error, "a request file waits");
                desk.again = Some(now.plus_milliseconds(AGAIN_MS));
                0
            }
        }
    }
}

/// What a bank is handed in of a day.
enum File {
    /// Nothing any more: the day's results were looked for, or each of its debits has ended.
    Over,
    /// Nothing just now: none of its debits is permitted. A stop may end before the day's results.
    Stopped,
    /// These.
    Orders(Vec<BankOrder>),
}

/// The file of `day`, of those of its `movements` that may be sent now.
async fn file(gateway: &Gateway, bank: BankCode, day: Day, movements: &[MovementId]) -> Result<File, EngineError> {
    if gateway.comparison(bank, Paper::Debits).await?.is_some_and(|row| row.until >= day) {
        return Ok(File::Over);
    }
    let (mut orders, mut is_over) = (Vec::new(), true);
    for movement in movements {
        let Some(row) = gateway.movement(*movement).await?.filter(|row| row.status.is_open()) else { continue };
        is_over = false;
        if is_permitted(gateway, &row).await? {
            orders.extend(super::order(gateway, *movement, &row).await?);
        }
    }
    Ok(match (is_over, orders.is_empty()) {
        (true, _) => File::Over,
        (false, true) => File::Stopped,
        (false, false) => File::Orders(orders),
    })
}

/// Whether a debit is to be in the file of `day`, which is made at `cut_off`.
async fn is_for(gateway: &Gateway, movement: MovementId, day: Day, cut_off: Time) -> Result<bool, NotDone> {
    let is_due = |row: &Movement| row.order.kind == Kind::Debit && row.order.accepted < cut_off;
    let Some(row) = gateway.movement(movement).await?.filter(is_due) else { return Ok(false) };
    // It was in it before a restart: whether it still may be is asked when the file is handed in.
    if row.sent.is_some_and(|sent| sent.day() == day) && row.status.is_open() {
        return Ok(true);
    }
    if row.asked > 0 || super::order(gateway, movement, &row).await?.is_none() {
        return Ok(false);
    }
    let take = Asked::Movement(Command::Take { movement, by_file: true, spread: super::spread(gateway) });
    let receipt = gateway.submit(take, gateway.system(), None).await?;
    Ok(matches!(receipt, Receipt::Movement { next: Some(Next::Send), .. }))
}

/// Whether a debit that the bank may not have yet may still be sent to it.
async fn is_permitted(gateway: &Gateway, row: &Movement) -> Result<bool, EngineError> {
    let Some(mandate) = row.order.mandate else { return Ok(false) };
    let is_active = gateway.mandate(mandate).await?.is_some_and(|mandate| mandate.status == mandate::Status::Active);
    Ok(is_active && gateway.bank_row(row.order.bank).await?.stop(Function::Debit).is_none())
}
