//! The description as a page: every path with what it takes and gives, and a line to try it. No script, no other host.

use crate::service::Service;
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;
use web::page::{Page, Words};

const TITLE: Words = Words { ja: "API の説明", en: "The API" };
const BANNER: Words = Words {
    ja: "これは試験環境です。お金も口座も本物ではありません。",
    en: "This is a sandbox: no money and no account here is real.",
};
/// How deep a body is shown.
const DEPTH_MAX: usize = 4;

/// An operation, with where it is.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    is: &'a Value,
}

/// The page of `document`.
pub fn page(service: &Service, origin: &str, document: &Value) -> Page {
    let mut by_tag: BTreeMap<&str, Vec<Operation<'_>>> = BTreeMap::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, is) in item.as_object().into_iter().flatten() {
            let tag = is["tags"][0].as_str().unwrap_or("other");
            by_tag.entry(tag).or_default().push(Operation { method, path, is });
        }
    }
    let body = html! {
        p { (document["info"]["description"].as_str().unwrap_or_default()) }
        p { a href="/openapi.json" { "/openapi.json" } }
        nav { ul { @for tag in by_tag.keys() { li { a href={ "#" (anchor(tag)) } { (tag) } } } } }
        @for (tag, operations) in &by_tag {
            h2 id=(anchor(tag)) { (tag) }
            @for operation in operations { (shown(document, origin, operation)) }
        }
    };
    let banner = service.options.is_sandbox.then_some(BANNER);
    Page { title: TITLE, banner, form_origins: Vec::new(), body }
}

fn anchor(tag: &str) -> String {
    tag.replace(' ', "-")
}

fn shown(document: &Value, origin: &str, operation: &Operation<'_>) -> Markup {
    let is = operation.is;
    let caller = is["security"][0].as_object().and_then(|callers| callers.keys().next());
    let request = &is["requestBody"]["content"]["application/json"]["schema"];
    html! {
        details {
            summary {
                code { (operation.method.to_uppercase()) " " (operation.path) }
                " " (is["summary"].as_str().unwrap_or_default())
            }
            @if let Some(text) = is["description"].as_str() { p { (text) } }
            @if let Some(caller) = caller { p { "Authorization: Bearer (" (caller) ")" } }
            @for parameter in is["parameters"].as_array().into_iter().flatten() {
                p {
                    code { (parameter["name"].as_str().unwrap_or_default()) }
                    " (" (parameter["in"].as_str().unwrap_or_default()) ") "
                    (parameter["description"].as_str().unwrap_or_default())
                }
            }
            @if !request.is_null() { h3 { "Body" } (members(document, request, 0)) }
            @for (status, answer) in is["responses"].as_object().into_iter().flatten() {
                h3 { (status) " " (answer["description"].as_str().unwrap_or_default()) }
                (members(document, &answer["content"]["application/json"]["schema"], 0))
            }
            pre { code { (example(document, origin, operation, caller.map(String::as_str), request)) } }
        }
    }
}

/// The schema itself, where `schema` only names it.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let name = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/components/schemas/"));
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}

/// The members of a body, each with its kind and meaning.
fn members(document: &Value, schema: &Value, depth: usize) -> Markup {
    let schema = resolved(document, schema);
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    html! {
        @if depth < DEPTH_MAX {
            ul {
                @for (name, member) in schema["properties"].as_object().into_iter().flatten() {
                    li {
                        code { (name) } " " (kind(document, member)) @if required(name) { " *" }
                        " " (member["description"].as_str().unwrap_or_default())
                        @if member.get("$ref").is_some() { (members(document, member, depth + 1)) }
                        @if member["items"].get("$ref").is_some() { (members(document, &member["items"], depth + 1)) }
                    }
                }
            }
        }
    }
}

fn kind(document: &Value, member: &Value) -> String {
    let member = resolved(document, member);
    match &member["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "object".into(),
    }
}

fn example(document: &Value, origin: &str, operation: &Operation<'_>, caller: Option<&str>, request: &Value) -> String {
    let mut lines = vec![format!("curl -X {} {origin}{}", operation.method.to_uppercase(), operation.path)];
    if let Some(caller) = caller {
        lines.push(format!("  -H \"Authorization: Bearer ${}_TOKEN\"", caller.to_uppercase()));
    }
    let parameters = operation.is["parameters"].as_array();
    if parameters.is_some_and(|all| all.iter().any(|one| one["name"] == "Idempotency-Key")) {
        lines.push("  -H \"Idempotency-Key: $(uuidgen)\"".into());
    }
    if !request.is_null() {
        let schema = resolved(document, request);
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let body: serde_json::Map<String, Value> =
            required.map(|name| (name.to_owned(), sample(document, &schema["properties"][name]))).collect();
        lines.push("  -H 'Content-Type: application/json'".into());
        lines.push(format!("  -d '{}'", Value::Object(body)));
    }
    lines.join(" \\\n")
}

fn sample(document: &Value, member: &Value) -> Value {
    match kind(document, member).as_str() {
        "integer" => 1_000.into(),
        "boolean" => true.into(),
        "array" => vec![Value::from("…")].into(),
        _ => "…".into(),
    }
}
