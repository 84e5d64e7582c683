//! What each control is worth: the loss with all but it, and the loss with it alone on top of the controls of the time.
//!
//! A control is a handful of values; turning it off means to take those values from another preset. Start reading at
//! [`CONTROLS`].

use super::many::Half;
use super::presets::Preset;
use super::{Options, Report};
use serde::Serialize;

/// A control that can be turned off and on by itself.
#[derive(Clone, Copy, Debug)]
pub struct Control {
    /// What it is called on the command line and in rows.
    pub name: &'static str,
    /// Takes its values from the second preset.
    take: fn(&mut Preset, &Preset),
}

/// All of them.
pub const CONTROLS: &[Control] = &[
    Control {
        name: "identification_before_linking",
        take: |to, from| {
            to.wallet.mandate.tier_min = from.wallet.mandate.tier_min;
            to.wallet.top_up.tier_min = from.wallet.top_up.tier_min;
            to.wallet.balance = from.wallet.balance.clone();
        },
    },
    Control {
        name: "phone_possession",
        take: |to, from| to.wallet.mandate.requires_phone = from.wallet.mandate.requires_phone,
    },
    Control {
        name: "name_and_birth_date_match",
        take: |to, from| {
            to.wallet.mandate.requires_name = from.wallet.mandate.requires_name;
            to.wallet.mandate.requires_birth_date = from.wallet.mandate.requires_birth_date;
            to.gateway.requires_name = from.gateway.requires_name;
            to.gateway.requires_birth_date = from.gateway.requires_birth_date;
        },
    },
    Control {
        name: "bank_second_factor",
        take: |to, from| {
            to.wallet.mandate.refuses_static_factors = from.wallet.mandate.refuses_static_factors;
            to.banks = from.banks;
        },
    },
    Control { name: "spray_detection", take: |to, from| to.windows = from.windows },
    Control {
        name: "notice_and_not_me",
        take: |to, from| {
            to.wallet.mandate.requires_notice = from.wallet.mandate.requires_notice;
            to.wallet.case = from.wallet.case.clone();
            to.gateway.tells_true_holder = from.gateway.tells_true_holder;
        },
    },
    Control {
        name: "cooling_off",
        take: |to, from| {
            to.wallet.mandate.unconfirmed_per_day_max = from.wallet.mandate.unconfirmed_per_day_max;
            to.wallet.mandate.unconfirmed_total_max = from.wallet.mandate.unconfirmed_total_max;
            to.wallet.mandate.new_lately_max = from.wallet.mandate.new_lately_max;
            to.wallet.mandate.new_links_lately_max = from.wallet.mandate.new_links_lately_max;
            to.gateway.unconfirmed = from.gateway.unconfirmed;
        },
    },
    Control {
        name: "confirmation_per_top_up",
        take: |to, from| {
            to.wallet.top_up.unproven_per_day_max = from.wallet.top_up.unproven_per_day_max;
            to.wallet.top_up.new_device_takes_proof = from.wallet.top_up.new_device_takes_proof;
            to.wallet.mandate.new_device_takes_proof = from.wallet.mandate.new_device_takes_proof;
        },
    },
    Control {
        name: "ageing",
        take: |to, from| {
            to.wallet.ageing = from.wallet.ageing.clone();
            to.wallet.payment.unproven_per_time_max = from.wallet.payment.unproven_per_time_max;
        },
    },
    Control {
        name: "one_live_mandate",
        take: |to, from| {
            to.wallet.mandate.displacing = from.wallet.mandate.displacing;
            to.gateway.displacing = from.gateway.displacing;
        },
    },
    Control {
        name: "limits",
        take: |to, from| {
            to.wallet.top_up.per_time_max = from.wallet.top_up.per_time_max;
            to.wallet.top_up.per_month_max = from.wallet.top_up.per_month_max;
            to.wallet.top_up.rolling_max = from.wallet.top_up.rolling_max;
            to.gateway.amount_max = from.gateway.amount_max;
        },
    },
    Control {
        name: "no_overdraft",
        take: |to, from| to.gateway.debits_may_overdraw = from.gateway.debits_may_overdraw,
    },
    Control {
        name: "sharing_with_all_banks",
        take: |to, from| to.gateway.shares_incidents = from.gateway.shares_incidents,
    },
    Control {
        name: "velocity",
        take: |to, from| {
            (to.velocity, to.rates) = (from.velocity, from.rates);
            to.gateway.mandates_of_wallet_max = from.gateway.mandates_of_wallet_max;
        },
    },
    Control {
        name: "monitoring_with_holds",
        take: |to, from| to.wallet.monitoring.clone_from(&from.wallet.monitoring),
    },
];

