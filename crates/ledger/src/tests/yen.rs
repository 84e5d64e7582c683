//! Yen: no sum leaves its range, no amount below zero gets in, and a page can show it.

use crate::Yen;
use proptest::prelude::*;

fn amounts() -> impl Strategy<Value = i64> {
    prop_oneof![0..=2_000_i64, Just(Yen::MAX.amount()), 0..=Yen::MAX.amount()]
}

proptest! {
    #[test]
    fn sums_and_differences_are_exact_or_absent(a in amounts(), b in amounts()) {
        let (left, right) = (Yen::new(a), Yen::new(b));
        let sum = (a + b <= Yen::MAX.amount()).then_some(a + b);
        prop_assert_eq!(left.checked_add(right).map(Yen::amount), sum);
        prop_assert_eq!(Yen::checked_sum([left, right]).map(Yen::amount), sum);
        prop_assert_eq!(left.checked_sub(right).map(Yen::amount), (a >= b).then_some(a - b));
        prop_assert_eq!(left.saturating_sub(right).amount(), (a - b).max(0));
        prop_assert_eq!(left.is_zero(), a == 0);
    }

    #[test]
    fn only_what_is_in_range_gets_in(amount in any::<i64>()) {
        let in_range = (0..=Yen::MAX.amount()).contains(&amount);
        let stored = postcard::to_stdvec(&amount).expect("a number can be stored");
        prop_assert_eq!(Yen::checked(amount).is_some(), in_range);
        prop_assert_eq!(Yen::try_from(amount).is_ok(), in_range);
        prop_assert_eq!(postcard::from_bytes::<Yen>(&stored).is_ok(), in_range);
    }

    #[test]
    fn what_is_stored_comes_back(amount in amounts()) {
        let stored = postcard::to_stdvec(&Yen::new(amount)).expect("yen can be stored");
        prop_assert_eq!(postcard::from_bytes(&stored), Ok(Yen::new(amount)));
    }

    #[test]
    fn digits_stand_in_threes(amount in amounts()) {
        let shown = Yen::new(amount).to_string();
        let digits = shown.strip_suffix(" yen").expect("the unit is named");
        prop_assert_eq!(digits.replace(',', ""), amount.to_string());
        let mut groups = digits.split(',');
        prop_assert!((1..=3).contains(&groups.next().map_or(0, str::len)));
        prop_assert!(groups.all(|group| group.len() == 3));
    }
}

#[test]
fn yen_at_the_ends_of_its_range() {
    for (amount, shown) in [
        (0, "0 yen"),
        (999, "999 yen"),
        (1_000, "1,000 yen"),
        (123_456, "123,456 yen"),
        (1_000_000_000_000_000, "1,000,000,000,000,000 yen"),
    ] {
        assert_eq!(Yen::new(amount).to_string(), shown);
    }
    for amount in [-1, i64::MIN, Yen::MAX.amount() + 1, i64::MAX] {
        assert_eq!(Yen::checked(amount), None);
    }
    assert_eq!(Yen::checked_sum([]), Some(Yen::ZERO));
    assert_eq!(Yen::MAX.checked_add(Yen::new(1)), None);
}
