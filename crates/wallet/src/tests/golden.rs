//! The bytes that live for ever: events as they were first stored, one or more of each variant, and the rows that they come
//! to, from nothing. A change of code that fails here has changed the stored form, or the meaning of the past.
//!
//! `golden.txt` holds one event a line, by name, in hexadecimal, in the order in which they happened; below each the
//! rows that it changed, by table and id, with a digest of the row's bytes. An event's line is never edited.
//!
//! To add a variant: append deeds that bring it about to [`DEEDS`], and run
//! `cargo test -p wallet golden | sed -n 's/^golden| //p'`: it fails, and prints the file as it should be, with the new events
//! below those that are there. Where the form of rows changed on purpose (`ROWS_VERSION` grew), it is the new digests that
//! it prints; it leaves every event as it is.

use super::story::Story;
use super::world::{DAY_MS, holder, shop, wallet};
use crate::books::Books;
use crate::holder::{self as holders, Contact, Sealed};
use crate::ids::{BankAccountId, ContactId, PersonId, StaffId, SwitchId};
use crate::refusal::{Noun, Refusal, Stated};
use crate::switches::{self, Cohort, Function};
use crate::traits::{Fingerprint, IdentificationMethod, Origin};
use crate::{Command, Event, Row, Wallets, table};
use domain::{Domain, Id, Key};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Write as _};

const GOLDEN: &str = include_str!("golden.txt");

