//! Clocks that go wrong: nothing leaves while the calendar is off, and nothing is ordered or counted by it.

use super::world::World;
use serde_json::json;
use std::sync::atomic::Ordering;

const HOUR_MS: i64 = 3_600_000;

#[tokio::test]
async fn nothing_leaves_while_the_calendar_is_an_hour_off_and_nothing_steps_back() {
    for skew_ms in [HOUR_MS, -HOUR_MS] {
        let world = World::new();
        let (sakura, (shop, _)) = (world.person("sakura").await, world.shop("Soba").await);
        world.give(&sakura, 1_000).await;
        let pay = json!({ "shop_id": shop.to_string(), "amount": 300 });
        let payments = sakura.path("/payments");
        assert_eq!(world.post(&payments, Some(&sakura.token), pay.clone()).await.status, 201);
        let record = || async {
            let journal = world.server.service().engine.status().await.expect("the engine answers");
            journal.head.place.n
        };
        world.clock.1.store(skew_ms, Ordering::SeqCst);
        let before = world.get(&sakura.path("/movements?limit=1"), Some(&sakura.token)).await.body["data"][0].clone();
        let refused = world.post(&payments, Some(&sakura.token), pay.clone()).await;
        assert_eq!(refused.problem(), (503, "clock-drifted"), "{skew_ms}: {}", refused.text);
        assert_eq!(refused.headers["retry-after"], "60");
        // What comes in is taken, and stands behind what was before, whatever the calendar shows.
        let head = record().await;
        world.give(&sakura, 50).await;
        assert!(record().await > head);
        let newest = world.get(&sakura.path("/movements?limit=1"), Some(&sakura.token)).await.body["data"][0].clone();
        let time =
            |line: &serde_json::Value| line["at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("one");
        assert_eq!(newest["kind"], "bonus", "{newest}");
        assert!(time(&newest) >= time(&before), "{newest} behind {before}");
        assert!(time(&newest).as_millisecond() - time(&before).as_millisecond() < HOUR_MS / 2, "{newest}");
        // The clock is right again: it goes on at once.
        world.clock.1.store(0, Ordering::SeqCst);
        assert_eq!(world.post(&payments, Some(&sakura.token), pay).await.status, 201);
    }
}
