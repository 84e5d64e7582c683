//! "Not me": what came from the account of somebody who says so is kept where it lies, and the desk has a case.
//!
//! The wallets that linked the account are in its row. From each one the money is followed forward by its lots, debit by debit: a send
//! names the lots that it was made of, and its recipient has it as a lot of that send. Each wallet is told to keep the money *before* its
//! own sends are read: whatever left it earlier stands in its chain by then, and nothing leaves it later.
//! Start reading at [`Service::open_case`].

use crate::entrance::SYSTEM;
use crate::refusals;
use crate::service::Service;
use crate::webhooks::operator::ALARM;
use domain::{Id, Key, Time};
use ledger::Yen;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wallet::case::{Command as OfCase, Status};
use wallet::wallet::{Asker, Blocked, Command as OfWallet};
use wallet::{
    BankAccountId, CaseId, Command, Event, Lot, Receipt, Refusal, Row, SendId, Source, StaffId, TopUpId, WalletId,
    send, table, top_up,
};
use web::Problem;

/// Sends that one case follows, at most.
const SENDS_MAX: usize = 1_000;

/// Money of the case that was sent on, of one debit or of several.
#[derive(Clone, Copy, Debug)]
struct Sent {
    send: SendId,
    to: WalletId,
    of: Option<TopUpId>,
    amount: Yen,
}

/// How much of a send is of each debit; or of several, nobody knows of which.
type Parts = BTreeMap<Option<TopUpId>, Yen>;

/// What of the account's money went where, as far as it was followed.
#[derive(Default)]
struct Trace {
    /// To whom each send went.
    to: BTreeMap<SendId, WalletId>,
    /// How much of each is the account's, by what it was made of: another send, or top-ups.
    parts: BTreeMap<SendId, BTreeMap<Option<SendId>, Parts>>,
    /// What is still to be followed.
    next: VecDeque<SendId>,
}

impl Trace {
    /// `sent` are made of the money of `from`.
    fn add(&mut self, from: Option<SendId>, sent: &[Sent]) {
        let mut made: BTreeMap<SendId, Parts> = BTreeMap::new();
        for Sent { send, to, of, amount } in sent {
            self.to.insert(*send, *to);
            made.entry(*send).or_default().insert(*of, *amount);
        }
        for (send, parts) in made {
            let before = self.parts.entry(send).or_default().insert(from, parts.clone());
            if before != Some(parts) {
                self.next.push_back(send);
            }
        }
    }

    fn parts(&self, send: SendId) -> Parts {
        let mut sum = Parts::new();
        for (of, amount) in self.parts.get(&send).into_iter().flat_map(BTreeMap::values).flatten() {
            let before = sum.entry(*of).or_default();
            *before = before.checked_add(*amount).unwrap_or(Yen::MAX);
        }
        sum
    }
}

impl Service {
    /// The case that the news `n`, told at `at`, opens about an account: the same whenever it is read. The time comes first,
    /// so that cases are in its order.
    fn case_of(&self, n: u64, at: Time, bank_account: BankAccountId) -> CaseId {
        let Id(mut bytes) = self.keys.secret("case", &format!("{n} {at} {bank_account}"));
        bytes[..6].copy_from_slice(&at.milliseconds().to_be_bytes()[2..]);
        CaseId(Id(bytes))
    }

