//! The model of holders, wallets themselves and shops.

use super::books::PIECES_MAX;
use super::{Holding, Oracle, Reasons, What, Why, date};
use domain::{Moment, Time};
use std::collections::{BTreeMap, BTreeSet};
use wallet::mandate::{RevokedBy, Status, Why as Word};
use wallet::switches::Function;
use wallet::wallet::Asker;
use wallet::{
    ContactId, FrozenBy, HolderId, Limit, Noun, PayoutId, PersonId, Proof, Purse, Receipt, Standing, Tier, WalletId,
    chart, holder, shop, wallet as room,
};

/// A holder as the model knows them.
pub struct Known {
    tier: Tier,
    mail: ContactId,
    mail_verified: bool,
    phone: Option<ContactId>,
    wanted: Option<holder::Contact>,
    person: Option<PersonId>,
    wallet: Option<WalletId>,
}

impl Known {
    /// Whether their telephone has answered.
    pub const fn has_phone(&self) -> bool {
        self.phone.is_some()
    }
}

impl Oracle {
    pub(super) fn holder_reasons(&self, command: &holder::Command, reasons: &mut Reasons) {
        let id = match command {
            holder::Command::Open { holder, mail, .. } => {
                reasons.add(self.holders.contains_key(holder), Why::IdTaken(Noun::Holder));
                return reasons.add(self.is_taken(*mail, *holder), Why::IdTaken(Noun::Contact));
            }
            holder::Command::VerifyMail { holder, .. }
            | holder::Command::VerifyPhone { holder, .. }
            | holder::Command::Identify { holder, .. }
            | holder::Command::ChangeContact { holder, .. } => *holder,
        };
        let Some(known) = self.holders.get(&id) else { return reasons.add(true, Why::Unknown(Noun::Holder)) };
        match command {
            holder::Command::Open { .. } => {}
            holder::Command::VerifyMail { mail, .. } => {
                let wanted = known.wanted.is_some_and(|wanted| wanted.id() == *mail);
                reasons.add(!wanted && known.mail != *mail, Why::Unknown(Noun::Contact));
                reasons.add(self.is_taken(*mail, id), Why::IdTaken(Noun::Contact));
            }
            holder::Command::VerifyPhone { phone, .. } => {
                let wanted = known.wanted.is_some_and(|wanted| wanted.id() == *phone);
                reasons.add(!wanted && known.phone != Some(*phone), Why::Unknown(Noun::Contact));
                reasons.add(self.is_taken(*phone, id), Why::IdTaken(Noun::Contact));
                reasons.add(!known.mail_verified, Why::Status(Noun::Holder, Standing::MailNotVerified));
            }
            holder::Command::Identify { person, .. } => {
                reasons.add(!known.mail_verified, Why::Status(Noun::Holder, Standing::MailNotVerified));
                reasons
                    .add(self.has_other_wallet(*person, known.wallet), Why::Status(Noun::Person, Standing::HasWallet));
                let contradicts = known.person.is_some_and(|before| before != *person);
                reasons.add(contradicts, Why::Contradiction(Noun::Holder));
            }
            holder::Command::ChangeContact { to, proof, .. } => {
                reasons.add(self.is_taken(to.id(), id), Why::IdTaken(Noun::Contact));
                reasons.add(!known.mail_verified, Why::Status(Noun::Holder, Standing::MailNotVerified));
                reasons.add(proof.is_none(), Why::StepUp(Proof::SecondFactor));
            }
        }
    }

    /// Whether somebody else has proven to be reached there.
    fn is_taken(&self, contact: ContactId, by: HolderId) -> bool {
        let has = |known: &Known| (known.mail == contact && known.mail_verified) || known.phone == Some(contact);
        self.holders.iter().any(|(id, known)| *id != by && has(known))
    }

    fn has_other_wallet(&self, person: PersonId, than: Option<WalletId>) -> bool {
        let is_other = |(id, holding): (&WalletId, &Holding)| {
            holding.person == Some(person) && !holding.closed && Some(*id) != than
        };
        self.wallets.iter().any(is_other)
    }

