//! The banks' pages: all banks, one bank with its people, one account with its statement.

use super::{shown, yen};
use crate::api::accounts::{Line, lines, number_of};
use crate::confirmations::{self, Way};
use crate::domain::Row;
use crate::domain::account::{self, Account, AccountNumber};
use crate::people;
use crate::state::State;
use axum::extract::{Form, Path, Query, State as Shared};
use maud::{Markup, html};
use serde::Deserialize;
use std::sync::Arc;
use web::Problem;
use web::page::Page;

/// Accounts on one page.
const ACCOUNTS_MAX: usize = 50;
/// Lines of a statement on one page.
const LINES_MAX: usize = 100;

/// Where the page of `number` is.
pub(super) fn path(number: AccountNumber) -> String {
    let (branch, number_text) = (number.branch_text(), number.number_text());
    format!("/banks/{}/accounts/{branch}-{}-{number_text}", number.bank, number.kind.name())
}

pub(super) async fn banks(Shared(state): Shared<Arc<State>>) -> Result<Page, Problem> {
    let mut rows = Vec::new();
    for facts in state.registry.banks() {
        let row = state.world.read(facts.code.key()).await?;
        let factors = row.as_deref().map(|row| factors(Row::bank(row))).unwrap_or_default();
        rows.push((facts, factors));
    }
    Ok(shown(
        "銀行",
        "Banks",
        html! {
            table {
                thead { tr { th { "コード / Code" } th { "銀行 / Bank" } th { "画面 / Page" } th { "認証 / Asks for" } } }
                tbody {
                    @for (facts, factors) in &rows {
                        tr {
                            td { (facts.code) }
                            td { a href={ "/banks/" (facts.code) } { (facts.name_full) } }
                            td { @if facts.own_page { "銀行 / its own" } @else { "受付サービス / the gateway's" } }
                            td { (factors) }
                        }
                    }
                }
            }
            p { a href="/" { "戻る / Back" } }
        },
    ))
}

fn factors(bank: &crate::domain::bank::Bank) -> String {
    let sets: Vec<String> = bank.factors.iter().map(|set| set.names().join(" + ")).collect();
    sets.join(" / ")
}

#[derive(Deserialize)]
pub(super) struct Paging {
    #[serde(default)]
    after: Option<String>,
}

pub(super) async fn bank(
    Shared(state): Shared<Arc<State>>,
    Path(code): Path<String>,
    Query(paging): Query<Paging>,
) -> Result<Page, Problem> {
    let bank = state.bank(&code)?;
    let facts = state.registry.bank(bank);
    let after = paging.after.as_deref().map(|after| number_of(&state, &code, after)).transpose()?;
    let numbers = crate::api::accounts::numbers(&state, bank, after, ACCOUNTS_MAX);
    let mut rows = Vec::new();
    for number in &numbers {
        rows.extend(state.world.read(number.key()).await?);
    }
    let row = state.world.read(bank.key()).await?;
    Ok(shown(
        "銀行と口座",
        "A bank and its accounts",
        html! {
            h2 { (facts.name_full) " (" (facts.code) ")" }
            @if let Some(bank) = row.as_deref().map(Row::bank) { p { "認証 / Asks for: " (factors(bank)) } }
            table {
                thead { tr { th { "口座 / Account" } th { "名前 / Name" } th { "カナ / Kana" } th { "生年月日 / Born" } th { "暗証番号 / PIN" } th.yen { "残高 / Balance" } } }
                tbody {
                    @for account in rows.iter().map(|row| Row::account(row)) {
                        tr {
                            td { a href=(path(account.number)) { (account.number.branch_text()) "-" (account.number.number_text()) } }
                            td { (account.customer.family_name) " " (account.customer.given_name) }
                            td { (account.customer.name_kana()) }
                            td { (account.customer.birth_date) }
                            td { (account.customer.pin.digits()) }
                            td.yen { (yen(account.balance)) }
                        }
                    }
                }
            }
            @if let Some(last) = numbers.get(ACCOUNTS_MAX.saturating_sub(1)) {
                p { a href={ "/banks/" (code) "?after=" (last.branch_text()) "-" (last.kind.name()) "-" (last.number_text()) } { "次へ / More" } }
            }
            p { a href="/banks" { "戻る / Back" } }
        },
    ))
}

