//! The rows that a command named, as nouns.

use crate::ids::{
    BankAccountId, BonusId, CaseId, ContactId, HolderId, MandateId, PaymentCodeId, PaymentId, PayoutId, PersonId,
    ReimbursementId, SendId, ShopId, TopUpId, VoucherId, WalletId,
};
use crate::refusal::{Noun, Refusal};
use crate::switches::{self, Switches};
use crate::table;
use crate::wallet::Wallet;
use crate::{Context, Event, Policy, Receipt, Row, adjustment, chart};
use domain::{Key, Moment, State};
use ledger::{Account, AccountId};
use std::borrow::Cow;

/// What a room decides: the facts and the receipt, or why not.
pub(crate) type Decided = Result<(Vec<Event>, Receipt), Refusal>;

/// The rows that a command named.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a>(pub(crate) &'a dyn State<Row>);

macro_rules! noun {
    ($(#[doc = $doc:literal] $name:ident, $id:ty, $table:ident, $variant:ident, $row:ty;)+) => {
        impl<'a> Rows<'a> {$(
            #[doc = $doc]
            pub(crate) fn $name(self, id: $id) -> Option<&'a $row> {
                let key = Key::new(table::$table, id.0);
                match self.0.row(key) {
                    None => None,
                    Some(Row::$variant(row)) => Some(row),
                    Some(_) => wrong_row(key),
                }
            }
        )+}
    };
}

noun! {
    /// The holder with `id`.
    holder, HolderId, HOLDER, Holder, crate::holder::Holder;
    /// The person with `id`.
    person, PersonId, PERSON, Person, crate::person::Person;
    /// The holders who were reached at `id`.
    contact, ContactId, CONTACT, Contact, crate::holder::ContactHolders;
    /// The payment code with `id`.
    payment_code, PaymentCodeId, PAYMENT_CODE, PaymentCode, crate::payment::PaymentCode;
    /// The wallet with `id`.
    wallet, WalletId, WALLET, Wallet, Wallet;
    /// The payment with `id`.
    payment, PaymentId, PAYMENT, Payment, crate::payment::Payment;
    /// The send with `id`.
    send, SendId, SEND, Send, crate::send::Send;
    /// The voucher with `id`.
    voucher, VoucherId, VOUCHER, Voucher, crate::voucher::Voucher;
    /// The grant of bonus with `id`.
    bonus, BonusId, BONUS, Bonus, crate::bonus::Bonus;
    /// The bank account with `id`.
    bank_account, BankAccountId, BANK_ACCOUNT, BankAccount, crate::bank_account::BankAccount;
    /// The mandate with `id`.
    mandate, MandateId, MANDATE, Mandate, crate::mandate::Mandate;
    /// The top-up with `id`.
    top_up, TopUpId, TOP_UP, TopUp, crate::top_up::TopUp;
    /// The payout with `id`.
    payout, PayoutId, PAYOUT, Payout, crate::payout::Payout;
    /// The shop with `id`.
    shop, ShopId, SHOP, Shop, crate::shop::Shop;
    /// The case with `id`.
    case, CaseId, CASE, Case, crate::case::Case;
    /// The reimbursement with `id`.
    reimbursement, ReimbursementId, REIMBURSEMENT, Reimbursement, crate::reimbursement::Reimbursement;
}

impl<'a> Rows<'a> {
    /// The wallet with `id`, if it is `holder`'s.
    pub(crate) fn wallet_of(self, id: WalletId, holder: HolderId) -> Result<&'a Wallet, Refusal> {
        self.wallet(id).filter(|wallet| wallet.holder == holder).ok_or(Refusal::Unknown { noun: Noun::Wallet })
    }

    /// The switches, if any was ever set.
    pub(crate) fn switches(self) -> Option<&'a Switches> {
        match self.0.row(switches::KEY) {
            None => None,
            Some(Row::Switches(row)) => Some(row),
            Some(_) => wrong_row(switches::KEY),
        }
    }

    /// The policy in force, for commands that name the switches.
    pub(crate) fn policy(self, context: &'a Context, moment: Moment) -> Cow<'a, Policy> {
        adjustment::in_force(self.switches(), context, moment.now)
    }

    /// The sums of an account that is not a purse; a fresh one if nothing ever moved there.
    pub(crate) fn account(self, id: AccountId) -> Account {
        let key = chart::key(id);
        match self.0.row(key) {
            None => Account::new(chart::rule(id.code)),
            Some(Row::Account(_, account)) => *account,
            Some(_) => wrong_row(key),
        }
    }
}

/// Refuses while the clock is not believed. Money must not leave then; and nothing must expire: a deadline that passed by a
/// wrong clock would end what cannot be begun again, and waiting until the clock is right costs a retry.
pub(crate) fn check_clock(moment: Moment) -> Result<(), Refusal> {
    if moment.clock_drifted { Err(Refusal::ClockDrifted) } else { Ok(()) }
}

#[expect(clippy::panic, reason = "a row of another noun under a key is our own bug")]
pub(crate) fn wrong_row(key: Key) -> ! {
    panic!("the row at {key:?} is of another noun")
}
