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
    let mut stopped = None;
    for number in 0..100 {
        stopped = stopped.or(report(&windows, 2 * number, "a", Reported::Failed));
        report(&windows, 2 * number + 1, &format!("account-{number}"), Reported::Succeeded);
    }
    assert_eq!(stopped, None);
    for number in 200..600 {
        stopped = stopped.or(report(&windows, number, "a", Reported::Failed));
    }
    assert_eq!(stopped.map(|stop| stop.bank), Some(bank()));
}

/// The bank reports something of `account`, in message `number` of an attempt of its own.
fn report(windows: &Windows, number: u32, account: &str, outcome: Reported) -> Option<StaticStop> {
    let (id, attempt) = (&format!("m{number}"), &format!("a{number}"));
    let report = Report { bank: bank(), id, attempt, account_token: account, value_token: None, outcome };
    windows.report(&report, T0)
}

#[test]
fn a_few_accounts_at_each_of_many_own_pages_are_one_spray() {
    let windows = windows();
    let tried = |bank: u16, account: u32| {
        let bank = BankCode::new(bank).expect("a code");
        let (id, account_token) = (&format!("{bank} {account}"), &format!("account-{account}"));
        let (attempt, outcome) = (id.as_str(), Reported::Failed);
        windows.report(&Report { bank, id, attempt, account_token, value_token: Some("value"), outcome }, T0)
    };
    let stopped: Vec<Option<StaticStop>> = (1..=5)
        .flat_map(|bank| (0..8).map(move |account| (bank, account)))
        .map(|(bank, account)| tried(bank, account))
        .collect();
    assert!(stopped[..31].iter().all(Option::is_none), "{stopped:?}");
    assert!(stopped[31..].iter().all(Option::is_some), "each bank that says more of it: {stopped:?}");
}

#[test]
fn whoever_succeeds_with_one_account_hides_no_flood() {
    let windows = windows();
    let mut stopped = None;
    for number in 0..100 {
        stopped = stopped.or(report(&windows, 2 * number, &format!("account-{number}"), Reported::Failed));
        report(&windows, 2 * number + 1, "the attacker's own", Reported::Succeeded);
    }
    assert_eq!(stopped.map(|stop| stop.bank), Some(bank()));
}

#[test]
fn a_bank_that_asks_for_more_of_the_same_attempt_was_given_the_wrong_answer() {
    // How often the bank asks for more, of how many attempts, and whether the account is left alone then.
    for (steps, attempts, is_left_alone) in [(1, 100, false), (3, 2, false), (3, 3, true), (6, 1, true)] {
        let windows = windows();
        for attempt in 0..attempts {
            for step in 0..steps {
                let id = &format!("m{attempt}-{step}");
                let (attempt, outcome) = (&format!("a{attempt}"), Reported::Challenged);
                let report = Report { bank: bank(), id, attempt, account_token: "a", value_token: None, outcome };
                assert_eq!(windows.report(&report, T0), None);
            }
        }
        let left_alone = windows.reported_too_often(bank(), "a", T0).is_some();
        assert_eq!(left_alone, is_left_alone, "{steps} steps of {attempts} attempts");
        let state = windows.state(T0);
        assert_eq!(state.now.bank_successes(bank()), 0, "and none of that is a success");
    }
}

/// What the attempts of an attack have in common; in all else each is different.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "an attack has any of these in common, or none")]
struct Same {
    account: bool,
    source: bool,
    wallet: bool,
    branch: bool,
    value: bool,
}

/// Whether the windows let twenty failures go on, under `policy`.
fn passes(policy: WindowPolicy, same: Same) -> bool {
    let windows = Windows::new(policy, Arc::new(MachineChance));
    (0..20_u8).all(|index| {
        let of = |is_same: bool| if is_same { 0 } else { index };
        let wallet = wallet(&format!("w{}", of(same.wallet)));
        let number = format!("{:07}", 1_000_000 + u32::from(index) * if same.branch { 1 } else { 7_919 });
        let value = Secret::new(format!("{:04}", of(same.value)));
        let attempt = Try {
            account: Some(AccountId(Id::from_number(of(same.account).into()))),
            number: &number,
            value: Some(&value),
            ..attempt(0, of(same.source), &wallet)
        };
        let Verdict::Allow(reserved) = windows.judge(&attempt, T0) else { return false };
        windows.settle(&reserved, Ended::Wrong, T0).is_none()
    })
}

/// What an attack is called, which bound refuses it, and what its attempts have in common.
type Attack = (&'static str, fn(&mut WindowPolicy), Same);

#[test]
fn each_bound_refuses_its_attack_and_nothing_else_does() {
    let off = WindowPolicy {
        window_ms: 3_600_000,
        account_failures_max: u32::MAX,
        source_failures_max: u32::MAX,
        source_accounts_max: u32::MAX,
        wallet_failures_max: u32::MAX,
        bank_failures_max: u32::MAX,
        neighbours_max: u32::MAX,
        value_accounts_max: u32::MAX,
        value_accounts_stop: u32::MAX,
    };
    let none = Same::default();
    let rows: [Attack; 8] = [
        ("one account", |p| p.account_failures_max = 5, Same { account: true, ..none }),
        ("one source", |p| p.source_failures_max = 5, Same { account: true, source: true, ..none }),
        ("accounts of one source", |p| p.source_accounts_max = 5, Same { source: true, ..none }),
        ("one wallet", |p| p.wallet_failures_max = 5, Same { wallet: true, ..none }),
        ("one bank", |p| p.bank_failures_max = 5, none),
        ("neighbours", |p| p.neighbours_max = 5, Same { branch: true, ..none }),
        ("one value", |p| p.value_accounts_max = 5, Same { value: true, ..none }),
        ("one value, until the path stops", |p| p.value_accounts_stop = 5, Same { value: true, ..none }),
    ];
    for (what, turn_on, attack) in rows {
        let mut on = off;
        turn_on(&mut on);
        assert!(!passes(on, attack), "{what}: refused with it");
        assert!(passes(off, attack), "{what}: not without it");
        // What the attack has in common is what is counted: without that the bound says nothing, but of a whole bank's attempts.
        assert_eq!(passes(on, none), on.bank_failures_max == u32::MAX, "{what}: who has nothing in common goes on");
    }
}

#[test]
fn who_has_a_site_of_ipv6_networks_is_one_of_few_places() {
    let windows = windows();
    let names: Vec<Reference> = (0..33).map(|number| wallet(&format!("w{number}"))).collect();
    let at = |site: u16, number: u16| Some(IpAddr::from([0x2001, 0xdb8, site, number, 0, 0, 0, 0]));
    let number = |index: usize| format!("{:07}", 1_000_000 + index * 7_919);
    let tried = |site: u16, index: usize| {
        let account = u128::try_from(index).expect("few");
        let source = at(site, u16::try_from(index).expect("few"));
        let number = number(index);
        let attempt = Try { source, number: &number, ..attempt(account, 1, &names[index]) };
        windows.judge(&Try { is_static: false, ..attempt }, T0)
    };
    for index in 0..32 {
        let verdict = tried(1, index);
        let Verdict::Allow(reserved) = &verdict else { panic!("{index}: {verdict:?}") };
        windows.settle(reserved, Ended::Wrong, T0);
    }
    assert!(matches!(tried(1, 32), Verdict::Throttle { .. }), "another network of the same site");
    assert!(is_allowed(&tried(2, 32)), "another site");
}