pub(super) async fn account(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
) -> Result<Page, Problem> {
    let number = number_of(&state, &code, &number)?;
    let row = state.world.read(number.key()).await?.ok_or_else(Problem::not_found)?;
    let lines = lines(&state, number, LINES_MAX).await?;
    Ok(shown(
        "口座",
        "Account",
        html! {
            (facts(&state, row.account()))
            form method="post" action=(path(number)) {
                button name="channel" value="bank_app" { "銀行アプリで「自分で登録した」 / “It was me”, in the bank's app" } " "
                button.second name="channel" value="letter" { "確認番号の手紙を受け取る / Have the letter posted" }
            }
            h2 { "入出金明細 / Statement" }
            (statement(&lines))
            p { a href={ "/banks/" (code) } { "戻る / Back" } }
        },
    ))
}

#[derive(Deserialize)]
pub(super) struct Confirmed {
    channel: Way,
}

pub(super) async fn confirm(
    Shared(state): Shared<Arc<State>>,
    Path((code, number)): Path<(String, String)>,
    Form(Confirmed { channel }): Form<Confirmed>,
) -> Result<Page, Problem> {
    let number = number_of(&state, &code, &number)?;
    let confirmed = confirmations::confirm(&state, number, channel).await?;
    let said = match channel {
        Way::BankApp => "件の登録を確認しました。 / links are confirmed.",
        Way::Letter => "通の手紙を受信箱に届けました。 / letters are in the inbox.",
    };
    Ok(shown(
        "ご本人の確認",
        "It was me",
        html! {
            p role="status" { (confirmed.len()) " " (said) }
            p { a href=(path(number)) { "戻る / Back" } }
        },
    ))
}

fn facts(state: &State, account: &Account) -> Markup {
    let (number, customer) = (account.number, &account.customer);
    let branch = state.registry.branch(number).map(|branch| branch.name).unwrap_or_default();
    let none = || "—".to_owned();
    html! {
        dl {
            dt { "銀行 / Bank" } dd { (state.registry.bank(number.bank).name_full) " " (number.bank) }
            dt { "支店 / Branch" } dd { (number.branch_text()) " " (branch) }
            dt { "口座番号 / Number" } dd { (number.kind.name()) " " (number.number_text()) }
            dt { "名前 / Name" } dd { (customer.family_name) " " (customer.given_name) " (" (customer.name_kana()) ")" }
            dt { "生年月日 / Born" } dd { (customer.birth_date) }
            dt { "暗証番号 / PIN" } dd { (customer.pin.digits()) }
            dt { "残高 / Balance" } dd { (yen(account.balance)) " 円 / yen" }
            dt { "貸越限度 / Overdraft" } dd { (yen(account.overdraft_max.amount())) }
            dt { "メール / Mail" } dd { (customer.mail.clone().unwrap_or_else(none)) }
            dt { "電話 / Phone" } dd { (customer.phone.clone().unwrap_or_else(none)) }
            dt { "書類番号 / Document" } dd { (people::document_number(&people::identity(customer))) }
            dt { "ワンタイム / Token" } dd { (customer.one_time_password(state.outside.now())) }
            dt { "カード番号 / Card" } dd { (customer.card_serial()) }
            @if account.web_locked_at.is_some() { dt { "Web" } dd { "ロック中 / locked" } }
        }
        details {
            summary { "乱数表 / Random-number card" }
            p { @for cell in 0..account::CARD_CELLS { (account::cell_name(cell)) ": " (customer.card_cell(cell)) "  " } }
        }
    }
}

fn statement(lines: &[Line]) -> Markup {
    html! {
        table {
            thead { tr { th { "日時 / When" } th { "摘要 / Words" } th.yen { "金額 / Amount" } th.yen { "残高 / Balance" } } }
            tbody {
                @for line in lines {
                    tr { td { (line.at) } td { (line.descriptor) } td.yen { (yen(line.amount)) } td.yen { (yen(line.balance)) } }
                }
            }
        }
    }
}