    pub(super) fn holder_apply(&mut self, command: &holder::Command) {
        match command {
            holder::Command::Open { holder, mail, .. } => {
                let known = Known {
                    tier: Tier::Email,
                    mail: *mail,
                    mail_verified: false,
                    phone: None,
                    wanted: None,
                    person: None,
                    wallet: None,
                };
                self.holders.insert(*holder, known);
            }
            holder::Command::VerifyMail { holder, mail } => self.change(*holder, |known| {
                known.mail = *mail;
                known.mail_verified = true;
                known.wanted = known.wanted.filter(|wanted| wanted.id() != *mail);
            }),
            holder::Command::VerifyPhone { holder, phone } => self.change(*holder, |known| {
                known.phone = Some(*phone);
                known.tier = known.tier.max(Tier::Phone);
                known.wanted = known.wanted.filter(|wanted| wanted.id() != *phone);
            }),
            holder::Command::Identify { holder, person, .. } => self.change(*holder, |known| {
                known.tier = Tier::Identified;
                known.person = Some(*person);
            }),
            holder::Command::ChangeContact { holder, to, .. } => {
                self.change(*holder, |known| known.wanted = Some(*to));
            }
        }
    }

    /// Changes a holder, and what their wallet knows of them.
    fn change(&mut self, id: HolderId, how: impl FnOnce(&mut Known)) {
        let known = self.holders.get_mut(&id).expect("an unknown holder is a reason");
        how(known);
        if let Some(holding) = known.wallet.and_then(|wallet| self.wallets.get_mut(&wallet)) {
            holding.tier = known.tier;
            holding.person = known.person;
        }
    }

    pub(super) fn wallet_reasons(&self, command: &room::Command, moment: Moment, reasons: &mut Reasons) {
        match command {
            room::Command::Open { wallet, holder, .. } => {
                reasons.add(self.wallets.contains_key(wallet), Why::IdTaken(Noun::Wallet));
                let Some(known) = self.holders.get(holder) else {
                    return reasons.add(true, Why::Unknown(Noun::Holder));
                };
                self.stopped_reasons(Function::Open, None, known.tier, moment.now, reasons);
                reasons.add(!known.mail_verified, Why::Status(Noun::Holder, Standing::MailNotVerified));
                reasons.add(known.wallet.is_some(), Why::Status(Noun::Holder, Standing::HasWallet));
                let other = known.person.is_some_and(|person| self.has_other_wallet(person, None));
                reasons.add(other, Why::Status(Noun::Person, Standing::HasWallet));
            }
            room::Command::Freeze { wallet, by } => match self.asked_of(*wallet, *by) {
                None => reasons.add(true, Why::Unknown(Noun::Wallet)),
                Some(holding) => reasons.add(holding.closed, Why::Status(Noun::Wallet, Standing::Closed)),
            },
            room::Command::Unfreeze { wallet, by } => match self.asked_of(*wallet, *by) {
                None => reasons.add(true, Why::Unknown(Noun::Wallet)),
                Some(holding) => {
                    let is_frozen = !holding.closed && holding.frozen.contains(&kind(*by));
                    reasons.add(!is_frozen, Why::Status(Noun::Wallet, holding.status()));
                }
            },
            room::Command::Collect { wallet, by } => match self.asked_of(*wallet, *by) {
                None => reasons.add(true, Why::Unknown(Noun::Wallet)),
                Some(holding) => {
                    reasons.add(holding.debts.is_empty(), Why::Status(Noun::Wallet, Standing::OwesNothing));
                    let nothing = self.books.free_in_purse(*wallet, Purse::Funds) == 0;
                    let requested = holding.debts.iter().map(|(_, owed)| owed).sum();
                    reasons.add(nothing, Why::Funds { available: 0, requested });
                }
            },
            room::Command::ProposeWriteOff { wallet, amount, .. } => {
                self.write_off_reasons(*wallet, amount.amount(), reasons);
            }
            room::Command::ApproveWriteOff { wallet, amount, by } => {
                self.write_off_reasons(*wallet, amount.amount(), reasons);
                match self.write_offs.get(wallet) {
                    Some((proposed, first)) if *proposed == amount.amount() => {
                        reasons.add(first == by, Why::SecondPerson);
                    }
                    Some(_) | None => reasons.add(true, Why::Contradiction(Noun::Wallet)),
                }
            }
            room::Command::Close { wallet, holder } => {
                let Some(holding) = self.wallets.get(wallet).filter(|holding| holding.holder == *holder) else {
                    return reasons.add(true, Why::Unknown(Noun::Wallet));
                };
                if holding.closing.is_some() && !holding.closed {
                    // Asking how far it is is never refused.
                    return;
                }
                Self::outflow_reasons(holding, reasons);
                let (available, pending) = self.unsettled(*wallet);
                reasons.add(available != 0 || pending != 0, Why::NotSettled { available, pending });
                self.left_today_reasons(*wallet, moment.now, reasons);
            }
        }
    }

