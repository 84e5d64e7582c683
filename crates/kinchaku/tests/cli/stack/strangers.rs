//! Another operator at the same gateway: nothing of ours is there for it, however it asks.

use super::world::World;
use axum::http::Method;
use serde_json::{Value, json};

impl World {
    /// What the gateway answers the second operator: the status, and the body.
    pub async fn second_operator(&self, method: &str, path: &str, body: Value) -> (u64, Value) {
        let asked = json!({ "method": method, "path": path, "body": body });
        let answer = self.sandbox(Method::POST, "/sandbox/v1/second-operator/requests", asked).await;
        (answer["status"].as_u64().expect("a status"), answer["body"].clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_mandate_debit_and_reference_are_not_there() {
    let world = World::start();
    let (person, mandate) = world.linked().await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!(top_up.status, 201, "{}", top_up.text);
    let reference = top_up.json["id"].as_str().expect("an id");
    let theirs = world.mandate_at_gateway(&person).await;
    let debit = json!({ "reference": "second-1", "mandate_id": theirs, "amount": 1_000 });
    let credit = json!({ "reference": "second-2", "mandate_id": theirs, "amount": 1_000 });
    let give_back = json!({ "reference": "second-3", "amount": 5_000 });
    for (method, path, body) in [
        ("GET", format!("/gateway/v1/mandates/{theirs}"), Value::Null),
        ("POST", format!("/gateway/v1/mandates/{theirs}/revoke"), json!({ "reason": "unneeded" })),
        ("POST", "/gateway/v1/debits".to_owned(), debit),
        ("POST", "/gateway/v1/credits".to_owned(), credit),
        ("GET", format!("/gateway/v1/debits/{reference}"), Value::Null),
        ("POST", format!("/gateway/v1/debits/{reference}/return"), give_back),
    ] {
        let (status, answer) = world.second_operator(method, &path, body).await;
        assert_eq!(status, 404, "{method} {path}: {answer}");
        let text = answer.to_string();
        assert!(!text.contains(person.account("number")) && !text.contains("5000"), "{text}");
    }
    // It hears of nothing, lists nothing, and may use our reference for its own debit without learning that we have it.
    let (status, mandates) = world.second_operator("GET", "/gateway/v1/mandates", Value::Null).await;
    assert_eq!((status, mandates["data"].as_array().map(Vec::len)), (200, Some(0)), "{mandates}");
    let (status, events) = world.second_operator("GET", "/gateway/v1/events?after=0", Value::Null).await;
    let text = events.to_string();
    assert_eq!(status, 200, "{text}");
    assert!(!text.contains(&theirs) && !text.contains(reference), "{text}");
    // And of ours nothing has changed.
    assert_eq!((world.funds(&person).await, world.statement(&person).await), (5_000, vec![-5_000]));
    assert_eq!(world.top_up(&person, &mandate, 1_000).await.status, 201);
}
