//! The words of letters, Japanese first, English second. No link, no request for a password.

use crate::letters::Text;
use crate::telling::is_quiet;
use domain::Time;
use ledger::Yen;
use wallet::notice::Kind;

/// A code for an address.
pub fn code(code: &str) -> Text {
    Text {
        subject: "確認コード / Your code".into(),
        text: format!(
            "確認コードは {code} です。10分以内に入力してください。誰にも教えないでください。\n\
             心当たりがない場合は、何もする必要はありません。\n\n\
             Your code is {code}. Enter it within ten minutes and tell it to nobody.\n\
             If you did not ask for it, you need not do anything.\n"
        ),
    }
}

/// A code for an address that somebody wants to be reached at.
pub fn address_code(code: &str) -> Text {
    Text {
        subject: "確認コード / Your code".into(),
        text: format!(
            "確認コードは {code} です。60分間有効です。その間は、何度申し込まれても同じコードです。\n\
             誰にも教えないでください。心当たりがない場合は、何もする必要はありません。\n\n\
             Your code is {code}. It is good for 60 minutes, and the same however often it is asked for.\n\
             Tell it to nobody. If you did not ask for it, you need not do anything.\n"
        ),
    }
}

/// A code for a lost password.
pub fn recovery_code(code: &str) -> Text {
    Text {
        subject: "パスワード再設定の確認コード / A code for your password".into(),
        text: format!(
            "パスワード再設定の確認コードは {code} です。60分間有効です。その間は、何度申し込まれても同じコードです。\n\
             誰にも教えないでください。心当たりがない場合は、何もする必要はありません。\n\n\
             Your code for a new password is {code}. It is good for 60 minutes, and the same however often it is asked for.\n\
             Tell it to nobody. If you did not ask for it, you need not do anything.\n"
        ),
    }
}

/// Somebody asked to open a wallet with an address that logs in already.
pub fn joined_already() -> Text {
    Text {
        subject: "ウォレット開設の申込みについて / About a wallet".into(),
        text: "このメールアドレスで新しいウォレットの申込みがありましたが、すでに登録済みのため開設していません。\n\
               ご本人の場合は、いつものようにログインしてください。パスワードを忘れた場合は再設定できます。\n\n\
               Somebody asked to open a wallet with this address. It has one already, so none was opened.\n\
               If that was you, log in as usual; a lost password can be set anew.\n"
            .into(),
    }
}

/// Somebody who has a wallet asked to be reached at an address or number that is another's.
pub fn address_taken() -> Text {
    Text {
        subject: "連絡先の登録について / About your address".into(),
        text: "この連絡先を別のウォレットに登録する申込みがありましたが、すでに登録済みのため受け付けていません。\n\
               お手続きは必要ありません。\n\n\
               Somebody asked to use this address or number for another wallet. It belongs to one already, so nothing was \
               changed.\nYou need not do anything.\n"
            .into(),
    }
}

/// A password was set anew.
pub fn recovered() -> Text {
    letter(
        "パスワードを変更しました。すべての端末からログアウトしました。",
        "Your password was changed, and every session was ended.",
    )
}

/// Somebody logged in from a device that was never seen before.
pub fn logged_in() -> Text {
    letter("新しい端末からログインがありました。", "Somebody logged in from a new device.")
}

/// What happened, as a letter; nothing for what is told elsewhere.
pub fn notice(kind: Kind, amount: Yen, at: Time) -> Option<Text> {
    if is_quiet(kind) {
        return None;
    }
    let (ja, en) = sentence(kind);
    let mut text = letter(ja, en);
    if !amount.is_zero() {
        text.text = format!(
            "{ja}\n金額: {}円\n日時: {at}\n\n{en}\nAmount: {} yen\nAt: {at}\n{}",
            amount.amount(),
            amount.amount(),
            TAIL
        );
    }
    Some(text)
}

const TAIL: &str = "\n心当たりがない場合は、ウォレットを凍結し、お問い合わせください。\nIf this was not you, freeze your wallet and tell us.\n";

fn letter(ja: &str, en: &str) -> Text {
    Text { subject: format!("{ja} / {en}"), text: format!("{ja}\n\n{en}\n{TAIL}") }
}

