//! Several seeds: the least, the median and the most of what their runs came to. Start reading at [`Seeds::of`].

use super::Report;
use super::report::{Compared, Sum};
use serde::Serialize;

/// One figure of several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The least.
    pub least: i64,
    /// The median; of two in the middle the larger one.
    pub median: i64,
    /// The most.
    pub most: i64,
}

/// A number of cases and their yen, of several runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// How many.
    pub cases: Range,
    /// How many yen.
    pub yen: Range,
}

/// The three series at a moment of which something was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    /// The moment in Tokyo.
    pub at: String,
    /// What was published.
    pub published: Sum,
    /// Whether the free numbers were fitted to it.
    pub is_fitted: bool,
    /// What was known, mistaken claims among it.
    pub known: Sums,
    /// What had been debited without the holder's will, known or not.
    pub debited: Sums,
    /// Claims of people who were mistaken.
    pub mistaken: Sums,
}

/// What was published when it was over, of one bank or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct End {
    /// The bank's code; none for all banks.
    pub bank: Option<String>,
    /// What was published.
    pub published: Sum,
    /// The cases were put in: what comes out of it shows nothing.
    pub are_cases_given: bool,
    /// What was debited here.
    pub debited: Sums,
}

/// What several runs came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Seeds {
    /// How many runs.
    pub seeds: usize,
    /// Cases that became known.
    pub cases: Range,
    /// Accounts that were debited.
    pub victims: Range,
    /// Yen that were taken.
    pub yen_taken: Range,
    /// Yen that got out of reach.
    pub yen_escaped: Range,
    /// The three series, moment by moment.
    pub series: Vec<Series>,
    /// What was published in the end.
    pub in_the_end: Vec<End>,
}

impl Seeds {
    /// Of those of `reports`, all of one scenario, that were brought to their last day: what was cut has smaller losses.
    pub fn of(reports: &[Report]) -> Self {
        let reports: Vec<&Report> = reports.iter().filter(|report| !report.partial).collect();
        let series = |index: usize, compared: &Compared| {
            let sums = |pick: &dyn Fn(&Compared) -> Sum| {
                Sums::of(reports.iter().filter_map(|report| report.published.get(index)).map(pick))
            };
            Series {
                at: compared.at.clone(),
                published: Sum { cases: compared.published_cases, yen: compared.published_yen },
                is_fitted: compared.is_fitted,
                known: sums(&|compared| Sum { cases: compared.cases, yen: compared.yen }),
                debited: sums(&|compared| compared.debited),
                mistaken: sums(&|compared| compared.mistaken),
            }
        };
        let ends = reports.first().map(|report| report.in_the_end.iter().enumerate());
        let ends = ends.into_iter().flatten().map(|(index, end)| End {
            bank: end.bank.clone(),
            published: Sum { cases: end.published_cases, yen: end.published_yen },
            are_cases_given: end.are_cases_given,
            debited: Sums::of(
                reports
                    .iter()
                    .filter_map(|report| report.in_the_end.get(index))
                    .map(|end| Sum { cases: end.cases, yen: end.yen }),
            ),
        });
        let published = reports.first().map(|report| report.published.iter().enumerate());
        Self {
            seeds: reports.len(),
            cases: Range::of(reports.iter().map(|report| count(report.cases))),
            victims: Range::of(reports.iter().map(|report| count(report.victims))),
            yen_taken: Range::of(reports.iter().map(|report| report.yen_taken)),
            yen_escaped: Range::of(reports.iter().map(|report| report.yen_escaped)),
            series: published.into_iter().flatten().map(|(index, compared)| series(index, compared)).collect(),
            in_the_end: ends.collect(),
        }
    }
}

impl Seeds {
    /// The medians that are less than half of what was published, or more than twice it, each in words.
    pub fn far_off(&self) -> Vec<String> {
        let known = self.series.iter().map(|series| (series.at.as_str(), series.published, series.known, false));
        let ends = self
            .in_the_end
            .iter()
            .map(|end| (end.bank.as_deref().unwrap_or("in the end"), end.published, end.debited, end.are_cases_given));
        let figures = known.chain(ends).flat_map(|(at, published, here, are_cases_given)| {
            let cases = (!are_cases_given).then_some((at, "cases", count(published.cases), here.cases.median));
            cases.into_iter().chain([(at, "yen", published.yen, here.yen.median)])
        });
        let is_far =
            |published: i64, here: i64| here.saturating_mul(2) < published || here > published.saturating_mul(2);
        let far = figures.filter(|(_, _, published, here)| is_far(*published, *here));
        far.map(|(at, what, published, here)| format!("{at}: {here} {what}, published {published}")).collect()
    }
}

