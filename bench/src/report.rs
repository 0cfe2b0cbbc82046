//! Collects the repetitions and shows them: an aligned table for people, JSON for programs. Pure: it prints nothing.

use std::fmt::Write;

use crate::failure::Failure;
use crate::json::Json;
use crate::scenario::{Figure, Scenario};
use crate::stats::{Verdict, median, spread, verdict};

type Outcome = Result<Vec<f64>, Failure>;

pub(crate) struct Report {
    servers: Vec<&'static str>,
    rows: Vec<(&'static Scenario, Vec<Vec<Outcome>>)>,
}

/// One figure of one server.
enum Cell {
    Values(Vec<f64>),
    Unsupported,
    Error,
    Nothing,
}

impl Report {
    pub(crate) fn new(
        servers: impl IntoIterator<Item = &'static str>,
        scenarios: impl IntoIterator<Item = &'static Scenario>,
    ) -> Self {
        let servers: Vec<_> = servers.into_iter().collect();
        let none = vec![Vec::new(); servers.len()];
        let rows = scenarios
            .into_iter()
            .map(|scenario| (scenario, none.clone()))
            .collect();
        Self { servers, rows }
    }

    pub(crate) fn add(&mut self, scenario: usize, server: usize, outcome: Outcome) {
        self.rows[scenario].1[server].push(outcome);
    }

    /// How many there were of a scenario, at most.
    pub(crate) fn repetitions(&self) -> usize {
        let counts = self
            .rows
            .iter()
            .flat_map(|(_, servers)| servers.iter().map(Vec::len));
        counts.max().unwrap_or(0)
    }

    /// A failure that the server did not itself announce as a missing command.
    pub(crate) fn has_errors(&self) -> bool {
        let mut outcomes = self
            .rows
            .iter()
            .flat_map(|(_, servers)| servers.iter().flatten());
        outcomes.any(|outcome| matches!(outcome, Err(Failure::Wrong(_))))
    }

    pub(crate) fn table(&self) -> String {
        let mut lines = vec![self.head()];
        for (scenario, outcomes) in &self.rows {
            for (at, figure) in scenario.figures.iter().enumerate() {
                let cells: Vec<Cell> = outcomes.iter().map(|outcomes| cell(outcomes, at)).collect();
                lines.push(self.line(figure, &cells));
            }
        }
        let mut text = aligned(&lines);
        for (what, failures) in self.failures() {
            let _ = writeln!(text, "{what}: {failures}");
        }
        text
    }

    fn head(&self) -> Vec<String> {
        let mut head = vec!["".into(), "unit".into()];
        for server in &self.servers {
            head.extend([(*server).into(), "±".into()]);
        }
        if let [first, second] = self.servers[..] {
            head.extend([format!("{first}/{second}"), "ahead".into()]);
        }
        head
    }

    fn line(&self, figure: &Figure, cells: &[Cell]) -> Vec<String> {
        let mut line = vec![figure.what.into(), figure.unit.into()];
        for cell in cells {
            line.extend(match cell {
                Cell::Values(values) => [
                    median(values).map_or("–".into(), number),
                    spread(values).map_or("–".into(), |part| format!("{:.0}%", part * 100.0)),
                ],
                Cell::Unsupported => ["n/a".into(), String::new()],
                Cell::Error => ["error".into(), String::new()],
                Cell::Nothing => ["–".into(), String::new()],
            });
        }
        if let (Some(kind), Some(ratio)) = (figure.kind, ratio(cells)) {
            let ahead = match verdict(kind, ratio) {
                Verdict::First => self.servers[0],
                Verdict::Draw => "draw",
                Verdict::Second => self.servers[1],
            };
            line.extend([format!("{ratio:.2}"), ahead.into()]);
        }
        line
    }

    /// Each distinct failure once, with its server and scenario and how often it happened.
    fn failures(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (scenario, servers) in &self.rows {
            for (name, outcomes) in self.servers.iter().zip(servers) {
                let mut texts: Vec<String> = outcomes
                    .iter()
                    .filter_map(|outcome| outcome.as_ref().err())
                    .map(Failure::to_string)
                    .collect();
                let failed = texts.len();
                texts.dedup();
                if failed > 0 {
                    let what = format!(
                        "{name} {}, {failed} of {} times",
                        scenario.name,
                        outcomes.len()
                    );
                    found.push((what, texts.join("; ")));
                }
            }
        }
        found
    }

