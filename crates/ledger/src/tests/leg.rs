//! A leg by itself, as whoever builds on the ledger uses it: what `check` allows, `apply` carries out.

use crate::{Account, AccountId, Code, Ledger, Leg, Row, Rule, Step, Transfer, TransferState, Unpostable, Yen, check};
use domain::{Domain, Id, Time, Value};
use proptest::prelude::*;

const A: AccountId = AccountId { owner: Id::from_number(1), code: Code(100) };
const B: AccountId = AccountId { owner: Id::from_number(1), code: Code(200) };

fn yen() -> impl Strategy<Value = Yen> {
    let amount = prop_oneof![0..300_i64, (0..300_i64).prop_map(|less| Yen::MAX.amount() - less)];
    amount.prop_map(Yen::new)
}

fn rule() -> impl Strategy<Value = Rule> {
    prop_oneof![Just(Rule::Free), Just(Rule::DebitsNeverExceedCredits), Just(Rule::CreditsNeverExceedDebits)]
}

/// Any account that keeps its rule, and whose sides can still be posted.
fn account() -> impl Strategy<Value = Account> {
    (rule(), any::<bool>(), [yen(), yen(), yen(), yen()]).prop_filter_map("breaks its rule", |(rule, closed, sums)| {
        let [debits_pending, debits_posted, credits_pending, credits_posted] = sums;
        let debits = debits_posted.checked_add(debits_pending)?;
        let credits = credits_posted.checked_add(credits_pending)?;
        let kept = match rule {
            Rule::Free => true,
            Rule::DebitsNeverExceedCredits => debits <= credits_posted,
            Rule::CreditsNeverExceedDebits => credits <= debits_posted,
        };
        kept.then_some(Account { rule, closed, debits_pending, debits_posted, credits_pending, credits_posted })
    })
}

/// Applies `leg` to both accounts if it is allowed; an assert of `apply` would fail the test.
fn take(leg: Leg, debit: &mut Account, credit: &mut Account) -> Result<(), Unpostable> {
    check(&leg, debit, credit)?;
    debit.apply(leg.debit, &leg);
    credit.apply(leg.credit, &leg);
    Ok(())
}

proptest! {
    #[test]
    fn what_is_allowed_can_be_done(debit in account(), credit in account(), amount in yen(), part in yen()) {
        let leg = |step, amount| Leg { debit: A, credit: B, amount, step };
        let (mut debited, mut credited) = (debit, credit);
        let single = take(leg(Step::Single, amount), &mut debited, &mut credited);

        let (mut debited, mut credited) = (debit, credit);
        let hold = take(leg(Step::Hold, amount), &mut debited, &mut credited);
        prop_assert_eq!(single, hold, "a hold is allowed where a transfer is");
        if hold.is_err() {
            return Ok(());
        }
        let (mut released, mut freed) = (debited, credited);
        prop_assert_eq!(take(leg(Step::Release, amount), &mut released, &mut freed), Ok(()));
        prop_assert_eq!((released, freed), (debit, credit), "a released hold leaves no trace");

        let posted = take(leg(Step::Post { held: amount }, part), &mut debited, &mut credited);
        let expected = match part {
            Yen::ZERO => Err(Unpostable::AmountZero),
            part if part > amount => Err(Unpostable::ExceedsHold { held: amount, requested: part }),
            _ => Ok(()),
        };
        prop_assert_eq!(posted, expected);
        if posted.is_ok() {
            prop_assert_eq!(debited.debits_pending, debit.debits_pending);
            prop_assert_eq!(credited.credits_pending, credit.credits_pending);
            prop_assert_eq!(Some(debited.debits_posted), debit.debits_posted.checked_add(part));
            prop_assert_eq!(Some(credited.credits_posted), credit.credits_posted.checked_add(part));
        }
    }
}

#[test]
fn a_hold_of_before_still_ends_on_closed_accounts() {
    let held = Yen::new(60);
    let leg = |step, amount| Leg { debit: A, credit: B, amount, step };
    let mut debit = Account { credits_posted: Yen::new(100), ..Account::new(Rule::DebitsNeverExceedCredits) };
    let mut credit = Account::new(Rule::DebitsNeverExceedCredits);
    assert_eq!(take(leg(Step::Hold, held), &mut debit, &mut credit), Ok(()));
    (debit.closed, credit.closed) = (true, true);
    assert_eq!(take(leg(Step::Single, held), &mut debit, &mut credit), Err(Unpostable::AccountClosed { account: A }));
    assert_eq!(take(leg(Step::Post { held }, Yen::new(25)), &mut debit, &mut credit), Ok(()));
    assert_eq!((debit.available(), credit.available()), (Yen::new(75), Yen::new(25)));
}

#[test]
#[should_panic(expected = "breaks its rule")]
fn a_leg_that_was_not_allowed_is_not_applied() {
    let leg = Leg { debit: A, credit: B, amount: Yen::new(1), step: Step::Single };
    Account::new(Rule::DebitsNeverExceedCredits).apply(A, &leg);
}

#[test]
fn an_operator_reads_rows_as_columns() {
    let shown = |row: Row, table: usize| {
        let mut values = Vec::new();
        Ledger::columns(&row, &mut values);
        let columns = Ledger::TABLES[table].columns;
        assert_eq!(values.len(), columns.len());
        columns.iter().copied().zip(values).collect::<Vec<_>>()
    };
    let account = Account {
        closed: true,
        debits_pending: Yen::new(1),
        debits_posted: Yen::new(2),
        credits_pending: Yen::new(3),
        credits_posted: Yen::new(4),
        ..Account::new(Rule::DebitsNeverExceedCredits)
    };
    let expected = vec![
        ("rule", Value::Text("debits_never_exceed_credits")),
        ("closed", Value::Integer(1)),
        ("debits_pending", Value::Integer(1)),
        ("debits_posted", Value::Integer(2)),
        ("credits_pending", Value::Integer(3)),
        ("credits_posted", Value::Integer(4)),
    ];
    assert_eq!(shown(Row::Account(account), 0), expected);
    let transfer = Transfer {
        id: Id::from_number(9),
        debit: A.owner,
        credit: B.owner,
        amount: Yen::new(5),
        state: TransferState::Voided,
        expires_at: Some(Time::default()),
    };
    let expected = vec![
        ("debit", Value::Id(A.owner)),
        ("credit", Value::Id(B.owner)),
        ("amount", Value::Integer(5)),
        ("state", Value::Text("voided")),
    ];
    assert_eq!(shown(Row::Transfer(transfer), 1), expected);
}