/// What is told, a chapter a string. The file remembers how many chapters it holds; new ones go to the end.
const DEEDS: &[&str] = &[
    "seller issues 1 worth 5000 -> issued; A redeems 1 -> redeemed; seller issues 2 worth 700 -> issued
     seller cancels 2 -> cancelled; campaign gives A 1000 -> done; A pays S 9999 -> insufficient funds, 6000 there",
    "A asks to link -> requested; bank's page opens -> authenticating; bank says no -> refused
     A asks to link -> requested; bank grants X static -> refused: strong factor; A asks to link -> requested; A leaves -> abandoned
     A asks to link -> requested; bank grants X close -> in_review; A collects X -> in_review; desk accepts X -> active
     true holder confirms -> active; A revokes -> revoked; not me -> revoked; B links Y; A links Z",
    "A tops up 10000 from Z -> pending; bank is asked -> in_doubt; bank moved 10000 -> settled
     A tops up 5000 from Z -> pending; bank babbles -> in_doubt; A cancels -> in_doubt; bank declines -> cancelled
     A tops up 5000 from Z -> pending; A cancels -> pending; bank moved 5000 -> returned
     bank cannot give back -> returned; bank gave back -> returned
     A tops up 6000 from Z -> pending; bank moved 600 -> in_doubt, flagged; ann proposes settle -> in_doubt, flagged
     bob approves settle -> settled
     A tops up 7000 from Z -> pending; bank declines -> declined; bank moved 7000 -> declined, flagged
     ann proposes keep -> declined, flagged; bob approves keep -> declined
     the guard holds; A tops up 8000 from Z -> held; desk releases -> pending; the guard allows; bank moved 8000 -> settled
     A tops up 9000 from Z -> pending; bank moved 9000 -> settled; A pays S 9000 -> captured; bank takes back 9000 -> reversed",
    "B tops up 30000 from Y -> pending; bank moved 30000 -> settled; 2 days pass
     B pays out 1000 to Y -> pending; bank is asked -> in_doubt; bank moved 1000 -> settled; bank sends back 1000 -> returned
     B pays out 2000 to Y -> pending; bank babbles -> in_doubt; B cancels -> in_doubt; bank finds nothing -> cancelled
     bank moved 2000 -> cancelled, flagged
     ann proposes settle -> cancelled, flagged; bob approves settle -> settled
     B pays out 3000 to Y -> pending; bank moved 300 -> in_doubt, flagged; ann proposes settle -> in_doubt, flagged
     bob approves settle -> settled
     the guard holds; B pays out 4000 to Y -> held; desk releases -> pending; the guard allows; bank declines -> declined",
    "B shows 7 -> done; S takes 100 by 7 -> captured; S refunds 40 -> done
     S holds 500 of B -> authorised; S captures 200 -> captured; T holds 300 of B -> authorised; T voids -> voided
     T holds 300 of B -> authorised; 7 days pass; nobody captures -> expired
     B sends C 1000 -> completed; the guard holds; B sends C 2000 -> held; desk lets go -> completed
     B sends C 3000 -> held; desk says no -> given_up; the guard allows
     C freezes -> frozen; desk freezes C -> frozen; C unfreezes -> frozen; desk unfreezes C -> open
     D closes -> closed; T shuts -> done",
    "B links X; B tops up 5000 from X -> pending; B cancels -> pending; bank moved 5000 -> returned
     bank takes back 5000 -> returned, flagged; ann proposes already-returned -> returned, flagged
     bob approves already-returned -> returned",
    "first: B tops up 9000 from X -> pending; bank moved 9000 -> settled; 2 days pass; B pays S 30000 -> captured
     bank takes back 9000 of first -> reversed; B tops up 4000 from X -> pending; bank moved 4000 -> settled
     desk collects of B -> open",
    "C shows 8 -> done; S takes 90 by 8 as order-17 -> captured",
    "C links W; C tops up 9000 from W -> pending; C cancels -> pending; bank moved 9000 -> returned
     bank cannot give back -> returned; desk tries giving back again -> returned; bank gave back again -> returned
     C tops up 8000 from W -> pending; bank moved 8000 -> settled; 2 days pass; C sends A 700 -> completed
     the guard holds; C sends A 800 -> held; desk says no -> given_up; the guard allows
     last: C tops up 7000 from W -> pending; bank moved 7000 -> settled; 2 days pass; C pays S 17210 -> captured
     bank takes back 7000 of last -> reversed; ann proposes writing off 7000 of C -> open
     bob approves writing off 7000 of C -> open; campaign gives C 50 -> done; 1 days pass; C closes -> closed",
    "A links W; A tops up 5000 from W -> pending; A cancels -> pending; bank moved 5000 -> returned
     bank gave back -> returned; give-back of 5000 comes back -> returned, flagged
     ann proposes return -> returned, flagged; bob approves return anew -> returned; bank gave back again -> returned",
    "A links V; A tops up 6000 from V -> pending; bank moved 6000 -> settled; case 7 opens on V -> open
     case 8 opens on V -> open; case 7 keeps V of A -> open; case 7 keeps 2000 of what was sent in B -> open; ann finds 7 upheld -> open
     bob finds so of 7 upheld -> closed; ann finds 7 unfounded -> closed; bob finds so of 7 unfounded -> closed",
    "desk unfreezes A -> open; lost: A links U; lost: A tops up 3000 from U -> pending; bank moved 3000 -> settled; 2 days pass
     S holds 30700 of A -> authorised; bank takes back 3000 of lost -> reversed
     ann proposes writing off 3000 of A -> open; bob approves writing off 3000 of A -> open; S voids -> voided",
    "first: A pays S 5 -> captured; 2 days pass; A closes to W with 27695 -> pending; S refunds 5 of first -> done
     bank moved 27695 -> settled; A closes -> open",
    "ann caps a month at 200000 -> done; ann caps a month at 250000 -> done; bob agrees to the cap -> done",
    "sends are stopped -> done; ann would lift the stop -> done; bob lifts the stop -> done",
    "A links T; A tops up 4000 from T -> pending; bank moved 4000 -> settled
     case 11 opens on T -> open; case 11 keeps T of A -> open; ann finds 11 upheld -> open
     bob finds so of 11 upheld -> closed; ann reimburses 500 in case 11 -> proposed; bob says no to it -> refused
     ann reimburses 3000 in case 11 -> proposed; bob agrees to it in case 11 -> pending
     bank is asked for it -> in_doubt; bank could not pay it -> failed; bank paid it out -> failed, flagged
     ann reimburses 4000 in case 11 -> proposed; bob agrees to it in case 11 -> pending; bank paid it out -> done
     4000 of it come back -> done, flagged; ann wants it declined -> done, flagged; bob agrees that it is declined -> failed
     bank paid it out -> failed, flagged; ann wants it settled -> failed, flagged; bob agrees that it is settled -> done",
    "desk unfreezes A -> open; A links R; A tops up 5000 from R -> pending; bank moved 5000 -> settled
     A pays out 1000 to R -> pending; bank declines -> declined; A tops up 4000 from R -> pending; bank moved 4000 -> settled
     case 12 opens on R -> open; case 12 keeps R of A -> open; ann finds 12 upheld -> open; bob finds so of 12 upheld -> closed
     ann reimburses 2000 in case 12 -> proposed; bob agrees to it in case 12 -> pending; bank never knew of it -> in_doubt",
    "desk unfreezes A -> open; A links Q; A tops up 5000 from Q -> pending; A cancels -> pending; bank moved 5000 -> returned
     bank never knew of the give-back -> returned; ann proposes decline -> returned; bob approves decline -> returned",
    "A links O; A tops up 6000 from O -> pending; A cancels -> pending; bank moved 6000 -> returned; bank cannot give back -> returned
     ann proposes settle -> returned; bob approves settle -> returned; bank gave back -> returned, flagged
     ann proposes settle -> returned, flagged; bob approves settle -> returned
     top: A tops up 5000 from O -> pending; bank moved 5000 -> settled; out: A pays out 1000 to O -> pending
     bank declines of out -> declined; case 13 opens on O -> open; case 13 keeps O of A -> open
     case 13 keeps 100 of the debit sent in B of top -> open; ann finds 13 upheld -> open; bob finds so of 13 upheld -> closed
     ann reimburses 4000 in case 13 of top -> proposed; bob agrees to it in case 13 -> pending; bank could not pay it -> failed
     ann wants it settled -> failed; bob agrees that it is settled -> done; bank paid it out -> done, flagged
     ann wants it settled -> done, flagged; bob agrees that it is settled -> done
     ann reimburses 1000 in case 13 of top -> proposed; bob agrees to it in case 13 -> pending; bank could not pay it -> failed
     bank moved 1000 of out -> declined, flagged; ann proposes settle -> declined, flagged; bob approves settle -> settled
     ann wants it kept -> failed; bob agrees that it is kept -> failed",
    "ann issues 101 worth 50000 -> issued; ann issues 102 worth 50000 -> issued; ann issues 103 worth 50000 -> issued
     bob issues 104 worth 50000 -> issued; bob issues 105 worth 50000 -> issued; bob issues 106 worth 50000 -> issued
     ann issues 107 worth 50000 -> issued; ann issues 108 worth 50000 -> issued; ann issues 109 worth 50000 -> issued
     ann issues 110 worth 50000 -> issued; ann issues 111 worth 300 -> proposed; bob agrees to voucher 111 -> issued",
];