    /// What keeps a wallet from being closed: money that is not points, and what is under way.
    fn unsettled(&self, wallet: WalletId) -> (i64, i64) {
        let points = self.books.in_purse(wallet, Purse::Bonus);
        (self.books.in_wallet(wallet) - points, self.books.under_way(wallet))
    }

    fn left_today(&self, wallet: WalletId, now: Time) -> i64 {
        let of_a_day = [What::Payment, What::Send, What::Young, What::YoungSend];
        of_a_day.map(|what| self.tally.today(wallet.0, what, now)).into_iter().max().unwrap_or(0)
    }

    /// Whether money left `wallet` today.
    pub fn has_spent(&self, wallet: WalletId, now: Time) -> bool {
        self.left_today(wallet, now) > 0
    }

    /// Notes what of today's sums would be forgotten with the wallet.
    pub(super) fn left_today_reasons(&self, wallet: WalletId, now: Time, reasons: &mut Reasons) {
        let requested = self.left_today(wallet, now);
        let from = date(now).tomorrow().ok();
        reasons.add(requested > 0, Why::Limit { limit: Limit::PerDay, at_most: 0, left: 0, requested, from });
    }

    fn write_off_reasons(&self, wallet: WalletId, amount: i64, reasons: &mut Reasons) {
        let Some(holding) = self.wallets.get(&wallet) else { return reasons.add(true, Why::Unknown(Noun::Wallet)) };
        reasons.add(holding.debts.is_empty(), Why::Status(Noun::Wallet, Standing::OwesNothing));
        let owed: i64 = holding.debts.iter().map(|(_, owed)| owed).sum();
        reasons.add(owed != amount, Why::Contradiction(Noun::Wallet));
    }

    pub(super) fn wallet_apply(
        &mut self,
        command: &room::Command,
        receipt: &Receipt,
        moment: Moment,
    ) -> Result<(), String> {
        let (room::Command::Open { wallet: id, .. }
        | room::Command::Freeze { wallet: id, .. }
        | room::Command::Unfreeze { wallet: id, .. }
        | room::Command::Collect { wallet: id, .. }
        | room::Command::ProposeWriteOff { wallet: id, .. }
        | room::Command::ApproveWriteOff { wallet: id, .. }
        | room::Command::Close { wallet: id, .. }) = command;
        match command {
            room::Command::Open { wallet, holder, .. } => {
                let known = self.holders.get_mut(holder).expect("an unknown holder is a reason");
                known.wallet = Some(*wallet);
                let holding = Holding {
                    holder: *holder,
                    person: known.person,
                    tier: known.tier,
                    opened: moment.now,
                    frozen: BTreeSet::new(),
                    debts: Vec::new(),
                    written_off: BTreeMap::new(),
                    closing: None,
                    closed: false,
                };
                self.wallets.insert(*wallet, holding);
            }
            room::Command::Freeze { wallet, by } => drop(self.holding(*wallet).frozen.insert(kind(*by))),
            room::Command::Unfreeze { wallet, by } => drop(self.holding(*wallet).frozen.remove(&kind(*by))),
            room::Command::Collect { wallet, .. } => self.collect(*wallet),
            room::Command::ProposeWriteOff { wallet, amount, by } => {
                self.write_offs.insert(*wallet, (amount.amount(), *by));
            }
            room::Command::ApproveWriteOff { wallet, .. } => {
                self.write_offs.remove(wallet);
                for (lot, owed) in std::mem::take(&mut self.holding(*wallet).debts) {
                    *self.holding(*wallet).written_off.entry(lot).or_default() += owed;
                    self.books.pay(chart::written_off(), chart::receivable(*wallet), owed);
                }
            }
            room::Command::Close { wallet, holder } => {
                let is_open = |last: PayoutId| self.payouts[&last].is_open();
                let waits = self.wallets[wallet].closing.filter(|last| is_open(*last) && !self.wallets[wallet].closed);
                if waits.is_some() {
                    let (id, status) = (*wallet, "closing".into());
                    return super::payment::expect(receipt, &Receipt::Wallet { id, status });
                }
                self.close(*wallet, *holder);
            }
        }
        super::payment::expect(receipt, &Receipt::Wallet { id: *id, status: self.wallets[id].status().name().into() })
    }

