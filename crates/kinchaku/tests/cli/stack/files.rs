//! A bank that takes debits by nightly files: what is asked for by day moves in the evening and is answered in the morning.

use super::world::{BANK, World, at};
use crate::served::{Served, Started};

const HOUR_SECONDS: i64 = 3_600;

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_by_files_is_collected_in_the_evening_of_a_business_day_and_settled_the_next_morning() {
    let environment = vec![("KINCHAKU_SANDBOX_FILE_BANKS", format!("[\"{BANK}\"]"))];
    // Friday, 17 September 2027, at noon.
    let started = Started { environment, ..Started::default() };
    let world = World::of(Served::start_so_at(started, at(17, "12:00:00"), true));
    let (person, mandate) = world.linked().await;
    let first = world.top_up(&person, &mandate, 10_000).await;
    assert_eq!(first.status, 202, "{}", first.text);
    // Hours later, what the bank has moved, and what the purse has: at 21:00, at 23:00, on Saturday at 5:00.
    for (hours, moved, funds) in [(9, &[][..], 0), (2, &[-10_000][..], 0), (6, &[-10_000][..], 10_000)] {
        world.advance(hours * HOUR_SECONDS).await;
        world.bank_moved(&person, moved).await;
        assert_eq!(world.funds(&person).await, funds, "{hours} hours later");
    }
    assert_eq!(world.status(&person, &first).await, "settled");
}
