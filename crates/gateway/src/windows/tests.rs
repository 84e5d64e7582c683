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
            account: Some(AccountId(Id::from_number(u128::from(index)))),
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
            is_static: true,
        };
        let verdict = windows.judge(&attempt, now);
        // Whoever is asked for more fails there too: what was typed is known to be tried.
        let reserved = match &verdict {
            Verdict::Allow(reserved) => reserved,
            Verdict::Throttle { .. } | Verdict::Strengthen { .. } => &windows.state(now).reserve(&attempt),
        };
        stopped = stopped.or(windows.settle(reserved, Ended::Wrong, now));
        verdicts.push(verdict);
    }
    (verdicts, stopped)
}

fn windows() -> Windows {
    Windows::new(WindowPolicy::default(), Arc::new(MachineChance))
}

fn is_allowed(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Allow(_))
}

fn is_strengthened(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Strengthen { .. })
}

#[test]
fn one_value_on_many_accounts_needs_a_stronger_factor_and_then_stops_the_path() {
    let windows = windows();
    let (verdicts, stopped) = spray(&windows, 20, 7_919, T0);
    assert!(verdicts[..8].iter().all(is_allowed), "{verdicts:?}");
    assert!(verdicts[8..].iter().all(is_strengthened), "{verdicts:?}");
    assert_eq!(stopped.map(|stop| stop.bank), Some(bank()));
}

#[test]
fn neighbouring_numbers_are_seen_before_the_value_is() {
    let (verdicts, _) = spray(&windows(), 8, 1, T0);
    assert!(verdicts[..6].iter().all(is_allowed), "{verdicts:?}");
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
    assert!(verdicts.iter().all(is_allowed), "{verdicts:?}");
}

/// An attempt on `account` from `source` for `wallet`, without a value.
fn attempt(account: u128, source: u8, wallet: &Reference) -> Try<'_> {
    Try {
        bank: bank(),
        account: Some(AccountId(Id::from_number(account))),
        branch: "100",
        number: "7654321",
        source: Some(IpAddr::from([192, 0, 2, source])),
        operator: OperatorId::new(Id::from_number(1 << 64)),
        wallet,
        value: None,
        is_static: true,
    }
}

fn wallet(name: &str) -> Reference {
    Reference::try_from(name.to_owned()).expect("a reference")
}

#[test]
fn whoever_fails_waits_and_nobody_else_does() {
    let windows = windows();
    let (wallet, other) = (wallet("w"), wallet("v"));
    for _ in 0..5 {
        let Verdict::Allow(reserved) = windows.judge(&attempt(1, 1, &wallet), T0) else { panic!("it may go on") };
        windows.settle(&reserved, Ended::Wrong, T0);
    }
    assert!(matches!(windows.judge(&attempt(1, 2, &other), T0), Verdict::Throttle { .. }), "the account");
    assert!(is_allowed(&windows.judge(&attempt(2, 2, &other), T0)), "another account, from elsewhere");
    let two_windows_later = T0.plus_milliseconds(2 * WindowPolicy::default().window_ms);
    assert!(is_allowed(&windows.judge(&attempt(1, 1, &wallet), two_windows_later)));
}

#[test]
fn attempts_at_once_are_no_more_than_attempts_in_a_row() {
    let wallet = wallet("w");
    // What became of the attempts that were under way, and how many further ones may go on afterwards.
    for (ended, further) in [(Ended::Wrong, 0), (Ended::Right, 5), (Ended::Unanswered, 5)] {
        let windows = windows();
        let verdicts: Vec<Verdict> = (0..100).map(|_| windows.judge(&attempt(1, 1, &wallet), T0)).collect();
        let under_way: Vec<&Reserved> = verdicts
            .iter()
            .filter_map(|verdict| if let Verdict::Allow(reserved) = verdict { Some(reserved) } else { None })
            .collect();
        assert_eq!(under_way.len(), 5, "before the bank has answered any of them");
        let later = T0.plus_milliseconds(WindowPolicy::default().window_ms);
        for reserved in under_way {
            windows.settle(reserved, ended, later);
        }
        let allowed = (0..100).filter(|_| is_allowed(&windows.judge(&attempt(1, 1, &wallet), later))).count();
        assert_eq!(allowed, further, "{ended:?}, in the next window");
    }
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
