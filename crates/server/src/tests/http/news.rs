//! News of the gateway and letters to people: what others did reaches the books once, and its people in words.

use super::gateway::Script;
use super::world::{World, mail};
use serde_json::{Value, json};

/// A world with a linked account. The token, the wallet's path, the mandate.
async fn linked() -> (World, String, String, String) {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    (world, token, wallet, mandate)
}

async fn tell(world: &World, pieces: &[Value]) {
    world.gateway.with(|stand| {
        for piece in pieces {
            let mut piece = piece.clone();
            piece["n"] = (stand.events.len() + 1).into();
            stand.events.push(piece);
        }
    });
    world.advance(30_000);
    world.announce();
    world.run_due().await;
}

#[tokio::test]
async fn not_me_ends_the_link_and_the_way_out() {
    let (world, token, wallet, mandate) = linked().await;
    tell(
        &world,
        &[json!({ "type": "mandate.revoked", "mandate_id": "gmd_1", "by": "account_holder", "reason": "not_me" })],
    )
    .await;
    let shown = world.get(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await;
    assert_eq!(shown.text("status"), "revoked");
    let accounts = world.get(&format!("{wallet}/bank-accounts"), Some(&token)).await;
    assert_eq!(accounts.body["data"], json!([]), "{}", accounts.text);
    assert_eq!(world.top_up(&token, &wallet, &mandate, 1_000).await.problem(), (409, "wrong-status"));
    let told = world.inbox.texts(&mail("sakura"));
    assert!(told.iter().any(|text| text.contains("The link of a bank account was ended.")), "{told:?}");
    assert_eq!(world.gateway.with(|stand| stand.revoked.len()), 0, "the gateway knows it already");
}

/// After `piece`, nothing leaves the wallet that linked the account, and what was on its way into it still comes.
async fn check_frozen(piece: Value) {
    let (world, token, wallet, mandate) = linked().await;
    let (shop, _) = world.shop("Soba").await;
    assert_eq!(world.top_up(&token, &wallet, &mandate, 3_000).await.text("status"), "settled");
    world.gateway.with(|stand| stand.script = Script::Wait);
    let waiting = world.top_up(&token, &wallet, &mandate, 2_000).await.text("id");
    let pay = json!({ "shop_id": shop.to_string(), "amount": 100 });
    let frozen = (409, "frozen");
    let strangers = json!({ "type": "account.disowned", "bank_code": "0125", "account_ref": "acr_9" });
    tell(&world, &[strangers]).await;
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "open", "another account is meant");
    tell(&world, &[piece.clone(), piece]).await;
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "frozen");
    let paid = world.post(&format!("{wallet}/payments"), Some(&token), pay).await;
    assert_eq!(paid.problem(), frozen, "{}", paid.text);
    tell(&world, &[json!({ "type": "debit.settled", "reference": waiting, "amount": 2_000 })]).await;
    assert_eq!(world.funds(&token, &wallet).await, 5_000);
    let told = world.inbox.texts(&mail("sakura"));
    assert_eq!(told.iter().filter(|text| text.contains("Your wallet was frozen.")).count(), 1, "{told:?}");
    let path = wallet.strip_prefix("/v1").expect("a path");
    let lifted = super::desk::call(
        &world,
        "POST",
        &format!("{path}/unfreeze"),
        "desk-1",
        Some(json!({ "reason": "本人を確認" })),
    )
    .await;
    assert_eq!(lifted.text("status"), "open", "{}", lifted.text);
    let service = world.server.service();
    service.doors.remove::<crate::news::NewsCursor>(domain::Id::default()).expect("the doors open");
    tell(&world, &[]).await;
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "open", "read again, it freezes nothing again");
}

#[tokio::test]
async fn money_of_a_disowned_account_stays_where_it_is() {
    check_frozen(json!({ "type": "account.disowned", "bank_code": "0125", "account_ref": "acr_1" })).await;
    check_frozen(
        json!({ "type": "mandate.revoked", "mandate_id": "gmd_1", "by": "account_holder", "reason": "not_mine" }),
    )
    .await;
}

