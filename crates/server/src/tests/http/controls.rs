//! The controls that only the service sees: velocity, and a top-up's proof as its holder meets it. The same steps pass where
//! the value is off.

use super::desk::call;
use super::world::{World, context};
use crate::Velocity;
use serde_json::json;
use std::net::IpAddr;
use wallet::{Context, Policies};

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const NEXT_DOOR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200));
const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

/// One after the other opens a wallet without showing a device: which of them may.
async fn openings(world: &World, from: &[IpAddr]) -> Vec<u16> {
    let mut answers = Vec::new();
    for (number, source) in from.iter().enumerate() {
        let name = format!("person{number}");
        world.join(&name).await;
        let token = world.log_in(&name).await;
        let opened = world.post_at(*source, "/v1/wallets", Some(&token), &json!({})).await;
        if opened.status == 429 {
            assert_eq!(opened.problem(), (429, "too-many-from-here"), "{}", opened.text);
        }
        answers.push(opened.status.as_u16());
    }
    answers
}

#[tokio::test]
async fn so_many_wallets_are_opened_from_a_device_and_from_a_network() {
    let from = [HOME, HOME, HOME, NEXT_DOOR, ELSEWHERE];
    assert_eq!(openings(&World::new(), &from).await, [201, 201, 201, 201, 201], "without bounds");
    let of_device = Velocity { wallets_per_device_max: 2, ..Velocity::NONE };
    let world = World::with_velocity(of_device);
    // Whoever shows no device shares one with the whole network.
    assert_eq!(openings(&world, &from).await, [201, 201, 429, 429, 201]);
    let token = world.log_in("person0").await;
    let again = world.post_at(HOME, "/v1/wallets", Some(&token), &json!({})).await;
    assert_eq!(again.problem(), (409, "wrong-status"), "who has one is not counted: {}", again.text);
    world.advance(of_device.window_ms);
    let token = world.log_in("person2").await;
    assert_eq!(world.post_at(HOME, "/v1/wallets", Some(&token), &json!({})).await.status, 201);

    let of_network = Velocity { wallets_per_network_max: 3, ..Velocity::NONE };
    assert_eq!(openings(&World::with_velocity(of_network), &from).await, [201, 201, 201, 429, 201]);
}

#[tokio::test]
async fn a_site_of_ipv6_networks_is_one_place_too() {
    let networks = |site: u16, count: u16| (0..count).map(move |n| IpAddr::from([0x2001, 0xdb8, site, n, 0, 0, 0, 1]));
    let of_network = Velocity { wallets_per_network_max: 1, ..Velocity::NONE };
    let from: Vec<IpAddr> = networks(1, 5).chain(networks(2, 1)).collect();
    assert_eq!(openings(&World::with_velocity(of_network), &from).await, [201, 201, 201, 201, 429, 201]);

    let world = World::new();
    let claim = json!({ "bank_code": "0125", "dates": ["2026-01-01"], "contact": "somebody" });
    for network in networks(1, 200) {
        assert_eq!(world.post_at(network, "/v1/claims", None, &claim).await.status, 201);
    }
    let next = IpAddr::from([0x2001, 0xdb8, 1, 999, 0, 0, 0, 1]);
    assert_eq!(world.post_at(next, "/v1/claims", None, &claim).await.problem(), (429, "too-many-claims"));
    let elsewhere = IpAddr::from([0x2001, 0xdb8, 2, 1, 0, 0, 0, 1]);
    assert_eq!(world.post_at(elsewhere, "/v1/claims", None, &claim).await.status, 201);
}

#[tokio::test]
async fn so_many_links_are_asked_for_from_a_network() {
    for (velocity, expected) in [(Velocity::NONE, 201), (Velocity { links_per_network_max: 1, ..Velocity::NONE }, 429)]
    {
        let world = World::with_velocity(velocity);
        let mut answers = Vec::new();
        for name in ["sakura", "taro"] {
            let (token, wallet) = world.identified(name).await;
            let path = format!("{wallet}/mandates");
            let asked = world.post_at(HOME, &path, Some(&token), &json!({ "bank_code": "0125" })).await;
            answers.push(asked.status.as_u16());
        }
        assert_eq!(answers, [201, expected], "{velocity:?}");
    }
}

#[tokio::test]
async fn a_link_takes_a_telephone_and_a_larger_top_up_a_proof_where_the_policy_says_so() {
    let mut policy = context().policies.on(domain::Day::from_number(0)).clone();
    policy.mandate.requires_phone = true;
    let world = World::in_context(Context { policies: Policies::new(policy), ..context() });
    let (token, wallet) = world.identified("sakura").await;
    let asked = world.post(&format!("{wallet}/mandates"), Some(&token), json!({ "bank_code": "0125" })).await;
    assert_eq!(asked.problem(), (409, "wrong-status"), "{}", asked.text);
    assert!(asked.text.contains("telephone not verified"), "{}", asked.text);

    let mut policy = context().policies.on(domain::Day::from_number(0)).clone();
    policy.top_up.unproven_per_day_max = ledger::Yen::new(4_000);
    let world = World::in_context(Context { policies: Policies::new(policy), ..context() });
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    assert_eq!(world.top_up(&token, &wallet, &mandate, 4_000).await.status, 201);
    let asked = world.top_up(&token, &wallet, &mandate, 1_000).await;
    assert_eq!(asked.problem(), (403, "step-up-required"), "{}", asked.text);
    let challenge = asked.text("challenge_id");
    let proven = world.post(&format!("/v1/challenges/{challenge}"), Some(&token), json!({})).await;
    assert!(proven.status.is_success(), "{}", proven.text);
    let body = json!({ "mandate_id": mandate, "amount": 1_000, "challenge_id": challenge });
    let done = world.post(&format!("{wallet}/top-ups"), Some(&token), body).await;
    assert_eq!(done.status, 201, "{}", done.text);
}

