//! Who holders are and where they are reached: what each proof changes, and who may not have it.

use super::world::{World, holder, wallet};
use crate::holder::{Command, Contact, Sealed};
use crate::ids::{ContactId, PersonId};
use crate::refusal::{Noun, Proof, Refusal, Stated};
use crate::standing::Standing;
use crate::traits::{Fingerprint, IdentificationMethod, Tier};
use crate::{Receipt, Row, table};
use domain::{Id, Key};

const METHOD: IdentificationMethod = IdentificationMethod::SigningCertificate;

fn contact(number: u128) -> ContactId {
    ContactId(Id::from_number(number))
}

fn open(number: u128, mail: u128) -> Command {
    let mail_domain = Some(Fingerprint(5));
    Command::Open { holder: holder(number), mail: contact(mail), mail_domain, profile: Sealed(vec![1; 9]) }
}

fn verify_mail(number: u128, mail: u128) -> Command {
    Command::VerifyMail { holder: holder(number), mail: contact(mail) }
}

fn verify_phone(number: u128, phone: u128) -> Command {
    Command::VerifyPhone { holder: holder(number), phone: contact(phone) }
}

fn want_phone(number: u128, phone: u128) -> Command {
    let (to, proof) = (Contact::Phone(contact(phone)), Some(Proof::SecondFactor));
    Command::ChangeContact { holder: holder(number), to, proof }
}

fn identify(number: u128, person: u128) -> Command {
    let person = PersonId(Id::from_number(person));
    Command::Identify { holder: holder(number), person, method: METHOD, profile: None }
}

fn open_wallet(number: u128) -> crate::Command {
    let (wallet, holder) = (wallet(number), holder(number));
    crate::Command::Wallet(crate::wallet::Command::Open { wallet, holder, origin: None })
}

fn close_wallet(number: u128) -> crate::Command {
    crate::Command::Wallet(crate::wallet::Command::Close { wallet: wallet(number), holder: holder(number) })
}

/// Asks for `command`; the tier that comes of it, or the refusal.
fn ask(world: &mut World, command: Command) -> Result<Tier, Refusal> {
    let reply = world.run(&crate::Command::Holder(command));
    assert_eq!(world.replayed(), world.rows);
    reply.map(|receipt| match receipt {
        Receipt::Holder { tier, .. } => tier,
        other => panic!("{other:?}"),
    })
}

fn row(world: &World, number: u128) -> &crate::holder::Holder {
    match world.row(Key::new(table::HOLDER, holder(number).0)) {
        Some(Row::Holder(row)) => row,
        other => panic!("no holder {number}: {other:?}"),
    }
}

fn taken(noun: Noun, id: Id) -> Result<Tier, Refusal> {
    Err(Refusal::Taken { noun, id })
}

fn contact_taken(number: u128) -> Result<Tier, Refusal> {
    taken(Noun::Contact, Id::from_number(number))
}

fn unknown(noun: Noun) -> Result<Tier, Refusal> {
    Err(Refusal::Unknown { noun })
}

fn status(noun: Noun, status: Standing) -> Result<Tier, Refusal> {
    Err(Refusal::WrongStatus { noun, status })
}

#[test]
fn a_tier_rises_with_what_is_proven_and_the_wallet_follows() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, open(1, 11)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, open(1, 12)), taken(Noun::Holder, holder(1).0));
    let not_verified = Standing::MailNotVerified;
    assert_eq!(ask(&mut world, want_phone(1, 21)), status(Noun::Holder, not_verified));
    assert_eq!(ask(&mut world, identify(1, 31)), status(Noun::Holder, not_verified));
    assert_eq!(world.run(&open_wallet(1)).map(|_| Tier::Email), status(Noun::Holder, not_verified));
    assert_eq!(ask(&mut world, verify_mail(1, 99)), unknown(Noun::Contact));
    assert_eq!(ask(&mut world, verify_mail(1, 11)), Ok(Tier::Email));
    world.done(&open_wallet(1));
    assert_eq!(world.run(&open_wallet(1)).map(|_| Tier::Email), taken(Noun::Wallet, wallet(1).0));
    assert_eq!(ask(&mut world, identify(1, 31)), Ok(Tier::Identified));
    let without = Command::ChangeContact { holder: holder(1), to: Contact::Phone(contact(21)), proof: None };
    assert_eq!(ask(&mut world, without), Err(Refusal::StepUpRequired { proof: Proof::SecondFactor }));
    assert_eq!(ask(&mut world, verify_phone(1, 21)), unknown(Noun::Contact), "the first one takes a proof, too");
    assert_eq!(ask(&mut world, want_phone(1, 21)), Ok(Tier::Identified));
    assert_eq!(ask(&mut world, verify_phone(1, 21)), Ok(Tier::Identified));
    let wallet = world.wallet(wallet(1));
    assert_eq!((wallet.tier, wallet.person), (Tier::Identified, Some(PersonId(Id::from_number(31)))));
    assert_eq!(wallet.traits.mail_domain, Some(Fingerprint(5)));
    assert_eq!(wallet.traits.phone_verified, Some(world.now));
    assert_eq!(wallet.traits.identified, Some((METHOD, world.now)));
    // Again is no news.
    assert_eq!(ask(&mut world, verify_phone(1, 21)), Ok(Tier::Identified));
    assert!(world.last_events().is_empty());
}

