//! Of several reasons to refuse, the first in order is given: each pair of reasons is tried together.

use super::world::{DAY_MS, T0, World, holder, payment_code, shop, wallet};
use crate::guard::{Attempt, Verdict};
use crate::holder::{SEALED_BYTES_MAX, Sealed};
use crate::ids::{PaymentId, SendId, SwitchId};
use crate::payment::{self, Authorise, Payer, PaymentCode};
use crate::purse::Purse;
use crate::refusal::{FrozenBy, Limit, Noun, Proof, Refusal, Unable};
use crate::send::{self, Request};
use crate::switches::{self, Stop, Switches};
use crate::wallet::Wallet;
use crate::{Command, Policies, Row, Tier, table};
use domain::{Id, Key};
use ledger::Yen;

pub(super) const ME: u128 = 1;
pub(super) const YOU: u128 = 2;
const BIG: i64 = 400_000;

/// What a command meets.
pub(super) struct Scene<C> {
    pub(super) world: World,
    pub(super) command: C,
    /// What the payer has, and whether it came just now.
    pub(super) funds: i64,
    pub(super) young: bool,
}

/// A reason to refuse: makes it so, and how the refusal looks.
pub(super) type Reason<C> = (fn(&mut Scene<C>), fn(&Refusal) -> bool);

pub(super) fn edit<C>(scene: &mut Scene<C>, number: u128, change: impl Fn(&mut Wallet)) {
    let mut row = scene.world.wallet(wallet(number)).clone();
    change(&mut row);
    scene.world.rows.insert(Key::new(table::WALLET, wallet(number).0), Row::Wallet(Box::new(row)));
}

pub(super) fn stop<C>(scene: &mut Scene<C>) {
    let (id, cohort) = (SwitchId(Id::from_number(1)), switches::Cohort::default());
    let stops = vec![Stop { id, function: None, bank: None, cohort, since: T0 }];
    scene.world.rows.insert(switches::KEY, Row::Switches(Switches { stops, ..Switches::default() }));
}

pub(super) fn steps_up(_: &Attempt<'_>) -> Verdict {
    Verdict::StepUp(Proof::SecondFactor)
}

/// Runs the command with each pair of `reasons`, and with each alone: the first of them is given.
pub(super) fn check<C>(scene: impl Fn() -> Scene<C>, reasons: &[Reason<C>], command: fn(C) -> Command) {
    for (first, (make_first, is_first)) in reasons.iter().enumerate() {
        for (second, (make_second, _)) in reasons.iter().enumerate().skip(first) {
            let mut scene = scene();
            make_second(&mut scene);
            make_first(&mut scene);
            let received = if scene.young { T0 } else { T0.plus_milliseconds(-2 * DAY_MS) };
            if scene.funds > 0 {
                scene.world.give_money(wallet(ME), Purse::Funds, 77, scene.funds, received);
            }
            let refusal = scene.world.refused(&command(scene.command));
            assert!(is_first(&refusal), "reasons {first} and {second}: {refusal:?}");
        }
    }
}

pub(super) fn is_limit(refusal: &Refusal, expected: Limit) -> bool {
    matches!(refusal, Refusal::LimitExceeded { limit, .. } if *limit == expected)
}

fn payment_by(payer: Payer) -> Scene<Authorise> {
    let mut world = World::new();
    world.give_wallet(ME, Tier::Identified);
    world.give_shop(1);
    let row = PaymentCode { wallet: wallet(ME), expires: T0.plus_milliseconds(1), used_by: None };
    world.give_row(Key::new(table::PAYMENT_CODE, payment_code(5).0), Row::PaymentCode(row));
    let command = Authorise {
        payment: PaymentId(Id::from_number(1)),
        payer,
        shop: shop(1),
        amount: Yen::new(20_000),
        capture: true,
        reference: None,
        origin: None,
        proof: None,
    };
    Scene { world, command, funds: BIG, young: false }
}

fn spend_the_day(scene: &mut Scene<Authorise>) {
    let today = scene.world.now.day();
    edit(scene, ME, |row| row.counters.payment.count(today, Yen::new(490_000)));
}