/// One control's row. Yen are `yen_taken`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The control.
    pub control: &'static str,
    /// With all controls but this one.
    pub all_but_it: i64,
    /// With this one alone on top of those of the time.
    pub it_alone: i64,
    /// What honest people met when it was alone, beyond what they meet without it.
    pub honest: Trouble,
}

/// What honest people met, in movements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Asked for more than usual.
    pub challenged: i64,
    /// Had to wait.
    pub delayed: i64,
    /// Refused.
    pub refused: i64,
}

impl Trouble {
    fn of(report: &Report) -> Self {
        let count = |count| i64::try_from(count).unwrap_or(i64::MAX);
        let honest = &report.honest;
        Self { challenged: count(honest.challenged), delayed: count(honest.delayed), refused: count(honest.refused) }
    }

    const fn beyond(self, base: Self) -> Self {
        Self {
            challenged: self.challenged - base.challenged,
            delayed: self.delayed - base.delayed,
            refused: self.refused - base.refused,
        }
    }
}

/// The runs that an ablation of `controls` takes: first the presets of `now` and of `then` as they are, then two for each
/// control. Off means as it is in `open`.
pub fn runs(options: &Options, now: &Preset, then: &Preset, open: &Preset, controls: &[Control]) -> Vec<Options> {
    let with = |preset: Preset| Options { preset, ..options.clone() };
    let mut runs = vec![with(now.clone()), with(then.clone())];
    for control in controls {
        let (mut all_but, mut alone) = (now.clone(), then.clone());
        (control.take)(&mut all_but, open);
        (control.take)(&mut alone, now);
        runs.extend([with(all_but), with(alone)]);
    }
    runs
}

/// The rows, from the reports of those runs; without those that were not brought to their end.
pub fn rows(reports: &[Option<Report>], controls: &[Control]) -> Vec<Row> {
    let Some(Some(then)) = reports.get(1) else { return Vec::new() };
    let pairs = reports.get(2..).unwrap_or_default().chunks(2);
    let row = |(control, pair): (&Control, &[Option<Report>])| match pair {
        [Some(all_but), Some(alone)] => Some(Row {
            control: control.name,
            all_but_it: all_but.yen_taken,
            it_alone: alone.yen_taken,
            honest: Trouble::of(alone).beyond(Trouble::of(then)),
        }),
        _ => None,
    };
    controls.iter().zip(pairs).filter_map(row).collect()
}

/// What was brought to its end, and has no row because the run beside it was not.
pub fn halves(reports: &[Option<Report>], controls: &[Control]) -> Vec<Half> {
    let names: Vec<&'static str> = controls.iter().map(|control| control.name).collect();
    let has_base = reports.get(1).is_some_and(Option::is_some);
    let pairs = reports.get(2..).unwrap_or_default();
    if has_base { Half::of(&names, SIDES, pairs) } else { Half::all_of(&names, SIDES, pairs) }
}

/// The two runs of a control.
const SIDES: [&str; 2] = ["all_but_it", "it_alone"];

#[cfg(test)]
mod tests {
    use super::super::presets;
    use super::*;

    #[test]
    fn every_control_is_off_in_open_and_all_of_them_together_are_all_that_differs() {
        let [now, open] = ["hardened", "open"].map(|name| presets::find(name).expect("it is there"));
        let mut taken = now.clone();
        for control in CONTROLS {
            let mut off = now.clone();
            (control.take)(&mut off, &open);
            assert_ne!(format!("{off:?}"), format!("{now:?}"), "{} changes nothing", control.name);
            (control.take)(&mut taken, &open);
        }
        (taken.name, taken.trial) = (open.name, open.trial);
        assert_eq!(format!("{taken:?}"), format!("{open:?}"), "what is off in `open` is some control's");
    }
}
