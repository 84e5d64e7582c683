//! Batching is invisible for the wallet too: what a simulated month asked, in any other batches, comes to the same rows, records
//! and answers.

use super::service::open_core;
use super::world::World;
use domain::Key;
use engine::memory::Disk;
use engine::{Answered, SealedRecord, Stored, Submission};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use wallet::{Context, Row, Wallets};

/// The seeds whose months are told again.
const SEEDS: [u64; 3] = [3, 7, 11];

/// What was asked in a month, and in which context.
struct Month {
    context: Arc<Context>,
    heard: Vec<Submission<Wallets>>,
}

fn months() -> &'static [Month] {
    static MONTHS: OnceLock<Vec<Month>> = OnceLock::new();
    MONTHS.get_or_init(|| {
        SEEDS
            .iter()
            .map(|seed| {
                let mut world = World::new(*seed).expect("a world");
                world.heard = Some(Vec::new());
                world.run().expect("a month without a violation");
                let heard = world.heard.take().expect("everything was heard");
                Month { context: Arc::clone(world.service.context()), heard }
            })
            .collect()
    })
}

#[derive(Debug, PartialEq)]
struct Ending {
    answers: Vec<Answered<Wallets>>,
    records: Vec<SealedRecord>,
    rows: BTreeMap<Key, Stored<Row>>,
}

/// Gives the service all of it in batches of the given sizes, over and over.
fn told(month: &Month, sizes: &[usize]) -> Ending {
    let disk = Disk::new();
    disk.set_slice_rows(7);
    let mut core = open_core(&disk, &month.context, u32::MAX).expect("an empty disk is opened");
    let (mut all, mut answers) = (Vec::new(), Vec::new());
    let mut rest = month.heard.as_slice();
    for size in sizes.iter().cycle() {
        let (batch, later) = rest.split_at((*size).min(rest.len()));
        core.step(batch, &mut answers);
        all.append(&mut answers);
        core.idle();
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    core.close().expect("closed");
    Ending { answers: all, records: disk.records(1, 100_000), rows: disk.rows() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_a_month_gives_the_same(
        which in 0..SEEDS.len(),
        sizes in prop::collection::vec(1..40_usize, 1..6),
    ) {
        let month = &months()[which];
        prop_assert!(month.heard.len() > 1_000);
        let (one_by_one, split) = (told(month, &[1]), told(month, &sizes));
        // Not the endings themselves: a difference of theirs would fill the screen.
        prop_assert!(one_by_one.answers == split.answers, "answers differ at {:?}", sizes);
        prop_assert!(one_by_one.records == split.records, "records differ at {:?}", sizes);
        prop_assert!(one_by_one.rows == split.rows, "rows differ at {:?}", sizes);
    }
}