    /// An empty wallet is closed, and one whose last payout is over. What came in meanwhile, or came to be
    /// owed, or a freeze, keeps it open.
    fn close(&mut self, wallet: WalletId, holder: HolderId) {
        let holding = &self.wallets[&wallet];
        if holding.closing.is_some() {
            let keeps = !holding.frozen.is_empty() || !holding.debts.is_empty() || self.unsettled(wallet) != (0, 0);
            if keeps {
                self.holding(wallet).closing = None;
                return;
            }
        }
        let live = |mandate: &super::mandate::Mandate| mandate.wallet == wallet && mandate.status == Status::Active;
        let ended: Vec<_> = self.mandates.iter().filter(|(_, mandate)| live(mandate)).map(|(id, _)| *id).collect();
        for mandate in ended {
            self.revoke(mandate, RevokedBy::Holder(holder), Word::Unneeded);
        }
        for lot in self.books.oldest(wallet, Purse::Bonus, i64::MAX, |_| true) {
            self.books.take(wallet, &lot);
            self.books.pay(chart::purse(wallet, Purse::Bonus), chart::bonus_lapsed(), lot.amount);
        }
        self.holding(wallet).closed = true;
        self.holders.get_mut(&holder).expect("a wallet has a holder").wallet = None;
    }

    /// The oldest lots pay what has been owed for the longest.
    fn collect(&mut self, wallet: WalletId) {
        let debts = self.holding(wallet).debts.clone();
        let mut lots = self.books.oldest(wallet, Purse::Funds, debts.iter().map(|(_, owed)| owed).sum(), |_| true);
        lots.truncate(PIECES_MAX);
        let mut left: i64 = lots.iter().map(|lot| lot.amount).sum();
        self.books.pay(chart::purse(wallet, Purse::Funds), chart::receivable(wallet), left);
        for lot in &lots {
            self.books.take(wallet, lot);
        }
        for (lot, owed) in debts {
            let paid = owed.min(left);
            left -= paid;
            super::payment::pay_debt(self.holding(wallet), lot, paid);
        }
    }

    /// A wallet that is there for whoever asks: any for the desk, their own for a holder.
    fn asked_of(&self, wallet: WalletId, by: Asker) -> Option<&Holding> {
        self.wallets.get(&wallet).filter(|holding| match by {
            Asker::Holder(holder) => holding.holder == holder,
            Asker::Desk(_) => true,
        })
    }

    /// A wallet that a command was carried out on.
    pub(super) fn holding(&mut self, wallet: WalletId) -> &mut Holding {
        self.wallets.get_mut(&wallet).expect("an unknown wallet is a reason")
    }

    pub(super) fn shop_reasons(&self, command: &shop::Command, reasons: &mut Reasons) {
        match command {
            shop::Command::Open { shop } => reasons.add(self.shops.contains_key(shop), Why::IdTaken(Noun::Shop)),
            shop::Command::Close { shop } => match self.shops.get(shop) {
                None => reasons.add(true, Why::Unknown(Noun::Shop)),
                Some(closed) => reasons.add(*closed, Why::Status(Noun::Shop, Standing::Closed)),
            },
        }
    }

    pub(super) fn shop_apply(&mut self, command: &shop::Command) {
        match command {
            shop::Command::Open { shop } => drop(self.shops.insert(*shop, false)),
            shop::Command::Close { shop } => drop(self.shops.insert(*shop, true)),
        }
    }
}

const fn kind(by: Asker) -> FrozenBy {
    match by {
        Asker::Holder(_) => FrozenBy::Holder,
        Asker::Desk(_) => FrozenBy::Desk,
    }
}
