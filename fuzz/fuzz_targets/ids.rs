//! The wallet's ids as texts: any text is malformed, or the one text of its id.

#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fmt::Display;
use std::str::FromStr;
use wallet::{
    BankAccountId, BonusId, CampaignId, ContactId, GiveBackId, HolderId, MandateId, PaymentCodeId, PaymentId, PayoutId,
    PersonId, RefundId, SendId, ShopId, StaffId, SwitchId, TopUpId, VoucherId, WalletId,
};

/// Whether `text` is an id of this kind.
fn check<T: FromStr + Display>(text: &str) -> bool {
    let Ok(id) = text.parse::<T>() else { return false };
    assert_eq!(id.to_string(), text, "an id has one text");
    true
}

fuzz_target!(|text: &str| {
    let kinds = [
        check::<HolderId>,
        check::<PersonId>,
        check::<WalletId>,
        check::<BankAccountId>,
        check::<MandateId>,
        check::<TopUpId>,
        check::<VoucherId>,
        check::<PaymentCodeId>,
        check::<PaymentId>,
        check::<RefundId>,
        check::<SendId>,
        check::<PayoutId>,
        check::<ShopId>,
        check::<CampaignId>,
        check::<BonusId>,
        check::<ContactId>,
        check::<SwitchId>,
        check::<GiveBackId>,
        check::<StaffId>,
    ];
    assert!(kinds.iter().filter(|check| check(text)).count() <= 1, "{text:?} is an id of two kinds");
});
