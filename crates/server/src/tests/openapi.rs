//! The API's description, as it is committed beside the code: it is what the code says, and every path has what it needs.
//!
//! After a change of the API run `OPENAPI_WRITE=1 cargo test -p server openapi`, and read what has changed.

use serde_json::Value;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
const COMMITTED_DESK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi-desk.json");

#[test]
fn the_committed_descriptions_are_true() {
    check_committed(COMMITTED, &crate::api::document());
    check_committed(COMMITTED_DESK, &crate::desk::document());
}

fn check_committed(path: &str, document: &str) {
    if std::env::var_os("OPENAPI_WRITE").is_some() {
        std::fs::write(path, document).expect("the description is written");
    }
    let committed = std::fs::read_to_string(path).expect("the description is committed");
    let difference = document.lines().zip(committed.lines()).find(|(now, then)| now != then);
    assert!(document == committed, "run OPENAPI_WRITE=1 cargo test -p server openapi: {difference:?}");
}

#[test]
fn every_post_takes_a_key_or_says_why_not_and_every_operation_says_what_it_is() {
    check_operations(&crate::api::document());
    check_operations(&crate::desk::document());
}

fn check_operations(document: &str) {
    let document: Value = serde_json::from_str(document).expect("it is JSON");
    // A login's answer is a secret and each one is another; a callback's sender signs it, and it says only that there is news.
    let keyless = ["/v1/sessions", "/v1/callbacks/gateway", "/v1/callbacks/identity"];
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, is) in item.as_object().expect("operations") {
            assert!(is["summary"].is_string(), "{method} {path} says nothing");
            let refused = &is["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(refused["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
            let parameters = is["parameters"].as_array().cloned().unwrap_or_default();
            let has_key = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
            assert_eq!(has_key, method == "post" && !keyless.contains(&path.as_str()), "{method} {path}");
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(parameters.iter().any(|parameter| parameter["name"] == part), "{method} {path}: {part}");
            }
        }
    }
    assert_eq!(document["openapi"], "3.1.0");
}
