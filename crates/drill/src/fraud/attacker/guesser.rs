//! A guesser: one PIN after the other on a list of accounts, through the registration pages. Start reading at [`Gang::spray`].

use super::super::controls::Control;
use super::super::holder::{Credentials, Holder, Refused, Typed};
use super::super::scenario::attack::{PINS, TRIES_MAX};
use super::super::tactics::{Entry, HOURLY};
use super::{Deed, Done, Gang, HOUR_MS, Mark, Person, anybody};
use domain::Time;

/// Links in a row that came to nothing for another reason than a wrong PIN, after which a guesser leaves a bank alone.
const VAIN_MAX: u32 = 12;
/// Tries without a hit after which a guesser opens each wallet in the name of the account that is tried.
const BLIND_MAX: u32 = 150;
/// What the page lets somebody try in one link.
const TRIES_A_LINK: usize = 3;

/// Guesses at one bank.
pub(super) struct Sprayer<'s> {
    bank: String,
    list: Vec<(Credentials, Person)>,
    next: usize,
    pins: usize,
    /// Links that were begun.
    links: usize,
    /// Tries since the last hit. After many, each wallet is opened in the name of the account that is tried.
    blind: u32,
    wanted: u32,
    pause_ms: i64,
    until: Time,
    vain: u32,
    holder: Option<Holder<'s>>,
}

impl<'s> Gang<'s> {
    /// A list of numbers and names at `bank`, some of them stale: `wanted` accounts are to be found until then.
    pub fn list(
        &mut self,
        bank: &str,
        list: Vec<(Credentials, Person)>,
        wanted: u32,
        (begin, until): (Time, Time),
    ) -> Deed {
        let pause_ms = until.milliseconds_since(begin) / i64::from(wanted.max(1)) / 2;
        let bank = bank.to_owned();
        // Who has faces has names with them.
        let blind = if self.tactics.faces_percent > 0 { BLIND_MAX } else { 0 };
        self.sprayers.push(Sprayer {
            bank,
            list,
            next: 0,
            pins: 0,
            links: 0,
            blind,
            wanted,
            pause_ms,
            until,
            vain: 0,
            holder: None,
        });
        Deed::Spray(self.sprayers.len() - 1)
    }

    pub(super) async fn spray(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let sprayer = &mut self.sprayers[number];
        let is_over =
            sprayer.wanted == 0 || now >= sprayer.until || sprayer.vain >= VAIN_MAX || sprayer.list.is_empty();
        if is_over || self.figures.tries >= TRIES_MAX {
            return;
        }
        sprayer.links += 1;
        let tried = match self.lend(number).await {
            Ok((mule, mut holder)) => {
                let tried = self.try_some(number, &mut holder, done).await;
                self.give_back(number, mule, holder, tried)
            }
            Err(refused) => Err(refused),
        };
        let hit = match tried {
            Ok(hit) => hit,
            Err(Refused { by, .. }) => {
                self.refused(by);
                if by != Control::BankFirstFactor {
                    self.sprayers[number].vain += 1;
                }
                None
            }
        };
        let sprayer = &mut self.sprayers[number];
        let next = if let Some(mark) = hit {
            (sprayer.wanted, sprayer.vain) = (sprayer.wanted - 1, 0);
            done.next.push((self.luck.minutes_after(now, (1, 30)), Deed::Drain(mark)));
            self.luck.wait_after(now, pause_minutes(sprayer.pause_ms))
        } else {
            // Whoever is refused waits, the longer the more often.
            let wait_ms = i64::from(sprayer.vain) * HOUR_MS;
            self.luck.minutes_after(now, self.tactics.guess_minutes).plus_milliseconds(wait_ms)
        };
        done.next.push((next, Deed::Spray(number)));
    }

    /// A wallet to try from: a recruited person's in turn, the one that was not used up, or a new one.
    async fn lend(&mut self, number: usize) -> Result<(Option<usize>, Holder<'s>), Refused> {
        if self.tactics.entry == Entry::RecruitsWallet {
            let (mule, holder) = self.borrow(self.sprayers[number].links)?;
            return Ok((Some(mule), holder));
        }
        if let Some(holder) = self.sprayers[number].holder.take() {
            return Ok((None, holder));
        }
        let person = self.sprayers[number].person();
        let holder = self.wallet(person, self.tactics.has_phones).await?;
        Ok((None, holder))
    }

