//! Every status × every command, for mandates, top-ups and payouts: what comes of it, in one table each.
//!
//! A cell is the status that the movement comes to; `=` where the command is accepted and changes nothing; `wish` and
//! `noted` where something is noted and the status stays; `!` where a contradiction is recorded, and no money moves; or the
//! refusal: `no` for a status that does not allow it. `always` stands for one word in every column.

use super::bank::Movement;
use super::story::{Story, in_words};
use crate::refusal::Refusal;
use crate::{Event, Receipt, Row, mandate, payout, table, top_up};
use domain::Key;
use std::collections::BTreeSet;

/// Tells `path`, then `deed`, and says in a word what came of that.
fn cell(path: &str, deed: &str) -> String {
    let mut story = told(path);
    let words: Vec<_> = deed.split_whitespace().collect();
    let before = story.world.rows.clone();
    let command = story.bank_deed(&words).unwrap_or_else(|| panic!("{deed}?"));
    let reply = story.world.run(&command);
    assert_eq!(story.world.replayed(), story.world.rows, "the journal alone comes to other rows: {path}; {deed}");
    match (&reply, story.world.last_events()) {
        (Err(Refusal::WrongStatus { .. }), _) => "no".into(),
        (Err(_), _) => in_words(&reply).replace(' ', "-"),
        (Ok(_), []) => {
            assert_eq!(before, story.world.rows, "nothing happened, and yet: {path}; {deed}");
            "=".into()
        }
        (Ok(_), [Event::TopUp(top_up::Event::Contradicted { .. })]) => "!".into(),
        (Ok(_), [Event::Payout(payout::Event::Contradicted { .. })]) => "!".into(),
        (Ok(_), [Event::TopUp(top_up::Event::CancelWished { .. })]) => "wish".into(),
        (Ok(_), [Event::Payout(payout::Event::CancelWished { .. })]) => "wish".into(),
        (Ok(_), [Event::TopUp(top_up::Event::Proposed { .. } | top_up::Event::GiveBackFailed { .. })]) => {
            "noted".into()
        }
        (Ok(_), [Event::TopUp(top_up::Event::GiveBackAbsent { .. })]) => "noted".into(),
        (Ok(_), [Event::Payout(payout::Event::Proposed { .. })]) => "noted".into(),
        (Ok(Receipt::Mandate { status, .. }), _) => status.name().into(),
        (Ok(Receipt::TopUp { status, .. }), _) => status.name().into(),
        (Ok(Receipt::Payout { status, .. }), _) => status.name().into(),
        (Ok(_), _) => panic!("{path}; {deed}: {reply:?}"),
    }
}

fn told(path: &str) -> Story {
    let mut story = Story::new();
    for sentence in path.split(';').map(str::trim) {
        story.tell(sentence);
    }
    story
}

/// The status that `path` comes to.
fn reached(path: &str) -> &'static str {
    let story = told(path);
    let key = match (story.bank.movement, &story.bank.mandate) {
        (Some(Movement::TopUp(id)), _) => Key::new(table::TOP_UP, id.0),
        (Some(Movement::Payout(id)), _) => Key::new(table::PAYOUT, id.0),
        (None, Some((id, _))) => Key::new(table::MANDATE, id.0),
        (None, None) => panic!("{path}: nothing was asked for"),
    };
    match story.world.row(key) {
        Some(Row::Mandate(row)) => row.status.name(),
        Some(Row::TopUp(row)) => row.status.name(),
        Some(Row::Payout(row)) => row.status.name(),
        other => panic!("{path}: {other:?}"),
    }
}

