//! One request for each operation of the API's own description, each about something that is really there: what the tests of
//! bad input vary. An operation without one stops them.

use super::till::Person;
use super::world::{Answer, ORIGIN, World, mail, password, somebody};
use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A request that would do.
#[derive(Clone, Debug)]
pub struct Deed {
    /// As the description names it.
    pub method: String,
    pub template: String,
    /// The description of it.
    pub is: Value,
    pub path: String,
    pub token: Option<String>,
    /// With every member that there may be; null, where nothing is sent.
    pub body: Value,
}

pub struct Scene {
    pub world: World,
    pub sakura: Person,
    pub haru: Person,
    pub till: String,
    pub other_till: String,
    pub deeds: Vec<Deed>,
}

/// What stands for each part of a path, and who may ask.
struct Things {
    ids: BTreeMap<&'static str, String>,
    shop: String,
}

impl Scene {
    pub async fn new() -> Self {
        let world = World::new();
        let (sakura, haru) = (world.person("sakura").await, world.person("haru").await);
        world.fund(&sakura, 10_000).await;
        let (sakura, haru) = (world.again(sakura).await, world.again(haru).await);
        let (shop, till) = world.shop("Soba").await;
        let (_, other_till) = world.shop("Udon").await;
        world.give(&sakura, 10_000).await;
        let things = things(&world, &sakura, &haru, &till, shop.to_string()).await;
        let document = world.get("/openapi.json", None).await.body;
        let mut deeds = Vec::new();
        for (template, item) in document["paths"].as_object().expect("paths") {
            for (method, is) in item.as_object().expect("operations") {
                let caller = is["security"][0].as_object().and_then(|callers| callers.keys().next().cloned());
                let token = caller.map(|caller| match caller.as_str() {
                    "holder" => sakura.token.clone(),
                    "shop" => till.clone(),
                    "claimant" => things.ids["claim_code"].clone(),
                    other => panic!("{method} {template}: nobody is a {other}"),
                });
                let path = template.split('/').map(|part| {
                    let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
                    let id = |name| things.id(template, name).unwrap_or_else(|| panic!("{template}: what is {name}?"));
                    name.map_or_else(|| part.to_owned(), id)
                });
                let path = path.collect::<Vec<_>>().join("/");
                let body = if is["requestBody"].is_null() { Value::Null } else { things.body(method, template) };
                deeds.push(Deed {
                    method: method.to_uppercase(),
                    template: template.clone(),
                    is: is.clone(),
                    path,
                    token,
                    body,
                });
            }
        }
        Self { world, sakura, haru, till, other_till, deeds }
    }

    /// Sends `deed`'s request, but for what is given.
    pub async fn send(&self, deed: &Deed, sent: Sent<'_>) -> Answer {
        let uri = format!("{ORIGIN}{}", sent.path.unwrap_or(&deed.path));
        let mut request = Request::builder().method(sent.method.unwrap_or(&deed.method)).uri(uri);
        if !deed.body.is_null() {
            request = request.header("content-type", sent.kind.unwrap_or(deed.kind()));
        }
        if let Some(tag) = deed.parameter("If-Match").then_some("\"0\"") {
            request = request.header("if-match", tag);
        }
        let fresh = self.world.key();
        for key in sent.keys.unwrap_or(&[fresh.as_str()]) {
            request = request.header("idempotency-key", *key);
        }
        let token = match sent.token {
            Shown::Own => deed.token.as_deref(),
            Shown::Nothing => None,
            Shown::Other(token) => Some(token),
        };
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if deed.body.is_null() { Bytes::new() } else { Bytes::from(deed.body.to_string()) };
        self.world.send(request.body(sent.body.unwrap_or(body)).expect("a request")).await
    }

    /// How many records there are.
    pub async fn head(&self) -> u64 {
        self.world.server.service().engine.status().await.expect("the engine answers").head.place.n
    }
}

/// What the caller shows.
#[derive(Clone, Copy, Default)]
pub enum Shown<'a> {
    #[default]
    Own,
    Nothing,
    Other(&'a str),
}

/// What of a request is another.
#[derive(Clone, Default)]
pub struct Sent<'a> {
    pub method: Option<&'a str>,
    pub path: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub keys: Option<&'a [&'a str]>,
    pub token: Shown<'a>,
    pub body: Option<Bytes>,
}

impl Sent<'_> {
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self { body: Some(body.into()), ..Self::default() }
    }
}

impl Deed {
    pub fn parameter(&self, name: &str) -> bool {
        self.is["parameters"].as_array().is_some_and(|all| all.iter().any(|parameter| parameter["name"] == name))
    }

