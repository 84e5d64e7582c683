//! The front page: what this place is, and the two pages that people come to by themselves.

use super::{confirm, not_me, page};
use crate::gateway::Gateway;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use maud::html;
use web::page::{Words, words};

/// `GET /`.
pub(super) async fn show(State(gateway): State<Gateway>) -> Response {
    let body = html! {
        p { (words(WHAT)) }
        ul {
            li { a href=(not_me::PATH) { (words(NOT_ME)) } }
            li { a href=(confirm::PATH) { (words(CONFIRM)) } }
        }
    };
    page(&gateway, TITLE, Vec::new(), body).into_response()
}

const TITLE: Words = Words { ja: "口座振替受付", en: "Account transfers" };
const WHAT: Words = Words {
    ja: "ウォレットと銀行のあいだで、口座からの引き落としの登録を受け付けています。登録は、お使いのウォレットからはじめてください。",
    en: "Between wallets and banks: here a bank account is linked to a wallet. Begin in your wallet.",
};
const NOT_ME: Words = Words {
    ja: "銀行からの通知に心当たりがない方",
    en: "A notice from your bank means nothing to you",
};
const CONFIRM: Words = Words {
    ja: "ご自分で登録したことを確認する方",
    en: "You linked your account yourself, and confirm it",
};
