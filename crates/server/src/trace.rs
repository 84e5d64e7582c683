//! Where money is now: from top-ups forward through the lots of sends to purses, shops and bank accounts, every yen of it.
//!
//! A purse's lots name the movement that brought them; what left a wallet names the lots that it was made of, and the movement's
//! own row has what of them did not come back. Of a lot that is mixed with other people's money, what is still there is taken to
//! be the traced one's, and what has left is followed from the oldest movement on, as a case does it (decision 0007). Sends are
//! followed in the order of the journal, so that all that reached one is known before it is gone through.
//! Start reading at [`Service::trace`].

use crate::service::Service;
use domain::{Id, Key};
use engine::{Place, history};
use ledger::Yen;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wallet::payment::{Event as OfPayment, Status as PaymentStatus};
use wallet::payout::{Event as OfPayout, Status as PayoutStatus};
use wallet::reimbursement::{Event as Of, Reimbursement, Status};
use wallet::send::{Event as OfSend, Status as SendStatus};
use wallet::wallet::{Event as OfWallet, Wallet};
use wallet::{
    BankAccountId, Event, Lot, PaymentId, PayoutId, Piece, Purse, ReimbursementId, Row, SendId, ShopId, Source,
    TopUpId, WalletId, Wallets, reimbursement, table, top_up,
};
use web::Problem;

/// Sends that one trace goes through, at most.
const SENDS_MAX: usize = 1_000;
/// Records of one wallet that are looked through, at most.
const RECORDS_MAX: usize = 50_000;
/// Records that are read at a time.
const SLICE_RECORDS: usize = 500;

/// Money whose way is followed: a lot that a top-up brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The top-up.
    pub top_up: TopUpId,
    /// Of which account.
    pub bank_account: BankAccountId,
    /// Into which wallet.
    pub wallet: WalletId,
    /// How much came.
    pub amount: Yen,
}

/// Where a part of the money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// Available in the wallet's purse, kept by a case or not.
    Purse,
    /// On its way to another wallet, and waits for the desk.
    SendHeld(SendId),
    /// Held for a shop, which has not taken it yet.
    Authorised(PaymentId, ShopId),
    /// A shop was paid with it.
    Shop(PaymentId, ShopId),
    /// On its way to a bank account.
    PayoutOpen(PayoutId, BankAccountId),
    /// In a bank account.
    BankAccount(PayoutId, BankAccountId),
    /// The bank has taken it back into the account that it came from.
    TakenBack(TopUpId),
    /// A case took it, and it stands ready for its account, or is on its way there.
    Restitution(ReimbursementId, BankAccountId),
    /// It is back in the account that it came from.
    Restored(ReimbursementId, BankAccountId),
    /// It paid what the wallet owed.
    Debts,
    /// It waits in suspense, for a wallet that is closed.
    Suspense,
}

/// A part of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub place: Where,
    /// In, or out of, which wallet.
    pub wallet: WalletId,
    /// How much.
    pub amount: Yen,
}

/// A send that a part of the money went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// Which.
    pub send: SendId,
    /// From whom.
    pub from: WalletId,
    /// To whom.
    pub to: WalletId,
    /// How much of it is traced.
    pub amount: Yen,
}

/// What became of money.
#[derive(Debug, Default)]
pub struct Traced {
    /// How much was followed.
    pub amount: Yen,
    /// Where it is.
    pub parts: Vec<Part>,
    /// Through which sends it went, in their order.
    pub hops: Vec<Hop>,
    /// Whether all of it was followed: a bound was not reached.
    pub is_complete: bool,
}

impl Traced {
    /// What no part accounts for; more than nothing where a bound was reached.
    pub fn unexplained(&self) -> Yen {
        let explained = Yen::checked_sum(self.parts.iter().map(|part| part.amount)).unwrap_or(Yen::MAX);
        self.amount.saturating_sub(explained)
    }
}

/// A lot, wherever it is met.
#[derive(Clone, Copy, Debug)]
enum Followed {
    TopUp(TopUpId, BankAccountId),
    Send(SendId),
}

impl Followed {
    const fn id(self) -> Id {
        match self {
            Self::TopUp(TopUpId(id), _) | Self::Send(SendId(id)) => id,
        }
    }

    fn is(self, lot: &Lot) -> bool {
        match self {
            Self::TopUp(id, account) => lot.id == id.0 && lot.source == Source::TopUp(account),
            Self::Send(id) => lot.id == id.0 && matches!(lot.source, Source::Send(_)),
        }
    }