fn take_the_id(scene: &mut Scene<Authorise>) {
    let payment = payment::Payment {
        wallet: wallet(YOU),
        shop: shop(1),
        status: payment::Status::Voided,
        amount: Yen::new(1),
        captured: Yen::ZERO,
        refunded: Yen::ZERO,
        accepted: T0,
        expires: None,
        young: Yen::ZERO,
        pieces: Vec::new(),
        refunds: Vec::new(),
        suspended: Yen::ZERO,
        reference: None,
    };
    scene.world.give_row(Key::new(table::PAYMENT, scene.command.payment.0), Row::Payment(payment));
}

const PAYMENT_REASONS: [Reason<Authorise>; 13] = [
    (|scene| scene.command.amount = Yen::ZERO, |refusal| *refusal == Refusal::AmountZero),
    (
        |scene| scene.command.payer = Payer::Holder(wallet(ME), holder(YOU)),
        |refusal| *refusal == Refusal::Unknown { noun: Noun::Wallet },
    ),
    (|scene| scene.command.shop = shop(9), |refusal| *refusal == Refusal::Unknown { noun: Noun::Shop }),
    (take_the_id, |refusal| matches!(refusal, Refusal::Taken { noun: Noun::Payment, .. })),
    (stop, |refusal| matches!(refusal, Refusal::Stopped { .. })),
    (|scene| scene.world.clock_drifted = true, |refusal| *refusal == Refusal::ClockDrifted),
    (
        |scene| edit(scene, ME, |row| row.closed = true),
        |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Wallet, .. }),
    ),
    (
        |scene| {
            let row = crate::shop::Shop { opened: T0, closed: true };
            scene.world.give_row(Key::new(table::SHOP, shop(1).0), Row::Shop(row));
        },
        |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Shop, .. }),
    ),
    (
        |scene| edit(scene, ME, |row| row.frozen_by.push(FrozenBy::Desk)),
        |refusal| *refusal == Refusal::Frozen { by: FrozenBy::Desk },
    ),
    (|scene| scene.command.amount = Yen::new(300_001), |refusal| is_limit(refusal, Limit::PerTime)),
    (spend_the_day, |refusal| is_limit(refusal, Limit::PerDay)),
    (|scene| scene.funds = 0, |refusal| matches!(refusal, Refusal::InsufficientFunds { .. })),
    (|scene| scene.young = true, |refusal| is_limit(refusal, Limit::Young)),
];

#[test]
fn a_payments_reasons_in_order() {
    let scene = || payment_by(Payer::Holder(wallet(ME), holder(ME)));
    let guard: Reason<Authorise> =
        (|scene| scene.world.context.guard = steps_up, |refusal| matches!(refusal, Refusal::StepUpRequired { .. }));
    let reasons: Vec<_> = PAYMENT_REASONS.into_iter().chain([guard]).collect();
    check(scene, &reasons, |command| Command::Payment(payment::Command::Authorise(command)));
}

#[test]
fn a_payment_codes_reasons_in_order() {
    let reasons: [Reason<Authorise>; 8] = [
        (|scene| scene.command.amount = Yen::ZERO, |refusal| *refusal == Refusal::AmountZero),
        (
            |scene| scene.command.payer = Payer::Code(payment_code(6)),
            |refusal| *refusal == Refusal::Unknown { noun: Noun::PaymentCode },
        ),
        (take_the_id, |refusal| matches!(refusal, Refusal::Taken { noun: Noun::Payment, .. })),
        (|scene| scene.world.clock_drifted = true, |refusal| *refusal == Refusal::ClockDrifted),
        (
            |scene| {
                let used_by = Some(PaymentId(Id::from_number(9)));
                let row = PaymentCode { wallet: wallet(ME), expires: T0.plus_milliseconds(1), used_by };
                scene.world.give_row(Key::new(table::PAYMENT_CODE, payment_code(5).0), Row::PaymentCode(row));
            },
            |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::PaymentCode, .. }),
        ),
        (
            |scene| edit(scene, ME, |row| row.closed = true),
            |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Wallet, .. }),
        ),
        (|scene| scene.world.pass(1), |refusal| matches!(refusal, Refusal::Expired { noun: Noun::PaymentCode, .. })),
        (
            |scene| edit(scene, ME, |row| row.frozen_by.push(FrozenBy::Desk)),
            |refusal| *refusal == Refusal::Frozen { by: FrozenBy::Desk },
        ),
    ];
    let scene = || payment_by(Payer::Code(payment_code(5)));
    check(scene, &reasons, |command| Command::Payment(payment::Command::Authorise(command)));
}

