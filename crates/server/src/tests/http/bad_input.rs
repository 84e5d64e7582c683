//! Bad input, one table over every operation that the API describes: a problem with a stable type, never our own fault, and
//! nothing changed. A new operation is in the table by being described; [`super::scene`] says what would do for it.

use super::scene::{Deed, Scene, Sent, Shown};
use super::till::Person;
use super::world::Answer;
use bytes::Bytes;
use serde_json::{Value, json};

impl Scene {
    /// Sends what must not do: it is refused as `expected`, as a problem.
    async fn refuses(&self, deed: &Deed, sent: Sent<'_>, expected: (u16, &str)) {
        let shown = sent.body.as_ref().map(|body| String::from_utf8_lossy(body).chars().take(100).collect::<String>());
        let what = format!("{} {:?} {shown:?}", deed.name(), sent.path);
        let answer = self.send(deed, sent).await;
        assert_eq!(answer.problem(), expected, "{what}: {}", answer.text);
        is_problem(&answer, &what);
    }

    /// The deeds with a JSON body, but for those that are signed by whoever sends them.
    fn written(&self) -> impl Iterator<Item = &Deed> {
        self.deeds.iter().filter(|deed| deed.body.is_object())
    }

    /// The deeds that carry an `Idempotency-Key`.
    fn keyed(&self) -> impl Iterator<Item = &Deed> {
        self.written().filter(|deed| deed.parameter("Idempotency-Key"))
    }
}

fn is_problem(answer: &Answer, what: &str) {
    assert!(answer.status.as_u16() < 500, "{what}: {}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{what}: {}", answer.text);
    assert!(answer.body["title"].is_string() && answer.body["status"] == answer.status.as_u16(), "{what}");
}

fn without(deed: &Deed, member: &str) -> String {
    let mut members = deed.members();
    members.remove(member);
    Value::Object(members).to_string()
}

fn with(deed: &Deed, member: &str, value: Value) -> String {
    let mut members = deed.members();
    members.insert(member.to_owned(), value);
    Value::Object(members).to_string()
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_everywhere_and_changes_nothing() {
    let scene = Scene::new().await;
    let (head, malformed) = (scene.head().await, (400, "malformed"));
    let required = scene.required().await;
    for deed in scene.written() {
        for body in ["", "{", "[]", "null", "7", "\"text\"", "{\"a\":1}{", "\u{0}", "{\"amount\":", "{\"a\":1,\"a\":2}"]
        {
            scene.refuses(deed, Sent::body(body), malformed).await;
        }
        scene.refuses(deed, Sent::body(&b"\xff\xfe{}"[..]), malformed).await;
        for deep in ["[".repeat(10_000), "{\"a\":".repeat(10_000), format!("{{\"code\":{}", "[".repeat(10_000))] {
            scene.refuses(deed, Sent::body(deep), malformed).await;
        }
        scene.refuses(deed, Sent::body(format!("{{\"a\":\"{}\"}}", "a".repeat(70_000))), (413, "too-large")).await;
        scene.refuses(deed, Sent::body(with(deed, "stranger", json!(1))), malformed).await;
        for (member, value) in deed.members() {
            let wrong = match value {
                Value::Number(_) => {
                    AMOUNTS_WRONG.iter().map(|text| serde_json::from_str(text).expect("JSON")).collect()
                }
                Value::String(_) => vec![json!(7), json!(1.5), json!(["a"]), json!({ "a": 1 }), json!(true)],
                Value::Array(_) => vec![json!("a"), json!([7]), json!({ "a": 1 }), json!([["a"]])],
                Value::Bool(_) => vec![json!("true"), json!(1)],
                Value::Object(_) | Value::Null => vec![json!(7), json!("a")],
            };
            for value in wrong {
                scene.refuses(deed, Sent::body(with(deed, &member, value)), malformed).await;
            }
            if required.contains(&(deed.name(), member.clone())) {
                scene.refuses(deed, Sent::body(without(deed, &member)), malformed).await;
                scene.refuses(deed, Sent::body(with(deed, &member, Value::Null)), malformed).await;
            }
        }
        for kind in ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonx"] {
            let sent = Sent { kind: Some(kind), ..Sent::default() };
            scene.refuses(deed, sent, (415, "unsupported-media-type")).await;
        }
    }
    assert_eq!(scene.head().await, head, "nothing of that reached the books");
}

