//! Every notice stands in the outbox once, in order, under the same id: whatever comes twice, crashes or is deleted.

use super::world::World;
use crate::notices::{Notices, Pending, Told, check_page, follower, pack};
use engine::{CONSUMERS_FILE, Consumer, Consumers, Cursors, EffectId, StoreError};
use std::collections::BTreeSet;
use std::fs;
use wallet::notice::{self, Kind};

/// What the whole journal gives rise to, by a plain walk.
fn expected(world: &World) -> Vec<Told> {
    let mut told = Vec::new();
    for record in world.records() {
        let mut index = 0;
        for event in &record.entry.events {
            notice::notices(event, &mut |notice| {
                told.push(Told { id: EffectId { place: record.place, index }, notice });
                index += 1;
            });
        }
    }
    told
}

fn pending(world: &World) -> Pending {
    Pending::open(world.directory.path()).expect("the outbox opens")
}

fn check(world: &World) {
    let told = pending(world).read(usize::MAX).expect("the notices are read");
    let ids: BTreeSet<EffectId> = told.iter().map(|told| told.id).collect();
    assert_eq!(ids.len(), told.len(), "no notice stands there twice");
    assert_eq!(told, expected(world));
}

fn catch_up(world: &World) {
    let mut follower = follower(world.directory.path(), Box::new(world.journal())).expect("the consumer opens");
    let head = world.journal().head().expect("the head is read").place.n;
    while follower.catch_up(head).expect("the journal is followed") {}
    follower.settle().expect("the cursor is saved");
    assert_eq!(follower.cursor(), head);
}

#[test]
fn notices_of_a_journal_are_made_once() {
    let mut world = World::new();
    for _ in 0..5 {
        world.round();
        catch_up(&world);
        check(&world);
    }
    let told = expected(&world);
    for kind in [Kind::Paid, Kind::PaymentHeld, Kind::PaymentCaptured, Kind::PaymentReleased, Kind::Refunded] {
        assert!(told.iter().any(|told| told.notice.kind == kind), "no notice says {kind:?}");
    }
}

#[test]
fn what_comes_again_is_not_told_again() {
    let mut world = World::new();
    world.round();
    let records = world.records();
    let mut notices = Notices::open(world.directory.path()).expect("the outbox opens");
    for cut in 1..records.len() {
        notices.handle(&records[..cut]).expect("the records are handled");
        notices.handle(&records[cut / 2..cut]).expect("the records are handled");
        if cut % 3 == 0 {
            notices.cursors().save("notices", 0).expect("the page is saved");
        }
    }
    notices.handle(&records).expect("the records are handled");
    notices.cursors().save("notices", 0).expect("the page is saved");
    check(&world);
}

#[test]
fn a_crash_before_a_page_was_saved_loses_nothing() {
    let mut world = World::new();
    for round in 0..6_usize {
        world.round();
        let records = world.records();
        let mut notices = Notices::open(world.directory.path()).expect("the outbox opens");
        let from = notices.cursors().load("notices").expect("the cursor is read");
        let from = usize::try_from(from).expect("a small journal");
        notices.handle(&records[from..from + 2 + round]).expect("the records are handled");
        if round % 2 == 0 {
            notices.cursors().save("notices", 0).expect("the page is saved");
        }
        notices.handle(&records[from + 2 + round..from + 3 + round]).expect("the records are handled");
        // Dropped here with what was not saved: as a crash would.
    }
    catch_up(&world);
    check(&world);
}

#[test]
fn a_deleted_outbox_is_made_again_under_the_same_ids() {
    let mut world = World::new();
    world.round();
    catch_up(&world);
    let before = expected(&world);
    for suffix in ["", "-wal", "-shm"] {
        let removed = fs::remove_file(world.directory.path().join(format!("{CONSUMERS_FILE}{suffix}")));
        assert!(removed.is_ok() || !suffix.is_empty(), "the outbox was there");
    }
    catch_up(&world);
    assert_eq!(pending(&world).read(usize::MAX), Ok(before));
}

#[test]
fn an_outbox_that_is_ahead_of_the_journal_is_refused() {
    let mut world = World::new();
    world.round();
    catch_up(&world);
    let other = World::new();
    for suffix in ["", "-wal"] {
        let name = format!("{CONSUMERS_FILE}{suffix}");
        let (from, to) = (world.directory.path().join(&name), other.directory.path().join(&name));
        let copied = fs::copy(from, to);
        assert!(copied.is_ok() || !suffix.is_empty(), "the outbox was there");
    }
    let refused = follower(other.directory.path(), Box::new(other.journal())).err();
    assert!(matches!(refused, Some(StoreError::Damaged(what)) if what.contains(CONSUMERS_FILE)));
}

#[test]
fn notices_are_taken_in_order_a_record_at_a_time() {
    let mut world = World::new();
    for _ in 0..3 {
        world.round();
        catch_up(&world);
    }
    let mut taken = Vec::new();
    loop {
        // Opened anew each time: whoever takes them may crash in between.
        let mut pending = pending(&world);
        let some = pending.read(2).expect("the notices are read");
        let Some(last) = some.last() else { break };
        assert!(some.len() <= 4, "about two are read");
        pending.take(last.id).expect("they are taken");
        taken.extend(some);
    }
    assert_eq!(taken, expected(&world));
}

#[test]
fn a_running_engine_fills_the_outbox() {
    let mut world = World::new();
    let head = world.core().status().head;
    let mut consumers = Consumers::new(&head);
    consumers.add(follower(world.directory.path(), Box::new(world.journal())).expect("the consumer opens"));
    let (observer, watch) = consumers.connect();
    world.core().observe(observer);
    for _ in 0..200 {
        world.round();
    }
    world.core = None;
    watch.join().expect("the consumer ends");
    check(&world);
}

/// Notices in the page that is damaged.
const DAMAGED_NOTICES: usize = 12;

#[test]
fn a_damaged_page_is_refused_or_stays_the_same() {
    let mut world = World::new();
    world.round();
    let mut told = expected(&world);
    told.truncate(DAMAGED_NOTICES);
    assert!(!told.is_empty(), "a round has notices");
    let page = pack(1, &told);
    assert!(check_page(&page), "what was packed is understood");
    for at in 0..page.len() {
        check_page(&page[..at]);
        for bit in 0..8 {
            let mut damaged = page.clone();
            damaged[at] ^= 1 << bit;
            check_page(&damaged);
        }
    }
}