/// Whoever is in the deeds, by commands: nothing is given.
fn open_everything(story: &mut Story) {
    let origin = Origin {
        device: Some(Fingerprint(0xd0)),
        network: Some(Fingerprint(0x24)),
        network_wide: Some(Fingerprint(0x16)),
    };
    let mut run = |command: Command| story.world.done(&command);
    for number in 1..=5 {
        let (holder, wallet) = (holder(number), wallet(number));
        let (mail, phone) = (ContactId(Id::from_number(0x0a00 + number)), ContactId(Id::from_number(0x0b00 + number)));
        let (mail_domain, profile) = (Some(Fingerprint(0x3a)), Sealed(vec![1, 2, 3]));
        run(Command::Holder(holders::Command::Open { holder, mail, mail_domain, profile }));
        run(Command::Holder(holders::Command::VerifyMail { holder, mail }));
        run(Command::Wallet(crate::wallet::Command::Open { wallet, holder, origin: Some(origin) }));
        let (to, proof) = (Contact::Phone(phone), Some(crate::Proof::SecondFactor));
        run(Command::Holder(holders::Command::ChangeContact { holder, to, proof }));
        run(Command::Holder(holders::Command::VerifyPhone { holder, phone }));
        if number < 5 {
            let (person, method) = (PersonId(Id::from_number(0x0c00 + number)), IdentificationMethod::ChipAndFace);
            let profile = Some(Sealed(vec![4, 5]));
            run(Command::Holder(holders::Command::Identify { holder, person, method, profile }));
        }
    }
    let (holder, mail) = (holder(4), ContactId(Id::from_number(0x0af4)));
    let (to, proof) = (Contact::Mail(mail, None), Some(crate::Proof::SecondFactor));
    run(Command::Holder(holders::Command::ChangeContact { holder, to, proof }));
    run(Command::Holder(holders::Command::VerifyMail { holder, mail }));
    for number in 1..=2 {
        run(Command::Shop(crate::shop::Command::Open { shop: shop(number) }));
    }
    let cohort = Cohort { device: Some(Fingerprint(0xbad)), ..Cohort::default() };
    let id = SwitchId(Id::from_number(1));
    run(Command::Switches(switches::Command::Set { id, function: Some(Function::Send), bank: None, cohort }));
    let [ann, bob] = [1, 2].map(|number| StaffId(Id::from_number(number)));
    run(Command::Switches(switches::Command::ProposeLift { id, by: ann }));
    run(Command::Switches(switches::Command::Lift { id, by: bob }));
}