#[test]
fn an_address_belongs_to_whoever_proves_it_first() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, open(1, 11)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, open(2, 11)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, verify_mail(2, 11)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, verify_mail(1, 11)), contact_taken(11));
    assert_eq!(ask(&mut world, open(3, 11)), contact_taken(11));
    assert_eq!(ask(&mut world, open(3, 13)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, verify_mail(3, 13)), Ok(Tier::Email));
    for number in [2, 3] {
        assert_eq!(ask(&mut world, want_phone(number, 21)), Ok(Tier::Email));
    }
    assert_eq!(ask(&mut world, verify_phone(2, 21)), Ok(Tier::Phone));
    assert_eq!(ask(&mut world, verify_phone(3, 21)), contact_taken(21));
    assert_eq!(ask(&mut world, want_phone(3, 21)), contact_taken(21));
    assert_eq!(ask(&mut world, verify_phone(9, 21)), unknown(Noun::Holder));
}

#[test]
fn a_new_address_takes_a_proof_and_frees_the_old_one() {
    let mut world = World::new();
    for command in [open(1, 11), verify_mail(1, 11), want_phone(1, 21), verify_phone(1, 21)] {
        assert!(ask(&mut world, command).is_ok());
    }
    for command in [open(2, 12), verify_mail(2, 12)] {
        assert!(ask(&mut world, command).is_ok());
    }
    let change = |to, proof| Command::ChangeContact { holder: holder(1), to, proof };
    let mail = |number| Contact::Mail(contact(number), None);
    let (phone, proof) = (Contact::Phone(contact(22)), Some(Proof::SecondFactor));
    let step_up = Err(Refusal::StepUpRequired { proof: Proof::SecondFactor });
    assert_eq!(ask(&mut world, change(mail(12), None)), contact_taken(12));
    assert_eq!(ask(&mut world, change(mail(13), None)), step_up);
    assert_eq!(ask(&mut world, verify_mail(1, 13)), unknown(Noun::Contact));
    assert_eq!(ask(&mut world, verify_phone(1, 22)), unknown(Noun::Contact));
    assert_eq!(ask(&mut world, change(mail(13), proof)), Ok(Tier::Phone));
    // Until the new one answers, the old one stands.
    assert_eq!(row(&world, 1).mail, contact(11));
    assert_eq!(ask(&mut world, verify_mail(1, 13)), Ok(Tier::Phone));
    assert_eq!((row(&world, 1).mail, row(&world, 1).wanted), (contact(13), None));
    assert_eq!(ask(&mut world, change(phone, proof)), Ok(Tier::Phone));
    assert_eq!(ask(&mut world, verify_phone(1, 22)), Ok(Tier::Phone));
    // Both old ones are free for others.
    assert_eq!(ask(&mut world, want_phone(2, 21)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, verify_phone(2, 21)), Ok(Tier::Phone));
    assert_eq!(ask(&mut world, open(3, 11)), Ok(Tier::Email));
    assert_eq!(ask(&mut world, verify_mail(3, 11)), Ok(Tier::Email));
}

#[test]
fn a_person_has_one_open_wallet() {
    let mut world = World::new();
    for number in [1, 2, 3] {
        for command in [open(number, number), verify_mail(number, number)] {
            assert!(ask(&mut world, command).is_ok());
        }
    }
    let has_a_wallet = status(Noun::Person, Standing::HasWallet);
    world.done(&open_wallet(1));
    world.done(&open_wallet(2));
    assert_eq!(ask(&mut world, identify(1, 31)), Ok(Tier::Identified));
    assert_eq!(ask(&mut world, identify(1, 31)), Ok(Tier::Identified));
    let person = |number| Stated::Person(PersonId(Id::from_number(number)));
    let (on_record, came) = (person(31), person(32));
    assert_eq!(ask(&mut world, identify(1, 32)), Err(Refusal::NotAsOnRecord { noun: Noun::Holder, on_record, came }));
    // Another wallet of the same person: neither by identifying its holder, nor by opening it once identified.
    assert_eq!(ask(&mut world, identify(2, 31)), has_a_wallet);
    assert_eq!(ask(&mut world, identify(3, 31)), has_a_wallet);
    world.done(&close_wallet(1));
    assert_eq!(ask(&mut world, identify(3, 31)), Ok(Tier::Identified));
    world.done(&open_wallet(3));
    assert_eq!(
        world.refused(&crate::Command::Wallet(crate::wallet::Command::Open {
            wallet: wallet(4),
            holder: holder(1),
            origin: None,
        })),
        Refusal::WrongStatus { noun: Noun::Person, status: Standing::HasWallet }
    );
    world.done(&close_wallet(3));
    world.done(&crate::Command::Wallet(crate::wallet::Command::Open {
        wallet: wallet(4),
        holder: holder(1),
        origin: None,
    }));
    assert_eq!(world.wallet(wallet(4)).tier, Tier::Identified);
}

#[test]
fn what_is_sealed_is_bounded_and_never_shown() {
    let mut world = World::new();
    let profile = Sealed(vec![0; crate::holder::SEALED_BYTES_MAX + 1]);
    let command = Command::Open { holder: holder(1), mail: contact(1), mail_domain: None, profile };
    let longer = Refusal::LongerThan { noun: Noun::Holder, bytes_max: 4_096, bytes: 4_097 };
    assert_eq!(ask(&mut world, command), Err(longer));
    assert_eq!(format!("{:?}", Sealed(vec![7, 7])), "Sealed(2 bytes)");
}
