//! The desk attacked, path by path as its description has them: by strangers, by people without the role, with bodies that
//! cannot be read and ids of nobody. Never our own fault, always a problem with a stable type, and nothing changed.

use super::desk::call;
use super::world::{Answer, World};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

const DESK: &str = "http://desk.localhost:8080";

struct Operation {
    method: String,
    path: String,
    /// A body that would do, if it takes one.
    body: Option<Value>,
}

/// The schema itself, where `schema` only names it.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

fn sample(document: &Value, schema: &Value) -> Value {
    let schema = resolved(document, schema);
    if let Some(word) = schema["enum"].get(0).or_else(|| schema["oneOf"][0]["enum"].get(0)) {
        return word.clone();
    }
    match schema["type"].as_str() {
        Some("integer") => 7.into(),
        Some("boolean") => false.into(),
        Some("string") => "x".into(),
        Some("array") => json!([]),
        Some(_) | None => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let member = |name: &str| (name.to_owned(), sample(document, &schema["properties"][name]));
            Value::Object(required.map(member).collect())
        }
    }
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&crate::desk::document()).expect("it is JSON");
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, is) in item.as_object().expect("operations") {
            let schema = &is["requestBody"]["content"]["application/json"]["schema"];
            let body = (!schema.is_null()).then(|| sample(&document, schema));
            operations.push(Operation { method: method.to_uppercase(), path: path.clone(), body });
        }
    }
    operations
}

/// The path with `id` for whatever it names, under the prefixes of ids.
fn paths(path: &str) -> Vec<String> {
    let number = "0123456789abcdef0123456789abcdef";
    let ids = ["top", "pot", "pay", "snd", "mnd", "wlt", "swt", "clm", "shp", "cas", "rmb", "vch"]
        .map(|prefix| format!("{prefix}_{number}"));
    let odd = ["x", "%00", "..", "top_", &"a".repeat(2_000)].map(str::to_owned);
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1))) {
        Some((before, after)) => ids.iter().chain(&odd).map(|id| format!("{before}{id}{after}")).collect(),
        None => vec![path.to_owned()],
    }
}

async fn send(world: &World, method: &str, path: &str, staff: Option<&str>, body: impl Into<Bytes>) -> Answer {
    send_with(world, &[&world.key()], (method, path), staff, body).await
}

/// The same under so many keys.
async fn send_with(
    world: &World,
    keys: &[&str],
    (method, path): (&str, &str),
    staff: Option<&str>,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request =
        Request::builder().method(method).uri(format!("{DESK}{path}")).header("content-type", "application/json");
    for key in keys {
        request = request.header("idempotency-key", *key);
    }
    if let Some(staff) = staff {
        request = request.header("authorization", format!("Bearer {staff}"));
    }
    world.send(request.body(body.into()).expect("a request")).await
}

fn check(operation: &Operation, path: &str, answer: &Answer) {
    let shown = format!("{} {path}: {} {}", operation.method, answer.status, answer.text);
    assert!(!answer.status.is_server_error(), "{shown}");
    if answer.status.is_client_error() {
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{shown}");
        assert!(answer.body["type"].as_str().is_some_and(|kind| kind.starts_with("/problems/")), "{shown}");
    }
}

#[tokio::test]
async fn strangers_and_people_without_a_role_get_nowhere() {
    let world = World::new();
    let (token, _) = world.identified("sakura").await;
    let operations = operations();
    assert!(operations.len() >= 16, "the desk's paths are described");
    for operation in &operations {
        let body = || operation.body.as_ref().map_or_else(Bytes::new, |body| body.to_string().into());
        for path in paths(&operation.path).into_iter().take(9) {
            for stranger in [None, Some(""), Some("desk-9"), Some(token.as_str())] {
                let answer = send(&world, &operation.method, &path, stranger, body()).await;
                assert_eq!(answer.problem(), (401, "unauthenticated"), "{} {path}", operation.method);
            }
            let answer = send(&world, &operation.method, &path, Some("desk-7"), body()).await;
            assert_eq!(answer.problem(), (403, "role-needed"), "{} {path}: {}", operation.method, answer.text);
            if operation.method != "GET" {
                let answer = send(&world, &operation.method, &path, Some("desk-3"), body()).await;
                assert_eq!(answer.problem(), (403, "role-needed"), "{} {path}: {}", operation.method, answer.text);
            }
        }
    }
}

