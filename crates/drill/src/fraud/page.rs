//! The report as one page that needs nothing else: charts of the losses by day, by bank, and what each control is worth.

use super::Report;
use super::ablation::Row;
use super::report::Tally;
use maud::{DOCTYPE, Markup, html};

/// The width and height of a chart, and its margin, in pixels.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 220;
const MARGIN: i64 = 40;

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ccc;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}text{font:12px sans-serif}";

/// The page of `report`, with the rows of an ablation where there was one.
pub fn page(report: &Report, ablation: &[Row]) -> String {
    let title = format!("{} / {} / {}", report.drill, report.preset, report.seed);
    let page = html! {
        (DOCTYPE)
        html lang="ja" {
            head { meta charset="utf-8"; meta name="viewport" content="width=device-width"; title { (title) } style { (maud::PreEscaped(STYLE)) } }
            body {
                h1 { "訓練の報告 / Report of a drill" }
                p { (title) @if report.partial { strong { " 途中終了 / partial" } } }
                (figures(report))
                h2 { "判明した件数と金額（累計） / Known cases and yen, cumulative" }
                (known(report))
                h2 { "引落しの日別 / Debits by day" }
                (bars(&report.debits.iter().map(|day| (short(&day.date), day.yen)).collect::<Vec<_>>()))
                h2 { "銀行別 / By bank" }
                (bars(&report.banks.iter().map(|(bank, sum)| (bank.clone(), sum.yen)).collect::<Vec<_>>()))
                h2 { "何が止めたか / What stopped the attacker" }
                table { @for (control, count) in &report.attacker.refused_by { tr { td { (control) } td { (count) } } } }
                @if !ablation.is_empty() { (worth(ablation)) }
            }
        }
    };
    page.into_string()
}

fn figures(report: &Report) -> Markup {
    let honest = &report.honest;
    html! {
        table {
            tr { td { "被害額 / taken" } td { (yen(report.yen_taken)) } }
            tr { td { "流出 / escaped" } td { (yen(report.yen_escaped)) } }
            tr { td { "返還 / returned" } td { (yen(report.yen_returned)) } }
            tr { td { "被害口座 / accounts" } td { (report.victims) } }
            tr { td { "利用者 / honest holders" } td { (honest.holders) } }
            tr { td { "その取引・完了 / their movements, completed" } td { (honest.movements) " / " (honest.completed) } }
            tr { td { "追加確認・遅延・拒否 / challenged, delayed, refused" }
                td { (honest.challenged) " / " (honest.delayed) " / " (honest.refused) } }
        }
    }
}

/// The tallies as a line, what was published as dots.
fn known(report: &Report) -> Markup {
    let published = report.published.iter().map(|published| published.published_yen);
    let most = report.tallies.iter().map(|tally| tally.yen).chain(published).max().unwrap_or(0).max(1);
    let days = report.tallies.len().max(1);
    let x = |index: usize| {
        MARGIN + i64::try_from(index).unwrap_or(0) * (WIDTH - 2 * MARGIN) / i64::try_from(days).unwrap_or(1)
    };
    let y = |yen: i64| HEIGHT - MARGIN - yen * (HEIGHT - 2 * MARGIN) / most;
    let place = |tally: &Tally| report.tallies.iter().position(|other| other.date == tally.date).unwrap_or(0);
    let line: Vec<String> =
        report.tallies.iter().map(|tally| format!("{},{}", x(place(tally)), y(tally.yen))).collect();
    let day_of =
        |at: &str| report.tallies.iter().rposition(|tally| at.get(..10).is_some_and(|day| tally.date.as_str() <= day));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="known yen by day" {
            line x1=(MARGIN) y1=(HEIGHT - MARGIN) x2=(WIDTH - MARGIN) y2=(HEIGHT - MARGIN) stroke="#888" {}
            polyline points=(line.join(" ")) fill="none" stroke="#06c" stroke-width="2" {}
            @for published in &report.published {
                @let place = x(day_of(&published.at).unwrap_or(0));
                circle cx=(place) cy=(y(published.published_yen)) r="4" fill=(if published.is_fitted { "#c60" } else { "#c06" }) {}
            }
            text x=(MARGIN) y="14" { (yen(most)) }
        }
        @if !report.published.is_empty() {
            table {
                tr { th { "時点 / at" } th { "公表件数 / published" } th { "ここ / here" } th { "公表額" } th { "ここ / here" } th { "" } }
                @for published in &report.published {
                    tr { td { (published.at) } td { (published.published_cases) } td { (published.cases) }
                        td { (yen(published.published_yen)) } td { (yen(published.yen)) }
                        td { (if published.is_fitted { "fitted" } else { "held out" }) } }
                }
            }
        }
    }
}

fn bars(values: &[(String, i64)]) -> Markup {
    let most = values.iter().map(|(_, yen)| *yen).max().unwrap_or(0).max(1);
    let step = (WIDTH - 2 * MARGIN) / i64::try_from(values.len().max(1)).unwrap_or(1);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="yen" {
            @for ((name, value), index) in values.iter().zip(0_i64..) {
                @let height = value * (HEIGHT - 2 * MARGIN) / most;
                @let left = MARGIN + index * step;
                rect x=(left) y=(HEIGHT - MARGIN - height) width=((step - 2).max(1)) height=(height) fill="#06c" { title { (name) ": " (yen(*value)) } }
                @if step >= 34 || index % 5 == 0 { text x=(left) y=(HEIGHT - MARGIN + 16) { (name) } }
            }
            text x=(MARGIN) y="14" { (yen(most)) }
        }
    }
}

fn worth(rows: &[Row]) -> Markup {
    html! {
        h2 { "統制の価値 / What each control is worth" }
        table {
            tr { th { "統制 / control" } th { "これだけ無し / all but it" } th { "これだけ有り / it alone" } th { "challenged" } th { "delayed" } th { "refused" } }
            @for row in rows {
                tr { td { (row.control) } td { (yen(row.all_but_it)) } td { (yen(row.it_alone)) } @for count in row.honest { td { (count) } } }
            }
        }
    }
}

/// A date without its year.
fn short(date: &str) -> String {
    date.get(5..).unwrap_or(date).to_owned()
}

/// An amount in groups of three digits.
fn yen(amount: i64) -> String {
    let digits = amount.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if amount < 0 { format!("-{text}") } else { text }
}
