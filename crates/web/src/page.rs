//! Pages: one shell for every service, Japanese first, English second, readable on a phone, without a script.

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, response::Html};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

/// Where the style sheet is; each service that has pages merges [`assets`].
pub const STYLE_PATH: &str = "/assets/page.css";

/// A sentence for people, in both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// Japanese.
    pub ja: &'static str,
    /// English.
    pub en: &'static str,
}

/// What a page that meets a simulated world says above all.
pub const SANDBOX: Words = Words {
    ja: "これは試験環境です。お金も口座も本物ではありません。",
    en: "This is a sandbox: no money and no account here is real.",
};

/// A page to be shown.
pub struct Page {
    /// What it is.
    pub title: Words,
    /// Shown above everything, in the sandbox: what this is.
    pub banner: Option<Words>,
    /// Origins, beside the own one, that a form of this page may lead to, also by the redirect that answers it.
    pub form_origins: Vec<String>,
    /// What it says.
    pub body: Markup,
}

/// A sentence in both languages.
pub fn words(words: Words) -> Markup {
    html! { span lang="ja" { (words.ja) } " " span.en lang="en" { (words.en) } }
}

impl Page {
    /// The page with another status than 200.
    pub fn with_status(self, status: StatusCode) -> Response {
        let mut response = self.into_response();
        *response.status_mut() = status;
        response
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let markup = html! {
            (DOCTYPE)
            html lang="ja" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title.ja) " / " (self.title.en) }
                    link rel="stylesheet" href=(STYLE_PATH);
                    // No browser need ask for a picture that is not there.
                    link rel="icon" href="data:,";
                }
                body {
                    @if let Some(banner) = self.banner { p.banner role="note" { (words(banner)) } }
                    main { h1 { (words(self.title)) } (self.body) }
                }
            }
        };
        let mut policy = "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'".to_owned();
        for origin in &self.form_origins {
            policy.push(' ');
            policy.push_str(origin);
        }
        let mut response = Html(markup.into_string()).into_response();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}

/// The style sheet.
pub fn assets() -> Router {
    Router::new().route(STYLE_PATH, get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #8a94a0; --act: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --paper: #15181c; --line: #7c8794; --act: #8cc2ff; } }
* { box-sizing: border-box; }
body { margin: 0; overflow-wrap: anywhere; font: 1rem/1.6 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 44rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; }
.en { display: block; font-size: .9em; opacity: .85; }
.banner { margin: 0; padding: .5rem 1rem; background: #ffd54a; color: #1b1f24; text-align: center; }
.error { border-left: .3rem solid #b3261e; padding: .25rem .75rem; }
label { display: block; margin-top: .8rem; }
input, select, button { font: inherit; padding: .55rem .7rem; border: 1px solid var(--line); border-radius: .35rem; max-width: 100%; color: inherit; background: transparent; }
input[type=text], input[type=email], input[type=password], input[type=date], select { width: 100%; }
button { margin-top: 1rem; background: var(--act); color: var(--paper); border-color: var(--act); min-height: 44px; cursor: pointer; }
button.second { background: transparent; color: var(--act); }
a { color: var(--act); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
pre { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line); }
td.yen, th.yen { text-align: right; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: minmax(min-content, max-content) minmax(50%, 1fr); gap: .25rem 1rem; } dt { opacity: .8; } dd { margin: 0; }
";
