//! The presets: the controls of a time, as values of the services' own policies. Nothing here decides anything, and no service
//! knows which preset it runs under. Start reading at [`PRESETS`].

use gateway::domain::Policy as GatewayPolicy;
use gateway::windows::WindowPolicy;
use ledger::Yen;
use sandbox::Policies as BankPolicies;
use wallet::{Policy as WalletPolicy, Tier};

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
    /// What the banks ask for.
    pub banks: BankPolicies,
    /// The stops that were made by hand, each at its moment.
    pub stops: Vec<Stop>,
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
pub const PRESETS: &[(&str, Make)] = &[("hardened", hardened), ("as-of-2020", as_of_2020)];

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
        banks: BankPolicies::Raised,
        stops: Vec::new(),
    }
}

/// The controls of September 2020: a wallet takes a mail address, a link takes what the bank asks for, and stops are made by
/// hand.
fn as_of_2020() -> Preset {
    let hardened = hardened();
    let mut wallet = hardened.wallet;
    wallet.top_up.tier_min = Tier::Email;
    wallet.top_up.rolling_max = NONE;
    wallet.mandate.tier_min = Tier::Email;
    wallet.mandate.unconfirmed_per_day_max = NONE;
    wallet.mandate.unconfirmed_total_max = NONE;
    wallet.mandate.refuses_static_factors = false;
    wallet.mandate.requires_match = false;
    wallet.mandate.requires_notice = false;
    wallet.case.disowned_freezes_wallet = false;
    wallet.ageing.per_day_max = NONE;
    wallet.ageing.send_per_day_max = NONE;
    wallet.balance.email_max = wallet.balance.identified_max;
    wallet.balance.phone_max = wallet.balance.identified_max;
    let mut gateway = hardened.gateway;
    gateway.unconfirmed.per_day = NONE;
    gateway.unconfirmed.total = NONE;
    let windows = WindowPolicy {
        account_failures_max: u32::MAX,
        source_failures_max: u32::MAX,
        source_accounts_max: u32::MAX,
        wallet_failures_max: u32::MAX,
        bank_failures_max: u32::MAX,
        neighbours_max: u32::MAX,
        value_accounts_max: u32::MAX,
        value_accounts_stop: u32::MAX,
        ..hardened.windows
    };
    let stops = STOPS_2020.iter().map(|(at, bank, function)| Stop { at, bank, function }).collect();
    Preset { name: "as-of-2020", wallet, gateway, windows, banks: BankPolicies::AsOf2020, stops }
}

/// A bound that nobody reaches.
const NONE: Yen = Yen::new(1_000_000_000_000);

/// The stops of September 2020, with their dates.
const STOPS_2020: &[(&str, &str, &str)] = &[
    ("2020-09-05T00:00", "0125", "register"),
    ("2020-09-08T00:00", "0168", "register"),
    ("2020-09-08T00:00", "0152", "register"),
    ("2020-09-09T00:00", "0125", "debit"),
    ("2020-09-09T12:00", "9900", "register"),
    ("2020-09-09T12:00", "0040", "register"),
    ("2020-09-09T12:00", "0163", "register"),
    ("2020-09-09T12:00", "0157", "register"),
    ("2020-09-09T12:00", "0126", "register"),
    ("2020-09-09T12:00", "0166", "register"),
    ("2020-09-09T12:00", "0118", "register"),
    ("2020-09-11T00:00", "9900", "debit"),
];
