//! `shadowtap edm build`: the site's list of patients for exact data match. In: a CSV and a key; out: a file of keyed
//! hashes, and counts on stderr.

use std::{
    fmt::Write as _,
    io::{self, Read},
    path::PathBuf,
};

use super::{Outcome, say};
use crate::{
    detect::edm::{self, Counted, Key, Report},
    yaml::{Fault, plain},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a file of keyed hashes from a CSV of patients.
    Build(Build),
}

#[derive(Debug, clap::Args)]
struct Build {
    /// File with the site's key, 16 bytes or more (`openssl rand -hex 32` makes one).
    #[arg(long, value_name = "F")]
    key: PathBuf,
    /// The file to make; one of that name is replaced.
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// Head of the column of record numbers; without it, it is looked for, and so are the others.
    #[arg(long, value_name = "HEAD")]
    mrn: Option<String>,
    /// Head of the column of social security numbers.
    #[arg(long, value_name = "HEAD")]
    ssn: Option<String>,
    /// Head of the column of last names.
    #[arg(long, value_name = "HEAD")]
    last_name: Option<String>,
    /// Head of the column of whole names ("Green, Leroy" or "Leroy Green").
    #[arg(long, value_name = "HEAD", conflicts_with = "last_name")]
    name: Option<String>,
    /// Head of the column of dates of birth.
    #[arg(long, value_name = "HEAD")]
    dob: Option<String>,
    /// The patients, with heads in the first line; or - for stdin.
    #[arg(value_name = "CSV")]
    csv: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Command::Build(arguments) = &arguments.command;
    match build(arguments) {
        Ok(report) => {
            say(&summary(&report, arguments));
            Ok(Outcome::Done)
        }
        Err(fault) => {
            say(&fault.to_string());
            Ok(Outcome::InputAtFault)
        }
    }
}

fn build(arguments: &Build) -> Result<Report, Fault> {
    let key = Key::read(&arguments.key)?;
    let name = arguments.csv.display().to_string();
    let input: Box<dyn Read> = if arguments.csv.as_os_str() == "-" {
        Box::new(io::stdin())
    } else {
        let unreadable = |error| Fault::of_file(&name, format!("cannot be read: {}; check the path", plain(&error)));
        Box::new(std::fs::File::open(&arguments.csv).map_err(unreadable)?)
    };
    let Build { mrn, ssn, last_name, name: whole, dob, .. } = arguments;
    let [mrn, ssn, last_name, whole, dob] = [mrn, ssn, last_name, whole, dob].map(Clone::clone);
    let columns = edm::Columns { mrn, ssn, last_name, name: whole, dob };
    let built = edm::build(input, &name, &key, &columns)?;
    built.write(&key, &arguments.out)?;
    Ok(built.report)
}

fn summary(report: &Report, arguments: &Build) -> String {
    let mut text = format!("{}: {} entries of {} rows", arguments.out.display(), report.entries, report.rows);
    let kinds = [
        ("record numbers", report.record_numbers),
        ("social security numbers", report.social_security_numbers),
        ("last names with date of birth", report.names),
    ];
    for (kind, counted) in kinds {
        let _ = match counted {
            None => write!(text, "\n  {kind}: no column"),
            Some(Counted { column, taken, refused: 0 }) => write!(text, "\n  {kind}: {taken} (column {column})"),
            Some(Counted { column, taken, refused }) => {
                write!(text, "\n  {kind}: {taken} (column {column}), {refused} refused")
            }
        };
    }
    text
}
