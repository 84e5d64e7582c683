//! The front page: what is here, and who may be played.

use super::{shown, yen};
use crate::domain::Row;
use crate::people;
use crate::state::State;
use axum::extract::State as Shared;
use maud::html;
use std::sync::Arc;
use web::Problem;
use web::page::{Page, Words, words};

pub(super) async fn front(Shared(state): Shared<Arc<State>>) -> Result<Page, Problem> {
    let mut rows = Vec::new();
    for number in people::fixed_numbers(&state.registry) {
        rows.extend(state.world.read(number.key()).await?);
    }
    let clock = &state.options.clock;
    let now = engine::Clock::now(clock.as_ref());
    let accounts = state.world.index().accounts.len();
    Ok(shown(
        "サンドボックス",
        "Sandbox",
        html! {
            ul {
                li { a href="/inbox" { "メールとSMSの受信箱 / Inbox: every mail and SMS" } }
                li { a href="/banks" { (state.registry.banks().count()) "の銀行 / Banks" } " (" (accounts) " 口座 / accounts)" }
                li { a href="/clock" { "時計 / Clock" } ": " (now) @if clock.is_frozen() { " 停止中 / frozen" } }
                li { a href="/sandbox/v1/banks" { "API: /sandbox/v1" } }
                li { a href=(state.options.origins.wallet) { "ウォレット / The wallet" } }
            }
            h2 { (words(Words { ja: "この人たちで試せます", en: "People to play" })) }
            table {
                thead { tr { th { "銀行 / Bank" } th { "口座 / Account" } th { "名前 / Name" } th { "生年月日 / Born" } th { "暗証番号 / PIN" } th.yen { "残高 / Balance" } } }
                tbody {
                    @for account in rows.iter().map(|row| Row::account(row)) {
                        tr {
                            td { (state.registry.bank(account.number.bank).name_full) }
                            td { a href=(super::banks::path(account.number)) { (account.number.branch_text()) "-" (account.number.number_text()) } }
                            td { (account.customer.family_name) " " (account.customer.given_name) }
                            td { (account.customer.birth_date) }
                            td { (account.customer.pin.digits()) }
                            td.yen { (yen(account.balance)) }
                        }
                    }
                }
            }
        },
    ))
}
