//! Bad input, one table over every path of money: a problem with a stable type, never our own fault, and nothing changed.

use super::till::Person;
use super::world::{Answer, ORIGIN, World};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

/// A path that changes something, who asks it, and a body that would do.
struct Deed {
    path: String,
    token: Option<String>,
    body: Value,
    /// The member that is an amount, if there is one.
    amount: Option<&'static str>,
}

struct Scene {
    world: World,
    sakura: Person,
    deeds: Vec<Deed>,
}

async fn scene() -> Scene {
    let world = World::new();
    let sakura = world.person("sakura").await;
    let (shop, till) = world.shop("Soba").await;
    world.give(&sakura, 10_000).await;
    let payment = json!({ "shop_id": shop.to_string(), "amount": 100 });
    let paid = world.post(&sakura.path("/payments"), Some(&sakura.token), payment.clone()).await.text("id");
    let endpoint = json!({ "url": "http://shop.localhost/hooks", "events": ["*"] });
    let hook = world.post("/v1/webhook-endpoints", Some(&till), endpoint.clone()).await.text("id");
    let claim = json!({ "bank_code": "0125", "dates": ["2020-09-08"], "amount": 1, "contact": "somebody" });
    let (account, wallet) = (format!("bac_{}", "1".repeat(32)), format!("wlt_{}", "1".repeat(32)));
    let holders = |rest: &str, body: Value, amount| Deed {
        path: sakura.path(rest),
        token: Some(sakura.token.clone()),
        body,
        amount,
    };
    let shops = |path: String, body: Value, amount| Deed { path, token: Some(till.clone()), body, amount };
    let deeds = vec![
        holders("/payment-codes", json!({}), None),
        holders("/payments", payment, Some("amount")),
        holders("/sends", json!({ "to_wallet_id": wallet, "amount": 100 }), Some("amount")),
        holders("/payouts", json!({ "bank_account_id": account, "amount": 100 }), Some("amount")),
        holders("/vouchers", json!({ "code": "nothing" }), None),
        shops("/v1/payments".into(), json!({ "payment_code": "1", "amount": 100 }), Some("amount")),
        shops(format!("/v1/payments/{paid}/capture"), json!({ "amount": 100 }), Some("amount")),
        shops(format!("/v1/payments/{paid}/void"), json!({}), None),
        shops(format!("/v1/payments/{paid}/refunds"), json!({ "amount": 100 }), Some("amount")),
        shops("/v1/webhook-endpoints".into(), endpoint, None),
        shops(format!("/v1/webhook-endpoints/{hook}/secret-rotations"), json!({}), None),
        shops(format!("/v1/webhook-endpoints/{hook}/enable"), json!({}), None),
        Deed { path: "/v1/claims".into(), token: None, body: claim, amount: Some("amount") },
    ];
    Scene { world, sakura, deeds }
}

impl Scene {
    async fn raw(&self, deed: &Deed, kind: &str, keys: &[&str], body: impl Into<Bytes>) -> Answer {
        let mut request = Request::post(format!("{ORIGIN}{}", deed.path)).header("content-type", kind);
        for key in keys {
            request = request.header("idempotency-key", *key);
        }
        if let Some(token) = &deed.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.world.send(request.body(body.into()).expect("a request")).await
    }

