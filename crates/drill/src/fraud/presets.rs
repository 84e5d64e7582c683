//! The presets: the controls of a time, as values of the services' own policies. Nothing here decides anything, and no service
//! knows which preset it runs under. What each value switches is the table of docs/controls.md. Start reading at [`PRESETS`].

use gateway::domain::{Displacing as GatewayDisplacing, Policy as GatewayPolicy, UnconfirmedPolicy};
use gateway::windows::WindowPolicy;
use ledger::Yen;
use sandbox::Policies as BankPolicies;
use server::{Rates, Velocity};
use wallet::{Displacing, Policy as WalletPolicy, Tier};

/// Controls that belong together.
#[derive(Clone, Debug)]
pub struct Preset {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The wallet's figures.
    pub wallet: WalletPolicy,
    /// The gateway's figures.
    pub gateway: GatewayPolicy,
    /// The gateway's windows.
    pub windows: WindowPolicy,
    /// What may be done from one device and one network.
    pub velocity: Velocity,
    /// What may be asked of the wallet in a minute.
    pub rates: Rates,
    /// What the banks ask for.
    pub banks: BankPolicies,
    /// The stops that were made by hand, each at its moment.
    pub stops: Vec<Stop>,
    /// What a run under it is held against.
    pub trial: Trial,
}

/// What a run is held against: where something is, it is a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// What is promised of these controls.
    Promises,
    /// What was published of the time when these were the controls.
    History,
    /// Nothing.
    None,
}

/// A stop that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// When, in Tokyo: `2020-09-05T00:00`.
    pub at: &'static str,
    /// At which bank: `0125`.
    pub bank: &'static str,
    /// What, as the gateway's API names it: `register`, `debit`.
    pub function: &'static str,
}

/// Makes a preset.
pub type Make = fn() -> Preset;

/// Every preset, with what makes it.
pub const PRESETS: &[(&str, Make)] =
    &[("hardened", hardened), ("as-of-2020", as_of_2020), ("as-of-2019", as_of_2019), ("open", open)];

/// The preset called `name`, if there is one.
pub fn find(name: &str) -> Option<Preset> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, make)| make())
}

/// What `serve` runs with when nothing is configured.
fn hardened() -> Preset {
    Preset {
        name: "hardened",
        wallet: WalletPolicy::default(),
        gateway: GatewayPolicy::default(),
        windows: WindowPolicy::default(),
        velocity: Velocity::default(),
        rates: Rates::default(),
        banks: BankPolicies::Raised,
        stops: Vec::new(),
        trial: Trial::Promises,
    }
}

/// Every control off: what is left is what no policy switches, and what the banks asked for in 2020.
pub fn open() -> Preset {
    let mut wallet = WalletPolicy::default();
    wallet.top_up.tier_min = Tier::Email;
    wallet.top_up.per_time_max = NO_BOUND;
    wallet.top_up.per_month_max = NO_BOUND;
    wallet.top_up.rolling_max = NO_BOUND;
    wallet.top_up.unproven_per_day_max = NO_BOUND;
    wallet.top_up.new_device_takes_proof = false;
    wallet.mandate.tier_min = Tier::Email;
    wallet.mandate.requires_phone = false;
    wallet.mandate.new_device_takes_proof = false;
    wallet.mandate.unconfirmed_per_day_max = NO_BOUND;
    wallet.mandate.unconfirmed_total_max = NO_BOUND;
    wallet.mandate.new_lately_max = NO_BOUND;
    wallet.mandate.new_links_lately_max = NO_BOUND;
    wallet.mandate.refuses_static_factors = false;
    wallet.mandate.requires_name = false;
    wallet.mandate.requires_birth_date = false;
    wallet.mandate.requires_notice = false;
    wallet.mandate.displacing = Displacing::Anybody;
    wallet.case.disowned_freezes_wallet = false;
    wallet.ageing.young_ms = 0;
    wallet.payment.unproven_per_time_max = NO_BOUND;
    wallet.monitoring.clear();
    // How much a wallet holds was no control against this: whoever had a mail address had what everybody had.
    wallet.balance.email_max = wallet.balance.identified_max;
    wallet.balance.phone_max = wallet.balance.identified_max;
    let gateway = GatewayPolicy {
        amount_max: NO_BOUND,
        unconfirmed: UnconfirmedPolicy { per_day: NO_BOUND, total: NO_BOUND },
        requires_name: false,
        requires_birth_date: false,
        tells_true_holder: false,
        displacing: GatewayDisplacing::Anybody,
        debits_may_overdraw: true,
        shares_incidents: false,
        mandates_of_wallet_max: u32::MAX,
        ..GatewayPolicy::default()
    };
    let windows = WindowPolicy {
        account_failures_max: u32::MAX,
        source_failures_max: u32::MAX,
        source_accounts_max: u32::MAX,
        wallet_failures_max: u32::MAX,
        bank_failures_max: u32::MAX,
        neighbours_max: u32::MAX,
        value_accounts_max: u32::MAX,
        value_accounts_stop: u32::MAX,
        ..WindowPolicy::default()
    };
    let (velocity, rates, banks) = (Velocity::NONE, Rates::NONE, BankPolicies::AsOf2020);
    Preset { name: "open", wallet, gateway, windows, velocity, rates, banks, stops: Vec::new(), trial: Trial::None }
}

