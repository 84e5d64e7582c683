//! The report as one page that needs nothing else: charts of the losses by day, by bank, and what each control is worth.

use super::Report;
use super::ablation::Row;
use super::scenario::moment;
use domain::Time;
use maud::{DOCTYPE, Markup, html};

/// The width and height of a chart, and its margin, in pixels.
const WIDTH: i64 = 720;
const HEIGHT: i64 = 220;
const MARGIN: i64 = 40;
/// Dates below an axis, about.
const LABELS: i64 = 10;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1_440 * MINUTE_MS;
/// The widest bar of a row, in pixels.
const ROW_WIDTH: i64 = 160;

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
                (said("攻撃者は公開の画面とAPIだけを使い、他の人と同じように拒まれます。", "The attacker uses the public pages and API alone, and is refused as anybody is."))
                (figures(report))
                h2 { "判明した件数と金額（累計） / Known cases and yen, cumulative" }
                (said("線はこの再現で判明した額、点は当時公表された額です（橙は合わせ込みに使った日、紅は使っていない日）。", "The line is what became known here; dots are what was published then, orange where the drill was fitted to it, red where it was not."))
                (known(report))
                h2 { "引落しの日別 / Debits by day" }
                (said("口座から実際に引き落とされた日ごとの額です。", "What was debited from accounts, on the day on which it was."))
                (by_day(report))
                h2 { "銀行別 / By bank" }
                (said("同じ額を、銀行コードごとに示します。", "The same yen, by the bank's code."))
                (bars(&report.banks.iter().map(|(bank, sum)| (bank.clone(), sum.yen)).collect::<Vec<_>>()))
                h2 { "何が止めたか / What stopped the attacker" }
                (said("攻撃者の一歩が拒まれた回数を、拒んだ統制ごとに数えます。", "How many of the attacker's steps each control refused."))
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
            tr { td { "攻撃者のやり方 / the attacker's way" } td { (report.tactics) } }
            tr { td { "入力の試行・的中 / tries, hits by guessing" } td { (report.attacker.tries) " / " (report.attacker.hits) } }
            tr { td { "当時の報道では数万回に一回 / the accounts of the time say one hit in tens of thousands of tries" }
                td { @if let Some(tries) = report.attacker.tries.checked_div(report.attacker.hits) { "1 / " (tries) } @else { "–" } } }
            tr { td { "一日以内に気づいた人の最大被害（被害額・流出） / worst hit of who reacted within a day: taken, escaped" }
                td { (yen(report.worst.yen_taken)) " / " (yen(report.worst.yen_escaped)) } }
            tr { td { "十秒以内に届いた通知 / notices within ten seconds" } td { (report.notices.in_time) " / " (report.notices.due) } }
            tr { td { "利用者 / honest holders" } td { (honest.holders) } }
            tr { td { "その取引・完了 / their movements, completed" } td { (honest.movements) " / " (honest.completed) } }
            tr { td { "追加確認・遅延・拒否 / challenged, delayed, refused" }
                td { (honest.challenged) " / " (honest.delayed) " / " (honest.refused) } }
        }
    }
}

/// Where on the axis of a run's days something stands: a day's end for what is summed up to it, a moment at its hour.
struct Axis {
    begin: Time,
    days: i64,
}

impl Axis {
    /// From the day before the first of `dates` to the last one's end, at least the run's last days.
    fn of(report: &Report) -> Self {
        let dates = report.tallies.iter().chain(&report.debits).map(|tally| moment(&tally.date));
        let moments = report.published.iter().map(|published| moment(&published.at));
        let (mut first, mut last) = (None::<Time>, None::<Time>);
        for at in dates.chain(moments) {
            (first, last) = (Some(first.map_or(at, |first| first.min(at))), Some(last.map_or(at, |last| last.max(at))));
        }
        let begin = first.unwrap_or(Time::from_milliseconds(0)).day().start();
        let days = last.map_or(1, |last| last.milliseconds_since(begin) / DAY_MS + 1);
        Self { begin, days: days.max(1) }
    }

