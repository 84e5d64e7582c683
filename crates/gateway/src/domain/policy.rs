//! The figures in force. All are policy: an operator of the gateway may change them.

use super::mandate::Grant;
use super::name::Grade;
use ledger::Yen;

/// The gateway's figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a control of its own, on or off without the others")]
pub struct Policy {
    /// How long a mandate may take from its request to its grant, and from its grant to its collection, in milliseconds.
    pub mandate_ms: i64,
    /// How long a mandate may wait for the desk to compare names, in milliseconds.
    pub review_ms: i64,
    /// The most yen of one movement.
    pub amount_max: Yen,
    /// What an account may be debited for mandates that its true holder has not confirmed.
    pub unconfirmed: UnconfirmedPolicy,
    /// How long after the first question the second one waits, in milliseconds; twice as long after each further one.
    pub retry_ms_min: i64,
    /// The longest wait between two questions, in milliseconds. Each wait is spread by a fifth.
    pub retry_ms_max: i64,
    /// How long a code that says "not me" is good, in milliseconds.
    pub not_me_ms: i64,
    /// What one operator may have open at one bank: movements without a final answer and mandates that wait. A part of what
    /// there is room for, so that others find room too.
    pub open_of_operator_max: u32,
    /// Whether the bank's name must be the holder's.
    pub requires_name: bool,
    /// Whether the bank's birth date must be the holder's.
    pub requires_birth_date: bool,
    /// Whether an account's true holder is told of links and of whoever tried; then no link is made that they cannot be told
    /// of.
    pub tells_true_holder: bool,
    /// Who may take an account's one slot at an operator from a link that is there.
    pub displacing: Displacing,
    /// Whether a debit may borrow: a bank is asked to decline it otherwise, however much its customer may overdraw (総合口座).
    pub debits_may_overdraw: bool,
    /// Whether every operator and every other bank hears of a fraud that one bank confirms.
    pub shares_incidents: bool,
    /// For how many mandates one wallet of an operator may wait at a time, at all banks.
    pub mandates_of_wallet_max: u32,
    /// Notices of first factors that one operator's links may leave owed at one bank: a part of what there is room for.
    pub owed_of_operator_max: u32,
    /// How many notices of a first factor that somebody knew an account's true holder gets in a day. The first always goes; a
    /// notice of a link is no such notice, and has no bound.
    pub first_factor_notices_max: u32,
}

/// What an account may be debited for mandates that its true holder has not confirmed by a channel that did not grant them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnconfirmedPolicy {
    /// Yen a business date, over all operators.
    pub per_day: Yen,
    /// Yen in all, over all operators.
    pub total: Yen,
}

/// Who may take an account's one slot at an operator from a link that is there. Nobody displaces what the account's true holder
/// confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Displacing {
    /// Nobody: who came first keeps it.
    Nobody,
    /// A stranger with better factors, whose name and birth date are the account's.
    BetterFactors,
    /// Whoever comes next: a link protects nothing.
    Anybody,
}

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

impl Default for Policy {
    fn default() -> Self {
        Self {
            mandate_ms: 10 * MINUTE_MS,
            review_ms: 3 * DAY_MS,
            amount_max: Yen::new(1_000_000),
            unconfirmed: UnconfirmedPolicy { per_day: Yen::new(10_000), total: Yen::new(30_000) },
            retry_ms_min: 5_000,
            retry_ms_max: 30 * MINUTE_MS,
            not_me_ms: 180 * DAY_MS,
            open_of_operator_max: 2_048,
            requires_name: true,
            requires_birth_date: true,
            tells_true_holder: true,
            displacing: Displacing::BetterFactors,
            debits_may_overdraw: false,
            shares_incidents: true,
            mandates_of_wallet_max: 10,
            owed_of_operator_max: 1_024,
            first_factor_notices_max: 3,
        }
    }
}

/// By how much a wait is longer or shorter than it would be, in thousandths of it. Whoever asks draws it: what failed together is
/// not asked again together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread(i64);

impl Spread {
    /// The furthest that a wait is spread, in thousandths.
    pub const MAX: i64 = 200;

    /// By `thousandths`, a fifth at most.
    pub fn new(thousandths: i64) -> Self {
        Self(thousandths.clamp(-Self::MAX, Self::MAX))
    }

    fn of(self, wait_ms: i64) -> i64 {
        wait_ms.saturating_add(wait_ms.div_euclid(1_000).saturating_mul(self.0))
    }
}

impl Policy {
    /// Whether a grade and a birth date are another person's, as far as this asks for them. A birth date that differs is
    /// another person, however well the name fits.
    pub fn is_another(&self, name: Grade, birth_date_matches: bool) -> bool {
        (self.requires_birth_date && !birth_date_matches) || (self.requires_name && name == Grade::No)
    }

    /// Whether nobody needs to look at a grant's name.
    pub const fn is_sure_of(&self, grant: &Grant) -> bool {
        !self.requires_name || matches!(grant.name, Grade::Match | Grade::MatchTruncated)
    }

    /// How long to wait after question number `asked` before the next one.
    pub fn retry_ms(&self, asked: u32, spread: Spread) -> i64 {
        let doubled = asked.saturating_sub(1).min(30);
        let wait_ms = self.retry_ms_min.saturating_mul(1_i64.wrapping_shl(doubled));
        spread.of(wait_ms.clamp(self.retry_ms_min, self.retry_ms_max))
    }
}
