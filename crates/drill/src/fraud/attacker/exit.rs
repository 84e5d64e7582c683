//! How money leaves: at shops that resell, at a shop whose staff help, or through the wallets of recruited people. What is paid
//! to a shop or a bank account is out of reach, and counts for the account it came from. Start reading at [`Gang::spend`].

use super::super::controls::Control;
use super::super::holder::{Credentials, Holder, Refused};
use super::super::scenario::attack::{RETRIES_MAX, SHOP_YEN_MAX, SPEND_MINUTES, YEN_MIN};
use super::super::tactics::Exit;
use super::{Deed, Done, Gang, HOUR_MS, Person, STEPS_MAX, is_passing, less};
use domain::Time;
use sandbox::domain::account::AccountNumber;
use std::collections::VecDeque;

/// Wallets that money goes through before it reaches a shop.
const CHAIN_LENGTH: usize = 2;

/// Somebody who was recruited, with a wallet and an account of their own.
pub(super) struct Mule<'s> {
    pub(super) person: Person,
    known: Credentials,
    /// Their wallet, where it is not lent to a mark.
    pub(super) holder: Option<Holder<'s>>,
    /// What came to them and from which account it was taken, in yen, the oldest first.
    carries: VecDeque<(AccountNumber, i64)>,
    retries: u32,
}

/// Where what is brought out goes.
#[derive(Clone, Copy)]
enum Out {
    /// To a shop.
    Shop,
    /// To the bank account of the wallet's holder.
    OwnAccount,
}

impl<'s> Gang<'s> {
    /// Somebody lends their name, telephone and account; the deed that begins with it.
    pub fn recruit(&mut self, known: Credentials, person: Person) -> Deed {
        self.mules.push(Mule { person, known, holder: None, carries: VecDeque::new(), retries: 0 });
        Deed::Recruit(self.mules.len() - 1)
    }

    /// Opens a recruited person's wallet in good time, with their own account, as anybody does.
    pub(super) async fn open_recruit(&mut self, number: usize, done: &mut Done) {
        let (person, known) = (self.mules[number].person.clone(), self.mules[number].known.clone());
        let mut aside = Done::default();
        let opened = match self.wallet(person, true).await {
            Ok(mut holder) => {
                let linked = self.link(&mut holder, &known, &mut aside).await;
                holder.confirm(&known).await;
                linked.map(|()| holder)
            }
            Err(refused) => Err(refused),
        };
        match opened {
            Ok(holder) => self.mules[number].holder = Some(holder),
            Err(Refused { by, .. }) => {
                self.refused(by);
                self.mules[number].retries += 1;
                if is_passing(by) && self.mules[number].retries <= RETRIES_MAX {
                    let again = self.luck.minutes_after(self.stage.now(), (600, 1_200));
                    done.next.push((again, Deed::Recruit(number)));
                }
            }
        }
    }

    pub(super) async fn spend(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let Some(mut holder) = self.marks[number].holder.take() else { return };
        let account = self.marks[number].known.account;
        let funds = funds(&mut holder).await;
        let (left, refusal) = match self.tactics.exit {
            Exit::Mules | Exit::Payouts => {
                self.pass_on(number % self.mules.len().max(1), &mut holder, &[(account, funds)], done).await
            }
            Exit::Resellers | Exit::Insiders => self.bring_out(&mut holder, account, funds, Out::Shop).await,
        };
        // Whoever may not send, or not so much, can still buy.
        let is_sent = matches!(self.tactics.exit, Exit::Mules | Exit::Payouts);
        let (left, refusal) = match refusal {
            Some(_) if is_sent => self.bring_out(&mut holder, account, left, Out::Shop).await,
            refusal => (left, refusal),
        };
        let mark = &mut self.marks[number];
        mark.holder = Some(holder);
        mark.vain_exits = if left < funds { 0 } else { mark.vain_exits + 1 };
        if refusal.is_some() && left >= YEN_MIN && mark.vain_exits <= RETRIES_MAX {
            done.next.push((self.tomorrow(now), Deed::Spend(number)));
        }
    }

    fn tomorrow(&mut self, now: Time) -> Time {
        self.luck.minutes_after(now.day().plus(1).start(), (60, 1_200))
    }

    /// Brings `funds` yen out of reach that came from `account`: what is left, and what stopped it.
    async fn bring_out(
        &mut self,
        holder: &mut Holder<'s>,
        account: AccountNumber,
        funds: i64,
        out: Out,
    ) -> (i64, Option<Control>) {
        let (mut left, mut most, mut refusal) = (funds, SHOP_YEN_MAX, None);
        for _ in 0..STEPS_MAX {
            let amount = left.min(most);
            if amount < YEN_MIN {
                break;
            }
            self.figures.exits_tried += 1;
            let gone = match out {
                Out::Shop => self.buy(holder, amount).await,
                Out::OwnAccount => holder.pay_out(amount).await,
            };
            match gone {
                Ok(()) => {
                    left -= amount;
                    *self.escaped.entry(account).or_default() += amount;
                }
                Err(refused) => {
                    self.refused(refused.by);
                    refusal = Some(refused.by);
                    match less(amount, refused) {
                        Some(less) => most = less,
                        None => break,
                    }
                }
            }
        }
        (left, refusal)
    }