/// What `DEEDS` from the chapter `told` on come to, on top of `rows`.
fn events(rows: BTreeMap<Key, Row>, told: usize) -> Vec<Event> {
    let mut story = Story::new();
    story.world = super::world::World::new();
    story.world.rows = rows;
    // Chapters that are told later make up ids that no earlier one has.
    story.last_id += 1_000 * u128::try_from(told).expect("few chapters");
    story.world.pass(100 * DAY_MS * i64::try_from(told).expect("few chapters"));
    if told == 0 {
        open_everything(&mut story);
    }
    for chapter in DEEDS.iter().skip(told) {
        for sentence in chapter.split([';', '\n']).map(str::trim) {
            story.tell(sentence);
        }
    }
    story.world.journal.into_iter().flatten().collect()
}

/// An event of the file.
struct Golden {
    name: String,
    bytes: Vec<u8>,
}

/// How many chapters the file holds, and its events.
fn read() -> (usize, Vec<Golden>) {
    let (head, lines) = GOLDEN.split_once('\n').expect("the count of chapters comes first");
    let told = head.strip_prefix("chapters ").and_then(|count| count.parse().ok()).expect("a count of chapters");
    let events = lines.lines().filter(|line| !line.starts_with(' ')).map(|line| {
        let (name, hex) = line.split_once(' ').expect("a name and its bytes");
        Golden { name: name.to_owned(), bytes: from_hex(hex) }
    });
    (told, events.collect())
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes it");
        hex
    })
}

