//! The doctor's words. In: an [`Observation`] and its [`Check`]s; out: text for people (at most [`COLUMNS`] columns,
//! readable without colour) or one JSON object (docs/contracts.md).

use std::fmt::Write as _;

use serde::Serialize;

use super::{Check, Observation, Verdict, checks};

/// Columns of a line.
const COLUMNS: usize = 98;
/// Columns before the figure: verdict and name of the check.
const INDENT: usize = 24;

/// All that the doctor says.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub version: &'static str,
    /// What was read, as it was named; empty for an interface.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<String>,
    /// The gravest of the checks.
    pub verdict: Verdict,
    pub checks: Vec<Check>,
    #[serde(flatten)]
    pub seen: Observation,
}

impl Report {
    #[must_use]
    pub fn new(captures: Vec<String>, seen: Observation) -> Self {
        let checks = checks(&seen);
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
        Self { version: env!("CARGO_PKG_VERSION"), captures, verdict, checks, seen }
    }

    /// For people.
    #[must_use]
    pub fn text(&self, colour: bool) -> String {
        let mut text = match (&self.seen.interface, self.captures.as_slice()) {
            (Some(interface), _) => format!("{}\n\n", interface.name),
            (None, [one]) => format!("{one}\n\n"),
            (None, several) => format!("{} captures\n\n", several.len()),
        };
        for check in &self.checks {
            let verdict = word(check.verdict);
            let mark = if colour {
                format!("\x1b[{}m{verdict:<8}\x1b[0m", paint(check.verdict))
            } else {
                format!("{verdict:<8}")
            };
            let _ = write!(text, "{mark}  {:<12}  ", check.check);
            text.push_str(&lines(&check.figure));
            if let Some(remedy) = &check.remedy {
                let _ = write!(text, "{:INDENT$}{}", "", lines(&format!("→ {remedy}")));
            }
        }
        let _ = writeln!(text, "\n{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let count = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        let said = [(Verdict::Problem, "problem"), (Verdict::Warning, "warning"), (Verdict::Note, "note")];
        let counts: Vec<String> = said
            .iter()
            .map(|(verdict, name)| (count(*verdict), name))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
            .collect();
        let meaning = match self.verdict {
            Verdict::Ok | Verdict::Note => "The sensor sees what it should.",
            Verdict::Warning => "The sensor sees, but not all: mend the warnings.",
            Verdict::Problem => "The sensor is blind, or nearly so, until the problem is mended.",
        };
        if counts.is_empty() { meaning.to_owned() } else { format!("{}. {meaning}", counts.join(", ")) }
    }
}

/// `text` in lines that fit beside the name of the check.
fn lines(text: &str) -> String {
    let mut out = String::new();
    let mut column = INDENT;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > INDENT && column + 1 + length > COLUMNS {
            let _ = write!(out, "\n{:INDENT$}", "");
            column = INDENT;
        } else if column > INDENT {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Note => "note",
        Verdict::Warning => "WARNING",
        Verdict::Problem => "PROBLEM",
    }
}

fn paint(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "32",
        Verdict::Note => "36",
        Verdict::Warning => "33",
        Verdict::Problem => "1;31",
    }
}
