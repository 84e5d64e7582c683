//! Policy: every figure that a rule uses, dated. The defaults are those of the service this one learns from, after
//! its operator tightened them in 2019, and of the law as of 2026.

use crate::guard::{Rule, Verdict, When};
use crate::switches::Function;
use crate::traits::Tier;
use domain::Day;
use ledger::Yen;

const SECOND_MS: i64 = 1_000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The figures in force from one day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Holders and where they are reached.
    pub holder: HolderPolicy,
    /// Top-ups by bank debit.
    pub top_up: TopUpPolicy,
    /// Mandates.
    pub mandate: MandatePolicy,
    /// Cases.
    pub case: CasePolicy,
    /// Vouchers.
    pub voucher: VoucherPolicy,
    /// Payments.
    pub payment: PaymentPolicy,
    /// Sends.
    pub send: SendPolicy,
    /// Payouts.
    pub payout: PayoutPolicy,
    /// How young money may leave.
    pub ageing: AgeingPolicy,
    /// The most that a wallet may hold, all purses together, what is on its way counted.
    pub balance: BalancePolicy,
    /// What must be safeguarded.
    pub safeguarding: SafeguardingPolicy,
    /// What is watched for, and what is done about it. None: nothing is.
    pub monitoring: Vec<Rule>,
    /// How long a movement that the guard holds waits for a decision before it is given up, in milliseconds.
    pub review_ms: i64,
}

/// Holders and where they are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderPolicy {
    /// How many holders may share a mail address.
    pub per_mail_max: usize,
    /// How many holders may share a telephone number.
    pub per_phone_max: usize,
}

/// Top-ups: yen a time, a calendar month and a rolling 30 days; per wallet, per person and per bank account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpPolicy {
    /// The least at a time: each becomes a lot, and a purse has room for so many.
    pub per_time_min: Yen,
    /// The most at a time.
    pub per_time_max: Yen,
    /// The most in a calendar month in Asia/Tokyo.
    pub per_month_max: Yen,
    /// The most in 30 business dates including today.
    pub rolling_max: Yen,
    /// The most of a wallet on a business date without a second proof: each top-up that goes beyond asks for one.
    pub unproven_per_day_max: Yen,
    /// Whether the first one by a device that its holder has not proven takes a second proof.
    pub new_device_takes_proof: bool,
    /// The tier it takes.
    pub tier_min: Tier,
}

/// Mandates.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a control of its own, on or off without the others")]
pub struct MandatePolicy {
    /// The tier it takes to link a bank account.
    pub tier_min: Tier,
    /// Whether it takes a telephone that has answered, too.
    pub requires_phone: bool,
    /// Whether it takes a second proof by a device that its holder has not proven.
    pub new_device_takes_proof: bool,
    /// How long a request may take until it is granted, in milliseconds.
    pub request_ms: i64,
    /// How long a grant waits for the wallet to collect it, in milliseconds.
    pub pending_ms: i64,
    /// The most a day by a mandate that the account's true holder has not confirmed.
    pub unconfirmed_per_day_max: Yen,
    /// The most in all by such a mandate.
    pub unconfirmed_total_max: Yen,
    /// How long after it was asked for a mandate is new, in milliseconds.
    pub new_ms: i64,
    /// The most over two business dates by a new mandate, whether its account's true holder has confirmed it or not: a day of
    /// 24 hours touches two dates.
    pub new_lately_max: Yen,
    /// The most that a wallet's top-ups may come to over two business dates, from whichever accounts, when one is asked for by a new
    /// mandate: whoever is talked into linking accounts at five banks does not lose the same at each.
    pub new_links_lately_max: Yen,
    /// Whether a grant on static knowledge alone (PIN, birth date) is refused.
    pub refuses_static_factors: bool,
    /// Whether the bank's name must match the holder's.
    pub requires_name: bool,
    /// Whether the bank's birth date must match the holder's.
    pub requires_birth_date: bool,
    /// Whether a grant of which the bank could not tell the account's true holder is refused.
    pub requires_notice: bool,
    /// Who may take an account's one slot from a link that is there.
    pub displacing: Displacing,
}

