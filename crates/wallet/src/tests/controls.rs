//! The controls of the policy: the same attempt passes with one off, as an ordinary value, and is refused with it on.

use super::bank::{grant, staff};
use super::story::Story;
use super::world::{DAY_MS, T0, World, holder, policy};
use crate::adjustment::{Adjustment, in_force};
use crate::guard::{Rule, Verdict, When};
use crate::ids::{BankAccountId, BankCode, MandateId, PaymentId, SwitchId, TopUpId};
use crate::mandate::{self, Grant, NameGrade};
use crate::policy::{AgeingPolicy, Displacing};
use crate::purse::Purse;
use crate::refusal::{Limit, Noun, Proof};
use crate::switches::{self, Function};
use crate::{Command, Policies, Policy, Receipt, Refusal, Row, Tier, payment, top_up};
use domain::{Id, Key};
use ledger::Yen;

/// What a stranger to the account shows: its number, name and PIN, which is all that was asked for in 2020.
const STOLEN: Grant = Grant {
    bank_account: ACCOUNT,
    name: NameGrade::Match,
    birth_date_matches: true,
    factors_strong: false,
    contact_notified: true,
};
const ACCOUNT: BankAccountId = BankAccountId(Id([7; 16]));

/// Everything off that a policy can switch off.
fn open_doors() -> Policy {
    let mut open = policy();
    open.mandate.tier_min = Tier::Email;
    open.mandate.refuses_static_factors = false;
    (open.mandate.new_device_takes_proof, open.top_up.new_device_takes_proof) = (false, false);
    open.mandate.requires_name = false;
    open.mandate.requires_birth_date = false;
    open.mandate.requires_notice = false;
    open.mandate.displacing = Displacing::Anybody;
    (open.mandate.unconfirmed_per_day_max, open.mandate.unconfirmed_total_max) = (Yen::MAX, Yen::MAX);
    (open.top_up.per_time_max, open.top_up.per_month_max, open.top_up.rolling_max) = (Yen::MAX, Yen::MAX, Yen::MAX);
    open.top_up.tier_min = Tier::Email;
    (open.ageing.young_ms, open.ageing.proven_per_day_max) = (0, Yen::MAX);
    open.balance.email_max = Yen::MAX;
    open
}

/// A wallet of `tier` in a world with this policy.
struct Scene {
    world: World,
    last: u128,
}

impl Scene {
    fn new(policy: Policy, wallets: &[(u128, Tier)]) -> Self {
        let mut world = World::new();
        world.context.policies = Policies::new(policy);
        for (number, tier) in wallets {
            world.give_wallet(*number, *tier);
        }
        Self { world, last: 100 }
    }

    fn id(&mut self) -> Id {
        self.last += 1;
        Id::from_number(self.last)
    }

    fn ask(&mut self, who: u128) -> Result<MandateId, Refusal> {
        let mandate = MandateId(self.id());
        let (wallet, bank) = (super::world::wallet(who), BankCode::new(125).expect("a code"));
        let request = mandate::Request { mandate, wallet, holder: holder(who), bank, origin: None, proof: None };
        self.world.run(&Command::Mandate(mandate::Command::Request(request))).map(|_| mandate)
    }

    /// Links with what the bank's grant says; the debug print of whatever stands in the way.
    fn link(&mut self, who: u128, grant: Grant) -> Result<MandateId, String> {
        let mandate = self.ask(who).map_err(|refusal| format!("{refusal:?}"))?;
        let granted = self.world.run(&Command::Mandate(mandate::Command::Grant { mandate, grant }));
        if let Ok(Receipt::Mandate { missing: Some(missing), .. }) = granted {
            return Err(format!("{missing:?}"));
        }
        granted.map_err(|refusal| format!("{refusal:?}"))?;
        let (holder, bank_account) = (holder(who), grant.bank_account);
        let confirm = mandate::Command::Confirm { mandate, holder, bank_account };
        self.world.run(&Command::Mandate(confirm)).map_err(|refusal| format!("{refusal:?}"))?;
        Ok(mandate)
    }

