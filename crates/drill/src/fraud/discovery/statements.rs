//! What the banks' own statements say of the accounts that were attacked, and what was the worst of it.

use super::super::holder::path;
use super::super::report::{Sum, Worst};
use super::{World, add};
use domain::{Day, Time};
use http::Method;
use sandbox::domain::account::AccountNumber;
use serde_json::Value;
use std::collections::BTreeMap;

/// Lines of a statement that are read.
const LINES_MAX: u32 = 500;

impl World<'_> {
    /// What the banks' own statements say of the accounts that were attacked: by day and by bank, what was debited; and what
    /// came back.
    pub async fn statements(&self) -> Taken {
        let mut taken = Taken::default();
        for (account, victim) in &self.victims {
            if let Some(days) = &victim.own_days {
                taken.beside_own(*account, days);
                continue;
            }
            let url = format!("{}/statement?limit={LINES_MAX}", path(*account));
            let statement = self.client(*account).ask(Method::GET, &url, &Value::Null).await;
            let (mut sum, mut returned) = (0, 0);
            // Oldest first: an account is a case of the day of its first debit.
            for line in statement.json["data"].as_array().into_iter().flatten().rev() {
                let (amount, at) = (line["amount"].as_i64().unwrap_or(0), line["at"].as_str().unwrap_or_default());
                let Some(at) = at.parse::<jiff::Timestamp>().ok().filter(|_| line["reference"].is_string()) else {
                    continue;
                };
                if amount < 0 {
                    let at = Time::from_milliseconds(at.as_millisecond());
                    taken.at.push((at, -amount, sum == 0));
                    let sums = taken.days.entry(at.day()).or_default();
                    (sums.cases, sums.yen) = (sums.cases + u64::from(sum == 0), sums.yen - amount);
                    sum -= amount;
                } else {
                    returned += amount;
                }
            }
            taken.returned += returned;
            taken.each.insert(*account, sum - returned);
            taken.hit(*account, sum);
        }
        taken
    }

    /// The worst that happened to anybody who was told, and reacted within a day.
    pub fn worst(&self, taken: &Taken, escaped: &BTreeMap<AccountNumber, i64>) -> Worst {
        let mut worst = Worst::default();
        for (account, _) in self.victims.iter().filter(|(_, victim)| victim.reacts_within_a_day()) {
            let of = |yen: &BTreeMap<AccountNumber, i64>| yen.get(account).copied().unwrap_or(0);
            worst.reacting += 1;
            worst.yen_taken = worst.yen_taken.max(of(&taken.each));
            worst.yen_escaped = worst.yen_escaped.max(of(escaped));
        }
        worst
    }
}

/// What the statements say.
#[derive(Debug, Default)]
pub struct Taken {
    /// Debits by day.
    pub days: BTreeMap<Day, Sum>,
    /// Each with its moment and its yen, and whether it was the account's first; without those beside an own debit.
    pub at: Vec<(Time, i64, bool)>,
    /// Accounts and yen by bank.
    pub banks: BTreeMap<String, Sum>,
    /// Accounts that were debited.
    pub victims: u64,
    /// Yen that were.
    pub debited: i64,
    /// Yen that came back.
    pub returned: i64,
    /// Yen that were and did not come back, by account.
    pub each: BTreeMap<AccountNumber, i64>,
}

impl Taken {
    /// An account that its holder debits as well.
    fn beside_own(&mut self, account: AccountNumber, days: &BTreeMap<Day, Sum>) {
        for (day, sum) in days {
            let all = self.days.entry(*day).or_default();
            (all.cases, all.yen) = (all.cases + sum.cases, all.yen + sum.yen);
        }
        let sum = days.values().map(|sum| sum.yen).sum();
        self.each.insert(account, sum);
        self.hit(account, sum);
    }

    fn hit(&mut self, account: AccountNumber, yen: i64) {
        if yen > 0 {
            self.victims += 1;
            self.debited += yen;
            add(self.banks.entry(account.bank.to_string()).or_default(), yen);
        }
    }
}
