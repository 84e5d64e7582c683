//! Everything that a newcomer can reach from the front page: each link answers, and each answer says that this is a sandbox.

use super::browser::Browser;
use super::world::{World, between};
use std::collections::{BTreeSet, VecDeque};

/// Links that are followed, at most: the banks' people are many, and alike.
const LINKS_MAX: usize = 400;
/// What every answer of a sandbox carries.
const MARK: &str = "x-kinchaku-sandbox";

/// Where the links of a page lead, without the part behind `#`.
fn links(page: &str) -> Vec<String> {
    let values = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.split('#').next().unwrap_or_default().replace("&amp;", "&")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_link_from_the_front_page_answers_and_says_that_it_is_a_sandbox() {
    let world = World::start();
    let mut browser = Browser::new(&world);
    let mut seen = BTreeSet::from([world.url("localhost", "/")]);
    let mut waiting: VecDeque<String> = seen.iter().cloned().collect();
    let mut hosts = BTreeSet::new();
    while let Some(url) = waiting.pop_front() {
        let shown = browser.open(&url).await;
        let answer = &shown.answer;
        assert_eq!(answer.status, 200, "{url}: {}", answer.text);
        assert!(answer.headers.contains_key(MARK), "{url}");
        hosts.insert(between(&url, "://", ":").to_owned());
        let kind = answer.headers["content-type"].to_str().expect("a type");
        if !kind.starts_with("text/html") {
            continue;
        }
        assert!(answer.text.contains(web::page::SANDBOX.ja) && answer.text.contains(web::page::SANDBOX.en), "{url}");
        // No page has a script, and none could run: a browser without scripts sees and does the same.
        let policy = answer.headers["content-security-policy"].to_str().expect("a policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{url}: {policy}");
        for script in ["<script", "javascript:", " onclick=", " onload=", " onsubmit="] {
            assert!(!answer.text.contains(script), "{url} has {script}");
        }
        for link in links(&answer.text).into_iter().filter(|link| !link.is_empty() && !link.starts_with("data:")) {
            let link = if link.starts_with("http") { link } else { format!("{}{link}", origin(&url)) };
            assert!(link.starts_with("http://") && between(&link, "://", ":").ends_with("localhost"), "{url}: {link}");
            if seen.len() < LINKS_MAX && seen.insert(link.clone()) {
                waiting.push_back(link);
            }
        }
    }
    let named: Vec<&str> = hosts.iter().map(String::as_str).collect();
    assert_eq!(named, ["desk.localhost", "gateway.localhost", "localhost", "sandbox.localhost"]);
    for path in ["/docs", "/openapi.json", "/login"] {
        assert!(seen.contains(&world.url("localhost", path)), "nothing leads to {path}");
    }
    for path in ["/inbox", "/banks", "/banks/0125", "/clock", "/sandbox/v1/banks"] {
        assert!(seen.contains(&world.url("sandbox.localhost", path)), "nothing leads to {path}");
    }
    for path in ["/not-me", "/confirm"] {
        assert!(seen.contains(&world.url("gateway.localhost", path)), "nothing leads to {path}");
    }
}

fn origin(url: &str) -> String {
    format!("http://{}", between(url, "://", "/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_host_says_that_it_is_a_sandbox_whatever_it_is_asked_and_so_does_every_line_of_the_log() {
    let world = World::start();
    for host in [
        "localhost",
        "desk.localhost",
        "gateway.localhost",
        "sandbox.localhost",
        "bank-0125.localhost",
        "bank-0009.localhost",
        "x.localhost",
    ] {
        for path in
            ["/", "/nothing", "/v1/banks", "/desk/v1/held", "/gateway/v1/jwks", "/connector/v1/about", "/authorize"]
        {
            let answer = world.served.get(host, path).to_ascii_lowercase();
            assert!(answer.contains("x-kinchaku-sandbox: simulated"), "{host}{path}: {answer}");
        }
    }
    world.linked().await;
    let log = world.served.log();
    assert!(log.lines().count() > 0 && log.lines().all(|line| line.starts_with("SANDBOX ")), "{log}");
}