    fn top_up(
        &mut self,
        who: u128,
        mandate: MandateId,
        amount: i64,
        proof: Option<Proof>,
    ) -> Result<top_up::Status, Refusal> {
        let top_up = TopUpId(self.id());
        let (wallet, holder, amount) = (super::world::wallet(who), holder(who), Yen::new(amount));
        let request = top_up::Request { top_up, wallet, holder, mandate, amount, origin: None, proof };
        match self.world.run(&Command::TopUp(top_up::Command::Request(request)))? {
            Receipt::TopUp { status, .. } => Ok(status),
            other => panic!("a top-up is answered with one: {other:?}"),
        }
    }

    fn pay(&mut self, who: u128, amount: i64, proof: Option<Proof>) -> Result<(), Refusal> {
        let authorise = payment::Authorise {
            payment: PaymentId(self.id()),
            payer: payment::Payer::Holder(super::world::wallet(who), holder(who)),
            shop: super::world::shop(1),
            amount: Yen::new(amount),
            capture: true,
            reference: None,
            origin: None,
            proof,
        };
        self.world.run(&Command::Payment(payment::Command::Authorise(authorise))).map(drop)
    }
}

/// One thief with stolen data links a stranger's account: by `control` alone, or by none.
fn check_link(control: impl Fn(&mut Policy), tier: Tier, shown: Grant, expected: &str) {
    assert!(Scene::new(open_doors(), &[(1, tier)]).link(1, shown).is_ok(), "{expected}: passes with all off");
    let mut policy = open_doors();
    control(&mut policy);
    let refused = Scene::new(policy, &[(1, tier)]).link(1, shown).expect_err(expected);
    assert!(refused.contains(expected), "{refused} is not {expected}");
}

#[test]
fn each_control_of_a_link_refuses_alone_what_passes_without_it() {
    let (wrong_name, wrong_date) =
        (Grant { name: NameGrade::No, ..STOLEN }, Grant { birth_date_matches: false, ..STOLEN });
    let untold = Grant { contact_notified: false, ..STOLEN };
    check_link(|policy| policy.mandate.tier_min = Tier::Identified, Tier::Email, STOLEN, "TierTooLow");
    check_link(|policy| policy.mandate.requires_phone = true, Tier::Email, STOLEN, "PhoneNotVerified");
    check_link(|policy| policy.mandate.requires_name = true, Tier::Email, wrong_name, "NameMatch");
    check_link(|policy| policy.mandate.requires_birth_date = true, Tier::Email, wrong_date, "BirthDateMatch");
    check_link(|policy| policy.mandate.refuses_static_factors = true, Tier::Email, STOLEN, "StrongFactor");
    check_link(|policy| policy.mandate.requires_notice = true, Tier::Email, untold, "HolderNotified");
}

#[test]
fn a_link_keeps_its_slot_from_whom_the_policy_says() {
    let weak = STOLEN;
    let strong = grant(ACCOUNT);
    // (who may displace, what the newcomer shows, whether the link gives way)
    for (displacing, newcomer, gives_way) in [
        (Displacing::Nobody, strong, false),
        (Displacing::TrueHolder, weak, false),
        (Displacing::TrueHolder, strong, true),
        (Displacing::Anybody, weak, true),
    ] {
        let mut policy = open_doors();
        policy.mandate.displacing = displacing;
        let mut scene = Scene::new(policy, &[(1, Tier::Identified), (2, Tier::Identified)]);
        let first = scene.link(1, weak).expect("the slot is free");
        let second = scene.link(2, newcomer);
        assert_eq!(second.is_ok(), gives_way, "{displacing:?} {second:?}");
        let usable = scene.top_up(1, first, 1_000, None);
        assert_eq!(usable.is_ok(), !gives_way, "{displacing:?}: one live mandate at any time");
    }
}