/// Who may take a bank account's one slot from a link that is there. Its true holder may always confirm their own, and nobody
/// displaces what they confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Displacing {
    /// Nobody: who came first keeps it.
    Nobody,
    /// The person whom the bank knows by a factor that is more than static knowledge, where the link has no such thing.
    TrueHolder,
    /// Whoever comes next: a link protects nothing.
    Anybody,
}

/// Cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CasePolicy {
    /// Whether nothing at all leaves a wallet that linked an account whose true holder says "not me", until the desk has
    /// looked; otherwise only what came from that account stays.
    pub disowned_freezes_wallet: bool,
}

/// Vouchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoucherPolicy {
    /// The most that one may be worth.
    pub amount_max: Yen,
    /// The most a business date that people of the desk make each alone, all together; beyond it each voucher takes two of them.
    pub alone_per_day_max: Yen,
}

/// Payments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentPolicy {
    /// The most at a time.
    pub per_time_max: Yen,
    /// The most a business date.
    pub per_day_max: Yen,
    /// The most at a time that its holder pays on line without a second proof.
    pub unproven_per_time_max: Yen,
    /// How long an authorisation waits for its capture, in milliseconds.
    pub authorisation_ms: i64,
    /// The longest that a payment code may live, in milliseconds.
    pub code_ms_max: i64,
}

/// Sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendPolicy {
    /// The least at a time: whoever sends dust would fill a stranger's purse with lots.
    pub per_time_min: Yen,
    /// The most at a time: 1,000,000 yen for the second kind of operator (資金決済法36条の2, 施行令12条の2).
    pub per_time_max: Yen,
    /// The most a business date.
    pub per_day_max: Yen,
    /// The tier it takes, of both wallets.
    pub tier_min: Tier,
}

/// Payouts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutPolicy {
    /// The most at a time.
    pub per_time_max: Yen,
    /// How many a calendar month.
    pub count_per_month_max: u32,
    /// The tier it takes.
    pub tier_min: Tier,
}

/// Ageing: money younger than `young_ms` leaves only in small amounts a day; back to its source it always may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeingPolicy {
    /// Until when money is young, in milliseconds after it came.
    pub young_ms: i64,
    /// The most young money a business date that may leave.
    pub per_day_max: Yen,
    /// The most of it that may leave by send.
    pub send_per_day_max: Yen,
    /// The most a business date that may have left when its holder pays with a second proof. Whoever has somebody's device and
    /// no more shows none; and what a new link brings is little ([`MandatePolicy::new_lately_max`]).
    pub proven_per_day_max: Yen,
}

/// The most that a wallet may hold, by tier. Above 1,000,000 yen the law asks what the money is for (府令30条の2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalancePolicy {
    /// With a mail address alone.
    pub email_max: Yen,
    /// With a telephone too.
    pub phone_max: Yen,
    /// Identified.
    pub identified_max: Yen,
}

impl BalancePolicy {
    /// The most that a wallet of `tier` may hold.
    pub const fn max(&self, tier: Tier) -> Yen {
        match tier {
            Tier::Email => self.email_max,
            Tier::Phone => self.phone_max,
            Tier::Identified => self.identified_max,
        }
    }
}

