//! What the desk has in writing: who did what, which rules are in force, who was told of what, and each day as one document.

use super::desk::call;
use super::world::{Answer, World};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 3_600_000;

async fn audit(world: &World, query: &str) -> Answer {
    let answer = call(world, "GET", &format!("/audit{query}"), "desk-3", None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer
}

#[tokio::test]
async fn the_audit_has_who_did_what_and_what_they_were_refused() {
    let mut world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    world.top_up(&token, &wallet, &mandate, 1_000).await;
    let name = wallet.strip_prefix("/v1/wallets/").expect("a path").to_owned();
    assert_eq!(audit(&world, "").await.body["data"], json!([]), "nobody of the desk did anything");
    let stop = json!({ "function": "top_up", "bank_code": "0125", "reason": "不正な登録の調査中" });
    assert_eq!(call(&world, "POST", "/switches", "desk-1", Some(stop)).await.status, 201);
    for staff in ["desk-4", "desk-4", "desk-1"] {
        call(&world, "POST", &format!("/wallets/{name}/freeze"), staff, Some(json!({ "reason": "申告による" }))).await;
    }
    let nobody = format!("wlt_{}7", "0".repeat(31));
    call(&world, "POST", &format!("/wallets/{nobody}/freeze"), "desk-4", Some(json!({ "reason": "x" }))).await;
    // Another role was needed: nothing was asked of the books.
    call(&world, "POST", &format!("/wallets/{name}/freeze"), "desk-3", Some(json!({ "reason": "x" }))).await;

    let listed = audit(&world, "").await;
    let lines = listed.body["data"].as_array().expect("lines").clone();
    assert!(lines.iter().any(|line| line["reason"] == "不正な登録の調査中"), "{}", listed.text);
    let frozen = lines.iter().find(|line| line["about"].as_array().is_some_and(|about| about.contains(&json!(name))));
    let frozen = frozen.expect("the freeze is there");
    assert_eq!((&frozen["outcome"], &frozen["by"]["name"]), (&json!("done"), &json!("Person 4")), "{frozen}");
    assert_eq!(frozen["reason"], "申告による", "the journal has why");
    assert!(lines.iter().any(|line| line["outcome"] == "not-found"), "what was refused is there too: {}", listed.text);
    assert!(lines.iter().all(|line| line["by"]["name"] != "Person 3"), "{}", listed.text);
    let records: Vec<u64> = lines.iter().map(|line| line["record"].as_u64().expect("a number")).collect();
    assert!(records.is_sorted_by(|one, other| one > other), "newest first: {records:?}");

    let first = lines.iter().find(|line| line["by"]["name"] == "Person 1").expect("a line of theirs");
    let staff = first["by"]["id"].as_str().expect("an id").to_owned();
    let theirs = audit(&world, &format!("?staff={staff}")).await;
    let expected: Vec<&Value> = lines.iter().filter(|line| line["by"]["id"] == staff.as_str()).collect();
    assert_eq!(theirs.body["data"].as_array().expect("lines").iter().collect::<Vec<_>>(), expected);

    // Page by page it is the same, after the file of due work was lost as well.
    world.restart(true);
    let (mut paged, mut path) = (Vec::new(), "?limit=1".to_owned());
    loop {
        let page = audit(&world, &path).await;
        paged.extend(page.body["data"].as_array().expect("lines").clone());
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("?limit=1&cursor={cursor}");
    }
    assert_eq!(paged, lines);
    for (path, staff, problem) in [
        ("/audit?staff=abe", "desk-3", (400, "malformed")),
        ("/audit?limit=0", "desk-3", (400, "malformed")),
        ("/audit", "desk-7", (403, "role-needed")),
        ("/audit", "nobody", (401, "unauthenticated")),
    ] {
        assert_eq!(call(&world, "GET", path, staff, None).await.problem(), problem, "{path}");
    }
}

#[tokio::test]
async fn the_rules_of_a_day_are_those_of_its_policy() {
    let mut first = wallet::Policy::default();
    let rule = first.monitoring[0].clone();
    let mut later = first.clone();
    later.monitoring = vec![rule];
    first.monitoring.clear();
    let from = domain::Day::from(jiff::civil::date(2026, 1, 3));
    let policies = wallet::Policies::new(first).then(from, later);
    let world = World::in_context(wallet::Context { policies, ..wallet::Context::default() });
    let rules = async |query: &str| call(&world, "GET", &format!("/rules{query}"), "desk-3", None).await;
    assert_eq!(rules("").await.body["data"], json!([]));
    let dated = rules("?day=2026-01-03").await;
    let rule = &dated.body["data"][0];
    assert_eq!(
        (&rule["verdict"], &rule["reason"], &rule["functions"]),
        (&json!("hold"), &json!(101), &json!(["top_up"]))
    );
    assert_eq!(rule["when"]["topped_up_from"], 100_000, "{}", dated.text);
    assert_eq!(rules("?day=soon").await.problem(), (400, "malformed"));
    world.advance(3 * DAY_MS);
    assert_eq!(rules("").await.body, dated.body);
}

#[tokio::test]
async fn a_day_says_how_many_were_told_and_what_waits_is_seen_without_an_address() {
    let world = World::new();
    let holder = world.join("sakura").await;
    world.run_due().await;
    let notices = async |path: &str| call(&world, "GET", &format!("/notices{path}"), "desk-3", None).await;
    let told = notices("").await;
    let today = told.body["data"][0].clone();
    let (written, delivered) = (today["written"].as_u64(), today["delivered"].as_u64());
    assert!(written >= Some(1) && written == delivered && today["given_up"] == 0, "{today}");
    assert_eq!(written, u64::try_from(world.inbox.0.lock().expect("nobody panicked").len()).ok(), "each once");

    world.routers.add("sandbox.localhost", axum::Router::new());
    world.log_in("sakura").await;
    world.run_due().await;
    let waiting = notices("/waiting").await;
    let letter = &waiting.body["data"][0];
    assert_eq!(letter["holder_id"], holder.as_str(), "{}", waiting.text);
    assert!(!waiting.text.contains('@') && !waiting.text.contains("logged in"), "{}", waiting.text);
    for _ in 0..800 {
        world.advance(15 * 60_000);
        world.run_due().await;
        if notices("/waiting").await.body["data"] == json!([]) {
            break;
        }
    }
    let days = notices("?limit=100").await.body["data"].as_array().expect("days").clone();
    let given_up: u64 = days.iter().filter_map(|day| day["given_up"].as_u64()).sum();
    assert_eq!(given_up, 1, "nobody took it in three days: {days:?}");
    assert_eq!(notices("/waiting").await.body["data"], json!([]));
}

#[tokio::test]
async fn a_day_is_one_document() {
    let world = World::new();
    let (token, wallet) = world.identified("sakura").await;
    let mandate = world.link("sakura", &token, &wallet).await;
    world.top_up(&token, &wallet, &mandate, 5_000).await;
    world.run_due().await;
    let day = world.now().day();
    let report = async |day: &str| call(&world, "GET", &format!("/reports/{day}"), "desk-3", None).await;
    let open = report(&day.to_string()).await;
    assert_eq!(
        (&open.body["safeguarding"], &open.body["banks"][0]["net"]),
        (&Value::Null, &json!(5_000)),
        "{}",
        open.text
    );
    world.advance(DAY_MS + 15 * 60_000);
    world.run_due().await;
    let over = report(&day.to_string()).await;
    assert_eq!(over.body["safeguarding"]["debt"], 5_000, "{}", over.text);
    let banks = over.body["banks"].as_array().expect("banks");
    assert_eq!((banks.len(), &banks[0]["bank_code"]), (1, &json!("0125")), "{}", over.text);
    assert!(over.body["letters_written"].as_u64() >= Some(1), "{}", over.text);
    let before = report(&day.plus(-1).to_string()).await;
    assert_eq!((&before.body["banks"], &before.body["cases"]), (&json!([]), &json!([])), "{}", before.text);
    assert_eq!(report("yesterday").await.problem(), (400, "malformed"));
}