#[tokio::test]
async fn the_desk_makes_a_control_stronger_alone_and_weaker_by_two() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let control = "/controls/top_up_per_time_max";
    let set = call(&world, "POST", control, "desk-4", Some(json!({ "value": 3_000, "reason": "増えている" }))).await;
    assert_eq!((set.status.as_u16(), set.body["value"].as_i64()), (200, Some(3_000)), "{}", set.text);
    assert_eq!(world.top_up(&token, &wallet, &mandate, 3_001).await.problem(), (422, "limit-exceeded"));
    let shown = world.get(&wallet, Some(&token)).await;
    assert_eq!(shown.body["limits"]["top_up"]["per_time"], 3_000, "{}", shown.text);

    let proposed =
        call(&world, "POST", control, "desk-1", Some(json!({ "value": 5_000, "reason": "落ち着いた" }))).await;
    assert_eq!((proposed.status.as_u16(), proposed.body["value"].as_i64()), (202, Some(3_000)), "{}", proposed.text);
    assert_eq!(world.top_up(&token, &wallet, &mandate, 5_000).await.problem(), (422, "limit-exceeded"));
    let id = proposed.body["proposed"]["id"].as_str().expect("an id").to_owned();
    let approval = format!("/control-changes/{id}/approval");
    for (who, expected) in [("desk-1", (409, "second-person-needed")), ("desk-4", (403, "role-needed"))] {
        assert_eq!(
            call(&world, "POST", &approval, who, Some(json!({ "reason": "同意" }))).await.problem(),
            expected,
            "{who}"
        );
    }
    let agreed = call(&world, "POST", &approval, "desk-2", Some(json!({ "reason": "同意" }))).await;
    assert_eq!((agreed.status.as_u16(), agreed.body["value"].as_i64()), (200, Some(5_000)), "{}", agreed.text);
    assert_eq!(world.top_up(&token, &wallet, &mandate, 5_000).await.status, 201);

    for (path, body, expected) in [
        (control, json!({ "value": true, "reason": "x" }), (400, "malformed")),
        (control, json!({ "value": -1, "reason": "x" }), (400, "malformed")),
        ("/controls/link_tier_min", json!({ "value": "stranger", "reason": "x" }), (400, "malformed")),
        ("/controls/nothing", json!({ "value": 1, "reason": "x" }), (404, "not-found")),
        ("/control-changes/swt_x/approval", json!({ "reason": "x" }), (404, "not-found")),
    ] {
        assert_eq!(call(&world, "POST", path, "desk-2", Some(body)).await.problem(), expected, "{path}");
    }
    assert_eq!(
        call(&world, "POST", control, "desk-3", Some(json!({ "value": 1, "reason": "x" }))).await.problem(),
        (403, "role-needed")
    );
}

#[tokio::test]
async fn what_a_device_that_is_not_known_takes_a_proof_for_two_people_may_change() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    let deeds = [
        ("top_up_new_device_takes_proof", "top-ups", json!({ "mandate_id": mandate, "amount": 500 })),
        ("link_new_device_takes_proof", "mandates", json!({ "bank_code": "0150" })),
    ];
    for (control, path, body) in deeds {
        let path = format!("{wallet}/{path}");
        let of_stranger = || async { world.post(&path, Some(&world.log_in("sakura").await), body.clone()).await };
        assert_eq!(of_stranger().await.problem(), (403, "step-up-required"), "{control}");
        let control = format!("/controls/{control}");
        let off = Some(json!({ "value": false, "reason": "試験" }));
        let proposed = call(&world, "POST", &control, "desk-1", off).await;
        assert_eq!((proposed.status.as_u16(), &proposed.body["value"]), (202, &json!(true)), "{}", proposed.text);
        assert_eq!(of_stranger().await.problem(), (403, "step-up-required"), "{control}: one is not enough");
        let id = proposed.body["proposed"]["id"].as_str().expect("an id");
        let approval = format!("/control-changes/{id}/approval");
        let agreed = call(&world, "POST", &approval, "desk-2", Some(json!({ "reason": "同意" }))).await;
        assert_eq!((agreed.status.as_u16(), &agreed.body["value"]), (200, &json!(false)), "{}", agreed.text);
        assert_ne!(agreed.body["set"]["by"], agreed.body["set"]["approved_by"], "{}", agreed.text);
        assert_eq!(of_stranger().await.status, 201, "{control}");
        let on = Some(json!({ "value": true, "reason": "試験の終わり" }));
        assert_eq!(call(&world, "POST", &control, "desk-1", on).await.status, 200, "stronger takes one");
        assert_eq!(of_stranger().await.problem(), (403, "step-up-required"), "{control}");
    }
}