    pub(crate) fn json(&self, about: Vec<(&'static str, Json)>) -> Json {
        let figures = self.rows.iter().flat_map(|(scenario, outcomes)| {
            scenario
                .figures
                .iter()
                .enumerate()
                .map(move |(at, figure)| {
                    let cells: Vec<Cell> =
                        outcomes.iter().map(|outcomes| cell(outcomes, at)).collect();
                    let servers = self.servers.iter().zip(outcomes).zip(&cells);
                    Json::Object(vec![
                        ("scenario", Json::text(scenario.name)),
                        ("figure", Json::text(figure.what.trim())),
                        ("unit", Json::text(figure.unit)),
                        ("ratio", Json::number(ratio(&cells))),
                        (
                            "servers",
                            Json::list(servers, |((name, outcomes), cell)| {
                                server_json(name, outcomes, cell)
                            }),
                        ),
                    ])
                })
        });
        let mut members = about;
        members.push(("figures", Json::List(figures.collect())));
        Json::Object(members)
    }
}

fn server_json(name: &str, outcomes: &[Outcome], cell: &Cell) -> Json {
    let values: &[f64] = match cell {
        Cell::Values(values) => values,
        Cell::Unsupported | Cell::Error | Cell::Nothing => &[],
    };
    let failures = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    Json::Object(vec![
        ("server", Json::text(name)),
        ("median", Json::number(median(values))),
        ("spread", Json::number(spread(values))),
        ("values", Json::list(values, |value| Json::Number(*value))),
        (
            "failures",
            Json::list(failures, |failure| Json::text(failure.to_string())),
        ),
    ])
}

/// A single failure spoils the figure: a median of what went well would hide it.
fn cell(outcomes: &[Outcome], at: usize) -> Cell {
    let mut values = Vec::new();
    let mut unsupported = false;
    for outcome in outcomes {
        match outcome {
            // There was nothing to compare with.
            Ok(figures) if figures[at].is_nan() => {}
            Ok(figures) => values.push(figures[at]),
            Err(Failure::Unsupported(_)) => unsupported = true,
            Err(Failure::Wrong(_)) => return Cell::Error,
        }
    }
    match (unsupported, values.is_empty()) {
        (true, true) => Cell::Unsupported,
        (true, false) => Cell::Error,
        (false, true) => Cell::Nothing,
        (false, false) => Cell::Values(values),
    }
}

fn ratio(cells: &[Cell]) -> Option<f64> {
    let [Cell::Values(first), Cell::Values(second)] = cells else {
        return None;
    };
    let ratio = median(first)? / median(second)?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// Three significant digits are more than the machine's noise deserves.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 100.0 => 0,
        large if large >= 10.0 => 1,
        large if large >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if decimals > 0 {
        return text;
    }
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |digits| ("-", digits));
    let mut grouped = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The first two columns to the left, the others to the right.
fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let _ = match column {
                0 | 1 => write!(row, "{cell:<width$}  "),
                _ => write!(row, "{cell:>width$}  "),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    fn report(ftpd: &[Outcome], vsftpd: &[Outcome]) -> Report {
        let memory = SCENARIOS
            .iter()
            .filter(|scenario| scenario.name == "memory");
        let mut report = Report::new(["ftpd", "vsftpd"], memory);
        for outcome in ftpd {
            report.add(0, 0, outcome.clone());
        }
        for outcome in vsftpd {
            report.add(0, 1, outcome.clone());
        }
        report
    }

    #[test]
    fn a_row_has_medians_spreads_a_ratio_and_a_verdict() {
        let report = report(&[Ok(vec![90.0]), Ok(vec![110.0])], &[Ok(vec![1600.0])]);
        let table = report.table();
        let row: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row[6..], ["100", "20%", "1,600", "–", "0.06", "ftpd"]);
        assert!(!report.has_errors());
    }

    #[test]
    fn one_error_among_good_repetitions_hides_the_figure() {
        let wrong = Failure::wrong("3 bytes instead of 4");
        let report = report(&[Ok(vec![90.0]), Err(wrong)], &[Ok(vec![1600.0])]);
        let table = report.table();
        assert!(table.contains("error"), "{table}");
        assert!(
            table.contains("ftpd memory, 1 of 2 times: 3 bytes instead of 4"),
            "{table}"
        );
        assert!(!table.contains("90"), "{table}");
        assert!(report.has_errors());
    }

    #[test]
    fn a_missing_command_is_not_an_error() {
        let missing = Failure::Unsupported("MLSD: 500 Unknown command.".into());
        let report = report(&[Ok(vec![90.0])], &[Err(missing)]);
        assert!(report.table().contains("n/a"));
        assert!(!report.has_errors());
    }

    #[test]
    fn columns_line_up_whatever_their_letters() {
        let lines =
            [["µs", "a", "1"], ["s", "bb", "1,000"]].map(|line| line.map(String::from).to_vec());
        assert_eq!(aligned(&lines), "µs  a       1\ns   bb  1,000\n");
    }

    #[test]
    fn numbers_have_three_digits_or_groups() {
        let written = [1_234_567.0, 123.4, 12.34, 1.234, 0.1234].map(number);
        assert_eq!(written, ["1,234,567", "123", "12.3", "1.23", "0.123"]);
    }
}
