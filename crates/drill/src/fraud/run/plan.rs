//! Whom the criminals know, what they know of them, and when they use it: drawn before the first day.

use super::super::attacker::{Deed, Person, anybody};
use super::super::holder::Credentials;
use super::super::luck::Luck;
use super::super::scenario::attack::{GHOSTS_PER_ACCOUNT, GUESSED_PERCENT};
use super::super::scenario::honest::HOURS;
use super::super::scenario::{Method, moment};
use super::super::tactics::{Entry, Exit};
use super::{Act, DAY_MS, Drill, Options, joins_late};
use sandbox::domain::account::AccountNumber;
use sandbox::domain::bank::{BankCode, Factor};
use sandbox::people::{self, Opening};
use sandbox::registry::Registry;
use std::collections::BTreeMap;

/// People who are recruited, where some are.
const MULES: usize = 6;

impl Drill<'_> {
    /// What the criminals know, and when they use it.
    pub(super) fn plan(&mut self, options: &Options, others: &[Opening]) {
        let mut luck = Luck::new(options.seed, "plan");
        let registry = Registry::read();
        let mut pools: BTreeMap<BankCode, Vec<&Opening>> = BTreeMap::new();
        // The first ones may be recruited, and are not attacked.
        for opening in others.iter().skip(MULES) {
            pools.entry(opening.number.bank).or_default().push(opening);
        }
        let has_faces = options.tactics.faces_percent > 0;
        let needs_names = match options.tactics.entry {
            Entry::RecruitsWallet => true,
            Entry::SentLink => !has_faces,
            Entry::OwnWallet | Entry::TakenOver => false,
        };
        if needs_names || matches!(options.tactics.exit, Exit::Mules | Exit::Payouts) {
            self.recruit(&mut luck, options, others);
        }
        for wave in options.scenario.waves {
            let (from, until) = (moment(wave.from), moment(wave.until).plus_milliseconds(DAY_MS));
            let mut by_list: BTreeMap<BankCode, u32> = BTreeMap::new();
            for _ in 0..wave.accounts {
                let days = until.milliseconds_since(from) / DAY_MS;
                let day = from.day().plus(i32::try_from(luck.between((0, days - 1))).unwrap_or(0));
                if options.tactics.entry == Entry::TakenOver {
                    let Some(deed) = self.take_over(&mut luck) else { continue };
                    self.agenda.enter(luck.moment_of(day.start(), &HOURS), Act::Gang(deed));
                    continue;
                }
                let weights = options.scenario.banks.iter().map(|(_, weight)| *weight);
                let (code, _) = options.scenario.banks[luck.weighted(weights)];
                let Some(bank) = BankCode::parse(code) else { continue };
                // A birth date is nothing that a list of numbers and names has.
                let can_guess = !registry.bank(bank).factors_2020.names().contains(&Factor::BirthDate.name());
                // Only whoever types the credentials in can guess them.
                let guesses = options.tactics.entry != Entry::SentLink
                    && match options.method {
                        Method::Guess => true,
                        Method::Phish => false,
                        Method::Both => can_guess && luck.percent(GUESSED_PERCENT),
                    };
                if guesses {
                    *by_list.entry(bank).or_default() += u32::from(can_guess);
                    continue;
                }
                let Some(pool) = pools.get_mut(&bank).filter(|pool| !pool.is_empty()) else { continue };
                let opening = pool.swap_remove(luck.index(pool.len()));
                let document = luck.percent(options.tactics.faces_percent);
                let has_victim = options.tactics.relays || options.tactics.entry == Entry::SentLink;
                // Any name will do where nobody asks for one; whose face or whose help there is, that one's name is taken.
                let is_anybody = options.scenario.in_any_name && !document && !has_victim;
                let person = if is_anybody { anybody() } else { person(opening, document) };
                let known = if has_victim { in_hand(opening) } else { credentials(opening) };
                let deed = self.gang.phish(known, person);
                self.agenda.enter(luck.moment_of(day.start(), &HOURS), Act::Gang(deed));
            }
            for (bank, wanted) in by_list.into_iter().filter(|(_, wanted)| *wanted > 0) {
                let pool = pools.get(&bank).map(Vec::as_slice).unwrap_or_default();
                let list = list(&mut luck, pool, options.tactics.faces_percent);
                let deed = self.gang.list(&bank.to_string(), list, wanted, (from, until));
                self.agenda.enter(luck.moment_of(from.day().start(), &HOURS), Act::Gang(deed));
            }
        }
    }

    /// Some lend their names: they open wallets in good time.
    fn recruit(&mut self, luck: &mut Luck, options: &Options, others: &[Opening]) {
        let [begin, _] = options.scenario.days.map(moment);
        for opening in others.iter().take(MULES).filter(|opening| opening.customer.has_contact()) {
            let deed = self.gang.recruit(in_hand(opening), person(opening, true));
            self.agenda.enter(luck.moment_of(begin.day().start(), &HOURS), Act::Gang(deed));
        }
    }

    /// Somebody honest typed their login into a false page.
    fn take_over(&mut self, luck: &mut Luck) -> Option<Deed> {
        // Somebody who has a wallet when it begins.
        let victim = luck.index(self.crowd.len().max(1));
        let victim = victim - usize::from(joins_late(victim));
        let (known, means) = self.crowd.phished(victim)?;
        Some(self.gang.phish_login(known, means, victim))
    }
}

/// What somebody knows and has of their own account.
fn in_hand(opening: &Opening) -> Credentials {
    Credentials { in_hand: Some(Box::new(opening.customer.clone())), ..credentials(opening) }
}

/// What a victim typed into a false page.
fn credentials(opening: &Opening) -> Credentials {
    Credentials {
        account: opening.number,
        name_kana: opening.customer.name_kana(),
        pin: opening.customer.pin.digits().to_owned(),
        birth_date: opening.customer.birth_date.to_string(),
        in_hand: None,
    }
}

/// The account's holder, as whom a wallet is opened; with a copy of their document or without.
fn person(opening: &Opening, has_document: bool) -> Person {
    let customer = &opening.customer;
    let names = [&customer.family_name, &customer.given_name, &customer.family_kana, &customer.given_kana];
    Person {
        names: names.map(Clone::clone),
        birth_date: customer.birth_date.to_string(),
        document: has_document.then(|| people::document_number(&people::identity(customer))),
    }
}

/// A guesser's list: numbers and names, most of which are stale. Who has copied faces tries those whose they are.
fn list(luck: &mut Luck, pool: &[&Opening], faces_percent: u64) -> Vec<(Credentials, Person)> {
    let mut list: Vec<(Credentials, Person)> = Vec::new();
    for opening in pool {
        let has_face = luck.percent(faces_percent);
        if faces_percent > 0 && !has_face {
            continue;
        }
        let known = Credentials { pin: String::new(), birth_date: "1980-01-01".to_owned(), ..credentials(opening) };
        let ghosts = luck.below(2 * GHOSTS_PER_ACCOUNT + 1);
        for _ in 0..ghosts {
            let number = u32::try_from(luck.between((1_000_000, 9_999_999))).unwrap_or(1_000_000);
            let stale = Credentials { account: AccountNumber { number, ..known.account }, ..known.clone() };
            list.push((stale, person(opening, has_face)));
        }
        list.push((known, person(opening, has_face)));
    }
    list
}