    fn of<'a>(self, lots: impl Iterator<Item = &'a Lot>) -> Yen {
        Yen::checked_sum(lots.filter(|lot| self.is(lot)).map(|lot| lot.amount)).unwrap_or(Yen::MAX)
    }

    fn of_pieces(self, pieces: &[Piece]) -> Yen {
        self.of(pieces.iter().map(|piece| &piece.lot))
    }
}

/// What took something of a lot, in a wallet's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Out {
    Payment(PaymentId),
    Send(SendId),
    Payout(PayoutId),
    Reimbursement(ReimbursementId),
}

/// What a wallet's chain says of a lot.
#[derive(Default)]
struct Chain {
    /// What took of it, each once, at the record of its first time.
    outs: BTreeMap<Out, u64>,
    /// What came back of it into the purse and to debts when a payout was not made, until the record that took it is met.
    given_back: BTreeMap<Out, Yen>,
    taken_back: Yen,
    debts: Yen,
    suspense: Yen,
    is_whole: bool,
}

impl Chain {
    fn note(&mut self, lot: Followed, n: u64, event: &Event) {
        if let Some((out, amount)) = taken(lot, event)
            && !amount.is_zero()
        {
            // The chain is read from its end: the last one noted is the first.
            self.outs.insert(out, n);
            if let Some(given_back) = self.given_back.remove(&out) {
                self.suspense = plus(self.suspense, amount.saturating_sub(given_back));
            }
        }
        if let Event::Payment(OfPayment::Refunded { to_debts, to_suspense, .. }) = event {
            self.debts = plus(self.debts, lot.of_pieces(to_debts));
            self.suspense = plus(self.suspense, lot.of_pieces(to_suspense));
        }
        if let Event::Payment(OfPayment::Released { to_debts: pieces, .. })
        | Event::Send(OfSend::GivenBack { to_debts: pieces, .. })
        | Event::Wallet(OfWallet::Collected { pieces, .. }) = event
        {
            self.debts = plus(self.debts, lot.of_pieces(pieces));
        }
        if let Event::Payout(OfPayout::Ended { credit, given, .. } | OfPayout::Returned { credit, given, .. }) = event {
            let of_it = given.to_debts.iter().filter(|(id, _)| *id == lot.id()).map(|(_, amount)| *amount);
            let to_debts = Yen::checked_sum(of_it).unwrap_or(Yen::MAX);
            self.debts = plus(self.debts, to_debts);
            self.given_back.insert(Out::Payout(credit.payout), plus(to_debts, lot.of_pieces(&given.to_purse)));
        }
        if let Event::TopUp(top_up::Event::Reversed { taken: Some(piece), .. }) = event {
            self.taken_back = plus(self.taken_back, lot.of_pieces(std::slice::from_ref(piece)));
        }
    }
}

fn plus(one: Yen, other: Yen) -> Yen {
    one.checked_add(other).unwrap_or(Yen::MAX)
}

/// What an event takes of `lot` out of the purse, and for which movement.
fn taken(lot: Followed, event: &Event) -> Option<(Out, Yen)> {
    if let Event::Payment(OfPayment::Paid(paid) | OfPayment::Authorised { authorised: paid, .. }) = event {
        return Some((Out::Payment(paid.payment), lot.of_pieces(&paid.pieces)));
    }
    if let Event::Send(OfSend::Completed(sent) | OfSend::Held { sent, .. }) = event {
        return Some((Out::Send(sent.send), lot.of(sent.lots.iter())));
    }
    if let Event::Payout(OfPayout::Requested { credit, pieces, .. } | OfPayout::PaidAfterAll { credit, pieces, .. }) =
        event
    {
        return Some((Out::Payout(credit.payout), lot.of_pieces(pieces)));
    }
    if let Event::Reimbursement(reimbursement::Event::Approved { credit, taken, .. }) = event {
        return Some((Out::Reimbursement(credit.reimbursement), lot.of(taken.iter().map(|taken| &taken.piece.lot))));
    }
    None
}

/// Sends that are still to be gone through, by the records in which they were made.
type Next = BTreeMap<(u64, SendId), Hop>;

impl Service {
    /// Where the money of `roots` is now.
    pub async fn trace(&self, roots: &[Root]) -> Result<Traced, Problem> {
        let amount = Yen::checked_sum(roots.iter().map(|root| root.amount)).unwrap_or(Yen::MAX);
        let mut traced = Traced { amount, is_complete: true, ..Traced::default() };
        let mut next = Next::new();
        for root in roots {
            let lot = Followed::TopUp(root.top_up, root.bank_account);
            self.follow(root.wallet, lot, root.amount, &mut traced, &mut next).await?;
        }
        while let Some(((_, send), hop)) = next.pop_first() {
            if traced.hops.len() == SENDS_MAX {
                traced.is_complete = false;
                return Ok(traced);
            }
            traced.hops.push(hop);
            self.follow(hop.to, Followed::Send(send), hop.amount, &mut traced, &mut next).await?;
        }
        Ok(traced)
    }

