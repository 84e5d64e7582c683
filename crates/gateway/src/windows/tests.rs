//! Attacks and honest people, as the windows see them.

use super::*;
use web::MachineChance;

const T0: Time = Time::from_milliseconds(1_789_441_200_000);

fn bank() -> BankCode {
    BankCode::new(125).expect("a code")
}

/// Tries a PIN on accounts from many sources for many wallets, and says what the windows said of each and what they stopped.
fn spray(windows: &Windows, accounts: u32, step: u32, now: Time) -> (Vec<Verdict>, Option<StaticStop>) {
    let (mut verdicts, mut stopped) = (Vec::new(), None);
    let pin = Secret::new("1234".to_owned());
    for index in 0..accounts {
        let (number, wallet) = (format!("{:07}", 1_000_000 + index * step), format!("w{index}"));
        let wallet = Reference::try_from(wallet).expect("a reference");
        let attempt = Try {
            bank: bank(),
            account: AccountId(Id::from_number(u128::from(index))),
            branch: "100",
            number: &number,
            source: Some(IpAddr::from([
                10,
                0,
                u8::try_from(index / 200).expect("few"),
                u8::try_from(index % 200).expect("few"),
            ])),
            operator: OperatorId::new(Id::from_number(1 << 64)),
            wallet: &wallet,
            value: Some(&pin),
        };
        let verdict = windows.judge(&attempt, now);
        verdicts.push(verdict);
        stopped = stopped.or(windows.heard(&attempt, true, now));
    }
    (verdicts, stopped)
}

fn windows() -> Windows {
    Windows::new(WindowPolicy::default(), Arc::new(MachineChance))
}

fn is_strengthened(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Strengthen { .. })
}

#[test]
fn one_value_on_many_accounts_needs_a_stronger_factor_and_then_stops_the_path() {
    let windows = windows();
    let (verdicts, stopped) = spray(&windows, 20, 7_919, T0);
    assert!(verdicts[..8].iter().all(|verdict| *verdict == Verdict::Allow), "{verdicts:?}");
    assert!(verdicts[8..].iter().all(is_strengthened), "{verdicts:?}");
    assert_eq!(stopped.map(|stop| stop.bank), Some(bank()));
}

#[test]
fn neighbouring_numbers_are_seen_before_the_value_is() {
    let (verdicts, _) = spray(&windows(), 8, 1, T0);
    assert!(verdicts[..6].iter().all(|verdict| *verdict == Verdict::Allow), "{verdicts:?}");
    assert!(verdicts[6..].iter().all(is_strengthened), "{verdicts:?}");
}

#[test]
fn a_value_is_forgotten_with_its_key() {
    let windows = windows();
    let (key, until) = windows.bank_key(T0);
    spray(&windows, 7, 7_919, T0);
    let (later, _) = windows.bank_key(until);
    assert_ne!(key.expose(), later.expose());
    let (verdicts, _) = spray(&windows, 7, 7_919, until);
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Allow), "{verdicts:?}");
}

#[test]
fn whoever_fails_waits_and_nobody_else_does() {
    let windows = windows();
    let wallet = Reference::try_from("w".to_owned()).expect("a reference");
    let other = Reference::try_from("v".to_owned()).expect("a reference");
    let attempt = |account: u128, source: u8, wallet| Try {
        bank: bank(),
        account: AccountId(Id::from_number(account)),
        branch: "100",
        number: "7654321",
        source: Some(IpAddr::from([192, 0, 2, source])),
        operator: OperatorId::new(Id::from_number(1 << 64)),
        wallet,
        value: None,
    };
    for _ in 0..5 {
        assert_eq!(windows.judge(&attempt(1, 1, &wallet), T0), Verdict::Allow);
        windows.heard(&attempt(1, 1, &wallet), true, T0);
    }
    assert!(matches!(windows.judge(&attempt(1, 2, &other), T0), Verdict::Throttle { .. }), "the account");
    assert_eq!(windows.judge(&attempt(2, 2, &other), T0), Verdict::Allow, "another account, from elsewhere");
    let two_windows_later = T0.plus_milliseconds(2 * WindowPolicy::default().window_ms);
    assert_eq!(windows.judge(&attempt(1, 1, &wallet), two_windows_later), Verdict::Allow);
}

#[test]
fn a_flood_of_failures_stops_the_path_unless_most_succeed() {
    let windows = windows();
    let report = |failed| Report { bank: bank(), account_token: "a", value_token: None, failed };
    let mut stopped = None;
    for _ in 0..100 {
        stopped = stopped.or(windows.report(&report(true), T0));
        windows.report(&report(false), T0);
    }
    assert_eq!(stopped, None);
    for _ in 0..400 {
        stopped = stopped.or(windows.report(&report(true), T0));
    }
    assert_eq!(stopped.map(|stop| stop.bank), Some(bank()));
}