#[tokio::test]
async fn every_post_takes_one_key_of_visible_ascii() {
    let world = World::new();
    let (before, long, mut posts) = (records(&world).await, "k".repeat(256), 0);
    for operation in operations().iter().filter(|operation| operation.method == "POST") {
        posts += 1;
        let path = paths(&operation.path).swap_remove(0);
        let body = operation.body.as_ref().expect("every POST has a body").to_string();
        for keys in [&[][..], &["a", "b"], &[""], &["with space"], &[long.as_str()], &["鍵"]] {
            let answer = send_with(&world, keys, ("POST", &path), Some("desk-1"), body.clone()).await;
            assert_eq!(answer.problem(), (400, "idempotency-key"), "{path} {keys:?}: {}", answer.text);
        }
    }
    assert!(posts >= 23, "{posts}");
    assert_eq!(records(&world).await, before, "nothing was written");
}

/// How many records there are.
async fn records(world: &World) -> u64 {
    world.server.service().engine.status().await.expect("the engine answers").head.place.n
}

#[tokio::test]
async fn nothing_that_is_sent_is_our_own_fault() {
    let world = World::new();
    let before = records(&world).await;
    for operation in &operations() {
        for path in paths(&operation.path) {
            let answer = send(&world, &operation.method, &path, Some("desk-1"), Bytes::new()).await;
            check(operation, &path, &answer);
            if operation.body.is_none() {
                continue;
            }
            for body in ["{", "[]", "null", "\"x\"", "7", "{\"a\":1}{", "\u{0}", "{\"amount\":1e400}"] {
                let answer = send(&world, &operation.method, &path, Some("desk-1"), body).await;
                assert_eq!(answer.problem(), (400, "malformed"), "{path} {body}: {}", answer.text);
            }
        }
        let path = paths(&operation.path).swap_remove(0);
        let Some(sample) = &operation.body else { continue };
        let mut bodies = vec!["[".repeat(50_000), format!("{{\"x\":\"{}\"}}", "x".repeat(2_000_000))];
        let mut with = |name: &str, value: Value| {
            let mut body = sample.clone();
            body[name] = value;
            bodies.push(body.to_string());
        };
        with("stranger", json!(1));
        for name in sample.as_object().expect("an object").keys() {
            let long = "x".repeat(10_000);
            for value in
                [json!(1.5), json!(-1), json!(i64::MAX), json!(long), json!([[]]), json!({ "a": {} }), Value::Null]
            {
                with(name, value);
            }
        }
        for body in bodies {
            let answer = send(&world, &operation.method, &path, Some("desk-1"), body).await;
            check(operation, &path, &answer);
            assert!(answer.status.is_client_error(), "{} {path}: {}", operation.method, answer.text);
        }
    }
    for query in ["?limit=0", "?limit=101", "?cursor=x", "?cursor=", "?stranger=1", "?limit=1&limit=2"] {
        for path in ["/held", "/in-doubt", "/safeguarding", "/reconciliation", "/differences", "/claims"] {
            let answer = call(&world, "GET", &format!("{path}{query}"), "desk-3", None).await;
            assert_eq!(answer.problem(), (400, "malformed"), "{path}{query}: {}", answer.text);
        }
    }
    assert_eq!(records(&world).await, before, "nothing was written");
}

#[tokio::test]
async fn the_desks_description_is_at_the_desk() {
    let world = World::new();
    let document = send(&world, "GET", "/openapi.json", None, Bytes::new()).await;
    assert!(document.body["paths"]["/desk/v1/held"].is_object(), "{}", document.text);
    let page = send(&world, "GET", "/docs", None, Bytes::new()).await;
    assert!(page.text.contains("http://desk.localhost:8080/desk/v1/held"), "{}", page.text);
    assert_eq!(send(&world, "GET", "/", None, Bytes::new()).await.status, 303);
    let wallets = world.get("/openapi.json", None).await;
    assert!(wallets.body["paths"]["/desk/v1/held"].is_null(), "the wallet's own description has no desk");
}