/// Each kind in one sentence.
#[expect(clippy::too_many_lines, reason = "one arm for each kind, which is all there is")]
const fn sentence(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Joined => ("登録を受け付けました。", "You have joined."),
        Kind::ContactVerified => ("連絡先を確認しました。", "Your address was verified."),
        Kind::ContactChangeRequested => ("連絡先の変更が申し込まれました。", "A change of your address was asked for."),
        Kind::ContactReplaced => ("この連絡先の登録を解除しました。", "This address is no longer used for a wallet."),
        Kind::Identified => ("本人確認が完了しました。", "You were identified."),
        Kind::WalletOpened => ("ウォレットを開設しました。", "Your wallet was opened."),
        Kind::WalletFrozen => ("ウォレットを凍結しました。", "Your wallet was frozen."),
        Kind::WalletUnfrozen => ("ウォレットの凍結を解除しました。", "Your wallet is no longer frozen."),
        Kind::WalletClosed => ("ウォレットを解約しました。", "Your wallet was closed."),
        Kind::DebtCollected => ("不足金を残高から充当しました。", "What was owed was taken from your balance."),
        Kind::Paid => ("お支払いが完了しました。", "You paid a shop."),
        Kind::PaymentHeld => ("お支払い用に残高を確保しました。", "An amount was set aside for a shop."),
        Kind::PaymentCaptured => ("お支払いが確定しました。", "A payment was completed."),
        Kind::PaymentReleased => ("確保した残高を戻しました。", "An amount that was set aside is free again."),
        Kind::Refunded => ("返金がありました。", "A shop gave money back."),
        Kind::Sent => ("送金が完了しました。", "You sent money."),
        Kind::Received => ("送金を受け取りました。", "You received money."),
        Kind::SendHeld => ("送金を確認しています。", "Your send is being looked at."),
        Kind::SendGivenBack => ("送金が取り消され、残高に戻りました。", "Your send came back."),
        Kind::VoucherRedeemed => ("バウチャーをチャージしました。", "A voucher was redeemed."),
        Kind::BonusGiven => ("ポイントを付与しました。", "You were given points."),
        Kind::MandateRequested => {
            ("銀行口座の登録が申し込まれました。", "Somebody asked to link a bank account to your wallet.")
        }
        Kind::MandateRefused => ("銀行口座は登録されませんでした。", "The bank account was not linked."),
        Kind::MandateInReview => {
            ("銀行口座の名義を確認しています。", "The names of your bank account are being compared.")
        }
        Kind::MandateActive => ("銀行口座を登録しました。", "A bank account was linked to your wallet."),
        Kind::MandateConfirmed => {
            ("銀行口座の名義人が登録を確認しました。", "The account's holder confirmed the link.")
        }
        Kind::MandateEnded => ("銀行口座の登録を解除しました。", "The link of a bank account was ended."),
        Kind::TopUpRequested => ("チャージを受け付けました。", "A top-up was asked for."),
        Kind::TopUpHeld => ("チャージを確認しています。", "Your top-up is being looked at."),
        Kind::TopUpSettled => ("チャージが完了しました。", "Money came into your wallet."),
        Kind::TopUpEnded => ("チャージは行われませんでした。", "A top-up did not take place."),
        Kind::TopUpReturned => {
            ("チャージ金額を銀行口座に返金します。", "What was debited goes back to the bank account.")
        }
        Kind::TopUpReversed => ("銀行がチャージを取り消しました。", "The bank took a top-up back."),
        Kind::PayoutRequested => ("払出しを受け付けました。", "A payout was asked for."),
        Kind::PayoutHeld => ("払出しを確認しています。", "Your payout is being looked at."),
        Kind::PayoutSettled => ("払出しが完了しました。", "Money was paid out to your bank account."),
        Kind::PayoutEnded => ("払出しは行われませんでした。", "A payout did not take place."),
        Kind::PayoutReturned => ("払出しが銀行から戻りました。", "The bank sent a payout back."),
        Kind::MovementToDecide => ("判定待ちの取引があります。", "A movement waits for a decision."),
        Kind::AnswerToResolve => ("銀行の回答に矛盾があります。", "A bank's answer must be resolved."),
        Kind::GiveBackFailed => {
            ("銀行への返金ができませんでした。", "Money could not be given back to a bank account.")
        }
        Kind::BonusLapsed => ("解約に伴いポイントが失効しました。", "Points that were left lapsed with your wallet."),
        Kind::WriteOffProposed => {
            ("不足金の償却が提案されました。", "It was proposed to write off what a holder owes.")
        }
        Kind::WrittenOffRecovered => {
            ("戻った金額を処理済みの不足金に充てました。", "What came back went to a written-off debt.")
        }
        Kind::WalletClosing => {
            ("解約を受け付け、残高を払い出しています。", "Your wallet is being closed: its balance is being paid out.")
        }
        Kind::WalletStaysOpen => (
            "払出し中に残高などに変化があったため、ウォレットは解約されていません。",
            "Something changed while your balance was paid out, so your wallet was not closed.",
        ),
        Kind::DebtWrittenOff => ("不足金の請求を終了しました。", "What you owed was written off."),
        Kind::CaseOpened => {
            ("口座名義人から申告がありました。", "An account's holder says that a link was not theirs.")
        }
        Kind::MoneyKept => {
            ("残高の一部の出金を停止しました。", "A part of your balance is kept until a report has been looked into.")
        }
        Kind::ReimbursementProposed => ("補償が提案されました。", "It was proposed to reimburse an account's holder."),
        Kind::ReimbursementFailed => {
            ("補償金を銀行口座に振り込めませんでした。", "A reimbursement could not be paid to its bank account.")
        }
        Kind::MoneyRestored => (
            "停止していた残高を本来の口座名義人に返しました。",
            "Money that was kept in your balance went back to the account's holder whose it was.",
        ),
        Kind::MoneyFreed => {
            ("残高の一部の出金停止を解除しました。", "A part of your balance that was kept is free again.")
        }
    }
}