/// Amounts of yen that are none.
const AMOUNTS_WRONG: [&str; 12] = [
    "1.5",
    "1.0",
    "1e2",
    "\"100\"",
    "-1",
    "-0.5",
    "1e30",
    "[100]",
    "true",
    "1000000000000001",
    "18446744073709551615",
    "99999999999999999999999999",
];

impl Scene {
    /// The members without which a body is none, by the description: with the operation's name.
    async fn required(&self) -> Vec<(String, String)> {
        let document = self.world.get("/openapi.json", None).await.body;
        let mut required = Vec::new();
        for deed in self.written() {
            let schema = &deed.is["requestBody"]["content"][deed.kind()]["schema"];
            let name = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()).expect("a named schema");
            let members = document["components"]["schemas"][name]["required"].as_array().cloned().unwrap_or_default();
            let member = |member: Value| (deed.name(), member.as_str().expect("a name").to_owned());
            required.extend(members.into_iter().map(member));
        }
        required
    }
}

#[tokio::test]
async fn a_request_takes_one_key_of_visible_ascii_a_caller_and_the_right_method() {
    let scene = Scene::new().await;
    let (head, long) = (scene.head().await, "k".repeat(256));
    assert!(scene.keyed().count() > 30);
    for deed in scene.keyed() {
        for keys in [&[][..], &["a", "b"], &[""], &["with space"], &[long.as_str()], &["鍵"]] {
            let sent = Sent { keys: Some(keys), ..Sent::default() };
            scene.refuses(deed, sent, (400, "idempotency-key")).await;
        }
    }
    for deed in &scene.deeds {
        for token in [Shown::Nothing, Shown::Other("nobody's"), Shown::Other("")] {
            if deed.token.is_none() {
                continue;
            }
            let sent = Sent { token, ..Sent::default() };
            let answer = scene.send(deed, sent).await;
            // A claim that somebody has no code for looks like one that is not there.
            let expected = if deed.template.contains("{claim}") { vec![401, 404] } else { vec![401] };
            assert!(expected.contains(&answer.status.as_u16()), "{}: {}", deed.name(), answer.text);
            is_problem(&answer, &deed.name());
        }
        for method in ["PUT", "TRACE"] {
            let sent = Sent { method: Some(method), ..Sent::default() };
            scene.refuses(deed, sent, (405, "method-not-allowed")).await;
        }
    }
    assert_eq!(scene.head().await, head, "nothing of that reached the books");
}

#[tokio::test]
async fn what_is_anothers_looks_like_what_is_not_there() {
    let scene = Scene::new().await;
    let before = scene.world.balance(&scene.sakura).await;
    let (newcomer, mut unproven) = (scene.world.log_in("haru").await, 0);
    for deed in scene.deeds.iter().filter(|deed| deed.is_owned()) {
        let stranger = if deed.token.as_ref() == Some(&scene.till) { &scene.other_till } else { &scene.haru.token };
        let sent = Sent { token: Shown::Other(stranger), ..Sent::default() };
        scene.refuses(deed, sent, (404, "not-found")).await;
        // Nobody is asked to prove themselves for what is not theirs, on a device that is known or a new one.
        if deed.members().contains_key("challenge_id") || deed.path.ends_with("/payment-codes") {
            for token in [stranger, &newcomer] {
                let sent = Sent { token: Shown::Other(token), ..Sent::body(without(deed, "challenge_id")) };
                scene.refuses(deed, sent, (404, "not-found")).await;
                unproven += 1;
            }
        }
    }
    assert!(unproven >= 20, "{unproven}");
    for deed in &scene.deeds {
        let (parts, names): (Vec<&str>, Vec<&str>) =
            (deed.path.split('/').collect(), deed.template.split('/').collect());
        for (index, _) in names.iter().enumerate().filter(|(_, name)| name.starts_with('{')) {
            for id in ["x", "%00", "%F0%28%8C%28", "wlt_", "hld_0000000000000000000000000000000g", &"9".repeat(3_000)] {
                let mut parts = parts.clone();
                parts[index] = id;
                let path = parts.join("/");
                let answer = scene.send(deed, Sent { path: Some(&path), ..Sent::default() }).await;
                // What is no text at all is malformed; whose recovery it is not, nobody is told.
                let expected = [(404, "not-found"), (400, "malformed"), (422, "code-refused")];
                assert!(expected.contains(&answer.problem()), "{} {path}: {}", deed.method, answer.text);
                is_problem(&answer, &deed.name());
            }
        }
    }
    assert_eq!(scene.world.balance(&scene.sakura).await, before, "nothing moved");
}