#[test]
fn what_goes_beyond_a_days_unproven_top_ups_asks_for_a_proof() {
    let mut policy = open_doors();
    policy.top_up.unproven_per_day_max = Yen::new(10_000);
    let mut scene = Scene::new(policy, &[(1, Tier::Email)]);
    let mandate = scene.link(1, STOLEN).expect("a link");
    let asks = Err(Refusal::StepUpRequired { proof: Proof::SecondFactor });
    assert_eq!(scene.top_up(1, mandate, 10_001, None), asks);
    assert_eq!(scene.top_up(1, mandate, 10_000, None), Ok(top_up::Status::Pending));
    assert_eq!(scene.top_up(1, mandate, 100, None), asks, "pieces add up");
    assert_eq!(scene.top_up(1, mandate, 100, Some(Proof::SecondFactor)), Ok(top_up::Status::Pending));
    scene.world.pass(DAY_MS);
    assert_eq!(scene.top_up(1, mandate, 10_000, None), Ok(top_up::Status::Pending), "another business date");
}

#[test]
fn a_large_payment_takes_a_proof_and_with_one_young_money_leaves() {
    let mut policy = open_doors();
    policy.ageing = AgeingPolicy { proven_per_day_max: Yen::new(30_000), ..Policy::default().ageing };
    policy.payment.unproven_per_time_max = Yen::new(10_000);
    let mut scene = Scene::new(policy, &[(1, Tier::Identified)]);
    scene.world.give_shop(1);
    scene.world.give_money(super::world::wallet(1), Purse::Funds, 1, 100_000, T0);
    let (asks, proof) = (Err(Refusal::StepUpRequired { proof: Proof::SecondFactor }), Some(Proof::SecondFactor));
    assert_eq!(scene.pay(1, 10_001, None), asks);
    assert_eq!(scene.pay(1, 10_000, None), Ok(()));
    assert_eq!(scene.pay(1, 1, None), asks, "pieces add up");
    assert_eq!(scene.pay(1, 20_000, proof), Ok(()), "so much more may leave young");
    let from = Some(scene.world.now.day().plus(1));
    let refused = Refusal::LimitExceeded { limit: Limit::Young, at_most: 30_000, left: 0, requested: 1, from };
    assert_eq!(scene.pay(1, 1, proof), Err(refused), "and no more");
    scene.world.pass(DAY_MS);
    assert_eq!(scene.pay(1, 10_001, None), asks, "a large one always takes it");
    assert_eq!(scene.pay(1, 10_000, None), Ok(()));
    assert_eq!(scene.pay(1, 10_000, None), Ok(()), "old money is counted by nobody");
}

/// `control` alone refuses or holds the last of `amounts`, one a day, that all pass without it.
fn check_top_ups(control: impl Fn(&mut Policy), amounts: &[i64], days_between: i64, expected: &str) {
    let run = |policy| {
        let mut scene = Scene::new(policy, &[(1, Tier::Email)]);
        let mandate = scene.link(1, STOLEN).expect("a link");
        let mut outcomes = Vec::new();
        for amount in amounts {
            outcomes.push(format!("{:?}", scene.top_up(1, mandate, *amount, None)));
            scene.world.pass(days_between * DAY_MS);
        }
        outcomes
    };
    let passes = run(open_doors());
    assert!(passes.iter().all(|outcome| outcome.contains("Pending")), "{expected}: {passes:?}");
    let mut policy = open_doors();
    control(&mut policy);
    let outcomes = run(policy);
    let (last, before) = outcomes.split_last().expect("one or more");
    assert!(before.iter().all(|outcome| outcome.contains("Pending")), "{expected}: {outcomes:?}");
    assert!(last.contains(expected), "{last} is not {expected}");
}