    /// Where `amount` of `lot` is that came into `wallet`: what is still there first, then what left it, the oldest first.
    async fn follow(
        &self,
        wallet: WalletId,
        lot: Followed,
        amount: Yen,
        traced: &mut Traced,
        next: &mut Next,
    ) -> Result<(), Problem> {
        let chain = self.chain_of(wallet, lot).await?;
        traced.is_complete &= chain.is_whole;
        let mut left = amount;
        let mut take = |most: Yen| {
            let part = most.min(left);
            left = left.saturating_sub(part);
            part
        };
        let there = take(self.in_purses(wallet, lot).await?);
        let mut parts = vec![(Where::Purse, there)];
        let mut outs: Vec<(u64, Out)> = chain.outs.iter().map(|(out, n)| (*n, *out)).collect();
        outs.sort_unstable();
        for (n, out) in outs {
            let (place, gone) = self.gone(out, lot).await?;
            let part = take(gone);
            match place {
                Gone::Parted(places) => {
                    let mut of_it = part;
                    for (place, most) in places {
                        let amount = most.min(of_it);
                        of_it = of_it.saturating_sub(amount);
                        parts.push((place, amount));
                    }
                }
                Gone::Stays(place) => parts.push((place, part)),
                Gone::On { from, to } if !part.is_zero() => {
                    let Out::Send(send) = out else { continue };
                    let hop = next.entry((n, send)).or_insert(Hop { send, from, to, amount: Yen::ZERO });
                    hop.amount = plus(hop.amount, part);
                }
                Gone::On { .. } | Gone::Nothing => {}
            }
        }
        if let Followed::TopUp(top_up, _) = lot {
            parts.push((Where::TakenBack(top_up), take(chain.taken_back)));
        }
        parts.push((Where::Debts, take(chain.debts)));
        parts.push((Where::Suspense, take(chain.suspense)));
        let there = parts.into_iter().filter(|(_, amount)| !amount.is_zero());
        traced.parts.extend(there.map(|(place, amount)| Part { place, wallet, amount }));
        Ok(())
    }

    async fn in_purses(&self, wallet: WalletId, lot: Followed) -> Result<Yen, Problem> {
        let Some(wallet) = self.wallet_row(wallet).await? else { return Ok(Yen::ZERO) };
        Ok(lot.of(Purse::ALL.iter().flat_map(|purse| &wallet.purse(*purse).lots)))
    }

    async fn wallet_row(&self, wallet: WalletId) -> Result<Option<Wallet>, Problem> {
        Ok(match self.row(Key::new(table::WALLET, wallet.0)).await?.as_deref() {
            Some(Row::Wallet(wallet)) => Some((**wallet).clone()),
            Some(_) | None => None,
        })
    }

    /// What of `lot` a movement has now, by its own row: what came back is there no more.
    async fn gone(&self, out: Out, lot: Followed) -> Result<(Gone, Yen), Problem> {
        let key = match out {
            Out::Payment(id) => Key::new(table::PAYMENT, id.0),
            Out::Send(id) => Key::new(table::SEND, id.0),
            Out::Payout(id) => Key::new(table::PAYOUT, id.0),
            Out::Reimbursement(id) => Key::new(table::REIMBURSEMENT, id.0),
        };
        let row = self.row(key).await?;
        Ok(match (out, row.as_deref()) {
            (Out::Payment(id), Some(Row::Payment(row))) => {
                let place = match row.status {
                    PaymentStatus::Authorised => Where::Authorised(id, row.shop),
                    PaymentStatus::Captured | PaymentStatus::Voided | PaymentStatus::Expired => {
                        Where::Shop(id, row.shop)
                    }
                };
                (Gone::Stays(place), lot.of_pieces(&row.pieces))
            }
            (Out::Payout(id), Some(Row::Payout(row))) => {
                let account = row.credit.bank_account;
                let place = match row.status {
                    PayoutStatus::Settled => Where::BankAccount(id, account),
                    PayoutStatus::Held | PayoutStatus::Pending | PayoutStatus::InDoubt => {
                        Where::PayoutOpen(id, account)
                    }
                    PayoutStatus::Declined | PayoutStatus::Cancelled | PayoutStatus::Returned => {
                        return Ok((Gone::Nothing, Yen::ZERO));
                    }
                };
                (Gone::Stays(place), lot.of_pieces(&row.pieces))
            }
            (Out::Send(id), Some(Row::Send(row))) => match row.status {
                SendStatus::Held => (Gone::Stays(Where::SendHeld(id)), lot.of(row.lots.iter())),
                SendStatus::Completed => (Gone::On { from: row.from, to: row.to }, lot.of(row.lots.iter())),
                SendStatus::GivenUp | SendStatus::Expired => (Gone::Nothing, Yen::ZERO),
            },
            (Out::Reimbursement(id), Some(Row::Reimbursement(row))) => {
                let amount = lot.of(row.taken.iter().map(|taken| &taken.piece.lot));
                (Gone::Parted(self.given_back(id, row, amount).await?), amount)
            }
            (Out::Payment(_) | Out::Send(_) | Out::Payout(_) | Out::Reimbursement(_), _) => (Gone::Nothing, Yen::ZERO),
        })
    }