impl Deed {
    /// The same path under what is `person`'s own, where it names something of that.
    fn under(&self, person: &Person) -> Option<String> {
        let named = self.template.split('/').filter(|part| part.starts_with('{')).count();
        let own = |(part, name): (&str, &str)| match name {
            "{wallet}" => person.wallet.to_string(),
            "{holder}" => person.holder.to_string(),
            _ => part.to_owned(),
        };
        let path: Vec<String> = self.path.split('/').zip(self.template.split('/')).map(own).collect();
        Some(path.join("/")).filter(|path| named == 2 && *path != self.path)
    }
}

#[tokio::test]
async fn what_is_anothers_is_not_found_under_ones_own_wallet_either() {
    let scene = Scene::new().await;
    let (head, mut asked) = (scene.head().await, Vec::new());
    for deed in &scene.deeds {
        let Some(path) = deed.under(&scene.haru) else { continue };
        if deed.method == "GET" {
            let own = scene.send(deed, Sent::default()).await;
            assert_eq!(own.status, 200, "it is really there: {} {}", deed.name(), own.text);
        }
        let sent = Sent { path: Some(&path), token: Shown::Other(&scene.haru.token), ..Sent::default() };
        scene.refuses(deed, sent, (404, "not-found")).await;
        asked.push(deed.name());
    }
    asked.sort_unstable();
    let expected = [
        "DELETE /v1/wallets/{wallet}/mandates/{mandate}",
        "GET /v1/holders/{holder}/identifications/{identification}",
        "GET /v1/wallets/{wallet}/mandates/{mandate}",
        "GET /v1/wallets/{wallet}/payments/{payment}",
        "GET /v1/wallets/{wallet}/payouts/{payout}",
        "GET /v1/wallets/{wallet}/sends/{send}",
        "GET /v1/wallets/{wallet}/top-ups/{top_up}",
        "GET /v1/wallets/{wallet}/vouchers/{voucher}",
        "POST /v1/wallets/{wallet}/payouts/{payout}/cancel",
        "POST /v1/wallets/{wallet}/top-ups/{top_up}/cancel",
    ];
    assert_eq!(asked, expected);
    assert_eq!(scene.head().await, head, "nothing of that reached the books");
}

