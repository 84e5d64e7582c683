//! Which requests begin something that ends later: their idempotency keys are kept until then.

use super::story::Story;
use crate::Wallets;
use domain::Domain;

/// Tells `given`, then `deed`, which begins an operation; after `end` that has ended.
fn check(given: &str, deed: &str, end: &str) {
    let mut story = Story::new();
    let tell = |story: &mut Story, sentences: &str| {
        sentences.split(';').map(str::trim).filter(|sentence| !sentence.is_empty()).for_each(|one| story.tell(one));
    };
    tell(&mut story, given);
    tell(&mut story, deed);
    let begun = Wallets::operation_begun(story.world.last_events());
    let key = begun.unwrap_or_else(|| panic!("{deed}: it begins an operation"));
    let is_final = |story: &Story| story.world.row(key).map(Wallets::is_final);
    assert_eq!(is_final(&story), Some(false), "{deed}");
    for sentence in end.split(';') {
        assert_eq!(is_final(&story), Some(false), "before {sentence}");
        tell(&mut story, sentence);
        assert_eq!(Wallets::operation_begun(story.world.last_events()), None, "{sentence}");
    }
    assert_eq!(is_final(&story), Some(true), "{end}");
}

#[test]
fn what_ends_later_keeps_its_key_until_then() {
    check("A links X", "A tops up 100 from X -> pending", "bank is asked -> in_doubt; bank moved 100 -> settled");
    check(
        "A links X",
        "A tops up 100 from X -> pending",
        "A cancels -> pending; bank moved 100 -> returned; bank gave back -> returned",
    );
    check(
        "A links X",
        "A tops up 100 from X -> pending",
        "bank moved 10 -> in_doubt, flagged; ann proposes decline -> in_doubt, flagged; bob approves decline -> declined",
    );
    let rich = "A links X; A tops up 30000 from X -> pending; bank moved 30000 -> settled; 2 days pass";
    check(rich, "A pays out 1000 to X -> pending", "bank declines -> declined");
    check("A has 500 prepaid", "S holds 300 of A -> authorised", "S captures 200 -> captured");
    check("A has 500 funds; the guard holds", "A sends B 300 -> held", "desk says no -> given_up");
    check("", "A asks to link -> requested", "bank's page opens -> authenticating; bank says no -> refused");
}

#[test]
fn what_ends_at_once_begins_nothing() {
    let mut story = Story::new();
    for sentence in ["A has 500 prepaid", "A pays S 100 -> captured", "A pays S 9000 -> insufficient funds, 400 there"]
    {
        story.tell(sentence);
        assert_eq!(Wallets::operation_begun(story.world.journal.last().map_or(&[], Vec::as_slice)), None, "{sentence}");
    }
}