#[tokio::test]
async fn a_grant_that_the_banks_side_refused_after_all_frees_the_account() {
    for change in ["mandate.refused", "mandate.expired"] {
        let (world, token, wallet, mandate) = linked().await;
        tell(&world, &[json!({ "type": change, "mandate_id": "gmd_1" })]).await;
        let shown = world.get(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await;
        assert_eq!(shown.text("status"), "revoked", "{change}");
        let accounts = world.get(&format!("{wallet}/bank-accounts"), Some(&token)).await;
        assert_eq!(accounts.body["data"], json!([]), "no bank vouches for that way out: {}", accounts.text);
    }
}

#[tokio::test]
async fn a_confirmation_lifts_the_young_mandates_caps() {
    let (world, token, wallet, mandate) = linked().await;
    assert_eq!(world.top_up(&token, &wallet, &mandate, 20_000).await.problem(), (422, "limit-exceeded"));
    tell(&world, &[json!({ "type": "mandate.confirmed", "mandate_id": "gmd_1" })]).await;
    assert_eq!(world.top_up(&token, &wallet, &mandate, 20_000).await.status, 201);
    let shown = world.get(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await;
    assert_eq!(shown.body["confirmed"], true);
}

#[tokio::test]
async fn news_of_a_debit_come_in_any_order_and_count_once() {
    let (world, token, wallet, mandate) = linked().await;
    world.gateway.with(|stand| stand.script = Script::Wait);
    let made = world.top_up(&token, &wallet, &mandate, 5_000).await;
    let id = made.text("id");
    let settled = json!({ "type": "debit.settled", "reference": id, "mandate_id": "gmd_1", "amount": 5_000 });
    let reversed = json!({ "type": "debit.reversed", "reference": id, "mandate_id": "gmd_1", "amount": 5_000 });
    let unknown = json!({ "type": "debit.settled", "reference": "top_00000000000000000000000000000001", "amount": 1 });
    let strange = json!({ "type": "weather.rain" });
    tell(&world, &[settled.clone(), unknown, strange, settled.clone()]).await;
    assert_eq!(world.funds(&token, &wallet).await, 5_000);
    tell(&world, &[reversed.clone(), reversed, settled]).await;
    let path = format!("{wallet}/top-ups/{id}");
    assert_eq!(world.get(&path, Some(&token)).await.text("status"), "reversed");
    assert_eq!(world.funds(&token, &wallet).await, 0);
}

#[tokio::test]
async fn people_are_told_once_of_what_moved_their_money() {
    let (mut world, token, wallet, mandate) = linked().await;
    world.top_up(&token, &wallet, &mandate, 5_000).await;
    world.run_due().await;
    world.restart(true);
    world.run_due().await;
    let told = world.inbox.texts(&mail("sakura"));
    for sentence in
        ["You were identified.", "A bank account was linked to your wallet.", "Money came into your wallet."]
    {
        assert_eq!(told.iter().filter(|text| text.contains(sentence)).count(), 1, "{sentence} in {told:?}");
    }
    assert!(told.iter().all(|text| !text.contains("http")), "no link: {told:?}");
    let banks = world.get("/v1/banks", None).await;
    assert_eq!(banks.body["data"][0]["code"], "0125", "{}", banks.text);
    assert_eq!(world.get("/readyz", None).await.status, 200);
    assert!(world.get("/metrics", None).await.text.contains("kinchaku_journal_records_total"));
}

#[tokio::test]
async fn a_gateway_that_was_never_reached_has_not_said_that_there_are_no_banks() {
    let world = World::new();
    let answers = world.gateway.router();
    world.routers.add("gateway.localhost", axum::Router::new());
    let unknown = world.get("/v1/banks", None).await;
    assert_eq!(unknown.problem(), (503, "unavailable"), "{}", unknown.text);
    world.routers.add("gateway.localhost", answers);
    let (said, known) = (world.now().to_string(), world.get("/v1/banks", None).await);
    assert_eq!((known.status.as_u16(), known.text("as_of")), (200, said.clone()), "{}", known.text);
    // What it said before is shown with when that was.
    world.routers.add("gateway.localhost", axum::Router::new());
    world.advance(5 * 60_000);
    let old = world.get("/v1/banks", None).await;
    assert_eq!((&old.body["data"], old.text("as_of")), (&known.body["data"], said), "{}", old.text);
}

#[tokio::test]
async fn how_far_behind_notices_and_work_are_is_measured() {
    let (world, token, wallet, mandate) = linked().await;
    world.run_due().await;
    let figures = async || {
        let text = world.get("/metrics", None).await.text;
        let figure = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
        };
        ["notices", "work"].map(|who| {
            let of = |what: &str| figure(&format!("kinchaku_{who}_{what}"));
            [of("lag_records"), of("lag_milliseconds"), of("failures_total"), of("failures_in_a_row")]
        })
    };
    assert_eq!(figures().await, [[0; 4]; 2]);
    world.advance(60_000);
    world.top_up(&token, &wallet, &mandate, 5_000).await;
    for [records, milliseconds, ..] in figures().await {
        assert!(records > 0 && milliseconds >= 60_000, "{records} records, {milliseconds} ms");
    }
    world.run_due().await;
    assert_eq!(figures().await, [[0; 4]; 2]);
}

#[tokio::test]
async fn a_letter_waits_for_whoever_delivers_it() {
    let world = World::new();
    let inbox = world.inbox.router();
    world.routers.add("sandbox.localhost", axum::Router::new());
    let opened = world.post("/v1/holders", None, super::world::somebody("sakura")).await;
    assert_eq!(opened.status, 201);
    world.routers.add("sandbox.localhost", inbox);
    world.advance(10_000);
    world.run_due().await;
    assert_eq!(world.inbox.code(&mail("sakura")).len(), 12);
}

#[tokio::test]
async fn a_grant_whose_answer_was_lost_does_not_stay_at_the_gateway() {
    let (world, token, wallet, own) = linked().await;
    let lost = world.ask_mandate(&token, &wallet).await;
    let active = |mandate: &str, gateway_id: &str| json!({ "type": "mandate.activated", "mandate_id": gateway_id, "mandate_reference": mandate });
    let strange = active("of nobody", "gmd_8");
    tell(&world, &[active(&own, "gmd_1"), active(&lost, "gmd_2"), active(&lost, "gmd_2"), strange]).await;
    assert_eq!(world.gateway.with(|stand| stand.revoked.clone()), [""; 0], "its answer may still be on its way");
    world.advance(10 * 60_000);
    world.run_due().await;
    let mut revoked = world.gateway.with(|stand| stand.revoked.clone());
    revoked.sort();
    assert_eq!(revoked, ["gmd_2", "gmd_8"]);
}

/// A row where a mandate's should be, which nobody can read.
#[derive(serde::Serialize, serde::Deserialize)]
struct Damaged {
    key: domain::Id,
}

impl crate::doors::Door for Damaged {
    const TABLE: &'static str = <crate::links::GatewayMandate as crate::doors::Door>::TABLE;

    fn id(&self) -> domain::Id {
        self.key
    }
}

#[tokio::test]
async fn news_that_nobody_can_act_on_holds_up_no_other_and_is_acted_on_later() {
    let (world, token, wallet, mandate) = linked().await;
    let service = world.server.service();
    let name = service.gateway_name("gmd_1");
    let whole: crate::links::GatewayMandate = service.doors.get(name).expect("the doors open").expect("it is there");
    service.doors.put(&Damaged { key: name }).expect("it is kept");
    let revoked = json!({ "type": "mandate.revoked", "mandate_id": "gmd_1", "by": "bank", "reason": "account_closed",
        "at": "2026-01-01T00:00:00Z" });
    let disowned = json!({ "type": "account.disowned", "bank_code": "0125", "account_ref": "acr_1",
        "at": "2026-01-01T00:00:01Z" });
    tell(&world, &[revoked, disowned]).await;
    let status = async || world.get(&wallet, Some(&token)).await.text("status");
    assert_eq!(status().await, "open", "what fails once may be a hiccup: nothing passes it yet");
    for _ in 0..8 {
        world.advance(2_000);
        world.run_due().await;
    }
    assert_eq!(status().await, "frozen", "the \"not me\" behind it was heard");
    let metrics = async || world.get("/metrics", None).await.text;
    assert!(metrics().await.contains("\nkinchaku_news_set_aside 1\n"), "it stands among the figures");
    let shown = async || world.get(&format!("{wallet}/mandates/{mandate}"), Some(&token)).await.text("status");
    assert_eq!(shown().await, "active");
    for _ in 0..10 {
        world.advance(120_000);
        world.run_due().await;
    }
    service.doors.put(&whole).expect("it is mended");
    world.advance(60_000);
    world.run_due().await;
    assert_eq!(shown().await, "revoked");
    assert!(metrics().await.contains("\nkinchaku_news_set_aside 0\n"));
}

#[tokio::test]
async fn a_gateway_that_was_put_back_is_read_from_the_first_piece_on() {
    let (world, token, wallet, _) = linked().await;
    let incident = |at: &str| json!({ "type": "bank.incident", "bank_code": "0125", "at": at });
    let pieces = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"].map(incident);
    tell(&world, &pieces).await;
    // It is as it was after the first of them, and gives the next number to something else.
    let restored = |len: usize| world.gateway.with(|stand| stand.events.truncate(stand.events.len() - 3 + len));
    restored(1);
    let disowned = json!({ "type": "account.disowned", "bank_code": "0125", "account_ref": "acr_1",
        "at": "2026-01-01T00:01:00Z" });
    tell(&world, &[disowned]).await;
    world.advance(2_000);
    world.run_due().await;
    assert_eq!(world.get(&wallet, Some(&token)).await.text("status"), "frozen");
}