#[tokio::test]
async fn a_list_takes_its_own_cursors_and_no_other_parameters() {
    let scene = Scene::new().await;
    let mut lists = 0;
    for deed in scene.deeds.iter().filter(|deed| deed.method == "GET" && deed.parameter("limit")) {
        lists += 1;
        let own = scene.send(deed, Sent { path: Some(&format!("{}?limit=1", deed.path)), ..Sent::default() }).await;
        assert_eq!(own.status, 200, "{}: {}", deed.name(), own.text);
        for query in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=ten",
            "limit=1&limit=2",
            "stranger=1",
            "cursor=",
            "cursor=x",
            "cursor=AAAAAAAAAAAAAAAAAAAAAAAA",
            "limit=99999999999999999999",
        ] {
            let path = format!("{}?{query}", deed.path);
            scene.refuses(deed, Sent { path: Some(&path), ..Sent::default() }, (400, "malformed")).await;
        }
        let Some(cursor) = own.body["next_cursor"].as_str() else { continue };
        for other in scene.deeds.iter().filter(|other| other.parameter("cursor") && other.template != deed.template) {
            let path = format!("{}?cursor={cursor}", other.path);
            scene.refuses(other, Sent { path: Some(&path), ..Sent::default() }, (400, "malformed")).await;
        }
        if deed.template.contains("{wallet}") {
            let path = format!("{}?cursor={cursor}", scene.haru.path("/movements"));
            let sent = Sent { path: Some(&path), token: Shown::Other(&scene.haru.token), ..Sent::default() };
            scene.refuses(deed, sent, (400, "malformed")).await;
        }
    }
    assert!(lists >= 4, "{lists}");
    for query in ["from=never", "kind=gift", "to=2026-02-30"] {
        let path = scene.sakura.path(&format!("/movements?{query}"));
        let answer = scene.world.get(&path, Some(&scene.sakura.token)).await;
        assert_eq!(answer.problem(), (400, "malformed"), "{query}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_amount_of_nothing_or_of_more_than_is_allowed_moves_nothing() {
    let scene = Scene::new().await;
    let before = scene.world.balance(&scene.sakura).await;
    let mut amounts = 0;
    for deed in scene.written().filter(|deed| deed.body["amount"].is_number() && deed.template != "/v1/claims") {
        amounts += 1;
        for amount in [0, 100_000_000, 1_000_000_000_000_000_i64] {
            let answer = scene.send(deed, Sent::body(with(deed, "amount", json!(amount)))).await;
            assert!(answer.status.is_client_error(), "{} {amount}: {}", deed.name(), answer.text);
            is_problem(&answer, &deed.name());
        }
    }
    assert!(amounts >= 7, "{amounts}");
    assert_eq!(scene.world.balance(&scene.sakura).await, before, "nothing moved");
}

#[tokio::test]
async fn a_repeat_is_answered_the_same_and_a_key_is_used_for_one_request() {
    let scene = Scene::new().await;
    let (mut repeated, mut reused) = (0, 0);
    // What ends the wallet's or the shop's ways comes last.
    let (last, first): (Vec<&Deed>, Vec<&Deed>) = scene.keyed().partition(|deed| deed.template.ends_with("/freeze"));
    for deed in first.into_iter().chain(last) {
        let mut plain = deed.clone();
        // The challenge was proven for nothing, and the wrong code is another test's.
        if let Some(members) = plain.body.as_object_mut() {
            members.remove("challenge_id");
            if deed.template == "/v1/challenges/{challenge}" {
                members.remove("code");
            }
        }
        let key = scene.world.key();
        let keys = [key.as_str()];
        let once = scene.send(&plain, Sent { keys: Some(&keys), ..Sent::default() }).await;
        if !once.status.is_success() {
            is_problem(&once, &deed.name());
            continue;
        }
        let twice = scene.send(&plain, Sent { keys: Some(&keys), ..Sent::default() }).await;
        let is_secret = twice.problem() == (409, "shown-once");
        assert!(
            is_secret || (twice.status, &twice.body) == (once.status, &once.body),
            "{}: {} {}",
            deed.name(),
            once.text,
            twice.text
        );
        repeated += 1;
        let Some((member, value)) = plain.members().into_iter().next() else { continue };
        let other = match (&value, member.as_str()) {
            (Value::Number(number), _) => json!(number.as_i64().expect("an amount") + 1),
            (_, "method") => json!("picture_and_face"),
            (_, "bank_code") => json!("0009"),
            (_, "email") => json!("another@example.jp"),
            (_, "phone") => json!("09011112222"),
            (_, "birth_date") => json!("1990-01-02"),
            (_, "events") => json!(["payment.captured"]),
            (Value::Bool(is), _) => json!(!is),
            (_, "code") => continue,
            (other, member) => panic!("{}: {member} {other}", deed.name()),
        };
        let body = Bytes::from(with(&plain, &member, other));
        let sent = Sent { keys: Some(&keys), body: Some(body), ..Sent::default() };
        scene.refuses(&plain, sent, (422, "idempotency-key-reused")).await;
        reused += 1;
    }
    assert!(repeated >= 20 && reused >= 10, "{repeated} {reused}");
}
