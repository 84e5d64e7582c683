//! The seam where the guard's decision enters: what it is shown of an attempt, and what it may say.
//!
//! Two say it, and the stricter one counts: the [rules](Rule) of the policy in force, and the guard, a plain function value in
//! the [`Context`]. Both are asked in decide, on the rows that the command loaded: what they look at moves in the same commit
//! as the money. What is counted by device and network is the server's: many wallets share one.
//! Start reading at [`Rule`].

use crate::ids::{BankCode, WalletId};
use crate::refusal::{Proof, Refusal};
use crate::switches::Function;
use crate::traits::Origin;
use crate::wallet::Wallet;
use crate::{Context, Policy};
use domain::{Id, Time};
use ledger::Yen;

/// What the guard is shown of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What is attempted.
    pub function: Function,
    /// The movement's id; of what moves nothing, the id of what it is about.
    pub id: Id,
    /// The wallet that the money leaves or enters; zero for a holder who has none.
    pub wallet_id: WalletId,
    /// That wallet, as it is before; one that is not there yet as it would be.
    pub wallet: &'a Wallet,
    /// How much.
    pub amount: Yen,
    /// The bank, where there is one.
    pub bank: Option<BankCode>,
    /// When the link was asked for by which money comes in, where one is used.
    pub linked: Option<Time>,
    /// The shop, wallet or bank account at the other end.
    pub counterparty: Option<Id>,
    /// Where the command came from.
    pub origin: Option<Origin>,
    /// When.
    pub now: Time,
}

/// What the guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Go on with this proof.
    StepUp(Proof),
    /// Hold the movement for a person to look at.
    Hold {
        /// The reason's code.
        reason: u16,
    },
    /// No.
    Refuse {
        /// The reason's code.
        reason: u16,
    },
}

/// A guard: pure, total, quick.
pub type Guard = fn(&Attempt<'_>) -> Verdict;

/// The guard that allows everything.
pub const fn allow(_: &Attempt<'_>) -> Verdict {
    Verdict::Allow
}

/// A rule of monitoring: what it looks at, when it strikes, what it says then. It is dated with the policy in which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which attempts it looks at.
    pub functions: Vec<Function>,
    /// When it strikes.
    pub when: When,
    /// What it says then. The reason's code is what the journal and the desk know the rule by.
    pub verdict: Verdict,
}

/// When a rule strikes: where all that is given holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct When {
    /// The wallet was opened so many milliseconds ago, or less.
    pub opened_within_ms: Option<i64>,
    /// The link that is used was asked for so many milliseconds ago, or less.
    pub linked_within_ms: Option<i64>,
    /// So much or more was topped up on this business date, what is attempted included.
    pub topped_up_from: Option<Yen>,
    /// The same of this business date and the one before: a day of 24 hours touches two.
    pub topped_up_lately_from: Option<Yen>,
    /// So many attempts or more were refused on this business date.
    pub refused_from: Option<u32>,
}

impl When {
    fn holds(&self, attempt: &Attempt<'_>) -> bool {
        let (wallet, today) = (attempt.wallet, attempt.now.day());
        let adds = if attempt.function == Function::TopUp { attempt.amount } else { Yen::ZERO };
        let with_this = |sum: Yen| sum.checked_add(adds).unwrap_or(Yen::MAX);
        let topped_up = with_this(wallet.counters.top_up.on(today));
        let lately = with_this(wallet.counters.top_up.lately(today));
        self.opened_within_ms.is_none_or(|within| attempt.now.milliseconds_since(wallet.traits.opened) <= within)
            && self.linked_within_ms.is_none_or(|within| {
                attempt.linked.is_some_and(|linked| attempt.now.milliseconds_since(linked) <= within)
            })
            && self.topped_up_from.is_none_or(|from| topped_up >= from)
            && self.topped_up_lately_from.is_none_or(|from| lately >= from)
            && self.refused_from.is_none_or(|from| wallet.counters.refused.count_on(today) >= from)
    }
}

impl Verdict {
    const fn severity(self) -> u8 {
        match self {
            Self::Allow => 0,
            Self::StepUp(Proof::SecondFactor) => 1,
            Self::StepUp(Proof::Identity) => 2,
            Self::Hold { .. } => 3,
            Self::Refuse { .. } => 4,
        }
    }

    /// The stricter one of the two; of equals the first.
    fn or(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }
}

/// What the guard and the rules in force say of an attempt.
fn judge(context: &Context, policy: &Policy, attempt: &Attempt<'_>) -> Verdict {
    let strikes = |rule: &&Rule| rule.functions.contains(&attempt.function) && rule.when.holds(attempt);
    let struck = policy.monitoring.iter().filter(strikes);
    struck.fold((context.guard)(attempt), |verdict, rule| verdict.or(rule.verdict))
}

/// The same for what cannot be held: what the guard would hold is refused, and may be tried again.
pub(crate) fn ask_or_refuse(context: &Context, attempt: &Attempt<'_>, proof: Option<Proof>) -> Result<(), Refusal> {
    match ask(context, attempt, proof)? {
        None => Ok(()),
        Some(reason) => Err(Refusal::GuardRefused { reason }),
    }
}

/// Whether a movement goes on, or is held for this reason, once `proof` was given.
pub(crate) fn ask(context: &Context, attempt: &Attempt<'_>, proof: Option<Proof>) -> Result<Option<u16>, Refusal> {
    match judge(context, context.policies.on(attempt.now.day()), attempt) {
        Verdict::Allow => Ok(None),
        Verdict::StepUp(needed) if proof.is_some_and(|given| given >= needed) => Ok(None),
        Verdict::StepUp(needed) => Err(Refusal::StepUpRequired { proof: needed }),
        Verdict::Hold { reason } => Ok(Some(reason)),
        Verdict::Refuse { reason } => Err(Refusal::GuardRefused { reason }),
    }
}