#[test]
fn each_limit_and_rule_alone_stops_a_top_up_that_passes_without_it() {
    let yen = Yen::new;
    check_top_ups(|policy| policy.top_up.per_time_max = yen(100_000), &[100_001], 0, "PerTime");
    check_top_ups(|policy| policy.top_up.per_month_max = yen(300_000), &[300_000, 100], 0, "PerMonth");
    // The world begins on the 15th: thirty days later is another month, and the calendar alone would let it pass.
    check_top_ups(|policy| policy.top_up.rolling_max = yen(300_000), &[300_000, 100], 20, "Rolling");
    check_top_ups(
        |policy| policy.mandate.unconfirmed_per_day_max = yen(10_000),
        &[10_000, 100],
        0,
        "UnconfirmedPerDay",
    );
    check_top_ups(|policy| policy.mandate.unconfirmed_total_max = yen(30_000), &[30_000, 100], 40, "UnconfirmedTotal");
    let rules = Policy::default().monitoring;
    check_top_ups(|policy| policy.mandate.new_lately_max = yen(10_000), &[10_000, 100], 0, "NewLink");
    check_top_ups(|policy| policy.mandate.new_links_lately_max = yen(10_000), &[10_000, 100], 0, "NewLinks");
    // What is looked at is a wallet of its first week that is filled in a day.
    check_top_ups(|policy| policy.monitoring.clone_from(&rules), &[10_000, 99_999], 2, "Pending");
    check_top_ups(|policy| policy.monitoring.clone_from(&rules), &[10_000, 100_000], 2, "Held");
}

#[test]
fn a_link_of_its_first_day_brings_little_also_over_midnight_and_in_an_old_wallet() {
    let mut policy = open_doors();
    policy.mandate.new_lately_max = Yen::new(10_000);
    let mut scene = Scene::new(policy, &[(1, Tier::Email)]);
    scene.world.pass(30 * DAY_MS);
    let mandate = scene.link(1, STOLEN).expect("a link");
    assert_eq!(scene.top_up(1, mandate, 10_000, None), Ok(top_up::Status::Pending));
    scene.world.pass(DAY_MS - 1);
    let from = Some(scene.world.now.plus_milliseconds(1).day());
    let refused = Refusal::LimitExceeded { limit: Limit::NewLink, at_most: 10_000, left: 0, requested: 100, from };
    assert_eq!(scene.top_up(1, mandate, 100, None), Err(refused), "another date, the same 24 hours");
    scene.world.pass(2);
    assert_eq!(scene.top_up(1, mandate, 50_000, None), Ok(top_up::Status::Pending), "the first day is over");
}

/// Accounts at several banks, linked on one day: together they bring no more than the wallet's new links may.
#[test]
fn many_links_of_one_day_bring_together_what_is_said() {
    let mut policy = open_doors();
    (policy.mandate.new_lately_max, policy.mandate.new_links_lately_max) = (Yen::new(10_000), Yen::new(30_000));
    let mut scene = Scene::new(policy, &[(1, Tier::Email)]);
    let accounts: Vec<_> = (1..=5).map(|number| BankAccountId(Id::from_number(number))).collect();
    let mut links = accounts.into_iter().map(|bank_account| Grant { bank_account, ..STOLEN });
    let mut link = |scene: &mut Scene| scene.link(1, links.next().expect("an account")).expect("a link");
    for amount in [10_000, 10_000, 8_000] {
        let mandate = link(&mut scene);
        assert_eq!(scene.top_up(1, mandate, amount, None), Ok(top_up::Status::Pending));
    }
    let mandate = link(&mut scene);
    let from = Some(scene.world.now.plus_milliseconds(DAY_MS).day());
    let refused =
        |left, requested| Refusal::LimitExceeded { limit: Limit::NewLinks, at_most: 30_000, left, requested, from };
    assert_eq!(scene.top_up(1, mandate, 2_001, None), Err(refused(2_000, 2_001)));
    assert_eq!(scene.top_up(1, mandate, 2_000, None), Ok(top_up::Status::Pending));
    let mandate = link(&mut scene);
    assert_eq!(scene.top_up(1, mandate, 100, None), Err(refused(0, 100)));
    scene.world.pass(DAY_MS + 1);
    assert_eq!(scene.top_up(1, mandate, 50_000, None), Ok(top_up::Status::Pending), "the first day is over");
}

