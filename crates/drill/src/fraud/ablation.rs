//! What each control is worth: the loss with all but it, and the loss with it alone on top of the controls of the time.
//!
//! A control is a handful of values; turning it means to take those values from another preset. Start reading at [`KNOBS`].

use super::presets::Preset;
use super::{Options, Report};

/// Takes a control's values from the second preset.
pub type Turn = fn(&mut Preset, &Preset);

/// Every control that can be turned by itself.
pub const KNOBS: &[(&str, Turn)] = &[
    ("identification_before_linking", |to, from| {
        to.wallet.mandate.tier_min = from.wallet.mandate.tier_min;
        to.wallet.top_up.tier_min = from.wallet.top_up.tier_min;
        to.wallet.balance = from.wallet.balance.clone();
    }),
    ("phone_possession", |to, from| to.wallet.mandate.requires_phone = from.wallet.mandate.requires_phone),
    ("name_and_birth_date_match", |to, from| {
        to.wallet.mandate.requires_name = from.wallet.mandate.requires_name;
        to.wallet.mandate.requires_birth_date = from.wallet.mandate.requires_birth_date;
        to.gateway.requires_name = from.gateway.requires_name;
        to.gateway.requires_birth_date = from.gateway.requires_birth_date;
    }),
    ("bank_second_factor", |to, from| {
        to.wallet.mandate.refuses_static_factors = from.wallet.mandate.refuses_static_factors;
        to.banks = from.banks;
    }),
    ("spray_detection", |to, from| to.windows = from.windows),
    ("notice_and_not_me", |to, from| {
        to.wallet.mandate.requires_notice = from.wallet.mandate.requires_notice;
        to.wallet.case = from.wallet.case.clone();
        to.gateway.tells_true_holder = from.gateway.tells_true_holder;
    }),
    ("cooling_off", |to, from| {
        to.wallet.mandate.unconfirmed_per_day_max = from.wallet.mandate.unconfirmed_per_day_max;
        to.wallet.mandate.unconfirmed_total_max = from.wallet.mandate.unconfirmed_total_max;
        to.gateway.unconfirmed = from.gateway.unconfirmed;
    }),
    ("confirmation_per_top_up", |to, from| {
        to.wallet.top_up.unproven_per_day_max = from.wallet.top_up.unproven_per_day_max;
    }),
    ("ageing", |to, from| to.wallet.ageing = from.wallet.ageing.clone()),
    ("one_live_mandate", |to, from| {
        to.wallet.mandate.displacing = from.wallet.mandate.displacing;
        to.gateway.displacing = from.gateway.displacing;
    }),
    ("limits", |to, from| {
        to.wallet.top_up.per_time_max = from.wallet.top_up.per_time_max;
        to.wallet.top_up.per_month_max = from.wallet.top_up.per_month_max;
        to.wallet.top_up.rolling_max = from.wallet.top_up.rolling_max;
    }),
    ("no_overdraft", |to, from| to.gateway.debits_may_overdraw = from.gateway.debits_may_overdraw),
    ("sharing_with_all_banks", |to, from| to.gateway.shares_incidents = from.gateway.shares_incidents),
    ("velocity", |to, from| to.velocity = from.velocity),
    ("monitoring_with_holds", |to, from| to.wallet.monitoring.clone_from(&from.wallet.monitoring)),
];

/// One control's row. Yen are `yen_taken`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The control.
    pub control: &'static str,
    /// With all controls but this one.
    pub all_but_it: i64,
    /// With this one alone on top of those of the time.
    pub it_alone: i64,
    /// What honest people met when it was alone, beyond what they meet without it: movements challenged, delayed, refused.
    pub honest: [i64; 3],
}

/// The runs that an ablation takes: first the presets of `now` and of `then` as they are, then two for each control. Off means
/// as it is in `open`.
pub fn runs(options: &Options, now: &Preset, then: &Preset, open: &Preset) -> Vec<Options> {
    let with = |preset: Preset| Options { preset, ..options.clone() };
    let mut runs = vec![with(now.clone()), with(then.clone())];
    for (_, turn) in KNOBS {
        let (mut all_but, mut alone) = (now.clone(), then.clone());
        turn(&mut all_but, open);
        turn(&mut alone, now);
        runs.extend([with(all_but), with(alone)]);
    }
    runs
}

/// The rows, from the reports of those runs.
pub fn rows(reports: &[Option<Report>]) -> Vec<Row> {
    let honest = |report: &Report| {
        let honest = &report.honest;
        [honest.challenged, honest.delayed, honest.refused].map(|count| i64::try_from(count).unwrap_or(i64::MAX))
    };
    let base = reports.get(1).and_then(Option::as_ref).map_or([0; 3], honest);
    let pairs = reports.get(2..).unwrap_or_default().chunks(2);
    let row = |((control, _), pair): (&(&'static str, Turn), &[Option<Report>])| match pair {
        [Some(all_but), Some(alone)] => {
            let met = honest(alone);
            let beyond = [0, 1, 2].map(|index: usize| met[index] - base[index]);
            Some(Row { control, all_but_it: all_but.yen_taken, it_alone: alone.yen_taken, honest: beyond })
        }
        _ => None,
    };
    KNOBS.iter().zip(pairs).filter_map(row).collect()
}
