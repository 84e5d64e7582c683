//! The attacker of September 2020: knows what a criminal knows, uses the same pages as everybody, goes on until stopped, and
//! changes address, wallet, amount and day when refused. Start reading at [`Gang::act`].

use super::client::Client;
use super::controls::Control;
use super::holder::{Credentials, Holder, Means, Refused, Typed};
use super::luck::Luck;
use super::report;
use super::scenario::attack::{PINS, RETRIES_MAX, SHOP_YEN_MAX, SPEND_MINUTES, TRIES_MAX, YEN_MIN};
use super::stage::Stage;
use super::tactics::Tactics;
use domain::Time;
use sandbox::domain::account::AccountNumber;
use std::net::{IpAddr, Ipv4Addr};

/// Top-ups and payments in one sitting, at most.
const STEPS_MAX: usize = 24;
/// Links in a row that came to nothing for another reason than a wrong PIN, after which a guesser leaves a bank alone.
const VAIN_MAX: u32 = 12;
const HOUR_MS: i64 = 3_600_000;
/// Tries without a hit after which a guesser opens each wallet in the name of the account that is tried.
const BLIND_MAX: u32 = 150;
/// What the page lets somebody try in one link.
const TRIES_A_LINK: usize = 3;

/// Something the gang is to do. The numbers are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Open a wallet in a mark's name, and link the account.
    Open(usize),
    /// Top up by the linked account.
    Drain(usize),
    /// Spend what is in the wallet.
    Spend(usize),
    /// Try one PIN on some more accounts.
    Spray(usize),
}

/// What came of a deed, as the world can see it.
#[derive(Debug, Default)]
pub struct Done {
    /// What is to be done next.
    pub next: Vec<(Time, Deed)>,
    /// Accounts that somebody tried to link with something right; their holders may have been told.
    pub touched: Vec<AccountNumber>,
    /// Accounts that were debited, by so many yen.
    pub debited: Vec<(AccountNumber, i64)>,
}

/// Criminals who share what they know.
pub struct Gang<'s> {
    stage: &'s Stage,
    luck: Luck,
    tactics: &'static Tactics,
    has_phones: bool,
    marks: Vec<Mark<'s>>,
    sprayers: Vec<Sprayer<'s>>,
    shops: Vec<String>,
    wallets: u32,
    addresses: u32,
    /// What it did.
    pub figures: report::Attacker,
    /// What it spent, in yen.
    pub escaped: i64,
}

/// An account that the gang can get into.
struct Mark<'s> {
    known: Credentials,
    person: Person,
    holder: Option<Holder<'s>>,
    amount: i64,
    retries: u32,
}

/// Whom a wallet is opened as.
#[derive(Clone, Debug)]
pub struct Person {
    /// Family and given name, in letters and in kana.
    pub names: [String; 4],
    /// The birth date.
    pub birth_date: String,
    /// The number of a document that the identity vendor takes for theirs.
    pub document: Option<String>,
}

/// Guesses at one bank.
struct Sprayer<'s> {
    bank: String,
    list: Vec<(Credentials, Person)>,
    next: usize,
    pins: usize,
    /// Tries since the last hit. After many, each wallet is opened in the name of the account that is tried.
    blind: u32,
    wanted: u32,
    pause_ms: i64,
    until: Time,
    vain: u32,
    holder: Option<Holder<'s>>,
}

impl<'s> Gang<'s> {
    /// A gang that knows shops that resell. Where only subscribers had a wallet, its members are subscribers.
    pub fn new(stage: &'s Stage, seed: u64, tactics: &'static Tactics, has_phones: bool, shops: Vec<String>) -> Self {
        Self {
            stage,
            luck: Luck::new(seed, "gang"),
            tactics,
            has_phones,
            marks: Vec::new(),
            sprayers: Vec::new(),
            shops,
            wallets: 0,
            addresses: 0,
            figures: report::Attacker::default(),
            escaped: 0,
        }
    }

