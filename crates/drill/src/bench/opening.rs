//! How the wallets of the load come to be: by the commands that any holder's wallet takes, so that a payment meets a wallet
//! of an identified person with three purses, several lots in them and a linked bank account.
//!
//! Nothing is put into the books by another way. What stands in each lot at first is a function of the wallet's index.

use super::workload::{Kind, Workload, mix};
use domain::Time;
use ledger::Yen;
use wallet::bank_answer::{Answer, AnswerSource, Outcome};
use wallet::holder::{self, Contact, Sealed};
use wallet::mandate::{self, Grant, NameGrade};
use wallet::{
    BankAccountId, BankCode, BonusId, CampaignId, Command, ContactId, GiveBackId, IdentificationMethod, MandateId,
    OPERATOR, PersonId, Proof, Purse, TopUpId, VoucherId, bonus, shop, top_up, voucher,
};

/// The purse of each lot that a wallet begins with, in the order in which payments spend them.
pub const LOTS: [Purse; 5] = [Purse::Bonus, Purse::Bonus, Purse::Prepaid, Purse::Prepaid, Purse::Funds];
/// The least and the most of a lot of bonus or prepaid, in yen: two to four payments, so that a run keeps meeting the ends of
/// lots and purses.
const LOT_YEN: (u64, u64) = (20, 120);
/// What a wallet is topped up by, in yen: no wallet runs dry in a long run, and an unconfirmed link brings 10,000 a day.
const TOP_UP_YEN: u64 = 9_000;
/// Banks that the load's people have accounts at.
const BANKS: u64 = 35;
/// When the load's vouchers run out: 2100-01-01T00:00:00Z.
const VOUCHERS_EXPIRE: Time = Time::from_milliseconds(4_102_444_800_000);

/// What stands in each of [`LOTS`] of the wallet at `index` before its first payment, in yen.
pub fn lots(workload: &Workload, index: u64) -> [u64; LOTS.len()] {
    let (least, most) = LOT_YEN;
    let mut chance = mix(workload.seed ^ mix(index ^ 3));
    LOTS.map(|purse| match purse {
        Purse::Bonus | Purse::Prepaid => {
            chance = mix(chance);
            least + chance % (most - least + 1)
        }
        Purse::Funds => TOP_UP_YEN,
    })
}

/// The commands that open the shop or the wallet at `index`, shops first, and fill the wallet.
pub fn opening(workload: &Workload, index: u64) -> Vec<Command> {
    let Some(index) = index.checked_sub(workload.shops) else {
        return vec![Command::Shop(shop::Command::Open { shop: workload.shop(index) })];
    };
    let mut commands = joining(workload, index);
    commands.extend(linking(workload, index));
    let numbers = index * LOTS.len() as u64..;
    for (number, (purse, amount)) in numbers.zip(LOTS.into_iter().zip(lots(workload, index))) {
        let amount = Yen::checked(amount.cast_signed()).unwrap_or(Yen::ZERO);
        commands.extend(match purse {
            Purse::Bonus => giving(workload, index, number, amount),
            Purse::Prepaid => redeeming(workload, index, number, amount),
            Purse::Funds => topping_up(workload, index, number, amount),
        });
    }
    commands
}

/// The holder joins, shows a mail address and a telephone, is identified, and opens the wallet.
fn joining(workload: &Workload, index: u64) -> Vec<Command> {
    let (holder, wallet) = (workload.holder(index), workload.wallet(index));
    let mail = ContactId(workload.id(Kind::Mail, index));
    let phone = ContactId(workload.id(Kind::Phone, index));
    let person = PersonId(workload.id(Kind::Person, index));
    let (method, proof) = (IdentificationMethod::ChipAndFace, Some(Proof::SecondFactor));
    vec![
        Command::Holder(holder::Command::Open { holder, mail, mail_domain: None, profile: Sealed::default() }),
        Command::Holder(holder::Command::VerifyMail { holder, mail }),
        Command::Holder(holder::Command::ChangeContact { holder, to: Contact::Phone(phone), proof }),
        Command::Holder(holder::Command::VerifyPhone { holder, phone }),
        Command::Holder(holder::Command::Identify { holder, person, method, profile: None }),
        Command::Wallet(wallet::wallet::Command::Open { wallet, holder, origin: None }),
    ]
}

/// The holder links a bank account.
fn linking(workload: &Workload, index: u64) -> Vec<Command> {
    let (mandate, holder) = (mandate(workload, index), workload.holder(index));
    let bank_account = BankAccountId(workload.id(Kind::BankAccount, index));
    let code = u16::try_from(1 + index % BANKS).ok().and_then(BankCode::new);
    let request = mandate::Request {
        mandate,
        wallet: workload.wallet(index),
        holder,
        bank: code.expect("a code of two digits"),
        origin: None,
        proof: None,
    };
    let grant = Grant {
        bank_account,
        name: NameGrade::Match,
        birth_date_matches: true,
        factors_strong: true,
        contact_notified: true,
    };
    vec![
        Command::Mandate(mandate::Command::Request(request)),
        Command::Mandate(mandate::Command::Grant { mandate, grant }),
        Command::Mandate(mandate::Command::Confirm { mandate, holder, bank_account }),
    ]
}

fn mandate(workload: &Workload, index: u64) -> MandateId {
    MandateId(workload.id(Kind::Mandate, index))
}

fn giving(workload: &Workload, index: u64, number: u64, amount: Yen) -> Vec<Command> {
    let bonus = BonusId(workload.id(Kind::Bonus, number));
    let (campaign, wallet) = (CampaignId(OPERATOR), workload.wallet(index));
    vec![Command::Bonus(bonus::Command::Give { bonus, campaign, wallet, amount })]
}

fn redeeming(workload: &Workload, index: u64, number: u64, amount: Yen) -> Vec<Command> {
    let voucher = VoucherId(workload.id(Kind::Voucher, number));
    let (wallet, holder) = (workload.wallet(index), workload.holder(index));
    vec![
        Command::Voucher(voucher::Command::Issue { voucher, amount, expires: VOUCHERS_EXPIRE, by: None }),
        Command::Voucher(voucher::Command::Redeem { voucher, wallet, holder, origin: None, proof: None }),
    ]
}

fn topping_up(workload: &Workload, index: u64, number: u64, amount: Yen) -> Vec<Command> {
    let request = top_up::Request {
        top_up: TopUpId(workload.id(Kind::TopUp, number)),
        wallet: workload.wallet(index),
        holder: workload.holder(index),
        mandate: mandate(workload, index),
        amount,
        origin: None,
        proof: None,
    };
    let top_up = request.top_up;
    let give_back = GiveBackId(workload.id(Kind::GiveBack, number));
    let answer = Answer { outcome: Outcome::Settled { amount }, source: AnswerSource::Request };
    vec![
        Command::TopUp(top_up::Command::Request(request)),
        Command::TopUp(top_up::Command::Answer { top_up, answer, give_back }),
    ]
}