/// A wallet that is closed, and another one opened: what the links of a day brought counts by the person.
#[test]
fn another_wallet_of_the_same_person_begins_no_new_links_anew() {
    let mut policy = open_doors();
    (policy.mandate.new_lately_max, policy.mandate.new_links_lately_max) = (Yen::new(10_000), Yen::new(10_000));
    let mut scene = Scene::new(policy, &[(1, Tier::Identified), (2, Tier::Identified)]);
    let key = Key::new(crate::table::WALLET, super::world::wallet(2).0);
    let Some(Row::Wallet(mut wallet)) = scene.world.rows.get(&key).cloned() else { panic!("a wallet") };
    wallet.person = scene.world.wallet(super::world::wallet(1)).person;
    scene.world.give_row(key, Row::Wallet(wallet));
    let mandate = scene.link(1, STOLEN).expect("a link");
    assert_eq!(scene.top_up(1, mandate, 9_000, None), Ok(top_up::Status::Pending));
    let mandate = scene.link(2, Grant { bank_account: BankAccountId(Id::from_number(1)), ..STOLEN }).expect("a link");
    let from = Some(scene.world.now.plus_milliseconds(DAY_MS).day());
    let refused =
        Refusal::LimitExceeded { limit: Limit::NewLinks, at_most: 10_000, left: 1_000, requested: 1_001, from };
    assert_eq!(scene.top_up(2, mandate, 1_001, None), Err(refused));
    assert_eq!(scene.top_up(2, mandate, 1_000, None), Ok(top_up::Status::Pending));
}

#[test]
fn of_all_that_strikes_the_strictest_counts() {
    let rule = |verdict, refused_from| Rule {
        functions: vec![Function::TopUp],
        when: When { refused_from, ..When::default() },
        verdict,
    };
    let hold = rule(Verdict::Hold { reason: 1 }, None);
    let ask = rule(Verdict::StepUp(Proof::SecondFactor), None);
    let refuse = rule(Verdict::Refuse { reason: 2 }, Some(1));
    let policy = Policy { monitoring: vec![ask, hold, refuse], ..open_doors() };
    let mut scene = Scene::new(policy, &[(1, Tier::Email)]);
    let mandate = scene.link(1, STOLEN).expect("a link is looked at by no rule here");
    assert_eq!(scene.top_up(1, mandate, 1_000, None), Ok(top_up::Status::Held));
    assert!(scene.top_up(1, mandate, 0, None).is_err(), "a first refusal");
    assert_eq!(scene.top_up(1, mandate, 1_000, None), Err(Refusal::GuardRefused { reason: 2 }));
    scene.world.pass(DAY_MS);
    assert_eq!(scene.top_up(1, mandate, 1_000, None), Ok(top_up::Status::Held), "refusals are counted by date");
}

/// What a stop may name is what some deed asks the switches for: each is stopped by its own name alone.
#[test]
fn a_stop_stops_what_it_is_named_after() {
    let deeds = [
        (Function::Link, "A asks to link", "requested"),
        (Function::TopUp, "A tops up 1000 from X", "pending"),
        (Function::Voucher, "A redeems 1", "redeemed"),
        (Function::Payment, "A pays S 10", "captured"),
        (Function::Send, "A sends B 100", "completed"),
        (Function::Payout, "A pays out 1000 to X", "pending"),
    ];
    for stopped in Function::STOPPABLE {
        let is_known = stopped == Function::Open || deeds.iter().any(|(function, _, _)| *function == stopped);
        assert!(is_known, "nothing asks for {stopped:?}");
        for (function, deed, comes_to) in deeds {
            let mut story = Story::new();
            for sentence in ["A links X", "A tops up 9000 from X -> pending", "bank moved 9000 -> settled"] {
                story.tell(sentence);
            }
            story.tell("seller issues 1 worth 500 -> issued");
            story.world.pass(2 * DAY_MS);
            let (id, cohort) = (SwitchId(Id::from_number(1)), switches::Cohort::default());
            let stop = switches::Command::Set { id, function: Some(stopped), bank: None, cohort };
            story.world.done(&Command::Switches(stop));
            let comes_to = if function == stopped { "stopped" } else { comes_to };
            story.tell(&format!("{deed} -> {comes_to}"));
        }
    }
}

