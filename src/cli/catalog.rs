//! `shadowtap catalog lookup` and `catalog list`: what the catalogue knows. In: hosts, with or without a path; out: a
//! line per query on stdout, aligned for people or as JSON for machines.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::SystemTime,
};

use serde::Serialize;

use super::{Outcome, say};
use crate::{
    catalog::{Catalog, Match, ServiceEntry},
    config::Config,
    event::{Baa, HostRole, Service, ServiceIndex, ServiceStatus, Timestamp},
    yaml::Fault,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Names the AI service behind a host, or a host and path
    Lookup {
        /// A JSON object per query
        #[arg(long)]
        json: bool,
        /// The configuration with the site's registry
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[arg(required = true, value_name = "HOST[/PATH]")]
        queries: Vec<String>,
    },
    /// Lists all AI services that are known
    List {
        /// A JSON object per service
        #[arg(long)]
        json: bool,
        /// The configuration with the site's registry
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs the command, and answers with the exit code.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let (Command::Lookup { config, .. } | Command::List { config, .. }) = &arguments.command;
    let catalog = match load(config.as_deref()) {
        Ok(catalog) => catalog,
        Err(faults) => {
            faults.iter().for_each(|fault| say(&fault.to_string()));
            return Ok(Outcome::InputAtFault);
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match &arguments.command {
        Command::Lookup { json: true, queries, .. } => lookup_json(&catalog, queries, &mut out),
        Command::Lookup { queries, .. } => lookup_text(&catalog, queries, &mut out),
        Command::List { json: true, .. } => list_json(&catalog, &mut out),
        Command::List { .. } => list_text(&catalog, &mut out),
    };
    written.and_then(|()| out.flush())?;
    Ok(Outcome::Done)
}

fn load(config: Option<&std::path::Path>) -> Result<Catalog, Vec<Fault>> {
    let config = Config::load(config)?;
    Catalog::load(&config.catalog, config.signatures.directory.as_deref())
}

/// Host and path of `chatgpt.com`, `chatgpt.com/backend-api/x` or the same as a URL.
fn split(query: &str) -> (&str, Option<&str>) {
    let rest = query.split_once("://").map_or(query, |(_, rest)| rest);
    match rest.find('/') {
        Some(slash) => (&rest[..slash], Some(&rest[slash..])),
        None => (rest, None),
    }
}

fn find<'c>(catalog: &'c Catalog, query: &str) -> Option<Match<'c>> {
    let (host, path) = split(query);
    catalog.lookup(host, path)
}

#[derive(Serialize)]
struct Answer<'a> {
    query: &'a str,
    service: Option<Id<'a>>,
    r#match: Option<&'a str>,
    role: Option<HostRole>,
}

#[derive(Serialize)]
struct Id<'a> {
    id: &'a str,
}

fn lookup_json(catalog: &Catalog, queries: &[String], out: &mut impl Write) -> io::Result<()> {
    for query in queries {
        let found = find(catalog, query);
        let entry = found.and_then(|found| catalog.entry(found.service));
        let answer = Answer {
            query,
            service: entry.map(|entry| Id { id: &entry.id }),
            r#match: found.map(|found| found.pattern),
            role: found.map(|found| found.role),
        };
        json_line(&answer, out)?;
    }
    Ok(())
}

fn lookup_text(catalog: &Catalog, queries: &[String], out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![["QUERY", "SERVICE", "STATUS", "ROLE", "MATCH"].map(str::to_owned)];
    for query in queries {
        let found = find(catalog, query);
        rows.push(match found.and_then(|found| Some((found, catalog.service(found.service, now())?))) {
            Some((found, service)) => [
                query.clone(),
                format!("{} ({})", service.name, service.id),
                word(service.status),
                word(found.role),
                found.pattern.to_owned(),
            ],
            None => [query.clone(), not_found(catalog, query), String::new(), String::new(), String::new()],
        });
    }
    table(&rows, out)
}

fn not_found(catalog: &Catalog, query: &str) -> String {
    let sharing = catalog.candidates(split(query).0);
    let names: Vec<&str> =
        sharing.iter().filter_map(|index| catalog.entry(*index)).map(|entry| entry.id.as_str()).collect();
    if names.is_empty() { "-".to_owned() } else { format!("- (shared host: a path decides for {})", names.join(", ")) }
}

