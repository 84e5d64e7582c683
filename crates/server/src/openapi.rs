//! The descriptions (`OpenAPI` 3.1) of the API and of the desk's, made from the handlers themselves, and a page to read each in.
//!
//! A room gives its paths as an `OpenApiRouter`: what is served is what is described.

mod page;

use crate::service::Service;
use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use http::header;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

/// Who may come in, and with what.
const CALLERS: [(&str, &str); 4] = [
    ("holder", "The token of a session: POST /v1/sessions. Pages use a cookie instead."),
    ("shop", "The token that the operator's desk gave the shop."),
    ("desk", "The token of somebody at the operator's desk."),
    ("claimant", "The code that a claim was answered with."),
];

/// The rooms as one router, with their description at `/openapi.json`.
pub fn served(people: OpenApiRouter<Arc<Service>>, money: OpenApiRouter<Arc<Service>>) -> Router<Arc<Service>> {
    with_pages(described(people, money), |service| service.options.origin.clone())
}

/// The desk's rooms as one router, with their description; its first page is the description.
pub fn served_desk(rooms: OpenApiRouter<Arc<Service>>) -> Router<Arc<Service>> {
    let router = with_pages(described_desk(rooms), |service| service.options.desk_origin());
    router.route("/", get(|| async { Redirect::to("/docs") }))
}

fn with_pages(described: OpenApiRouter<Arc<Service>>, origin: fn(&Service) -> String) -> Router<Arc<Service>> {
    let (router, document) = described.split_for_parts();
    let text: Arc<str> = document.to_pretty_json().unwrap_or_default().into();
    let json = move || {
        let text = Arc::clone(&text);
        async move { ([(header::CONTENT_TYPE, "application/json")], text.to_string()) }
    };
    let document = Arc::new(serde_json::to_value(&document).unwrap_or_default());
    let page = move |State(service): State<Arc<Service>>| {
        let document = Arc::clone(&document);
        async move { page::page(&service, &origin(&service), &document) }
    };
    router.route("/openapi.json", get(json)).route("/docs", get(page))
}

fn described(people: OpenApiRouter<Arc<Service>>, money: OpenApiRouter<Arc<Service>>) -> OpenApiRouter<Arc<Service>> {
    let callers = ["holder", "shop", "claimant"];
    with_problems(OpenApiRouter::with_openapi(head("Kinchaku", ABOUT, &callers)).merge(people).merge(money))
}

fn described_desk(rooms: OpenApiRouter<Arc<Service>>) -> OpenApiRouter<Arc<Service>> {
    with_problems(
        OpenApiRouter::with_openapi(head("Kinchaku: the operator's desk", ABOUT_DESK, &["desk"])).merge(rooms),
    )
}

/// What every operation may be answered instead (RFC 9457); further members name what was asked and what is possible.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is described here, and made in `web`")]
struct Problem {
    /// Which problem it is: stable, `/problems/…`.
    r#type: String,
    /// It in one sentence of English.
    title: String,
    /// The same in Japanese.
    title_ja: String,
    /// The status code.
    status: u16,
    /// What can be done about it.
    detail: Option<String>,
}

/// Says of every operation that it may be refused.
fn with_problems(mut rooms: OpenApiRouter<Arc<Service>>) -> OpenApiRouter<Arc<Service>> {
    let document = rooms.get_openapi_mut();
    let schema = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let refused = ResponseBuilder::new()
        .description("It is refused: what was asked, why not, and what is possible.")
        .content("application/problem+json", schema)
        .build();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".into(), refused.clone().into());
        }
    }
    document.components.get_or_insert_default().schemas.insert("Problem".into(), Problem::schema());
    rooms
}

const ABOUT: &str = "Amounts are whole yen. Times are RFC 3339. Ids are opaque. Errors are problem documents (RFC 9457) with a \
                 stable `type`. Every POST that changes something takes an `Idempotency-Key`: the same key and body are the \
                 same request. Lists are newest first and go on at `next_cursor`. Unknown members are refused.";
const ABOUT_DESK: &str = "For the people of the operator's desk, each under their own name, with the roles that they have: viewer, \
                          risk, approver, sales. What takes two is proposed by one person and approved by another. Amounts are \
                          whole yen. Times are RFC 3339. Errors are problem documents (RFC 9457) with a stable `type`. Every \
                          POST takes an `Idempotency-Key`. Unknown members are refused.";

/// What is said of an API as a whole.
fn head(title: &str, about: &str, callers: &[&str]) -> OpenApi {
    let info = InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .contact(None::<utoipa::openapi::Contact>);
    let mut components = Components::new();
    for (name, description) in CALLERS.into_iter().filter(|(name, _)| callers.contains(name)) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
        components.add_security_scheme(name, SecurityScheme::Http(bearer));
    }
    OpenApiBuilder::new().info(info.build()).components(Some(components)).build()
}

#[cfg(test)]
pub fn document(people: OpenApiRouter<Arc<Service>>, money: OpenApiRouter<Arc<Service>>) -> String {
    written(described(people, money))
}

#[cfg(test)]
pub fn desk_document(rooms: OpenApiRouter<Arc<Service>>) -> String {
    written(described_desk(rooms))
}

#[cfg(test)]
fn written(described: OpenApiRouter<Arc<Service>>) -> String {
    let mut text = described.into_openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