    /// The kind of body that it takes.
    pub fn kind(&self) -> &str {
        let content = self.is["requestBody"]["content"].as_object();
        let kind = content.and_then(|kinds| kinds.keys().next()).map_or("", String::as_str);
        if self.template.starts_with("/v1/callbacks/") { "application/secevent+jwt" } else { kind }
    }

    pub fn members(&self) -> Map<String, Value> {
        self.body.as_object().cloned().unwrap_or_default()
    }

    /// Whether it names something that belongs to somebody.
    pub fn is_owned(&self) -> bool {
        self.token.is_some() && self.template.contains('{') && !self.path.ends_with("/current")
    }

    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

impl Things {
    fn id(&self, template: &str, name: &str) -> Option<String> {
        // A payment is the shop's or the holder's, and so is what hangs on it.
        let name = match (name, template.starts_with("/v1/wallets/")) {
            ("payment", true) => "own_payment",
            ("payment", false) if template.ends_with("/capture") || template.ends_with("/void") => "held_payment",
            _ => name,
        };
        self.ids.get(name).cloned()
    }

    fn body(&self, method: &str, template: &str) -> Value {
        let id = |name: &str| self.ids[name].clone();
        match (method, template) {
            ("post", "/v1/callbacks/gateway" | "/v1/callbacks/identity") => json!("nothing"),
            ("post", "/v1/challenges/{challenge}") => json!({ "code": "12345678" }),
            ("post", "/v1/claims") => {
                json!({ "bank_code": "0125", "dates": ["2020-09-08"], "amount": 1, "contact": "somebody", "descriptor": "ドコモコウザ" })
            }
            ("post", "/v1/holders") => {
                let mut body = somebody("aki");
                body["phone"] = "09087654321".into();
                body
            }
            ("post", "/v1/holders/{holder}/contact-changes") => {
                json!({ "email": "new@example.jp", "challenge_id": id("challenge") })
            }
            ("post", "/v1/holders/{holder}/identifications") => {
                json!({ "method": "registered_letter", "challenge_id": id("challenge") })
            }
            ("post", "/v1/holders/{holder}/phone-verification") => {
                json!({ "phone": "09012345678", "challenge_id": id("challenge") })
            }
            ("post", path) if path.ends_with("/confirm") || path.ends_with("/email-verification") => {
                json!({ "code": "12345678" })
            }
            ("post", "/v1/payments") => {
                json!({ "payment_code": id("payment_code"), "amount": 100, "reference": "order-1", "capture": true })
            }
            ("post", path) if path.ends_with("/capture") || path.ends_with("/refunds") => json!({ "amount": 10 }),
            ("post", "/v1/recoveries") => json!({ "email": mail("haru") }),
            ("post", "/v1/recoveries/{recovery}") => json!({ "code": "12345678", "password": "新しい合言葉 99" }),
            ("post", "/v1/sessions") => {
                json!({ "email": mail("sakura"), "password": password("sakura"), "code": "12345678" })
            }
            ("post", "/v1/wallets/{wallet}/mandates") => json!({ "bank_code": "0125", "return_url": "/done" }),
            ("post", "/v1/wallets/{wallet}/payments") => {
                json!({ "shop_id": self.shop, "amount": 100, "challenge_id": id("challenge") })
            }
            ("post", "/v1/wallets/{wallet}/payouts") => {
                json!({ "bank_account_id": id("bank_account"), "amount": 100, "challenge_id": id("challenge") })
            }
            ("post", "/v1/wallets/{wallet}/sends") => {
                json!({ "to_wallet_id": id("other_wallet"), "amount": 100, "message": "thanks",
                    "recipient_token": id("recipient_token"), "challenge_id": id("challenge") })
            }
            ("post", "/v1/wallets/{wallet}/top-ups") => {
                json!({ "mandate_id": id("mandate"), "amount": 100, "challenge_id": id("challenge") })
            }
            ("post", "/v1/wallets/{wallet}/vouchers") => json!({ "code": "another voucher" }),
            ("post", path) if path.ends_with("/closure") => {
                json!({ "bank_account_id": id("bank_account"), "challenge_id": id("challenge") })
            }
            ("post", path) if path.ends_with("/unfreeze") => {
                json!({ "challenge_id": id("challenge") })
            }
            ("post", "/v1/webhook-endpoints") => json!({ "url": "http://shop.localhost/hooks", "events": ["*"] }),
            ("patch", "/v1/webhook-endpoints/{endpoint}") => {
                json!({ "url": "http://shop.localhost/more", "events": ["payment.captured"] })
            }
            ("post", path) if NOTHING.iter().any(|end| path.ends_with(end)) => json!({}),
            (method, path) => panic!("what does one send to {method} {path}?"),
        }
    }
}

/// The ends of paths that take an empty object.
const NOTHING: [&str; 12] = [
    "/cancel",
    "/codes",
    "/enable",
    "/freeze",
    "/payment-codes",
    "/redeliveries",
    "/secret-rotations",
    "/tokens",
    "/v1/wallets",
    "/void",
    "/wallets",
    "/verification",
];

/// Makes one of everything that a path may name.
async fn things(world: &World, sakura: &Person, haru: &Person, till: &str, shop: String) -> Things {
    let mine = Some(sakura.token.as_str());
    let post = async |path: String, token: Option<&str>, body: Value| {
        let answer = world.post(&path, token, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer
    };
    let mandate = world.own_account(sakura).await;
    let moved = movements(world, sakura, mandate.1.to_string()).await;
    let pay = json!({ "shop_id": shop, "amount": 100 });
    let own_payment = post(sakura.path("/payments"), mine, pay).await.text("id");
    let hook = json!({ "url": "http://shop.localhost/hooks", "events": ["*"] });
    let endpoint = post("/v1/webhook-endpoints".into(), Some(till), hook).await.text("id");
    let mut taken = Vec::new();
    for capture in [true, false] {
        let take = json!({ "payment_code": world.code(sakura).await, "amount": 100, "capture": capture });
        taken.push(post("/v1/payments".into(), Some(till), take).await.text("id"));
    }
    let refund = post(format!("/v1/payments/{}/refunds", taken[0]), Some(till), json!({ "amount": 10 })).await;
    let voucher_code = "a voucher";
    for code in [voucher_code, "another voucher"] {
        world.voucher(code, 100).await;
    }
    let voucher = post(sakura.path("/vouchers"), mine, json!({ "code": voucher_code })).await.text("id");
    world.run_due().await;
    let deliveries = world.get(&format!("/v1/webhook-endpoints/{endpoint}/deliveries"), Some(till)).await;
    let delivery = deliveries.body["data"][0]["id"].as_str().expect("a delivery").to_owned();
    let claim = json!({ "bank_code": "0125", "dates": ["2020-09-08"], "contact": "somebody" });
    let claim = post("/v1/claims".into(), None, claim).await;
    let identification = json!({ "method": "chip_and_face" });
    let identifications = format!("/v1/holders/{}/identifications", sakura.holder);
    world.vendor.says("pending");
    let identification = post(identifications, mine, identification).await.text("id");
    let to_own = json!({ "bank_account_id": mandate.1.to_string() });
    let asked = world.post(&sakura.path("/closure"), mine, to_own).await;
    let recovery = post("/v1/recoveries".into(), None, json!({ "email": mail("haru") })).await.text("id");
    let session = world.get("/v1/sessions", mine).await.body["data"][0]["id"].as_str().expect("a session").to_owned();
    let recipient = world.get(&format!("/v1/recipients?wallet_id={}", haru.wallet), mine).await;
    let replaced = post("/v1/tokens".into(), Some(till), json!({})).await.text("id");
    let mut ids = BTreeMap::from([
        ("holder", sakura.holder.to_string()),
        ("wallet", sakura.wallet.to_string()),
        ("other_wallet", haru.wallet.to_string()),
        ("mandate", mandate.0.to_string()),
        ("bank_account", mandate.1.to_string()),
        ("own_payment", own_payment),
        ("payment", taken[0].clone()),
        ("held_payment", taken[1].clone()),
        ("payment_code", world.code(sakura).await),
        ("refund", refund.text("id")),
        ("voucher", voucher),
        ("endpoint", endpoint),
        ("delivery", delivery),
        ("claim", claim.text("id")),
        ("claim_code", claim.text("code")),
        ("identification", identification),
        ("challenge", asked.text("challenge_id")),
        ("recovery", recovery),
        ("session", session),
        ("token", replaced),
        ("recipient_token", recipient.text("recipient_token")),
    ]);
    ids.extend(moved);
    Things { ids, shop }
}

/// A movement of each kind that has its own path below a wallet.
async fn movements(world: &World, sakura: &Person, account: String) -> [(&'static str, String); 3] {
    let listed = world.get(&sakura.path("/movements?kind=top_up"), Some(&sakura.token)).await;
    let top_up = listed.body["data"][0]["id"].as_str().expect("the money came by one").to_owned();
    let payout = json!({ "bank_account_id": account, "amount": 1_000 });
    let payout = world.post_proven(sakura, &sakura.path("/payouts"), &payout).await.text("id");
    // To somebody who asks for nothing: a send is its recipient's as well.
    let natsu = world.person("natsu").await;
    let seen = world.look(&sakura.token, natsu.wallet).await;
    let send = json!({ "to_wallet_id": natsu.wallet.to_string(), "amount": 1_000, "recipient_token": seen });
    let send = world.post_proven(sakura, &sakura.path("/sends"), &send).await.text("id");
    [("top_up", top_up), ("payout", payout), ("send", send)]
}
