//! Ids of the wallet's nouns: sixteen bytes behind a type each, shown with a prefix. Where they come from is the caller's affair.

use domain::Id;
use serde::{Deserialize, Serialize};
use std::fmt;

domain::ids! {
    /// A person who owns a wallet.
    HolderId, "hld";
    /// A verified identity: a keyed hash of it, so that the same person is the same id.
    PersonId, "prs";
    /// A wallet.
    WalletId, "wlt";
    /// An account at a bank: a keyed hash of the gateway's `account_ref`, so that the same account is the same id.
    BankAccountId, "bac";
    /// The permission for one wallet to debit one bank account.
    MandateId, "mnd";
    /// A top-up by bank debit. It is also the reference that the bank is asked with.
    TopUpId, "top";
    /// A voucher: a keyed hash of its code.
    VoucherId, "vch";
    /// A payment code: a keyed hash of it.
    PaymentCodeId, "pcd";
    /// A payment.
    PaymentId, "pay";
    /// A refund of a payment.
    RefundId, "rfd";
    /// A send from wallet to wallet.
    SendId, "snd";
    /// A payout to a bank account. It is also the reference that the bank is asked with.
    PayoutId, "pot";
    /// A shop.
    ShopId, "shp";
    /// A campaign that gives bonus.
    CampaignId, "cmp";
    /// One grant of bonus to one wallet.
    BonusId, "bns";
    /// A mail address or telephone number: a keyed hash of it.
    ContactId, "ctc";
    /// A stop of a function.
    SwitchId, "swt";
    /// Money given back to the bank account that it was debited from. It is also the reference that the bank is asked with.
    GiveBackId, "gvb";
    /// A person who works at one of the operator's desks.
    StaffId, "stf";
    /// A case: a keyed hash of the news that opened it, behind the time of that news.
    CaseId, "cas";
    /// Money that goes back to the account of a case. It is also the reference that the bank is asked with.
    ReimbursementId, "rmb";
}

/// A bank's code of four digits, as 全銀協 gives it: 0125 is 七十七銀行.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct BankCode(u16);

impl BankCode {
    /// The bank with `code`, if it has at most four digits.
    pub const fn new(code: u16) -> Option<Self> {
        if code <= 9999 { Some(Self(code)) } else { None }
    }

    /// The code as a number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The id of rows that are kept per bank.
    pub const fn id(self) -> Id {
        #[expect(clippy::as_conversions, reason = "u16 to u128 widens; From is not const")]
        Id::from_number(self.0 as u128)
    }
}

impl TryFrom<u16> for BankCode {
    type Error = &'static str;

    fn try_from(code: u16) -> Result<Self, Self::Error> {
        Self::new(code).ok_or("a bank code has four digits")
    }
}

impl From<BankCode> for u16 {
    fn from(code: BankCode) -> Self {
        code.0
    }
}

impl fmt::Display for BankCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

impl fmt::Debug for BankCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