    /// The wallet is a mark's after a hit, and otherwise whose it was; one that was refused is left behind.
    fn give_back(
        &mut self,
        number: usize,
        mule: Option<usize>,
        holder: Holder<'s>,
        tried: Result<Option<Credentials>, Refused>,
    ) -> Result<Option<usize>, Refused> {
        if let Ok(Some(known)) = tried {
            let linked = Some(self.stage.now());
            self.marks.push(Mark { holder: Some(holder), linked, ..Mark::new(known, anybody(), None) });
            return Ok(Some(self.marks.len() - 1));
        }
        match mule {
            Some(mule) => self.mules[mule].holder = Some(holder),
            None if tried.is_ok() && !self.sprayers[number].is_in_name() => self.sprayers[number].holder = Some(holder),
            None => {}
        }
        tried.map(|_| None)
    }

    /// One link, from an address of its own: the PIN of the day on as many accounts as the page lets them. What was found.
    async fn try_some(
        &mut self,
        number: usize,
        holder: &mut Holder<'s>,
        done: &mut Done,
    ) -> Result<Option<Credentials>, Refused> {
        let bank = self.sprayers[number].bank.clone();
        self.figures.links_tried += 1;
        holder.client.be_at(self.address());
        let (mandate, mut form) = holder.begin_link(&bank).await?;
        loop {
            let known = self.sprayers[number].guess();
            self.figures.tries += 1;
            match holder.type_in(&mandate, form, &known).await {
                Typed::Linked => {
                    (self.figures.links_granted, self.figures.hits) =
                        (self.figures.links_granted + 1, self.figures.hits + 1);
                    done.touched.push(known.account);
                    let sprayer = &mut self.sprayers[number];
                    // The next account, not the next PIN of one that is in hand.
                    (sprayer.next, sprayer.pins) = (sprayer.next + 1, 0);
                    return Ok(Some(known));
                }
                Typed::Again(again) if again.answer.status == 429 => {
                    return Err(Refused { by: Control::SprayDetection, left: None });
                }
                Typed::Again(again) => {
                    self.refused(Control::BankFirstFactor);
                    if self.tactics.guess_minutes.0 >= HOURLY.0 {
                        // Who has patience tries once from an address.
                        return Ok(None);
                    }
                    form = *again;
                }
                Typed::Over(Refused { by: Control::BankFirstFactor, .. }) => {
                    self.refused(Control::BankFirstFactor);
                    return Ok(None);
                }
                Typed::Over(refused) => {
                    if refused.by == Control::BankSecondFactor {
                        done.touched.push(known.account);
                    }
                    return Err(refused);
                }
            }
        }
    }
}

impl Sprayer<'_> {
    /// Whether nothing was found for so long that the name of the wallet must be what fails.
    const fn is_in_name(&self) -> bool {
        self.blind >= BLIND_MAX
    }

    /// Whom the next wallet is opened as.
    fn person(&self) -> Person {
        if self.is_in_name() { self.list[self.next % self.list.len()].1.clone() } else { anybody() }
    }

    /// What is tried next: the next account of the list with the PIN of the round; in a wallet of the account's own name the
    /// same account with one PIN after the other.
    fn guess(&mut self) -> Credentials {
        self.blind = self.blind.saturating_add(1);
        let (next, pin) = (self.next % self.list.len(), self.pins % PINS.len());
        if self.blind > BLIND_MAX {
            self.pins = (self.pins + 1) % TRIES_A_LINK;
            self.next += usize::from(self.pins == 0);
        } else {
            self.next += 1;
            self.pins = self.next / self.list.len();
        }
        if self.blind == BLIND_MAX {
            (self.next, self.pins) = (0, 0);
        }
        Credentials { pin: PINS[pin].to_owned(), ..self.list[next].0.clone() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a mean wait needs no more than a float holds")]
fn pause_minutes(milliseconds: i64) -> f64 {
    milliseconds as f64 / 60_000.0
}