/// What the desk says of `adjustment`.
fn adjust(world: &mut World, id: u128, adjustment: Adjustment, by: &str) {
    let id = SwitchId(Id::from_number(id));
    world.done(&Command::Switches(switches::Command::Adjust { id, adjustment, by: staff(by) }));
}

fn approve(world: &mut World, id: u128, by: &str) -> Result<Receipt, Refusal> {
    let id = SwitchId(Id::from_number(id));
    world.run(&Command::Switches(switches::Command::Approve { id, by: staff(by) }))
}

#[test]
fn a_control_is_made_stronger_by_one_and_weaker_by_two() {
    let mut policy = open_doors();
    policy.top_up.per_time_max = Yen::new(50_000);
    let mut scene = Scene::new(policy, &[(1, Tier::Email)]);
    let mandate = scene.link(1, STOLEN).expect("a link");
    adjust(&mut scene.world, 1, Adjustment::TopUpPerTime(Yen::new(10_000)), "ann");
    assert!(scene.top_up(1, mandate, 10_001, None).is_err(), "stronger, with its own commit");
    adjust(&mut scene.world, 2, Adjustment::TopUpPerTime(Yen::new(60_000)), "ann");
    assert!(scene.top_up(1, mandate, 10_001, None).is_err(), "weaker waits");
    assert_eq!(approve(&mut scene.world, 2, "ann"), Err(Refusal::SecondPersonNeeded));
    assert_eq!(approve(&mut scene.world, 3, "bob"), Err(Refusal::Unknown { noun: Noun::Switch }));
    assert!(approve(&mut scene.world, 2, "bob").is_ok());
    assert_eq!(scene.top_up(1, mandate, 60_000, None), Ok(top_up::Status::Pending));
    assert!(approve(&mut scene.world, 2, "bob").is_err(), "once");

    adjust(&mut scene.world, 4, Adjustment::TopUpPerTime(Yen::new(70_000)), "ann");
    scene.world.pass(DAY_MS);
    assert!(matches!(approve(&mut scene.world, 4, "bob"), Err(Refusal::Expired { .. })), "nobody agreed in time");
    let said = scene.world.journal.len();
    adjust(&mut scene.world, 5, Adjustment::TopUpPerTime(Yen::new(60_000)), "ann");
    assert!(scene.world.journal[said].is_empty(), "what is so already needs nobody");
}

#[test]
fn every_adjustment_sets_its_own_value_and_knows_which_way_is_weaker() {
    let (strong, weak) = (Policy::default(), open_doors());
    let (ours, theirs) = (Adjustment::all_of(&strong), Adjustment::all_of(&weak));
    for (index, (stronger, weaker)) in ours.into_iter().zip(theirs).enumerate() {
        let mut world = World::new();
        world.context.policies = Policies::new(strong.clone());
        let in_force = |world: &World| {
            let Some(Row::Switches(row)) = world.rows.get(&switches::KEY) else { return ours };
            Adjustment::all_of(&in_force(Some(row), &world.context, world.now))
        };
        adjust(&mut world, 1, weaker, "ann");
        assert_eq!(in_force(&world), ours, "{weaker:?} waits");
        if weaker == stronger {
            continue;
        }
        approve(&mut world, 1, "bob").expect("two agree");
        let mut expected = ours;
        expected[index] = weaker;
        assert_eq!(in_force(&world), expected, "{weaker:?} and nothing else");
        adjust(&mut world, 2, stronger, "ann");
        assert_eq!(in_force(&world), ours, "{stronger:?} takes one");
    }
}