    /// Brings out what somebody carries, as far as it goes: what stopped it.
    async fn bring_all_out(
        &mut self,
        holder: &mut Holder<'s>,
        carries: &mut [(AccountNumber, i64)],
        out: Out,
    ) -> Option<Control> {
        for (account, yen) in carries {
            let (left, refusal) = self.bring_out(holder, *account, *yen, out).await;
            *yen = left;
            if refusal.is_some() {
                return refusal;
            }
        }
        None
    }

    async fn buy(&mut self, holder: &mut Holder<'s>, amount: i64) -> Result<(), Refused> {
        if let Some(token) = self.insider.clone() {
            return holder.show_code(&token, amount).await;
        }
        let shop = self.shops[self.luck.index(self.shops.len())].clone();
        holder.pay(&shop, amount).await
    }

    /// Sends the yen of `carried` to the wallet of a recruited person: what is left, and what stopped it.
    async fn pass_on(
        &mut self,
        to: usize,
        holder: &mut Holder<'s>,
        carried: &[(AccountNumber, i64)],
        done: &mut Done,
    ) -> (i64, Option<Control>) {
        let total = carried.iter().map(|(_, yen)| yen).sum::<i64>();
        let wallet = self.mules.get(to).and_then(|mule| mule.holder.as_ref()).map(|mule| mule.wallet().to_owned());
        let Some(wallet) = wallet else { return (total, Some(Control::Identification)) };
        let (mut left, mut refusal) = (total, None);
        let mut most = total;
        for _ in 0..STEPS_MAX {
            let amount = left.min(most);
            if amount < YEN_MIN {
                break;
            }
            self.figures.exits_tried += 1;
            match holder.send(&wallet, amount).await {
                Ok(()) => left -= amount,
                Err(refused) => {
                    self.refused(refused.by);
                    refusal = Some(refused.by);
                    match less(amount, refused) {
                        Some(less) => most = less,
                        None => break,
                    }
                }
            }
        }
        let mut sent = total - left;
        if sent > 0 {
            for (account, yen) in carried {
                let part = sent.min(*yen);
                sent -= part;
                self.mules[to].carries.push_back((*account, part));
            }
            done.next.push((self.luck.minutes_after(self.stage.now(), SPEND_MINUTES), Deed::Launder(to)));
        }
        (left, refusal)
    }

    /// A recruited person passes on what came to them, or brings it out if they are the last.
    pub(super) async fn launder(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let Some(mut holder) = self.mules[number].holder.take() else { return };
        let mut carries: Vec<(AccountNumber, i64)> = self.mules[number].carries.drain(..).collect();
        let next = number + 1;
        let is_last = next.is_multiple_of(CHAIN_LENGTH) || next >= self.mules.len();
        let is_paid_out = self.tactics.exit == Exit::Payouts;
        let mut refusal = if is_last {
            let out = if is_paid_out { Out::OwnAccount } else { Out::Shop };
            self.bring_all_out(&mut holder, &mut carries, out).await
        } else {
            let (left, refusal) = self.pass_on(next, &mut holder, &carries, done).await;
            keep(&mut carries, left);
            refusal
        };
        if refusal.is_some() && (is_paid_out || !is_last) {
            refusal = self.bring_all_out(&mut holder, &mut carries, Out::Shop).await;
        }
        let mule = &mut self.mules[number];
        mule.holder = Some(holder);
        carries.retain(|(_, yen)| *yen >= YEN_MIN);
        let is_worth_it = refusal.is_some() && !carries.is_empty() && mule.retries < RETRIES_MAX;
        mule.carries.extend(carries);
        if is_worth_it {
            mule.retries += 1;
            let later = self.tomorrow(now).plus_milliseconds(HOUR_MS);
            done.next.push((later, Deed::Launder(number)));
        }
    }
}

/// Keeps the newest `left` yen of what somebody carries: the oldest went first.
fn keep(carries: &mut [(AccountNumber, i64)], left: i64) {
    let mut left = left;
    for (_, yen) in carries.iter_mut().rev() {
        *yen = left.min(*yen);
        left -= *yen;
    }
}

async fn funds(holder: &mut Holder<'_>) -> i64 {
    let shown = holder.look().await;
    shown.map_or(0, |shown| {
        ["funds", "prepaid"].iter().map(|purse| shown["balances"][purse].as_i64().unwrap_or(0)).sum()
    })
}