#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    entry: &'a ServiceEntry,
    status: ServiceStatus,
    baa: Baa,
}

fn all(catalog: &Catalog) -> impl Iterator<Item = (&ServiceEntry, Service)> {
    (0_u32..)
        .zip(catalog.services())
        .filter_map(|(index, entry)| Some((entry, catalog.service(ServiceIndex(index), now())?)))
}

fn list_json(catalog: &Catalog, out: &mut impl Write) -> io::Result<()> {
    all(catalog)
        .try_for_each(|(entry, service)| json_line(&Listed { entry, status: service.status, baa: service.baa }, out))
}

fn list_text(catalog: &Catalog, out: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![["ID", "NAME", "VENDOR", "CATEGORY", "STATUS"].map(str::to_owned)];
    let mut services: Vec<Service> = all(catalog).map(|(_, service)| service).collect();
    services.sort_by(|one, other| one.id.cmp(&other.id));
    rows.extend(
        services
            .into_iter()
            .map(|service| [service.id, service.name, service.vendor, service.category, word(service.status)]),
    );
    table(&rows, out)
}

/// Columns as wide as their widest cell, two blanks between.
fn table<const N: usize>(rows: &[[String; N]], out: &mut impl Write) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        // A row with one long remark does not push the columns of all others apart.
        let whole = row.iter().skip(2).any(|cell| !cell.is_empty());
        for (width, cell) in widths.iter_mut().zip(row).take(if whole { N } else { 1 }) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:<width$}  "));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn json_line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// The word that the files use.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Whether an approval still holds is asked of the clock: there is no packet.
fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Settings;

    fn text(write: impl FnOnce(&Catalog, &mut Vec<u8>) -> io::Result<()>) -> String {
        let catalog = Catalog::load(&Settings::default(), None).unwrap();
        let mut out = Vec::new();
        write(&catalog, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn queries(queries: &[&str]) -> Vec<String> {
        queries.iter().map(|query| (*query).to_owned()).collect()
    }

    #[test]
    fn a_json_answer_has_the_contracts_four_keys() {
        let asked = queries(&[
            "ChatGPT.com",
            "https://chatgpt.com/backend-api/codex/responses?x=1",
            "github.com",
            "www.example.org",
            "",
        ]);
        assert_eq!(
            text(|catalog, out| lookup_json(catalog, &asked, out)),
            concat!(
                r#"{"query":"ChatGPT.com","service":{"id":"chatgpt"},"match":"chatgpt.com","role":"app"}"#,
                "\n",
                r#"{"query":"https://chatgpt.com/backend-api/codex/responses?x=1","service":{"id":"openai-codex"},"match":"chatgpt.com","role":"api"}"#,
                "\n",
                r#"{"query":"github.com","service":null,"match":null,"role":null}"#,
                "\n",
                r#"{"query":"www.example.org","service":null,"match":null,"role":null}"#,
                "\n",
                r#"{"query":"","service":null,"match":null,"role":null}"#,
                "\n",
            )
        );
    }

    #[test]
    fn a_text_answer_is_aligned_and_says_what_shares_a_host() {
        let asked = queries(&["chatgpt.com", "api.openai.com", "github.com", "www.example.org"]);
        assert_eq!(
            text(|catalog, out| lookup_text(catalog, &asked, out)),
            "\
QUERY            SERVICE                  STATUS      ROLE  MATCH
chatgpt.com      ChatGPT (chatgpt)        unreviewed  app   chatgpt.com
api.openai.com   OpenAI API (openai-api)  unreviewed  api   api.openai.com
github.com       - (shared host: a path decides for github-copilot)
www.example.org  -
"
        );
    }

    #[test]
    fn the_list_names_every_service_once() {
        let list = text(list_text);
        let json = text(list_json);
        assert_eq!(list.lines().count(), json.lines().count() + 1);
        assert!(list.lines().any(|line| line.starts_with("chatgpt ")));
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert!(first["id"].is_string() && first["hosts"].is_array() && first["status"] == "unreviewed");
    }
}