    /// Where a reimbursement has `amount` of what it took, part by part. What one that failed had stands ready for its debit, until others
    /// have paid with it, the oldest going first: then it is where those have it, or with the bank that took the debit back by itself.
    async fn given_back(
        &self,
        id: ReimbursementId,
        row: &Reimbursement,
        amount: Yen,
    ) -> Result<Vec<(Where, Yen)>, Problem> {
        let (account, top_up) = (row.credit.bank_account, row.credit.top_up);
        let heirs = self.heirs(top_up).await?;
        let (mut places, mut next) = (Vec::new(), VecDeque::from([(id, amount)]));
        while let Some((id, mut left)) = next.pop_front() {
            let status = self.reimbursement(id).await?.status;
            if status == Status::Done {
                places.push((Where::Restored(id, account), left));
                continue;
            }
            for (heir, share) in heirs.get(&id).into_iter().flatten().filter(|_| status == Status::Failed) {
                let part = left.min(*share);
                left = left.saturating_sub(part);
                match heir {
                    Some(heir) => next.push_back((*heir, part)),
                    None => places.push((Where::TakenBack(top_up), part)),
                }
            }
            places.push((Where::Restitution(id, account), left));
        }
        Ok(places)
    }

    /// By each reimbursement of `top_up` that failed: which others paid with how much of what it had, the oldest going first; nobody,
    /// where it paid for what the bank took back by itself.
    async fn heirs(&self, top_up: TopUpId) -> Result<Heirs, Problem> {
        let mut events = Vec::new();
        self.look_through(Key::new(table::TOP_UP, top_up.0), |_, event| events.push(event.clone())).await?;
        let mut ready = Ready::default();
        events.iter().rev().for_each(|event| ready.note(event));
        Ok(ready.heirs)
    }

    async fn chain_of(&self, wallet: WalletId, lot: Followed) -> Result<Chain, Problem> {
        let mut chain = Chain::default();
        chain.is_whole =
            self.look_through(Key::new(table::WALLET, wallet.0), |n, event| chain.note(lot, n, event)).await?;
        Ok(chain)
    }

    /// Shows `look` every event that changed the row at `key`, the newest first, with the number of its record. Whether that was all.
    pub async fn look_through(&self, key: Key, mut look: impl FnMut(u64, &Event)) -> Result<bool, Problem> {
        let mut place: Option<Place> = self.stored(key).await?.map(|stored| stored.place);
        let mut seen = 0;
        while let Some(from) = place.filter(|_| seen < RECORDS_MAX) {
            let read = self.journals.read(move |journal| history::<Wallets>(journal, key, from, SLICE_RECORDS)).await?;
            seen += read.0.len();
            place = read.1;
            for record in &read.0 {
                record.entry.events.iter().rev().for_each(|event| look(record.place.n, event));
            }
        }
        if place.is_some() {
            tracing::error!(id = %key.id, "a row has more records than are looked through");
        }
        Ok(place.is_none())
    }

    /// What the top-up `id` brought into its wallet; nothing, where it was never credited.
    pub async fn root_of(&self, id: TopUpId) -> Result<Option<Root>, Problem> {
        let wallet = self.top_up(id).await?.debit.wallet;
        let mut root = None;
        self.look_through(Key::new(table::WALLET, wallet.0), |_, event| {
            if let Event::TopUp(top_up::Event::Settled { debit, lot, .. }) = event
                && debit.top_up == id
            {
                root = Some(Root { top_up: id, bank_account: debit.bank_account, wallet, amount: lot.amount });
            }
        })
        .await?;
        Ok(root)
    }

