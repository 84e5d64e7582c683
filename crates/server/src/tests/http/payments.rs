//! Payments by the holder and by the shop, from the first code to the last refund.

use super::world::World;
use serde_json::json;

#[tokio::test]
async fn a_code_pays_once_and_the_shop_never_learns_whose_it_was() {
    let world = World::new();
    let (sakura, (_, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let (key, code) = (world.key(), world.code(&sakura).await);
    let take = json!({ "payment_code": code, "amount": 300, "reference": "order-1" });
    let paid = world.post_with("/v1/payments", Some(&till), &key, &take).await;
    assert_eq!((paid.status.as_u16(), paid.text("status").as_str()), (201, "captured"), "{}", paid.text);
    let again = world.post_with("/v1/payments", Some(&till), &key, &take).await;
    assert_eq!((again.status, again.text("id")), (paid.status, paid.text("id")), "the same key is the same payment");
    let second = world.post("/v1/payments", Some(&till), take.clone()).await;
    assert_eq!(second.problem(), (409, "wrong-status"), "a code is used once");
    assert_eq!(world.balance(&sakura).await, 700);

    let path = format!("/v1/payments/{}", paid.text("id"));
    let shown = world.get(&path, Some(&till)).await;
    assert_eq!((shown.text("reference").as_str(), shown.text("status").as_str()), ("order-1", "captured"));
    assert!(!shown.text.contains(&sakura.wallet.to_string()) && !shown.text.contains(&sakura.holder.to_string()));
    let (_, other) = world.shop("Udon").await;
    for path in [path.clone(), format!("{path}/refunds/{}", "rfd_00000000000000000000000000000000")] {
        assert_eq!(
            world.get(&path, Some(&other)).await.problem(),
            (404, "not-found"),
            "another shop's looks like none"
        );
    }
    let own = sakura.path(&format!("/payments/{}", paid.text("id")));
    assert_eq!(world.get(&own, Some(&sakura.token)).await.body["amount"], 300);
}

#[tokio::test]
async fn what_is_authorised_is_captured_in_part_or_voided_and_refunded_up_to_what_was_captured() {
    let world = World::new();
    let (sakura, (_, till)) = (world.person("sakura").await, world.shop("Hotel").await);
    world.give(&sakura, 10_000).await;
    let hold = async || {
        let take = json!({ "payment_code": world.code(&sakura).await, "amount": 4_000, "capture": false });
        let held = world.post("/v1/payments", Some(&till), take).await;
        assert_eq!((held.status.as_u16(), held.text("status").as_str()), (202, "authorised"), "{}", held.text);
        format!("/v1/payments/{}", held.text("id"))
    };
    let (one, two) = (hold().await, hold().await);
    assert_eq!(world.balance(&sakura).await, 2_000);
    let post = async |path: String, body| world.post(&path, Some(&till), body).await;
    let voided = post(format!("{two}/void"), json!({})).await;
    assert_eq!((voided.status.as_u16(), voided.text("status").as_str()), (201, "voided"));
    assert_eq!(post(format!("{two}/capture"), json!({})).await.problem(), (409, "wrong-status"));
    let captured = post(format!("{one}/capture"), json!({ "amount": 3_000 })).await;
    assert_eq!((captured.status.as_u16(), &captured.body["captured"]), (201, &json!(3_000)));
    assert_eq!(world.balance(&sakura).await, 7_000);
    assert_eq!(post(format!("{one}/refunds"), json!({ "amount": 3_001 })).await.problem(), (422, "limit-exceeded"));
    let part = post(format!("{one}/refunds"), json!({ "amount": 1_000 })).await;
    assert_eq!((part.status.as_u16(), &part.body["payment_refunded"]), (201, &json!(1_000)));
    let (key, path) = (world.key(), format!("{one}/refunds"));
    for _ in 0..2 {
        let rest = world.post_with(&path, Some(&till), &key, &json!({})).await;
        assert_eq!((rest.status.as_u16(), &rest.body["amount"]), (201, &json!(2_000)), "all that is left, once");
    }
    assert_eq!(world.balance(&sakura).await, 10_000);
    let refund = format!("{one}/refunds/{}", part.text("id"));
    assert_eq!(world.get(&refund, Some(&till)).await.body["amount"], 1_000);
}

#[tokio::test]
async fn a_new_device_pays_after_a_second_proof_and_is_known_then() {
    let world = World::new();
    let (sakura, (shop, _)) = (world.stranger("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 1_000).await;
    let code = world.post(&sakura.path("/payment-codes"), Some(&sakura.token), json!({})).await;
    assert_eq!(code.problem(), (403, "step-up-required"));
    let pay = json!({ "shop_id": shop.to_string(), "amount": 400 });
    let paid = world.post_proven(&sakura, &sakura.path("/payments"), &pay).await;
    assert_eq!((paid.status.as_u16(), paid.text("status").as_str()), (201, "captured"), "{}", paid.text);
    let more = json!({ "shop_id": shop.to_string(), "amount": 601 });
    let more = world.post(&sakura.path("/payments"), Some(&sakura.token), more).await;
    assert_eq!((more.problem(), &more.body["available"]), ((422, "insufficient-funds"), &json!(600)));
}

#[tokio::test]
async fn a_shop_sees_its_payments_and_what_it_is_owed_day_by_day() {
    let world = World::new();
    let (sakura, (shop, till)) = (world.person("sakura").await, world.shop("Soba").await);
    world.give(&sakura, 20_000).await;
    let mut made = Vec::new();
    for amount in 1..=5 {
        let pay = json!({ "shop_id": shop.to_string(), "amount": amount * 100 });
        let paid = world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await;
        made.insert(0, paid.text("id"));
    }
    let refunds = format!("/v1/payments/{}/refunds", made[0]);
    assert_eq!(world.post(&refunds, Some(&till), json!({})).await.status, 201);
    let (mut listed, mut path) = (Vec::new(), "/v1/payments?limit=2".to_owned());
    loop {
        let page = world.get(&path, Some(&till)).await;
        let data = page.body["data"].as_array().expect("a page").clone();
        assert!(data.len() <= 2);
        listed.extend(data.iter().map(|payment| payment["id"].as_str().expect("an id").to_owned()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/payments?limit=2&cursor={cursor}");
    }
    assert_eq!(listed, made, "each once, newest first");

    world.run_due().await;
    world.advance(86_400_000);
    let sakura = world.again(sakura).await;
    let pay = json!({ "shop_id": shop.to_string(), "amount": 50 });
    assert_eq!(world.post(&sakura.path("/payments"), Some(&sakura.token), pay).await.status, 201);
    world.run_due().await;
    let settlements = world.get("/v1/settlements", Some(&till)).await;
    let line = |index: usize| {
        let line = &settlements.body["data"][index];
        (line["status"].clone(), line["captured"].clone(), line["refunded"].clone(), line["net"].clone())
    };
    assert_eq!(line(0), (json!("open"), json!(50), json!(0), json!(50)), "{}", settlements.text);
    assert_eq!(line(1), (json!("closed"), json!(1_500), json!(500), json!(1_000)));
    assert_eq!(world.get("/v1/settlements?limit=1", Some(&till)).await.body["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_voucher_is_redeemed_once_however_its_code_is_written() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    world.voucher("ABCD-1234", 5_000).await;
    let redeem = |code: &str| json!({ "code": code });
    let wrong = world.post(&sakura.path("/vouchers"), Some(&sakura.token), redeem("ABCD-1235")).await;
    assert_eq!(wrong.problem(), (404, "not-found"));
    let redeemed = world.post(&sakura.path("/vouchers"), Some(&sakura.token), redeem("abcd 1234")).await;
    assert_eq!((redeemed.status.as_u16(), &redeemed.body["amount"]), (201, &json!(5_000)), "{}", redeemed.text);
    let again = world.post(&haru.path("/vouchers"), Some(&haru.token), redeem("ABCD-1234")).await;
    assert_eq!(again.problem(), (409, "wrong-status"));
    let path = format!("/vouchers/{}", redeemed.text("id"));
    assert_eq!(world.get(&sakura.path(&path), Some(&sakura.token)).await.status, 200);
    assert_eq!(world.get(&haru.path(&path), Some(&haru.token)).await.problem(), (404, "not-found"));
}

#[tokio::test]
async fn a_claimant_needs_no_account_and_nobody_else_sees_the_claim() {
    let world = World::new();
    let claim = json!({ "bank_code": "0125", "dates": ["2020-09-08"], "amount": 100_000, "contact": "022-000-0000" });
    let key = world.key();
    let made = world.post_with("/v1/claims", None, &key, &claim).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let again = world.post_with("/v1/claims", None, &key, &claim).await;
    assert_eq!((again.text("id"), again.text("code")), (made.text("id"), made.text("code")));
    let mut other = claim.clone();
    other["amount"] = json!(1);
    assert_eq!(world.post_with("/v1/claims", None, &key, &other).await.problem(), (422, "idempotency-key-reused"));
    let path = format!("/v1/claims/{}", made.text("id"));
    let shown = world.get(&path, Some(&made.text("code"))).await;
    assert_eq!((shown.status.as_u16(), shown.text("status").as_str()), (200, "received"));
    assert!(!shown.text.contains("022-000"), "what was written is not shown again");
    let wrong = "0".repeat(32);
    assert_eq!(world.get(&path, Some(&wrong)).await.problem(), (404, "not-found"));
    assert_eq!(world.get(&path, None).await.problem(), (401, "unauthenticated"));
}

#[tokio::test]
async fn the_api_is_described_for_programs_and_on_a_page() {
    let world = World::new();
    let described = world.get("/openapi.json", None).await;
    assert_eq!((&described.body["openapi"], described.status.as_u16()), (&json!("3.1.0"), 200));
    let page = world.get("/docs", None).await;
    assert_eq!(page.status, 200);
    let paths = described.body["paths"].as_object().expect("paths");
    assert!(paths.keys().all(|path| page.text.contains(path)), "the page shows every path");
}