/// The controls of September 2020: a wallet takes a mail address and any name, a link takes what the bank asks for and the name
/// that the wallet's holder says is theirs, who came first keeps the account, a month has its cap, and stops are made by hand.
/// To send and to pay out took an identification then as well.
fn as_of_2020() -> Preset {
    let (mut preset, today) = (open(), WalletPolicy::default());
    (preset.name, preset.trial) = ("as-of-2020", Trial::History);
    preset.wallet.top_up.per_time_max = today.top_up.per_time_max;
    preset.wallet.top_up.per_month_max = today.top_up.per_month_max;
    preset.wallet.mandate.requires_name = true;
    preset.wallet.mandate.displacing = Displacing::Nobody;
    preset.gateway.requires_name = true;
    preset.gateway.displacing = GatewayDisplacing::Nobody;
    let registrations = STOPS_2020.iter().flat_map(|(at, banks)| {
        let stop = |bank, function| Stop { at, bank, function };
        banks.iter().flat_map(move |bank| [stop(*bank, "register"), stop(*bank, "change")])
    });
    let debits = DEBIT_STOPS_2020.iter().map(|(at, bank)| Stop { at, bank, function: "debit" });
    preset.stops = registrations.chain(debits).collect();
    preset
}

/// The controls of May 2019: only subscribers had a wallet, whose line's contract said who they were; but the account could be
/// anybody's. Ten times as much a month, and payouts without count. りそな and 埼玉りそな, which stopped in that month, are no
/// banks of the sandbox: no stop is here.
fn as_of_2019() -> Preset {
    let mut preset = open();
    (preset.name, preset.trial) = ("as-of-2019", Trial::History);
    preset.wallet.top_up.tier_min = Tier::Phone;
    preset.wallet.top_up.per_time_max = Yen::new(100_000);
    preset.wallet.top_up.per_month_max = Yen::new(1_000_000);
    preset.wallet.mandate.tier_min = Tier::Phone;
    preset.wallet.mandate.requires_phone = true;
    preset.wallet.mandate.displacing = Displacing::Nobody;
    preset.wallet.payout.per_time_max = Yen::new(100_000);
    preset.wallet.payout.count_per_month_max = u32::MAX;
    preset.gateway.displacing = GatewayDisplacing::Nobody;
    preset
}

/// A bound that nobody reaches.
const NO_BOUND: Yen = Yen::new(1_000_000_000_000);

/// When new links and changes of links were stopped, and at which banks. On the ninth the hour is not known; on the tenth all
/// that were left were stopped by the operator.
const STOPS_2020: [(&str, &[&str]); 4] = [
    ("2020-09-05T00:00", &["0125"]),
    ("2020-09-08T00:00", &["0152", "0168"]),
    (
        "2020-09-09T12:00",
        &[
            "0040", "0118", "0126", "0157", "0161", "0163", "0164", "0166", "0174", "0183", "0187", "0501", "0512",
            "0546", "9900",
        ],
    ),
    (
        "2020-09-10T00:00",
        &[
            "0001", "0009", "0035", "0134", "0135", "0143", "0149", "0150", "0153", "0158", "0162", "0169", "0173",
            "0177", "0182", "0190", "0576",
        ],
    ),
];

/// When debits by links that were there were stopped too. For イオン and 静岡 it is known only that they were by the thirteenth.
const DEBIT_STOPS_2020: [(&str, &str); 4] = [
    ("2020-09-09T00:00", "0125"),
    ("2020-09-11T00:00", "9900"),
    ("2020-09-13T00:00", "0040"),
    ("2020-09-13T00:00", "0149"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox::registry::Registry;
    use std::collections::BTreeSet;

    #[test]
    fn every_bank_was_stopped_in_september_2020_and_no_other() {
        let preset = as_of_2020();
        let stopped = |function| -> BTreeSet<String> {
            let stops = preset.stops.iter().filter(|stop| stop.function == function);
            stops.map(|stop| stop.bank.to_owned()).collect()
        };
        let banks: BTreeSet<String> = Registry::read().banks().map(|bank| bank.code.to_string()).collect();
        assert_eq!((stopped("register"), stopped("change")), (banks.clone(), banks.clone()));
        assert!(stopped("debit").is_subset(&banks));
        assert_eq!(STOPS_2020.map(|(_, banks)| banks.len()), [1, 2, 15, 17]);
    }

    #[test]
    fn a_preset_is_found_by_its_name() {
        for (name, make) in PRESETS {
            assert_eq!((make().name, find(name).map(|preset| preset.name)), (*name, Some(*name)));
        }
        assert!(find("hardened ").is_none());
    }
}