    /// So many pixels from the left.
    fn x(&self, at: Time) -> i64 {
        MARGIN + at.milliseconds_since(self.begin) / MINUTE_MS * (WIDTH - 2 * MARGIN) / (self.days * DAY_MS / MINUTE_MS)
    }

    /// The date of every so manieth day, below its place.
    fn labels(&self) -> Markup {
        let step = usize::try_from(self.days / LABELS + 1).unwrap_or(1);
        let days = (0..self.days).step_by(step).map(|day| self.begin.plus_milliseconds(day * DAY_MS));
        html! { @for day in days { text x=(self.x(day)) y=(HEIGHT - MARGIN + 16) { (short(&day.day().to_string())) } } }
    }
}

/// The tallies as a line, what was published as dots.
fn known(report: &Report) -> Markup {
    let published = report.published.iter().map(|published| published.published_yen);
    let most = report.tallies.iter().map(|tally| tally.yen).chain(published).max().unwrap_or(0).max(1);
    let axis = Axis::of(report);
    let y = |yen: i64| HEIGHT - MARGIN - yen * (HEIGHT - 2 * MARGIN) / most;
    let mut line = vec![format!("{},{}", axis.x(axis.begin), y(0))];
    let mut before = 0;
    for tally in &report.tallies {
        // A day without a case is a level line; a day's sum is there at its end.
        let day = moment(&tally.date);
        line.push(format!("{},{}", axis.x(day), y(before)));
        line.push(format!("{},{}", axis.x(day.plus_milliseconds(DAY_MS)), y(tally.yen)));
        before = tally.yen;
    }
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="判明した累計額 / known yen, cumulative" {
            line x1=(MARGIN) y1=(HEIGHT - MARGIN) x2=(WIDTH - MARGIN) y2=(HEIGHT - MARGIN) stroke="#888" {}
            polyline points=(line.join(" ")) fill="none" stroke="#06c" stroke-width="2" {}
            (axis.labels())
            @for published in &report.published {
                circle cx=(axis.x(moment(&published.at))) cy=(y(published.published_yen)) r="4" fill=(if published.is_fitted { "#c60" } else { "#c06" }) {}
            }
            text x=(MARGIN) y="14" { (yen(most)) }
        }
        @if !report.published.is_empty() { (compared(report)) }
    }
}

/// Debits as one bar a simulated day, days without any included.
fn by_day(report: &Report) -> Markup {
    let most = report.debits.iter().map(|day| day.yen).max().unwrap_or(0).max(1);
    let axis = Axis::of(report);
    let width = ((WIDTH - 2 * MARGIN) / axis.days - 1).max(1);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="日ごとの引落し額 / yen debited by day" {
            @for day in &report.debits {
                @let height = day.yen * (HEIGHT - 2 * MARGIN) / most;
                rect x=(axis.x(moment(&day.date))) y=(HEIGHT - MARGIN - height) width=(width) height=(height) fill="#06c" { title { (day.date) ": " (yen(day.yen)) } }
            }
            (axis.labels())
            text x=(MARGIN) y="14" { (yen(most)) }
        }
    }
}

