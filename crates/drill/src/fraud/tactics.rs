//! Tactics: how the attacker goes about it. Whoever is tuned against one script alone is shown another. Start reading at
//! [`TACTICS`].

/// What an attacker does, and has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tactics {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Minutes between two links of a guesser, at least and at most.
    pub guess_minutes: (i64, i64),
    /// The amount that is tried first, in yen.
    pub top_up_yen: i64,
    /// Days between a link and the first top-up.
    pub sleeps_days: i64,
    /// Of a hundred victims, so many faces and documents are copied well enough for the identity vendor.
    pub faces_percent: u64,
    /// Telephone numbers are bought, one a wallet.
    pub has_phones: bool,
    /// The victim tells what the bank sends or shows them, in real time.
    pub relays: bool,
}

/// Every way. The first one is that of September 2020.
pub const TACTICS: &[Tactics] = &[
    BURST,
    Tactics { name: "slow", guess_minutes: (60, 90), ..BURST },
    Tactics { name: "small", top_up_yen: 9_900, ..BURST },
    Tactics { name: "sleeper", sleeps_days: 30, ..BURST },
    Tactics { name: "copied-faces", faces_percent: 20, ..BURST },
    Tactics { name: "bought-phones", has_phones: true, ..BURST },
    Tactics { name: "faces-and-phones", faces_percent: 20, has_phones: true, ..BURST },
    Tactics { name: "relayed-codes", relays: true, ..BURST },
    Tactics { name: "coached-victims", relays: true, faces_percent: 100, has_phones: true, ..BURST },
    Tactics { name: "coached-small", relays: true, faces_percent: 100, has_phones: true, top_up_yen: 9_900, ..BURST },
];

const BURST: Tactics = Tactics {
    name: "burst",
    guess_minutes: (1, 6),
    top_up_yen: 100_000,
    sleeps_days: 0,
    faces_percent: 0,
    has_phones: false,
    relays: false,
};

/// The tactics called `name`, if there are some.
pub fn find(name: &str) -> Option<&'static Tactics> {
    TACTICS.iter().find(|tactics| tactics.name == name)
}