    /// What came from `bank_account` into the wallets that ever linked it, each top-up once.
    pub async fn roots_of(&self, bank_account: BankAccountId) -> Result<Vec<Root>, Problem> {
        let row = self.row(Key::new(table::BANK_ACCOUNT, bank_account.0)).await?;
        let Some(Row::BankAccount(account)) = row.as_deref() else { return Ok(Vec::new()) };
        let (mut roots, mut seen) = (Vec::new(), BTreeSet::<Id>::new());
        for wallet in &account.wallets {
            let is_whole = self
                .look_through(Key::new(table::WALLET, wallet.0), |_, event| {
                    let Event::TopUp(top_up::Event::Settled { debit, lot, .. }) = event else { return };
                    if debit.wallet == *wallet && lot.source == Source::TopUp(bank_account) && seen.insert(lot.id) {
                        let (top_up, amount) = (debit.top_up, lot.amount);
                        roots.push(Root { top_up, bank_account, wallet: *wallet, amount });
                    }
                })
                .await?;
            if !is_whole {
                tracing::error!(%bank_account, "not every top-up of an account is traced");
            }
        }
        roots.reverse();
        Ok(roots)
    }
}

/// By each reimbursement that failed, who paid with how much of what stood ready because of it; nobody, where the bank had taken the
/// debit back, or its account has so much by another way.
type Heirs = BTreeMap<ReimbursementId, Vec<(Option<ReimbursementId>, Yen)>>;

/// What stands ready of one debit, the oldest first, and who paid with it.
#[derive(Default)]
struct Ready {
    parked: VecDeque<(ReimbursementId, Yen)>,
    heirs: Heirs,
}

impl Ready {
    fn note(&mut self, event: &Event) {
        if let Event::TopUp(top_up::Event::Reversed { restituted: Some(restituted), .. }) = event {
            self.pay(restituted.parked, None);
        }
        let Event::Reimbursement(event) = event else { return };
        match event {
            Of::Approved { credit, parked, .. }
            | Of::DoneAfterAll { credit, parked, .. }
            | Of::PaidOtherwise { credit, parked, .. } => self.pay(*parked, Some(credit.reimbursement)),
            Of::Freed { amount, .. } => self.pay(*amount, None),
            Of::Failed { credit, freed, .. } | Of::Undone { credit, freed, .. } => {
                // It has what it had again, whoever was to have it before.
                self.heirs.remove(&credit.reimbursement);
                self.parked.push_back((credit.reimbursement, credit.amount));
                if *freed {
                    self.pay(credit.amount, None);
                }
            }
            Of::Proposed { .. }
            | Of::Refused { .. }
            | Of::Asked { .. }
            | Of::Done { .. }
            | Of::PaidTwice { .. }
            | Of::Absent { .. }
            | Of::Contradicted { .. }
            | Of::ResolutionProposed { .. }
            | Of::Resolved { .. } => {}
        }
    }

    fn pay(&mut self, mut amount: Yen, heir: Option<ReimbursementId>) {
        while !amount.is_zero() {
            let Some((failed, there)) = self.parked.pop_front() else { break };
            let part = there.min(amount);
            amount = amount.saturating_sub(part);
            self.heirs.entry(failed).or_default().push((heir, part));
            let left = there.saturating_sub(part);
            if !left.is_zero() {
                self.parked.push_front((failed, left));
            }
        }
    }
}

/// Where what left a wallet is.
enum Gone {
    Stays(Where),
    /// In several places, so much in each.
    Parted(Vec<(Where, Yen)>),
    On {
        from: WalletId,
        to: WalletId,
    },
    /// It came back.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::{Id, Ready, ReimbursementId, Yen};

    fn one(number: u128) -> ReimbursementId {
        ReimbursementId(Id::from_number(number))
    }

    #[test]
    fn what_stands_ready_is_paid_with_part_by_part_the_oldest_first() {
        let mut ready = Ready::default();
        ready.parked.extend([(one(1), Yen::new(6_000)), (one(2), Yen::new(1_000))]);
        ready.pay(Yen::new(2_000), Some(one(3)));
        ready.pay(Yen::new(4_500), None);
        let of = |number| ready.heirs.get(&one(number)).map(Vec::as_slice);
        assert_eq!(of(1), Some(&[(Some(one(3)), Yen::new(2_000)), (None, Yen::new(4_000))][..]));
        assert_eq!(of(2), Some(&[(None, Yen::new(500))][..]));
        assert_eq!(ready.parked, [(one(2), Yen::new(500))]);
    }
}