/// What was published, what it is here, and how far that is from it.
fn compared(report: &Report) -> Markup {
    let beside = |here: String, error: i64| format!("{here} ({error:+} %)");
    html! {
        table {
            tr { th { "時点 / at" } th { "公表件数 / published" } th { "ここ / here" } th { "公表額 / published" } th { "ここ / here" } th { "" } }
            @for published in &report.published {
                tr { td { (published.at) } td { (published.published_cases) }
                    td { (beside(published.cases.to_string(), published.cases_error_percent)) }
                    td { (yen(published.published_yen)) } td { (beside(yen(published.yen), published.yen_error_percent)) }
                    td { (if published.is_fitted { "合わせ込み / fitted" } else { "検証用 / held out" }) } }
            }
            @for end in &report.in_the_end {
                tr { td { (end.bank.as_deref().map_or_else(|| "全行の最終 / all banks, final".to_owned(), |bank| format!("{bank} の最終 / {bank}, final"))) }
                    td { (end.published_cases) }
                    td { @if end.are_cases_given { (end.cases) " （入力値 / given）" } @else { (beside(end.cases.to_string(), end.cases_error_percent)) } }
                    td { (yen(end.published_yen)) } td { (beside(yen(end.yen), end.yen_error_percent)) }
                    td { "検証用 / held out" } }
            }
        }
        @for earlier in &report.earlier {
            (said(&format!("{}の{}件以上は記録にあるだけで、ここのどの合計にも入りません（金額は公表されていません）。", earlier.month, earlier.cases_min),
                &format!("At least {} case of {} is on record and in no sum here; its yen were never published.", earlier.cases_min, earlier.month)))
        }
    }
}

fn bars(values: &[(String, i64)]) -> Markup {
    let most = values.iter().map(|(_, yen)| *yen).max().unwrap_or(0).max(1);
    let step = (WIDTH - 2 * MARGIN) / i64::try_from(values.len().max(1)).unwrap_or(1);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label="銀行別の額 / yen by bank" {
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
    let most = rows.iter().flat_map(|row| [row.all_but_it, row.it_alone]).max().unwrap_or(0).max(1);
    html! {
        h2 { "統制の価値 / What each control is worth" }
        (said("上の棒はその統制だけを外したとき、下の棒は当時の統制にそれだけを加えたときの被害額です。", "The upper bar is what is taken without that control alone, the lower one what is taken with it alone on top of those of the time."))
        table {
            tr { th { "統制 / control" } th {} th { "これだけ無し / all but it" } th { "これだけ有り / it alone" } th { "追加確認 / challenged" } th { "遅延 / delayed" } th { "拒否 / refused" } }
            @for row in rows {
                tr {
                    td { (row.control) }
                    td { (pair(row, most)) }
                    td { (yen(row.all_but_it)) }
                    td { (yen(row.it_alone)) }
                    @for count in [row.honest.challenged, row.honest.delayed, row.honest.refused] { td { (count) } }
                }
            }
        }
    }
}

/// Both losses of a row as bars, the widest for `most`.
fn pair(row: &Row, most: i64) -> Markup {
    let width = |yen: i64| (yen * ROW_WIDTH / most).max(1);
    html! {
        svg viewBox={ "0 0 " (ROW_WIDTH) " 22" } width=(ROW_WIDTH) height="22" role="img" aria-label="これだけ無しと、これだけ有り / all but it, and it alone" {
            rect x="0" y="2" width=(width(row.all_but_it)) height="8" fill="#c06" {}
            rect x="0" y="12" width=(width(row.it_alone)) height="8" fill="#06c" {}
        }
    }
}

/// One sentence in both languages.
fn said(ja: &str, en: &str) -> Markup {
    html! { p { (ja) br; span lang="en" { (en) } } }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fraud::report::Tally;

    #[test]
    fn the_axis_has_a_place_for_every_day_and_a_moment_stands_at_its_hour() {
        let tally = |date: &str, yen| Tally { date: date.to_owned(), cases: 1, yen };
        let report = Report { tallies: vec![tally("2020-09-01", 10), tally("2020-09-08", 20)], ..Report::default() };
        let axis = Axis::of(&report);
        let x = |at| axis.x(moment(at));
        assert_eq!((axis.days, x("2020-09-01"), x("2020-09-09")), (8, MARGIN, WIDTH - MARGIN));
        assert_eq!(x("2020-09-05"), WIDTH / 2, "a week without cases is a week wide");
        assert_eq!(x("2020-09-05T12:00") - x("2020-09-05"), (WIDTH - 2 * MARGIN) / 16);
    }
}