/// `paths` are the columns, each reached by a story; each row of `table` begins with a deed.
fn check(statuses: &[&'static str], paths: &[&str], table: &str) {
    let reached: BTreeSet<_> = paths.iter().map(|path| reached(path)).collect();
    assert_eq!(reached, statuses.iter().copied().collect(), "a column for every status");
    let mut wrong = Vec::new();
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (deed, expected) = row.split_once('|').expect("a deed, and what comes of it");
        let found: Vec<_> = paths.iter().map(|path| cell(path, deed.trim())).collect();
        let expected: Vec<_> = match expected.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["always", word] => vec![*word; paths.len()],
            words => words.to_vec(),
        };
        if found != expected {
            wrong.push(format!("{} | {}", deed.trim(), found.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "these rows came out as:\n{}", wrong.join("\n"));
}

#[test]
fn a_top_up_in_every_status_meets_every_command() {
    let asked = "A links X; A tops up 100 from X -> pending";
    let paths = [
        "A links X; the guard holds; A tops up 100 from X -> held; the guard allows",
        asked,
        &format!("{asked}; bank is asked -> in_doubt"),
        &format!("{asked}; bank moved 90 -> in_doubt, flagged"),
        &format!("{asked}; bank moved 100 -> settled"),
        &format!("{asked}; bank moved 100 -> settled; bank declines -> settled, flagged"),
        &format!("{asked}; bank declines -> declined"),
        &format!("{asked}; file shows nothing -> declined"),
        &format!("{asked}; A cancels -> pending; bank declines -> cancelled"),
        &format!("{asked}; A cancels -> pending; bank moved 100 -> returned"),
        &format!("{asked}; bank moved 100 -> settled; bank takes back 100 -> reversed"),
    ];
    let statuses = top_up::Status::ALL.map(top_up::Status::name);
    check(
        &statuses,
        &paths,
        "
        A repeats 100 from X   | always top-up-id-taken
        desk releases          | pending   no       no       no            no       no       no no       no no       no
        desk gives up          | declined  no       no       no            no       no       no no       no no       no
        nobody looks           | no        no       no       no            no       no       no no       no no       no
        bank is asked          | no        in_doubt in_doubt in_doubt      =        =        =  =        =  =        =
        bank moved 100         | !         settled  settled  !             =        =        !  returned !  =        =
        bank moved 90          | !         in_doubt in_doubt =             !        !        !  !        !  !        !
        bank moved 80          | !         in_doubt in_doubt !             !        !        !  !        !  !        !
        file shows 100         | !         settled  settled  !             =        =        !  returned !  =        =
        bank declines          | no        declined declined !             !        =        =  =        =  !        =
        bank finds nothing     | no        declined declined !             !        =        =  =        =  !        =
        file shows nothing     | no        declined declined !             !        =        =  =        =  !        =
        bank finds nothing yet | no        in_doubt =        =             =        =        =  =        =  =        =
        bank babbles           | no        in_doubt =        =             =        =        =  =        =  =        =
        A cancels              | cancelled wish     wish     wish          no       no       no no       =  no       no
        B cancels              | always unknown-top-up
        bank takes back 100    | !         reversed reversed !             reversed reversed !  !        !  !        =
        bank takes back 90     | !         !        !        reversed      !        !        !  !        !  !        !
        desk tries giving back again | no no no no no no no no no no no
        gateway says moved 100    | !      !        !        !             =        =        !  !        !  =        =
        gateway says moved 90     | !      !        !        !             !        !        !  !        !  !        !
        gateway says none-of 100  | !      !        !        !             !        =        =  =        =  !        =
        gateway says took-back 100 | !     !        !        !             !        !        !  !        !  !        =
        give-back of 100 comes back | no   no       no       no            no       no       no no       no !    no
        bank gave back         | no        no       no       no            no       no       no no       no returned no
        bank cannot give back  | no        no       no       no            no       no       no no       no noted    no
        ann proposes settle    | no        no       no       noted         no       no       no no       no no       no
        ann proposes decline   | no        no       no       noted         no       noted    no no       no no       no
        ann proposes return    | no        no       no       noted         no       no       no no       no no       no
        ann proposes keep      | no        no       no       no            no       noted    no no       no no       no
        bob approves settle    | no        no       no       contradiction no       no       no no       no no       no
        ",
    );
}

#[test]
fn a_payout_in_every_status_meets_every_command() {
    let rich = "A links X; A tops up 1000 from X -> pending; bank moved 1000 -> settled";
    let asked = format!("{rich}; A pays out 100 to X -> pending");
    let paths = [
        &format!("{rich}; the guard holds; A pays out 100 to X -> held; the guard allows"),
        asked.as_str(),
        &format!("{asked}; bank is asked -> in_doubt"),
        &format!("{asked}; bank moved 90 -> in_doubt, flagged"),
        &format!("{asked}; bank moved 100 -> settled"),
        &format!("{asked}; bank moved 100 -> settled; bank declines -> settled, flagged"),
        &format!("{asked}; bank declines -> declined"),
        &format!("{asked}; bank declines -> declined; bank moved 100 -> declined, flagged"),
        &format!("{asked}; A cancels -> pending; bank declines -> cancelled"),
        &format!("{asked}; bank moved 100 -> settled; bank sends back 100 -> returned"),
    ];
    let statuses = payout::Status::ALL.map(payout::Status::name);
    check(
        &statuses,
        &paths,
        "
        A repeats 100 to X     | always payout-id-taken
        desk releases          | pending   no       no       no            no       no       no no            no no
        desk gives up          | declined  no       no       no            no       no       no no            no no
        nobody looks           | no        no       no       no            no       no       no no            no no
        bank is asked          | no        in_doubt in_doubt in_doubt      =        =        =  =             =  =
        bank moved 100         | !         settled  settled  !             =        =        !  =             !  =
        bank moved 90          | !         in_doubt in_doubt =             !        !        !  !             !  !
        bank moved 80          | !         in_doubt in_doubt !             !        !        !  !             !  !
        file shows 100         | !         settled  settled  !             =        =        !  =             !  =
        bank declines          | no        declined declined !             !        =        =  =             =  =
        bank finds nothing     | no        declined declined !             !        =        =  =             =  =
        file shows nothing     | no        declined declined !             !        =        =  =             =  =
        bank finds nothing yet | no        in_doubt =        =             =        =        =  =             =  =
        bank babbles           | no        in_doubt =        =             =        =        =  =             =  =
        A cancels              | cancelled wish     wish     wish          no       no       no no            =  no
        B cancels              | always unknown-payout
        bank sends back 100    | !         returned returned !             returned returned !  !             !  =
        bank sends back 90     | !         !        !        returned      !        !        !  !             !  !
        gateway says moved 100    | !      !        !        !             =        =        !  =             !  =
        gateway says none-of 100  | !      !        !        !             !        =        =  =             =  =
        gateway says took-back 100 | !     !        !        !             !        !        !  !             !  =
        ann proposes settle    | no        no       no       noted         no       no       no noted         no no
        ann proposes decline   | no        no       no       noted         no       no       no no            no no
        ann proposes return    | no        no       no       no            no       noted    no no            no no
        ann proposes keep      | no        no       no       no            no       noted    no noted         no no
        bob approves settle    | no        no       no       contradiction no       no       no contradiction no no
        ",
    );
}

#[test]
fn a_mandate_in_every_status_meets_every_command() {
    let asked = "A asks to link -> requested";
    let granted = format!("{asked}; bank grants X -> pending");
    let paths = [
        asked,
        &format!("{asked}; bank's page opens -> authenticating"),
        &granted,
        &format!("{asked}; bank grants X close -> in_review"),
        &format!("{granted}; A collects X -> active"),
        &format!("{asked}; bank grants X static -> refused: strong factor"),
        &format!("{granted}; A leaves -> abandoned"),
        &format!("{granted}; 1 days pass; time runs out -> expired"),
        &format!("{granted}; A collects X -> active; A revokes -> revoked"),
        &format!("{granted}; A collects X -> active; not me -> revoked"),
    ];
    let statuses = mandate::Status::ALL.map(mandate::Status::name);
    check(
        &statuses,
        &paths,
        "
        bank's page opens      | authenticating =         =             =             =             no            no            no            no            no
        bank grants X          | pending        pending   =             contradiction =             no            no            no            no            no
        bank grants X close    | in_review      in_review contradiction =             contradiction no            no            no            no            no
        bank grants X static   | refused        refused   contradiction contradiction contradiction =             no            no            no            no
        bank grants Y          | pending        pending   contradiction contradiction contradiction no            no            no            no            no
        bank says no           | refused        refused   no            no            no            =             no            no            no            no
        A collects X           | no             no        active        in_review     =             no            no            no            no            no
        A collects Y           | no             no        contradiction contradiction contradiction contradiction contradiction contradiction contradiction contradiction
        desk accepts X         | no             no        no            pending       no            no            no            no            no            no
        desk rejects X         | no             no        no            refused       no            no            no            no            no            no
        A leaves               | abandoned      abandoned abandoned     abandoned     no            no            =             no            no            no
        time runs out          | no             no        no            no            no            no            no            =             no            no
        true holder confirms   | no             no        no            no            active        no            no            no            no            no
        A revokes              | revoked        revoked   revoked       revoked       revoked       no            no            no            =             =
        B revokes              | always unknown-mandate
        not me                 | revoked        revoked   revoked       revoked       revoked       no            no            no            revoked       =
        bank revokes           | revoked        revoked   revoked       revoked       revoked       no            no            no            revoked       =
        ",
    );
}