    async fn check(&self, deed: &Deed, body: impl Into<Bytes>, expected: (u16, &str)) {
        let body = body.into();
        let key = self.world.key();
        let answer = self.raw(deed, "application/json", &[&key], body.clone()).await;
        let shown = String::from_utf8_lossy(&body).chars().take(80).collect::<String>();
        assert_eq!(answer.problem(), expected, "{} {shown}: {}", deed.path, answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_on_every_path() {
    let scene = scene().await;
    let before = scene.world.balance(&scene.sakura).await;
    for deed in &scene.deeds {
        let with = |member: &str, value: Value| {
            let mut body = deed.body.clone();
            body[member] = value;
            body.to_string()
        };
        for body in ["", "{", "[]", "null", "\"text\"", "{\"a\":1}{", "\u{0}", "{\"amount\":"] {
            scene.check(deed, body, (400, "malformed")).await;
        }
        scene.check(deed, with("stranger", json!(1)), (400, "malformed")).await;
        scene.check(deed, Bytes::from_static(b"\xff\xfe{}"), (400, "malformed")).await;
        scene.check(deed, "[".repeat(10_000), (400, "malformed")).await;
        scene.check(deed, format!("{{\"a\":\"{}\"}}", "a".repeat(70_000)), (413, "too-large")).await;
        if let Some(amount) = deed.amount {
            let amounts = [
                json!(1.5),
                json!(1.0),
                json!("100"),
                json!(-1),
                json!(1e30),
                json!([100]),
                json!(true),
                json!(1_000_000_000_000_001_i64),
                json!(18_446_744_073_709_551_615_u64),
            ];
            for value in amounts {
                scene.check(deed, with(amount, value), (400, "malformed")).await;
            }
        }
        for member in deed.body.as_object().expect("an object").keys().filter(|member| *member != "amount") {
            scene.check(deed, with(member, json!(7)), (400, "malformed")).await;
            scene.check(deed, with(member, json!({ "a": 1 })), (400, "malformed")).await;
        }
    }
    assert_eq!(scene.world.balance(&scene.sakura).await, before, "nothing changed");
}

#[tokio::test]
async fn a_request_takes_one_key_of_visible_ascii_and_a_caller() {
    let scene = scene().await;
    let before = scene.world.balance(&scene.sakura).await;
    for deed in &scene.deeds {
        let long = "k".repeat(256);
        for keys in [&[][..], &["a", "b"], &[""], &["with space"], &[long.as_str()]] {
            let answer = scene.raw(deed, "application/json", keys, deed.body.to_string()).await;
            assert_eq!(answer.problem(), (400, "idempotency-key"), "{} {keys:?}: {}", deed.path, answer.text);
        }
        for kind in ["text/plain", "", "application/x-www-form-urlencoded"] {
            let answer = scene.raw(deed, kind, &["key"], deed.body.to_string()).await;
            assert_eq!(answer.problem(), (415, "unsupported-media-type"), "{} {kind}", deed.path);
        }
        if deed.token.is_some() {
            for token in [None, Some("nobody's"), Some("")] {
                let answer = scene.world.post(&deed.path, token, deed.body.clone()).await;
                assert_eq!(answer.problem(), (401, "unauthenticated"), "{}", deed.path);
            }
        }
        let answer = scene.world.delete(&deed.path, deed.token.as_deref()).await;
        assert_eq!(answer.problem(), (405, "method-not-allowed"), "{}", deed.path);
    }
    assert_eq!(scene.world.balance(&scene.sakura).await, before, "nothing changed");
}

#[tokio::test]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let scene = scene().await;
    let world = &scene.world;
    let (haru, (_, till)) = (world.person("haru").await, world.shop("Udon").await);
    for deed in &scene.deeds {
        let Some(own) = &deed.token else { continue };
        let token = if *own == scene.sakura.token { &haru.token } else { &till };
        let is_collection = ["/v1/payments", "/v1/webhook-endpoints"].contains(&deed.path.as_str());
        if !is_collection {
            let theirs = world.post(&deed.path, Some(token), deed.body.clone()).await;
            assert_eq!(theirs.problem(), (404, "not-found"), "{}: {}", deed.path, theirs.text);
        }
    }
    for path in ["/payments/pay_x", "/sends/snd_", "/payouts/1", "/vouchers/%00", "/movements/x"] {
        let answer = world.get(&scene.sakura.path(path), Some(&scene.sakura.token)).await;
        assert_eq!(answer.problem(), (404, "not-found"), "{path}");
    }
    for query in [
        "?limit=0",
        "?limit=101",
        "?limit=-1",
        "?limit=ten",
        "?stranger=1",
        "?from=never",
        "?kind=gift",
        "?to=2026-02-30",
    ] {
        let answer = world.get(&scene.sakura.path(&format!("/movements{query}")), Some(&scene.sakura.token)).await;
        assert_eq!(answer.problem(), (400, "malformed"), "{query}: {}", answer.text);
    }
}