    /// Somebody typed this into a false page, and a wallet is to be opened as that person; the deed that begins with it.
    pub fn phish(&mut self, known: Credentials, person: Person) -> Deed {
        self.marks.push(Mark { known, person, holder: None, amount: self.tactics.top_up_yen, retries: 0 });
        Deed::Open(self.marks.len() - 1)
    }

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
        self.sprayers.push(Sprayer {
            bank,
            list,
            next: 0,
            pins: 0,
            blind: 0,
            wanted,
            pause_ms,
            until,
            vain: 0,
            holder: None,
        });
        Deed::Spray(self.sprayers.len() - 1)
    }

    /// Does it.
    pub async fn act(&mut self, deed: Deed) -> Done {
        let mut done = Done::default();
        match deed {
            Deed::Open(mark) => self.open(mark, &mut done).await,
            Deed::Drain(mark) => self.drain(mark, &mut done).await,
            Deed::Spend(mark) => self.spend(mark, &mut done).await,
            Deed::Spray(sprayer) => self.spray(sprayer, &mut done).await,
        }
        done
    }

    fn refused(&mut self, by: Control) {
        *self.figures.refused_by.entry(by.name()).or_default() += 1;
    }

    /// An address that nobody has seen them at.
    fn address(&mut self) -> IpAddr {
        self.addresses += 1;
        IpAddr::V4(Ipv4Addr::from_bits(0xc000_0000_u32.wrapping_add(self.addresses.wrapping_mul(65_537))))
    }

    /// A wallet under a throw-away mail address, in whatever name.
    async fn wallet(&mut self, person: Person) -> Result<Holder<'s>, Refused> {
        self.wallets += 1;
        let Person { names, birth_date, document } = person;
        let means = Means {
            mail: format!("throwaway{}@mail.example", self.wallets),
            password: format!("throwaway {}", self.wallets),
            phone: (self.tactics.has_phones || self.has_phones).then(|| format!("090{:08}", self.wallets)),
            document,
            names,
            birth_date,
        };
        let mut holder = Holder::new(Client::new(self.stage, self.address()), means);
        holder.join().await?;
        self.figures.wallets += 1;
        Ok(holder)
    }

    async fn open(&mut self, number: usize, done: &mut Done) {
        let (person, known) = (self.marks[number].person.clone(), self.marks[number].known.clone());
        self.figures.links_tried += 1;
        let linked = match self.wallet(person).await {
            Ok(mut holder) => {
                let linked = self.link(&mut holder, &known, done).await;
                self.marks[number].holder = Some(holder);
                linked
            }
            Err(refused) => Err(refused),
        };
        let now = self.stage.now();
        match linked {
            Ok(()) => {
                self.figures.links_granted += 1;
                let then =
                    self.luck.minutes_after(now, (1, 30)).plus_milliseconds(self.tactics.sleeps_days * 24 * HOUR_MS);
                done.next.push((then, Deed::Drain(number)));
            }
            Err(Refused { by, .. }) => {
                self.refused(by);
                let mark = &mut self.marks[number];
                mark.retries += 1;
                if by.is_passing() && mark.retries <= RETRIES_MAX {
                    done.next.push((self.luck.minutes_after(now, (60, 600)), Deed::Open(number)));
                }
            }
        }
    }

    async fn link(&mut self, holder: &mut Holder<'s>, known: &Credentials, done: &mut Done) -> Result<(), Refused> {
        let (mandate, form) = holder.begin_link(&known.account.bank.to_string()).await?;
        self.figures.tries += 1;
        done.touched.push(known.account);
        match holder.type_in(&mandate, form, known).await {
            Typed::Linked => Ok(()),
            // What they know is right, so it is the comparison with the wallet's holder that failed.
            Typed::Again(_) | Typed::Over(Refused { by: Control::BankFirstFactor, .. }) => {
                Err(Refused { by: Control::NameMatch, left: None })
            }
            Typed::Over(refused) => Err(refused),
        }
    }

    async fn drain(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let account = self.marks[number].known.account;
        let Some(mut holder) = self.marks[number].holder.take() else { return };
        let (mut got, mut refusal) = (false, None);
        for _ in 0..STEPS_MAX {
            let amount = self.marks[number].amount;
            if amount < YEN_MIN {
                break;
            }
            self.figures.top_ups_tried += 1;
            match holder.top_up(amount).await {
                Ok(status) if status == "settled" => {
                    got = true;
                    done.debited.push((account, amount));
                }
                Ok(status) if status == "declined" => self.marks[number].amount = amount / 2,
                Ok(_) => break,
                Err(refused) => {
                    self.refused(refused.by);
                    refusal = Some(refused.by);
                    match refused.left.filter(|left| *left >= YEN_MIN && *left < amount) {
                        Some(left) => self.marks[number].amount = left,
                        None => break,
                    }
                }
            }
        }
        self.marks[number].holder = Some(holder);
        if got {
            done.next.push((self.luck.minutes_after(now, SPEND_MINUTES), Deed::Spend(number)));
        }
        done.next.extend(self.drain_again(number, now, refusal));
    }

    /// When the same account is worth another try: when its limit is new.
    fn drain_again(&mut self, number: usize, now: Time, refusal: Option<Control>) -> Option<(Time, Deed)> {
        let (mark, refusal) = (&mut self.marks[number], refusal?);
        let next = if refusal == Control::Limits {
            let first = now.day().month().first_day().plus(32).month().first_day();
            self.luck.minutes_after(first.start(), (2, 600))
        } else {
            mark.retries += 1;
            if !refusal.is_passing() || mark.retries > RETRIES_MAX {
                return None;
            }
            self.luck.minutes_after(now.day().plus(1).start(), (2, 600))
        };
        mark.amount = self.tactics.top_up_yen;
        Some((next, Deed::Drain(number)))
    }

    async fn spend(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let Some(mut holder) = self.marks[number].holder.take() else { return };
        let shown = holder.look().await;
        let mut funds = shown.map_or(0, |shown| {
            ["funds", "prepaid"].iter().map(|purse| shown["balances"][purse].as_i64().unwrap_or(0)).sum()
        });
        let (mut most, mut refusal) = (SHOP_YEN_MAX, None);
        for _ in 0..STEPS_MAX {
            let amount = funds.min(most);
            if amount < YEN_MIN {
                break;
            }
            let shop = self.shops[self.luck.index(self.shops.len())].clone();
            match holder.pay(&shop, amount).await {
                Ok(()) => {
                    funds -= amount;
                    self.escaped += amount;
                }
                Err(refused) => {
                    self.refused(refused.by);
                    refusal = Some(refused.by);
                    match refused.left.filter(|left| *left >= YEN_MIN && *left < amount) {
                        Some(left) => most = left,
                        None => break,
                    }
                }
            }
        }
        let mark = &mut self.marks[number];
        mark.holder = Some(holder);
        if refusal.is_some() && funds >= YEN_MIN && mark.retries < RETRIES_MAX {
            mark.retries += 1;
            done.next.push((self.luck.minutes_after(now.day().plus(1).start(), (60, 1_200)), Deed::Spend(number)));
        }
    }

    async fn spray(&mut self, number: usize, done: &mut Done) {
        let now = self.stage.now();
        let sprayer = &mut self.sprayers[number];
        let is_over =
            sprayer.wanted == 0 || now >= sprayer.until || sprayer.vain >= VAIN_MAX || sprayer.list.is_empty();
        if is_over || self.figures.tries >= TRIES_MAX {
            return;
        }
        let kept = sprayer.holder.take();
        let holder = if let Some(holder) = kept {
            Ok(holder)
        } else {
            let person = self.sprayers[number].person();
            self.wallet(person).await
        };
        let tried = match holder {
            Ok(holder) => self.try_some(number, holder, done).await,
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

    /// One link: the PIN of the day on as many accounts as the page lets them. The mark that was found, if one was.
    async fn try_some(
        &mut self,
        number: usize,
        mut holder: Holder<'s>,
        done: &mut Done,
    ) -> Result<Option<usize>, Refused> {
        let bank = self.sprayers[number].bank.clone();
        self.figures.links_tried += 1;
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
                    let mark = Mark {
                        known,
                        person: anybody(),
                        holder: Some(holder),
                        amount: self.tactics.top_up_yen,
                        retries: 0,
                    };
                    self.marks.push(mark);
                    return Ok(Some(self.marks.len() - 1));
                }
                Typed::Again(again) if again.answer.status == 429 => {
                    return Err(Refused { by: Control::SprayDetection, left: None });
                }
                Typed::Again(again) => form = *again,
                Typed::Over(Refused { by: Control::BankFirstFactor, .. }) => {
                    if !self.sprayers[number].is_in_name() {
                        self.sprayers[number].holder = Some(holder);
                    }
                    return Ok(None);
                }
                Typed::Over(refused) => return Err(refused),
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

/// Somebody who is nobody.
pub fn anybody() -> Person {
    let names = ["鈴谷", "太郎", "スズヤ", "タロウ"].map(str::to_owned);
    Person { names, birth_date: "1980-01-01".to_owned(), document: None }
}