impl Sums {
    fn of(sums: impl Iterator<Item = Sum> + Clone) -> Self {
        Self { cases: Range::of(sums.clone().map(|sum| count(sum.cases))), yen: Range::of(sums.map(|sum| sum.yen)) }
    }
}

impl Range {
    fn of(figures: impl Iterator<Item = i64>) -> Self {
        let mut all: Vec<i64> = figures.collect();
        all.sort_unstable();
        let at = |place: usize| all.get(place).copied().unwrap_or(0);
        Self { least: at(0), median: at(all.len() / 2), most: at(all.len().saturating_sub(1)) }
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::report::ComparedEnd;
    use super::*;

    #[test]
    fn a_range_has_the_least_the_middle_and_the_most_whatever_their_order() {
        let check = |figures: &[i64], [least, median, most]: [i64; 3]| {
            assert_eq!(Range::of(figures.iter().copied()), Range { least, median, most }, "{figures:?}");
        };
        check(&[], [0, 0, 0]);
        check(&[7], [7, 7, 7]);
        check(&[9, -1], [-1, 9, 9]);
        check(&[5, 1, 3], [1, 3, 5]);
    }

    #[test]
    fn what_is_more_than_a_factor_of_two_from_what_was_published_is_named() {
        let check = |[known, yen, end, end_yen]: [i64; 4], named: &[&str]| {
            let cases = |cases: i64| u64::try_from(cases).expect("not negative");
            let report = Report {
                published: vec![Compared {
                    at: "noon".to_owned(),
                    published_cases: 66,
                    published_yen: 1_000,
                    cases: cases(known),
                    yen,
                    ..Compared::default()
                }],
                in_the_end: vec![
                    ComparedEnd {
                        bank: Some("9900".to_owned()),
                        published_cases: 10,
                        published_yen: 100,
                        cases: cases(end),
                        yen: end_yen,
                        ..ComparedEnd::default()
                    },
                    ComparedEnd {
                        are_cases_given: true,
                        published_cases: 128,
                        published_yen: 0,
                        ..ComparedEnd::default()
                    },
                ],
                ..Report::default()
            };
            assert_eq!(Seeds::of(&[report]).far_off(), named);
        };
        check([33, 2_000, 5, 200], &[]);
        check([32, 2_001, 5, 200], &["noon: 32 cases, published 66", "noon: 2001 yen, published 1000"]);
        check([66, 1_000, 21, 49], &["9900: 21 cases, published 10", "9900: 49 yen, published 100"]);
        assert!(Seeds::of(&[]).far_off().is_empty());
    }

    #[test]
    fn each_moment_has_its_three_series_over_all_seeds() {
        let run = |known: u64, debited: u64, mistaken: u64| Report {
            published: vec![Compared {
                at: "2020-09-10T12:00".to_owned(),
                published_cases: 66,
                cases: known,
                debited: Sum { cases: debited, yen: 3 },
                mistaken: Sum { cases: mistaken, yen: 1 },
                ..Compared::default()
            }],
            ..Report::default()
        };
        let seeds = Seeds::of(&[run(60, 90, 1), run(70, 80, 2), run(65, 100, 0)]);
        let [one] = seeds.series.as_slice() else { panic!("one moment: {seeds:?}") };
        assert_eq!((one.published.cases, one.known.cases), (66, Range { least: 60, median: 65, most: 70 }));
        assert_eq!(one.debited.cases, Range { least: 80, median: 90, most: 100 });
        assert_eq!(one.mistaken.cases, Range { least: 0, median: 1, most: 2 });
        let cut = Report { partial: true, ..run(1, 1, 0) };
        assert_eq!(
            Seeds::of(&[run(60, 90, 1), run(70, 80, 2), run(65, 100, 0), cut]),
            seeds,
            "what was cut is in no range"
        );
    }
}