/// FNV-1a, 64 bits: enough to see that something changed.
fn digest(bytes: &[u8]) -> u64 {
    let step = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Applies `event`, and says it and each row that it changed as the file does.
fn apply(rows: &mut BTreeMap<Key, Row>, event: &Event, bytes: &[u8]) -> String {
    let mut keys = Vec::new();
    Wallets::touches(event, &mut keys);
    let mut lines = format!("{} {}\n", name_of(bytes), to_hex(bytes));
    for key in keys {
        let mut row = rows.get(&key).cloned();
        Wallets::evolve(key, &mut row, event);
        let row = row.expect("no row is ever removed");
        let bytes = postcard::to_stdvec(&row).expect("a row can be stored");
        assert_eq!(postcard::from_bytes::<Row>(&bytes).expect("a stored row is readable"), row);
        let table = table::SPECS[usize::from(key.table.0)].name;
        writeln!(lines, "  {table} {:x} {:016x}", key.id.number(), digest(&bytes)).expect("a string takes it");
        rows.insert(key, row);
    }
    lines
}

#[test]
fn old_events_are_read_and_do_what_they_did() {
    let (told, golden) = read();
    let mut rows = BTreeMap::new();
    let mut text = format!("chapters {}\n", DEEDS.len());
    for Golden { name, bytes } in golden {
        let event: Event = postcard::from_bytes(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(postcard::to_stdvec(&event).expect("an event can be stored"), bytes, "{name}: {event:?}");
        text += &apply(&mut rows, &event, &bytes);
    }
    for event in events(rows.clone(), told) {
        text += &apply(&mut rows, &event, &postcard::to_stdvec(&event).expect("an event can be stored"));
    }
    if text != GOLDEN {
        text.lines().for_each(|line| println!("golden| {line}"));
    }
    let difference = text.lines().zip(GOLDEN.lines()).find(|(now, then)| now != then);
    assert!(text == GOLDEN, "what is now, and what was then: {difference:?}");

    let mut books = Books::default();
    for (key, row) in &rows {
        books.add(*key, row);
    }
    let findings: Vec<_> = books.findings().iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn every_variant_is_there() {
    let there: BTreeSet<_> = read().1.into_iter().map(|golden| golden.name).collect();
    let missing: Vec<_> = all_names().into_iter().filter(|name| !there.contains(name)).collect();
    assert!(missing.is_empty(), "no golden bytes of {missing:?}: see the head of this file");
}

/// The rooms' events, in the order of [`Event`]'s variants; none for what is no room.
fn rooms() -> Vec<(String, Option<Vec<String>>)> {
    let of = |room: String| {
        let variants = match room.as_str() {
            "Refused" => None,
            "Holder" => Some(variants::<crate::holder::Event>()),
            "Wallet" => Some(variants::<crate::wallet::Event>()),
            "Shop" => Some(variants::<crate::shop::Event>()),
            "Mandate" => Some(variants::<crate::mandate::Event>()),
            "TopUp" => Some(variants::<crate::top_up::Event>()),
            "Payout" => Some(variants::<crate::payout::Event>()),
            "Payment" => Some(variants::<crate::payment::Event>()),
            "Send" => Some(variants::<crate::send::Event>()),
            "Voucher" => Some(variants::<crate::voucher::Event>()),
            "Bonus" => Some(variants::<crate::bonus::Event>()),
            "Switches" => Some(variants::<crate::switches::Event>()),
            "Case" => Some(variants::<crate::case::Event>()),
            "Reimbursement" => Some(variants::<crate::reimbursement::Event>()),
            other => panic!("the events of {other} are not listed here"),
        };
        (room, variants)
    };
    variants::<Event>().into_iter().map(of).collect()
}

fn all_names() -> Vec<String> {
    let names = |(room, variants): (String, Option<Vec<String>>)| match variants {
        None => vec![room],
        Some(variants) => variants.iter().map(|variant| format!("{room}.{variant}")).collect(),
    };
    rooms().into_iter().flat_map(names).collect()
}

/// The name of the event that `bytes` begin with: postcard writes a variant's number first.
fn name_of(bytes: &[u8]) -> String {
    match &rooms()[usize::from(bytes[0])] {
        (room, None) => room.clone(),
        (room, Some(variants)) => format!("{room}.{}", variants[usize::from(bytes[1])]),
    }
}

/// The names of an enum's variants, in order, as its reader lists them when it is given none of them.
fn variants<T: DeserializeOwned + Debug>() -> Vec<String> {
    let nothing: StrDeserializer<'_, Error> = "?".into_deserializer();
    let expected = T::deserialize(nothing).expect_err("no variant has this name").to_string();
    expected.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn a_stored_refusal_keeps_its_number() {
    let id = Id::from_number(0);
    for (refusal, number) in [
        (Refusal::IdTaken { noun: Noun::Holder }, 3),
        (Refusal::ClockDrifted, 5),
        (Refusal::Contradiction { noun: Noun::Mandate }, 20),
        (Refusal::LongerThan { noun: Noun::Send, bytes_max: 1, bytes: 2 }, 21),
        (
            Refusal::NotAsOnRecord { noun: Noun::Case, on_record: Stated::Nothing, came: Stated::Person(PersonId(id)) },
            22,
        ),
        (Refusal::Taken { noun: Noun::Shop, id }, 23),
        (Refusal::LinkedAlready { bank_account: BankAccountId(id), own: true }, 24),
    ] {
        let bytes = postcard::to_allocvec(&refusal).expect("a refusal is small");
        assert_eq!(bytes.first(), Some(&number), "{refusal:?}");
        assert_eq!(postcard::from_bytes(&bytes), Ok(refusal));
    }
}