    /// The account's true holder says "not me", by the news `n` that the gateway told at `at`. News that comes twice finds its
    /// own case, and what is closed stays closed.
    pub async fn open_case(&self, n: u64, at: Time, bank_account: BankAccountId) -> Result<(), Problem> {
        let case = self.case_of(n, at, bank_account);
        let open = Command::Case(OfCase::Open { case, bank_account });
        match self.ask(SYSTEM, None, open).await?.reply {
            Ok(Receipt::Case { id, status: Status::Open }) => self.keep_money_of(bank_account, id).await,
            // It was worked on already; or no wallet ever linked the account, and none has its money.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn keep_money_of(&self, bank_account: BankAccountId, case: CaseId) -> Result<(), Problem> {
        let row = self.row(Key::new(table::BANK_ACCOUNT, bank_account.0)).await?;
        let Some(Row::BankAccount(account)) = row.as_deref() else { return Ok(()) };
        let mut trace = Trace::default();
        for wallet in &account.wallets {
            self.keep_in(case, *wallet, Blocked::TopUps(bank_account)).await?;
            let sends = self.sends_of(*wallet, move |lot| lot.source == Source::TopUp(bank_account)).await?;
            trace.add(None, &self.without_reversed(sends).await?);
        }
        let mut followed = 0;
        while let Some(send) = trace.next.pop_front() {
            followed += 1;
            if followed > SENDS_MAX {
                return self.lost_the_trace(case);
            }
            let Some(to) = trace.to.get(&send).copied() else { continue };
            let parts = trace.parts(send);
            for (of, amount) in &parts {
                let amount = *amount;
                let what = of.map_or(Blocked::Sent { send, amount }, |top_up| Blocked::SentOf { send, top_up, amount });
                self.keep_in(case, to, what).await?;
            }
            let amount = Yen::checked_sum(parts.values().copied()).unwrap_or(Yen::MAX);
            let left = self.left_over(to, Blocked::Sent { send, amount }, amount).await?;
            if left.is_zero() {
                continue;
            }
            let is_of_it = move |lot: &Lot| lot.id == send.0 && matches!(lot.source, Source::Send(_));
            let sends = self.sends_of(to, is_of_it).await?;
            // Of several debits nobody knows which one went on.
            let of = parts.keys().next().copied().flatten().filter(|_| parts.len() == 1);
            trace.add(Some(send), &oldest_first(sends.into_iter().map(|sent| sent.whole(of)).collect(), left));
        }
        Ok(())
    }

    /// Keeps `what` in `wallet`. Where no more can be kept apart, nothing at all leaves the wallet.
    async fn keep_in(&self, case: CaseId, wallet: WalletId, what: Blocked) -> Result<(), Problem> {
        let keep = Command::Case(OfCase::Keep { case, wallet, what });
        match self.ask(SYSTEM, None, keep).await?.reply {
            Err(Refusal::LimitExceeded { .. }) => {
                let by = Asker::Desk(StaffId(SYSTEM.id));
                self.ask(SYSTEM, None, Command::Wallet(OfWallet::Freeze { wallet, by })).await?;
                self.lost_the_trace(case)
            }
            Err(refusal) => {
                tracing::error!(%case, refusal = refusals::problem(&refusal).name(), "a case keeps nothing there");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// What of `amount` is not in `wallet` any more.
    async fn left_over(&self, wallet: WalletId, what: Blocked, amount: Yen) -> Result<Yen, Problem> {
        let row = self.row(Key::new(table::WALLET, wallet.0)).await?;
        let Some(Row::Wallet(row)) = row.as_deref() else { return Ok(Yen::ZERO) };
        Ok(amount.saturating_sub(row.caught_by(what)))
    }

    /// The desk must go on by itself: it is told, once a case.
    fn lost_the_trace(&self, case: CaseId) -> Result<(), Problem> {
        tracing::error!(%case, "the money of a case goes on further than it is followed");
        let data = json!({ "kind": "case_not_followed_to_its_end", "id": case.to_string() });
        self.tell_operator(ALARM, &format!("trace {case}"), self.now(), data)
    }

    /// What of `sends` is of top-ups that the bank has not taken back: what it has taken back is its customer's again.
    async fn without_reversed(&self, sends: Vec<MadeOf>) -> Result<Vec<Sent>, Problem> {
        let mut reversed = BTreeMap::new();
        for lot in sends.iter().flat_map(|sent| &sent.lots) {
            if let std::collections::btree_map::Entry::Vacant(place) = reversed.entry(lot.id) {
                let row = self.row(Key::new(table::TOP_UP, lot.id)).await?;
                let is_reversed =
                    matches!(row.as_deref(), Some(Row::TopUp(row)) if row.status == top_up::Status::Reversed);
                place.insert(is_reversed);
            }
        }
        let is_left = |lot: &&Lot| !reversed.get(&lot.id).copied().unwrap_or(false);
        let of_lot = |sent: &MadeOf, lot: &Lot| {
            let (send, to, of, amount) = (sent.send, sent.to, Some(TopUpId(lot.id)), lot.amount);
            Sent { send, to, of, amount }
        };
        let of_send = |sent: &MadeOf| sent.lots.iter().filter(is_left).map(|lot| of_lot(sent, lot)).collect::<Vec<_>>();
        Ok(sends.iter().flat_map(of_send).collect())
    }

    /// The sends out of `wallet` that were made of such lots and did not come back, oldest first.
    async fn sends_of(&self, wallet: WalletId, is_of_it: impl Fn(&Lot) -> bool + Send) -> Result<Vec<MadeOf>, Problem> {
        let (mut found, mut came_back) = (Vec::new(), BTreeSet::new());
        self.look_through(Key::new(table::WALLET, wallet.0), |_, event| {
            if let Event::Send(send::Event::GivenBack { send, .. }) = event {
                came_back.insert(*send);
            }
            let Event::Send(send::Event::Completed(sent) | send::Event::Held { sent, .. }) = event else { return };
            let lots: Vec<Lot> = sent.lots.iter().filter(|lot| is_of_it(lot)).copied().collect();
            if sent.from == wallet && !lots.is_empty() && !came_back.contains(&sent.send) {
                found.push(MadeOf { send: sent.send, to: sent.to, lots });
            }
        })
        .await?;
        found.reverse();
        Ok(found)
    }
}

/// The lots of a send that are looked for.
#[derive(Clone, Debug)]
struct MadeOf {
    send: SendId,
    to: WalletId,
    lots: Vec<Lot>,
}

impl MadeOf {
    fn whole(self, of: Option<TopUpId>) -> Sent {
        let amount = Yen::checked_sum(self.lots.iter().map(|lot| lot.amount)).unwrap_or(Yen::MAX);
        Sent { send: self.send, to: self.to, of, amount }
    }
}

/// `amount` of what was sent on: of money that is mixed, the case's is taken to have left first.
fn oldest_first(sends: Vec<Sent>, amount: Yen) -> Vec<Sent> {
    let mut left = amount;
    let mut taken = Vec::new();
    for sent in sends {
        let part = sent.amount.min(left);
        left = left.saturating_sub(part);
        if !part.is_zero() {
            taken.push(Sent { amount: part, ..sent });
        }
    }
    taken
}
