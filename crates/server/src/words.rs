//! The words of letters, Japanese first, English second. No link, no request for a password.

use crate::letters::Text;

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
