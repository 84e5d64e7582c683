//! How the attacker comes to an account: by a wallet of their own, by a recruited person's, by a link that is sent to the
//! victim, or by the victim's own wallet. Start reading at [`Gang::open`].

use super::super::client::Client;
use super::super::controls::Control;
use super::super::holder::{Credentials, Holder, Refused, Typed};
use super::super::scenario::attack::RETRIES_MAX;
use super::super::tactics::Entry;
use super::{Deed, Done, Gang, HOUR_MS, is_passing};
use std::net::{IpAddr, Ipv4Addr};

impl<'s> Gang<'s> {
    pub(super) async fn open(&mut self, number: usize, done: &mut Done) {
        let known = self.marks[number].known.clone();
        self.figures.links_tried += 1;
        let entered = match self.tactics.entry {
            Entry::OwnWallet => self.by_wallet(number, &known, done).await,
            Entry::RecruitsWallet => self.by_recruit(number, &known, done).await,
            Entry::SentLink => self.by_sent_link(number, &known, done).await,
            Entry::TakenOver => self.by_login(number, done).await,
        };
        let now = self.stage.now();
        match entered {
            Ok(()) => {
                self.figures.links_granted += 1;
                let mark = &mut self.marks[number];
                mark.linked = mark.login.is_none().then_some(now);
                let sleep_ms = self.tactics.sleeps_hours * HOUR_MS;
                let then = self.luck.minutes_after(now, (1, 30)).plus_milliseconds(sleep_ms);
                done.next.push((then, Deed::Drain(number)));
            }
            Err(Refused { by, .. }) => {
                self.refused(by);
                let mark = &mut self.marks[number];
                mark.vain_entries += 1;
                if is_passing(by) && mark.vain_entries <= RETRIES_MAX {
                    done.next.push((self.luck.minutes_after(now, (60, 600)), Deed::Open(number)));
                }
            }
        }
    }

    async fn by_wallet(&mut self, number: usize, known: &Credentials, done: &mut Done) -> Result<(), Refused> {
        let mut holder = self.wallet(self.marks[number].person.clone(), self.tactics.has_phones).await?;
        let linked = self.link(&mut holder, known, done).await;
        if linked.is_ok() && self.tactics.coaches {
            holder.confirm(known).await;
        }
        self.marks[number].holder = Some(holder);
        linked
    }

    /// The wallet is a recruited person's, who is identified as who they are.
    async fn by_recruit(&mut self, number: usize, known: &Credentials, done: &mut Done) -> Result<(), Refused> {
        let (mule, mut holder) = self.borrow(number)?;
        let linked = self.link(&mut holder, known, done).await;
        self.hand_over(number, mule, holder, linked)
    }

    /// A recruited person's wallet: whoever is identified has one, and no second one.
    pub(super) fn borrow(&mut self, number: usize) -> Result<(usize, Holder<'s>), Refused> {
        let mule = number % self.mules.len().max(1);
        let holder = self.mules.get_mut(mule).and_then(|mule| mule.holder.take());
        holder.map(|holder| (mule, holder)).ok_or(Refused { by: Control::Identification, left: None })
    }

    /// The wallet is the mark's if the account is linked to it, and the recruited person's as before if not.
    fn hand_over(
        &mut self,
        number: usize,
        mule: usize,
        holder: Holder<'s>,
        linked: Result<(), Refused>,
    ) -> Result<(), Refused> {
        let place = if linked.is_ok() { &mut self.marks[number].holder } else { &mut self.mules[mule].holder };
        *place = Some(holder);
        linked
    }

    pub(super) async fn link(
        &mut self,
        holder: &mut Holder<'s>,
        known: &Credentials,
        done: &mut Done,
    ) -> Result<(), Refused> {
        let (mandate, form) = holder.begin_link(&known.account.bank.to_string()).await?;
        self.figures.tries += 1;
        let typed = holder.type_in(&mandate, form, known).await;
        done.touched.extend(looked_at(&typed).then_some(known.account));
        of_right_credentials(&typed)
    }

    /// The link is begun here, in a recruited person's wallet or, with the victim's face, in one in their name.
    async fn by_sent_link(&mut self, number: usize, known: &Credentials, done: &mut Done) -> Result<(), Refused> {
        if self.tactics.faces_percent == 0 {
            let (mule, mut holder) = self.borrow(number)?;
            let linked = self.send_link(&mut holder, known, done).await;
            return self.hand_over(number, mule, holder, linked);
        }
        let mut holder = self.wallet(self.marks[number].person.clone(), self.tactics.has_phones).await?;
        let linked = self.send_link(&mut holder, known, done).await;
        if linked.is_ok() && self.tactics.coaches {
            holder.confirm(known).await;
        }
        self.marks[number].holder = Some(holder);
        linked
    }

    /// The victim gets the address of the gateway's page, shows their bank who they are, and their browser comes back to the
    /// wallet. Who is coached reads out where it would have gone, before it goes there.
    async fn send_link(
        &mut self,
        holder: &mut Holder<'s>,
        known: &Credentials,
        done: &mut Done,
    ) -> Result<(), Refused> {
        let (mandate, address) = holder.leave_for_bank(&known.account.bank.to_string()).await?;
        let place = IpAddr::V4(Ipv4Addr::from_bits(0x6500_0000 + known.account.number));
        let mut victim = Holder::new(Client::new(self.stage, place), holder.means.clone());
        if self.tactics.coaches {
            victim.client.stop_before("/link/callback");
        }
        let form = victim.arrive_at_bank(&address).await?;
        self.figures.tries += 1;
        let shown = victim.type_in(&mandate, form, known).await;
        done.touched.extend(looked_at(&shown).then_some(known.account));
        let came_back = match victim.client.stopped_at() {
            Some(address) => {
                let page = holder.client.open(&address).await;
                holder.linked(&mandate, &page).await
            }
            None => shown,
        };
        of_right_credentials(&came_back)
    }

    /// The login of a holder who has a linked account.
    async fn by_login(&mut self, number: usize, done: &mut Done) -> Result<(), Refused> {
        let Some((mut means, victim)) = self.marks[number].login.clone() else {
            return Err(Refused { by: Control::Unserved, left: None });
        };
        // Only who is on the telephone with their victim has a face to show.
        means.document = means.document.filter(|_| self.tactics.coaches);
        let device = Client::new(self.stage, self.address());
        let mut holder = Holder::taken_over(device, means, self.tactics.relays);
        self.figures.tries += 1;
        holder.enter().await?;
        done.entered.push(victim);
        let is_linked = holder.is_linked();
        self.marks[number].holder = Some(holder);
        // What was linked is no more, because its holder said so, or was never linked.
        is_linked.then_some(()).ok_or(Refused { by: Control::Notice, left: None })
    }
}

/// Whether the bank looked at what was typed: of what is turned away before it, there is nothing to tell anybody.
fn looked_at(typed: &Typed) -> bool {
    match typed {
        Typed::Linked => true,
        Typed::Again(page) => page.answer.status != 429,
        Typed::Over(refused) => refused.by != Control::SprayDetection,
    }
}

/// What a link with the right credentials came to. Where they did not pass, it is the comparison with the wallet's holder that
/// failed.
fn of_right_credentials(typed: &Typed) -> Result<(), Refused> {
    match typed {
        Typed::Linked => Ok(()),
        Typed::Again(_) | Typed::Over(Refused { by: Control::BankFirstFactor, .. }) => {
            Err(Refused { by: Control::NameMatch, left: None })
        }
        Typed::Over(refused) => Err(*refused),
    }
}
