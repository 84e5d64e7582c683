//! Wallet, gateway and the outside world as three processes with one data directory: one clock, and every story as before.

use super::browser::Browser;
use super::world::{BANK, World};
use crate::served::{Served, Started, place};
use serde_json::json;
use std::net::TcpListener;
use std::sync::Arc;
use tempfile::TempDir;

/// Three ports that are free now.
fn ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    held.map(|listener| listener.local_addr().expect("it has an address").port())
}

struct Apart {
    world: World,
    gateway: Served,
    wallet: Served,
}

fn start(place: &Arc<TempDir>) -> Apart {
    let [wallet, gateway, sandbox] = ports();
    let environment = vec![
        ("KINCHAKU_SANDBOX_WALLET_ORIGIN", format!("http://localhost:{wallet}")),
        ("KINCHAKU_SANDBOX_GATEWAY_ORIGIN", format!("http://gateway.localhost:{gateway}")),
        ("KINCHAKU_SANDBOX_PORT", sandbox.to_string()),
    ];
    let part = |port, role: &str| {
        let environment = environment.clone();
        Served::start_in(
            place,
            Started { port, arguments: vec!["--roles".to_owned(), role.to_owned()], environment, ..Started::default() },
        )
    };
    let (sandbox, gateway_part, wallet_part) =
        (part(sandbox, "sandbox"), part(gateway, "gateway"), part(wallet, "wallet"));
    let mut world = World::of(sandbox);
    world.elsewhere("localhost", wallet);
    world.elsewhere("desk.localhost", wallet);
    world.elsewhere("gateway.localhost", gateway);
    Apart { world, gateway: gateway_part, wallet: wallet_part }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_share_one_clock_and_do_what_is_due_when_it_is_advanced() {
    let Apart { world, .. } = &start(&place());
    let person = world.person(BANK).await;
    let mandate = Browser::new(world).link(&person).await;
    world.faults(BANK, json!({ "late_seconds": 7_200, "silent": true })).await;
    let top_up = world.top_up(&person, &mandate, 5_000).await;
    assert_eq!(top_up.status, 202, "{}", top_up.text);
    world.advance(3_600).await;
    assert_eq!(world.funds(&person).await, 0);
    world.faults(BANK, json!({})).await;
    world.advance(86_400).await;
    // No wait: when advancing has answered, what was due is done in every process.
    assert_eq!((world.status(&person, &top_up).await.as_str(), world.funds(&person).await), ("settled", 5_000));
    let known = world.ask(axum::http::Method::POST, "localhost", "/sandbox/v1/due", "", serde_json::Value::Null).await;
    assert_eq!(known.status, 200, "{}", known.text);
    let other = world.second_operator("GET", "/gateway/v1/mandates", serde_json::Value::Null).await;
    assert_eq!(other.0, 200, "the second operator is known to a gateway of its own process: {other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_part_says_by_itself_whether_it_lives_and_can_work() {
    let Apart { world, gateway, wallet } = start(&place());
    for (part, host) in [(&world.served, "sandbox.localhost"), (&gateway, "gateway.localhost"), (&wallet, "localhost")]
    {
        for (path, says) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
            let answer = part.get(host, path);
            assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(says), "{host}{path}: {answer}");
        }
    }
    // One that has ended is not there, and the others say nothing else of themselves than before.
    assert_eq!(gateway.stop(), Some(0));
    for (part, host) in [(&world.served, "sandbox.localhost"), (&wallet, "localhost")] {
        assert!(part.get(host, "/readyz").ends_with("ready\n"), "{host}");
    }
}
