//! Figures for whoever watches: what is open, owed and found, over all banks.

use super::bank::Mood;
use super::files::{HOUR_MS, STRONG, debit};
use super::world::World;
use bytes::Bytes;
use http::Request;
use web::{Bounds, Transport};

/// The figure of that name.
async fn figure(world: &World, name: &str) -> u64 {
    let request = Request::get("http://gateway.localhost:8080/metrics").body(Bytes::new()).expect("a request");
    let answer = world.routers.call(request, Bounds::default()).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let text = std::str::from_utf8(answer.body()).expect("text").to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("kinchaku_gateway_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

#[tokio::test]
async fn what_is_open_and_missing_is_counted_over_all_banks() {
    let world = World::new().await;
    let mandate = world.link("kinchaku", "w1", "1234567", STRONG).await.to_string();
    assert_eq!((figure(&world, "movements_open").await, figure(&world, "banks_left_alone").await), (0, 0));
    assert!(figure(&world, "journal_records_total").await > 0);
    world.bank.books().mood = Mood::IsDown;
    for reference in ["1", "2", "3", "4", "5"] {
        debit(&world, &mandate, reference, 100).await;
    }
    assert_eq!(figure(&world, "movements_open").await, 0, "a second has not passed");
    assert_eq!(figure(&world, "banks_left_alone").await, 1);
    world.pass(1_000);
    assert_eq!(figure(&world, "movements_open").await, 5);
    // In the afternoon of the next day the files of both banks are overdue.
    world.pass(28 * HOUR_MS);
    world.work().await;
    assert_eq!((figure(&world, "day_files_missing").await, figure(&world, "findings").await), (2, 0));
}
