//! The controls by name, as an answer shows which of them made it: a problem's type, or the words of a page.

use super::client::Answer;

/// What stopped a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// Identification before an account is linked.
    Identification,
    /// Possession of a telephone, or of a mail address.
    Phone,
    /// Name and birth date of the account and of the verified person.
    NameMatch,
    /// What the bank asks for beyond static knowledge.
    BankSecondFactor,
    /// What the bank asks for at all: the number, the PIN.
    BankFirstFactor,
    /// The windows over accounts, sources and values.
    SprayDetection,
    /// The true holder who is told, and says "not me".
    Notice,
    /// The small sums of a mandate that is not confirmed.
    CoolingOff,
    /// A proof for a movement.
    Confirmation,
    /// Money that has just come.
    Ageing,
    /// One live mandate an account.
    OneMandate,
    /// Limits a time, a month and 30 days.
    Limits,
    /// What the account has.
    Balance,
    /// A stop of a bank or a function.
    Switches,
    /// Requests a minute.
    Velocity,
    /// The guard's rules.
    Monitoring,
    /// A link belongs to the browser and the session that began it.
    OwnBrowser,
    /// A request that could not be understood, or a service that was not there.
    Unserved,
}

impl Control {
    /// The name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identification => "identification_before_linking",
            Self::Phone => "phone_possession",
            Self::NameMatch => "name_and_birth_date_match",
            Self::BankSecondFactor => "bank_second_factor",
            Self::BankFirstFactor => "bank_first_factor",
            Self::SprayDetection => "spray_detection",
            Self::Notice => "notice_and_not_me",
            Self::CoolingOff => "cooling_off",
            Self::Confirmation => "confirmation_per_top_up",
            Self::Ageing => "ageing",
            Self::OneMandate => "one_live_mandate",
            Self::Limits => "limits",
            Self::Balance => "balance",
            Self::Switches => "switches",
            Self::Velocity => "velocity",
            Self::Monitoring => "monitoring_with_holds",
            Self::OwnBrowser => "own_browser",
            Self::Unserved => "unserved",
        }
    }
}

/// The control behind a problem of the wallet's API.
pub fn of_problem(answer: &Answer) -> Control {
    match answer.problem().as_str() {
        "tier-too-low" if answer.member("needed") == Some("phone") => Control::Phone,
        "tier-too-low" | "recipient-unable" => Control::Identification,
        "grant-too-weak" => of_missing(answer.member("missing").unwrap_or_default()),
        "limit-exceeded" => of_limit(answer.member("limit").unwrap_or_default()),
        "step-up-required" | "challenge-refused" => Control::Confirmation,
        "already-linked" => Control::OneMandate,
        "insufficient-funds" => Control::Balance,
        "stopped" => Control::Switches,
        "wrong-status" if answer.text.contains("telephone not verified") => Control::Phone,
        "frozen" | "wrong-status" => Control::Notice,
        "guard-refused" => Control::Monitoring,
        "rate-limited" | "too-many-open" | "too-many-requests" => Control::Velocity,
        _ if answer.status == 429 => Control::Velocity,
        _ => Control::Unserved,
    }
}

fn of_missing(missing: &str) -> Control {
    match missing {
        "strong_factor" => Control::BankSecondFactor,
        "holder_notified" => Control::Notice,
        _ => Control::NameMatch,
    }
}

fn of_limit(limit: &str) -> Control {
    match limit {
        "unconfirmed_per_day" | "unconfirmed_total" | "new_link" | "new_links" => Control::CoolingOff,
        "young" | "young_send" => Control::Ageing,
        "links" => Control::Velocity,
        _ => Control::Limits,
    }
}

/// The control behind what a page says: the English words, which stand below the Japanese ones.
pub fn of_page(text: &str) -> Control {
    let said = [
        ("strong_factor", Control::BankSecondFactor),
        ("name_match", Control::NameMatch),
        ("birth_date_match", Control::NameMatch),
        ("holder_notified", Control::Notice),
        ("No attempt is taken at the moment", Control::SprayDetection),
        ("another way of authentication is needed", Control::SprayDetection),
        ("It did not work", Control::BankFirstFactor),
        ("This is over", Control::BankFirstFactor),
        ("linked already", Control::OneMandate),
        ("cannot be linked on line", Control::Switches),
        ("stopped", Control::Switches),
        ("more certain identity", Control::Identification),
        ("That is too often", Control::Velocity),
        ("This browser did not begin the link", Control::OwnBrowser),
    ];
    said.iter().find(|(words, _)| text.contains(words)).map_or(Control::Unserved, |(_, control)| *control)
}
