//! The banks and branches as they are: real codes and names, of September 2020; and how the sandbox runs each bank.
//!
//! Codes and names come from the data beside `LICENSE.zengin-code.txt`. Which factors a bank asks for, how its statement
//! words a debit and who has an overdraft is the sandbox's own. Start reading at [`Registry`].

use crate::domain::account::AccountNumber;
use crate::domain::bank::{BankCode, Factor, FactorSet};
use std::collections::BTreeMap;

const BANKS: &str = include_str!("../data/banks.csv");
const BRANCHES: &str = include_str!("../data/branches.csv");
/// What a statement shows for a debit, where the bank has no wording of its own.
pub const WORDING: &str = "キンチャク";

/// One bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BankFacts {
    /// Its code.
    pub code: BankCode,
    /// Its name without "bank": 七十七.
    pub name: &'static str,
    /// Its full name: 七十七銀行.
    pub name_full: &'static str,
    /// Its name in half-width kana.
    pub kana: &'static str,
    /// Whether it has an authentication page of its own; otherwise the gateway hosts it.
    pub own_page: bool,
    /// What it asked for in September 2020.
    pub factors_2020: FactorSet,
    /// What it asks for after its policy was raised.
    pub factors_raised: FactorSet,
    /// What its statement shows for a debit, if it has a wording of its own.
    pub wording: Option<&'static str>,
    /// Of a hundred accounts so many may go below zero.
    pub overdraft_percent: u64,
    /// Its branches.
    pub branches: Vec<Branch>,
}

/// One branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Its code: three digits.
    pub code: u16,
    /// Its name.
    pub name: &'static str,
    /// Its name in full-width kana.
    pub kana: &'static str,
}

/// All banks, by code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry(BTreeMap<BankCode, BankFacts>);

impl Registry {
    /// Reads the data that the program carries.
    pub fn read() -> Self {
        let mut banks: BTreeMap<BankCode, BankFacts> =
            BANKS.lines().skip(1).map(bank).map(|bank| (bank.code, bank)).collect();
        for line in BRANCHES.lines().skip(1) {
            let [bank, code, name, kana] = cells(line);
            let bank = BankCode::parse(bank).and_then(|code| banks.get_mut(&code)).expect("a branch's bank is listed");
            let code = code.parse().expect("a branch's code is a number");
            bank.branches.push(Branch { code, name, kana });
        }
        assert!(banks.values().all(|bank| !bank.branches.is_empty()), "each bank has a branch");
        Self(banks)
    }

    /// The bank with this code.
    pub fn find(&self, code: BankCode) -> Option<&BankFacts> {
        self.0.get(&code)
    }

    /// The bank with this code, of those that the registry itself named.
    pub fn bank(&self, code: BankCode) -> &BankFacts {
        self.find(code).expect("the code came from the registry")
    }

    /// All of them, by code.
    pub fn banks(&self) -> impl Iterator<Item = &BankFacts> {
        self.0.values()
    }

    /// The branch of `account`, if the registry has it.
    pub fn branch(&self, account: AccountNumber) -> Option<&Branch> {
        self.find(account.bank)?.branches.iter().find(|branch| branch.code == account.branch)
    }
}

fn bank(line: &'static str) -> BankFacts {
    let [code, name, name_full, kana, page, factors_2020, factors_raised, wording, overdraft] = cells(line);
    BankFacts {
        code: BankCode::parse(code).expect("a bank's code has four digits"),
        name,
        name_full,
        kana,
        own_page: page == "own",
        factors_2020: factors(factors_2020),
        factors_raised: factors(factors_raised),
        wording: Some(wording).filter(|wording| !wording.is_empty()),
        overdraft_percent: overdraft.parse().expect("a share is a number"),
        branches: Vec::new(),
    }
}

fn factors(text: &str) -> FactorSet {
    let set: FactorSet = text.split('+').map(|name| Factor::parse(name).expect("a factor's name")).collect();
    assert!(set.is_askable(), "{text} can be asked for");
    set
}

fn cells<const N: usize>(line: &'static str) -> [&'static str; N] {
    let cells: Vec<&str> = line.split(',').collect();
    cells.try_into().expect("each line has a cell for each column")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thirty_five_banks_are_there() {
        let registry = Registry::read();
        assert_eq!(registry.banks().count(), 35);
        let bank = registry.bank(BankCode::parse("0125").expect("a code"));
        assert_eq!((bank.name_full, bank.own_page), ("七十七銀行", false));
        assert_eq!(bank.factors_2020.names(), ["account", "name_kana", "pin"]);
        assert_eq!(bank.factors_raised.challenge(), Some(Factor::SmsCode));
        assert!(registry.banks().all(|bank| bank.factors_raised.challenge().is_some()), "raised means a second step");
        assert_eq!(registry.banks().filter(|bank| bank.own_page).count(), 5);
    }
}