fn a_send() -> Scene<Request> {
    let mut world = World::new();
    world.give_wallet(ME, Tier::Identified);
    world.give_wallet(YOU, Tier::Identified);
    let command = Request {
        send: SendId(Id::from_number(1)),
        wallet: wallet(ME),
        holder: holder(ME),
        to: wallet(YOU),
        amount: Yen::new(20_000),
        message: None,
        origin: None,
        proof: None,
    };
    Scene { world, command, funds: BIG, young: false }
}

fn take_the_sends_id(scene: &mut Scene<Request>) {
    let send = send::Send {
        from: wallet(YOU),
        to: wallet(ME),
        status: send::Status::Expired,
        amount: Yen::new(1),
        accepted: T0,
        young: Yen::ZERO,
        lots: Vec::new(),
        review: None,
        message: None,
        person: None,
    };
    scene.world.give_row(Key::new(table::SEND, scene.command.send.0), Row::Send(send));
}

const SEND_REASONS: [Reason<Request>; 17] = [
    (|scene| scene.command.amount = Yen::ZERO, |refusal| *refusal == Refusal::AmountZero),
    (
        |scene| scene.command.message = Some(Sealed(vec![0; SEALED_BYTES_MAX + 1])),
        |refusal| matches!(refusal, Refusal::LongerThan { noun: Noun::Send, bytes_max: 4_096, bytes } if *bytes > 4_096),
    ),
    (|scene| scene.command.holder = holder(YOU), |refusal| *refusal == Refusal::Unknown { noun: Noun::Wallet }),
    (|scene| scene.command.to = wallet(9), |refusal| *refusal == Refusal::Unknown { noun: Noun::Recipient }),
    (take_the_sends_id, |refusal| matches!(refusal, Refusal::Taken { noun: Noun::Send, .. })),
    (stop, |refusal| matches!(refusal, Refusal::Stopped { .. })),
    (|scene| scene.world.clock_drifted = true, |refusal| *refusal == Refusal::ClockDrifted),
    (
        |scene| edit(scene, ME, |row| row.closed = true),
        |refusal| matches!(refusal, Refusal::WrongStatus { noun: Noun::Wallet, .. }),
    ),
    (
        |scene| edit(scene, ME, |row| row.frozen_by.push(FrozenBy::Desk)),
        |refusal| *refusal == Refusal::Frozen { by: FrozenBy::Desk },
    ),
    (|scene| edit(scene, ME, |row| row.tier = Tier::Phone), |refusal| matches!(refusal, Refusal::TierTooLow { .. })),
    (
        |scene| edit(scene, YOU, |row| row.closed = true),
        |refusal| *refusal == Refusal::RecipientUnable { why: Unable::Closed },
    ),
    (
        |scene| edit(scene, YOU, |row| row.tier = Tier::Email),
        |refusal| *refusal == Refusal::RecipientUnable { why: Unable::Tier },
    ),
    (
        |scene| {
            let mut policy = super::world::policy();
            policy.send.per_time_min = Yen::new(30_000);
            scene.world.context.policies = Policies::new(policy);
        },
        |refusal| matches!(refusal, Refusal::AmountTooSmall { .. }),
    ),
    (
        |scene| {
            let today = scene.world.now.day();
            edit(scene, ME, |row| row.counters.send.count(today, Yen::new(990_000)));
        },
        |refusal| is_limit(refusal, Limit::PerDay),
    ),
    (|scene| scene.funds = 0, |refusal| matches!(refusal, Refusal::InsufficientFunds { .. })),
    (|scene| scene.young = true, |refusal| is_limit(refusal, Limit::YoungSend)),
    (
        |scene| scene.world.context.guard = steps_up,
        |refusal| *refusal == Refusal::StepUpRequired { proof: Proof::SecondFactor },
    ),
];

#[test]
fn a_sends_reasons_in_order() {
    check(a_send, &SEND_REASONS, |command| Command::Send(send::Command::Request(command)));
}

#[test]
fn a_proof_answers_a_step_up() {
    let mut scene = a_send();
    scene.world.give_money(wallet(ME), Purse::Funds, 77, BIG, T0.plus_milliseconds(-2 * DAY_MS));
    scene.world.context.guard = steps_up;
    scene.command.proof = Some(Proof::Identity);
    scene.world.done(&Command::Send(send::Command::Request(scene.command)));
}
