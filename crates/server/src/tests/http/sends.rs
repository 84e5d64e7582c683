//! Sends and payouts: what leaves takes a second proof, bound to exactly what was asked.

use super::world::World;
use serde_json::json;

#[tokio::test]
async fn the_sender_sees_a_masked_name_proves_themselves_and_the_recipient_reads_the_message() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    world.fund(&sakura, 10_000).await;
    let (sakura, haru) = (world.again(sakura).await, world.again(haru).await);
    let whom = format!("/v1/recipients?wallet_id={}", haru.wallet);
    let seen = world.get(&whom, Some(&sakura.token)).await;
    assert_eq!(seen.text("masked_name"), "青＊ さ＊");
    let send = json!({ "to_wallet_id": haru.wallet.to_string(), "amount": 2_500, "message": "昼ごはん",
        "recipient_token": seen.text("recipient_token") });
    let answer = world.post_proven(&sakura, &sakura.path("/sends"), &send).await;
    assert_eq!((answer.status.as_u16(), answer.text("status").as_str()), (201, "completed"), "{}", answer.text);
    assert_eq!((world.balance(&sakura).await, world.balance(&haru).await), (7_500, 2_500));
    let path = format!("/sends/{}", answer.text("id"));
    for person in [&sakura, &haru] {
        assert_eq!(world.get(&person.path(&path), Some(&person.token)).await.text("message"), "昼ごはん");
    }
    let natsu = world.person("natsu").await;
    assert_eq!(world.get(&natsu.path(&path), Some(&natsu.token)).await.problem(), (404, "not-found"));
    let line = world.get(&haru.path("/movements"), Some(&haru.token)).await.body["data"][0].clone();
    assert_eq!((&line["kind"], &line["counterparty"]["name"]), (&json!("receipt"), &json!("青＊ さ＊")));
}

#[tokio::test]
async fn a_send_reaches_whom_its_sender_saw_or_nobody() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    let natsu = world.person("natsu").await;
    world.fund(&sakura, 10_000).await;
    let sakura = world.again(sakura).await;
    let path = sakura.path("/sends");
    let send = |to: &super::till::Person, token: &str| json!({ "to_wallet_id": to.wallet.to_string(), "amount": 500, "recipient_token": token });
    let token = world.look(&sakura.token, haru.wallet).await;
    for (to, shown) in [(&natsu, token.as_str()), (&haru, "rct_00000000000000000000000000000000"), (&haru, "")] {
        let refused = world.post(&path, Some(&sakura.token), send(to, shown)).await;
        assert_eq!(refused.problem(), (409, "recipient-changed"), "{}", refused.text);
    }
    let answer = world.post_proven(&sakura, &path, &send(&haru, &token)).await;
    assert_eq!(answer.text("status"), "completed", "{}", answer.text);
}

#[tokio::test]
async fn who_looked_in_this_session_in_the_last_ten_minutes_sends_without_a_token_and_nobody_else_does() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    world.fund(&sakura, 10_000).await;
    let (sakura, natsu) = (world.again(sakura).await, world.person("natsu").await);
    let path = sakura.path("/sends");
    let bare =
        |amount: i64| json!({ "to_wallet_id": haru.wallet.to_string(), "amount": amount, "message": "昼ごはん" });
    let unseen = async |token: &str, why: &str| {
        let refused = world.post(&path, Some(token), bare(500)).await;
        assert_eq!(refused.problem(), (409, "recipient-unseen"), "{why}: {}", refused.text);
        let look_at = format!("/v1/recipients?wallet_id={}", haru.wallet);
        assert!(refused.text("detail").contains(&look_at) && refused.text("look_at") == look_at, "{}", refused.text);
    };
    unseen(&sakura.token, "nobody looked").await;
    world.look(&sakura.token, natsu.wallet).await;
    unseen(&sakura.token, "she looked at somebody else").await;
    world.look(&world.log_in("sakura").await, haru.wallet).await;
    unseen(&sakura.token, "another session looked").await;
    world.look(&natsu.token, haru.wallet).await;
    unseen(&sakura.token, "somebody else looked").await;

    world.look(&sakura.token, haru.wallet).await;
    world.advance(10 * 60 * 1_000 - 1);
    let sent = world.post_proven(&sakura, &path, &bare(500)).await;
    assert_eq!((sent.status.as_u16(), sent.text("status").as_str()), (201, "completed"), "{}", sent.text);
    world.advance(1);
    unseen(&sakura.token, "ten minutes are over").await;

    world.look(&sakura.token, haru.wallet).await;
    world.rename(&haru, "橘").await;
    let changed = world.post(&path, Some(&sakura.token), bare(500)).await;
    assert_eq!(changed.problem(), (409, "recipient-changed"), "{}", changed.text);
    world.look(&sakura.token, haru.wallet).await;
    assert_eq!(world.post_proven(&sakura, &path, &bare(500)).await.status, 201);
    assert_eq!(world.balance(&sakura).await, 9_000);
}

#[tokio::test]
async fn a_proof_is_good_for_what_it_was_asked_for_alone() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    world.fund(&sakura, 10_000).await;
    let sakura = world.again(sakura).await;
    let seen = world.look(&sakura.token, haru.wallet).await;
    let send = json!({ "to_wallet_id": haru.wallet.to_string(), "amount": 500, "recipient_token": seen });
    let answer = world.post_proven(&sakura, &sakura.path("/sends"), &send).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let refused = world.post(&sakura.path("/sends"), Some(&sakura.token), send).await;
    let mut other = json!({ "to_wallet_id": haru.wallet.to_string(), "amount": 5_000, "recipient_token": seen });
    other["challenge_id"] = refused.body["challenge_id"].clone();
    let unproven = world.post(&sakura.path("/sends"), Some(&sakura.token), other).await;
    assert_eq!(unproven.problem(), (403, "challenge-refused"));
    assert_eq!(world.balance(&sakura).await, 9_500);
}

#[tokio::test]
async fn a_payout_goes_to_an_account_of_ones_own_alone() {
    let world = World::new();
    let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
    let own = world.fund(&sakura, 10_000).await;
    let (_, others) = world.own_account(&haru).await;
    let sakura = world.again(sakura).await;
    let ask = |account: String| json!({ "bank_account_id": account, "amount": 1_000 });
    let refused = world.post_proven(&sakura, &sakura.path("/payouts"), &ask(others.to_string())).await;
    assert_eq!(refused.problem(), (404, "not-found"));
    let asked = world.post_proven(&sakura, &sakura.path("/payouts"), &ask(own.to_string())).await;
    assert_eq!((asked.status.as_u16(), asked.text("status").as_str()), (202, "pending"), "{}", asked.text);
    let path = format!("/payouts/{}", asked.text("id"));
    assert_eq!(world.get(&sakura.path(&path), Some(&sakura.token)).await.text("status"), "pending");
    let haru = world.again(haru).await;
    assert_eq!(world.get(&haru.path(&path), Some(&haru.token)).await.problem(), (404, "not-found"));
    let wished = world.post(&sakura.path(&format!("{path}/cancel")), Some(&sakura.token), json!({})).await;
    assert_eq!(wished.status, 202, "the bank has been asked: {}", wished.text);
    assert!(wished.body["cancel_wished_at"].is_string());
}