/// Safeguarding (資金決済法43条, 府令11条6項, 施行令14条).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeguardingPolicy {
    /// Outstanding debt up to which the cost of executing rights is `low_rate_percent` of it.
    pub low_until: Yen,
    /// That rate, in per cent.
    pub low_rate_percent: i64,
    /// The rate of what exceeds it, in per cent, on top of the cost at the bound.
    pub high_rate_percent: i64,
    /// The least that must be safeguarded.
    pub least: Yen,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            holder: HolderPolicy { per_mail_max: 1, per_phone_max: 1 },
            top_up: TopUpPolicy {
                per_time_min: Yen::new(100),
                per_time_max: Yen::new(100_000),
                per_month_max: Yen::new(300_000),
                rolling_max: Yen::new(300_000),
                unproven_per_day_max: Yen::new(30_000),
                new_device_takes_proof: true,
                tier_min: Tier::Identified,
            },
            mandate: MandatePolicy {
                tier_min: Tier::Identified,
                requires_phone: true,
                new_device_takes_proof: true,
                request_ms: 30 * MINUTE_MS,
                pending_ms: 10 * MINUTE_MS,
                unconfirmed_per_day_max: Yen::new(10_000),
                unconfirmed_total_max: Yen::new(30_000),
                new_ms: DAY_MS,
                new_lately_max: Yen::new(10_000),
                new_links_lately_max: Yen::new(30_000),
                refuses_static_factors: true,
                requires_name: true,
                requires_birth_date: true,
                requires_notice: true,
                displacing: Displacing::TrueHolder,
            },
            case: CasePolicy { disowned_freezes_wallet: true },
            voucher: VoucherPolicy { amount_max: Yen::new(50_000), alone_per_day_max: Yen::new(500_000) },
            payment: PaymentPolicy {
                per_time_max: Yen::new(300_000),
                per_day_max: Yen::new(500_000),
                unproven_per_time_max: Yen::new(10_000),
                authorisation_ms: 7 * DAY_MS,
                code_ms_max: 5 * MINUTE_MS,
            },
            send: SendPolicy {
                per_time_min: Yen::new(100),
                per_time_max: Yen::new(1_000_000),
                per_day_max: Yen::new(1_000_000),
                tier_min: Tier::Identified,
            },
            payout: PayoutPolicy { per_time_max: Yen::new(20_000), count_per_month_max: 5, tier_min: Tier::Identified },
            ageing: AgeingPolicy {
                young_ms: DAY_MS,
                per_day_max: Yen::new(10_000),
                send_per_day_max: Yen::new(3_000),
                proven_per_day_max: Yen::new(100_000),
            },
            balance: BalancePolicy {
                email_max: Yen::new(30_000),
                phone_max: Yen::new(100_000),
                identified_max: Yen::new(1_000_000),
            },
            safeguarding: SafeguardingPolicy {
                low_until: Yen::new(100_000_000),
                low_rate_percent: 5,
                high_rate_percent: 1,
                least: Yen::new(10_000_000),
            },
            monitoring: monitoring(),
            review_ms: DAY_MS,
        }
    }
}

/// What is watched for. A reason's code is never used again for another rule; 104 is taken, by one that a limit has replaced
/// ([`MandatePolicy::new_lately_max`]).
fn monitoring() -> Vec<Rule> {
    let new_wallet = When { opened_within_ms: Some(7 * DAY_MS), ..When::default() };
    vec![
        // A wallet of a few days that is filled in a day is how stolen credentials are used.
        Rule {
            functions: vec![Function::TopUp],
            when: When { topped_up_from: Some(Yen::new(100_000)), ..new_wallet },
            verdict: Verdict::Hold { reason: 101 },
        },
        // A wallet that is emptied on the day on which it was filled is no better.
        Rule {
            functions: vec![Function::Send, Function::Payout],
            when: When { topped_up_from: Some(Yen::new(50_000)), ..new_wallet },
            verdict: Verdict::Hold { reason: 102 },
        },
        // Whoever is refused so often tries out what passes.
        Rule {
            functions: vec![Function::Link, Function::TopUp, Function::Send, Function::Payout],
            when: When { refused_from: Some(20), ..When::default() },
            verdict: Verdict::Hold { reason: 103 },
        },
    ]
}

/// The policies, each from its day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    first: Policy,
    later: Vec<(Day, Policy)>,
}

impl Policies {
    /// `first`, until another one takes over.
    pub const fn new(first: Policy) -> Self {
        Self { first, later: Vec::new() }
    }

    /// The same, with `policy` in force from `day` on.
    #[must_use]
    pub fn then(mut self, day: Day, policy: Policy) -> Self {
        self.later.push((day, policy));
        self.later.sort_by_key(|(day, _)| *day);
        self
    }

    /// The policy in force on `day`.
    pub fn on(&self, day: Day) -> &Policy {
        self.later.iter().rev().find(|(from, _)| *from <= day).map_or(&self.first, |(_, policy)| policy)
    }
}
