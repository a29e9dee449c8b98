//! Compares the events of a run with what the generator knows: no exchange missed, none invented, each body with
//! patient data alerted and no other.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddrV4,
    path::Path,
};

use serde_json::Value;
use shadowtap::testkit::traffic::{FlowTruth, Kind};

use crate::captures::Capture;

/// At most so many faults are told one by one.
const MAX_TOLD: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// A cell of the table.
    pub(crate) summary: String,
    pub(crate) faults: Vec<String>,
}

/// What the events say about one flow.
#[derive(Debug, Default)]
struct Told {
    server_name: Option<String>,
    exchanges: u64,
    phi_exchanges: u64,
    body_bytes: u64,
    scanned_bytes: u64,
    identifiers: BTreeSet<String>,
    phi_alerts: u64,
}

pub(crate) fn compare(capture: &Capture, events: &Path) -> Result<Verdict, String> {
    let flows: Vec<FlowTruth> = capture.flows()?.into_iter().filter(|flow| flow.transport == "tcp").collect();
    let told = read(events)?;
    let mut verdict = match capture.kind {
        Kind::Tls => sessions(&flows, &told),
        Kind::Chat | Kind::Table => exchanges(&flows, &told),
    };
    let known: HashSet<SocketAddrV4> = flows.iter().map(|flow| flow.client).collect();
    let invented = told.iter().filter(|(client, told)| told.exchanges > 0 && !known.contains(client)).count();
    verdict.count("events of flows that are not there", invented);
    Ok(verdict)
}

fn sessions(flows: &[FlowTruth], told: &HashMap<SocketAddrV4, Told>) -> Verdict {
    let nothing = Told::default();
    let of = |flow: &FlowTruth| told.get(&flow.client).unwrap_or(&nothing);
    let mut verdict = Verdict::default();
    verdict.each("server name missed or wrong", flows, |flow| of(flow).server_name.as_ref() != Some(&flow.host));
    verdict.each("AI session missed", flows, |flow| flow.ai && of(flow).exchanges == 0);
    verdict.each("no AI session, and told as one", flows, |flow| !flow.ai && of(flow).exchanges > 0);
    let ai = flows.iter().filter(|flow| flow.ai).count();
    verdict.summary = format!("{} SNI, {ai} AI: {}", flows.len(), verdict.word());
    verdict
}

fn exchanges(flows: &[FlowTruth], told: &HashMap<SocketAddrV4, Told>) -> Verdict {
    let nothing = Told::default();
    let of = |flow: &FlowTruth| told.get(&flow.client).unwrap_or(&nothing);
    let phi = |flow: &FlowTruth| flow.requests.iter().filter(|request| !request.phi.is_empty()).count() as u64;
    let mut verdict = Verdict::default();
    verdict.each("requests missed or invented", flows, |flow| of(flow).exchanges != flow.requests.len() as u64);
    verdict.each("patient data missed", flows, |flow| of(flow).phi_exchanges < phi(flow));
    verdict.each("patient data where there is none", flows, |flow| of(flow).phi_exchanges > phi(flow));
    verdict.each("alert where there is no patient data", flows, |flow| of(flow).phi_alerts > 0 && phi(flow) == 0);
    verdict.each("identifier type missed", flows, |flow| {
        let types = flow.requests.iter().flat_map(|request| &request.phi);
        types
            .filter_map(|identifier| serde_json::to_value(identifier).ok())
            .any(|name| !of(flow).identifiers.contains(name.as_str().unwrap_or_default()))
    });
    let body_bytes: u64 = flows.iter().flat_map(|flow| &flow.requests).map(|request| request.body_bytes).sum();
    verdict.each("body bytes wrong", flows, |flow| {
        of(flow).body_bytes != flow.requests.iter().map(|request| request.body_bytes).sum::<u64>()
    });
    // An alert may gather what one client sends to one service, so it is looked for by client.
    let alerted: HashSet<_> =
        told.iter().filter(|(_, told)| told.phi_alerts > 0).map(|(client, _)| *client.ip()).collect();
    verdict.each("client without an alert", flows, |flow| phi(flow) > 0 && !alerted.contains(flow.client.ip()));
    let scanned: u64 = told.values().map(|told| told.scanned_bytes).sum();
    let bodies: u64 = flows.iter().map(phi).sum();
    let coverage = 100.0 * scanned as f64 / body_bytes.max(1) as f64;
    verdict.summary = format!("{bodies} bodies, {coverage:.2} % scanned: {}", verdict.word());
    if scanned != body_bytes {
        verdict.faults.push(format!("{scanned} of {body_bytes} body bytes scanned"));
    }
    verdict
}

impl Verdict {
    fn each(&mut self, what: &str, flows: &[FlowTruth], wrong: impl Fn(&FlowTruth) -> bool) {
        let faulty: Vec<&FlowTruth> = flows.iter().filter(|flow| wrong(flow)).collect();
        if faulty.is_empty() {
            return;
        }
        let examples: Vec<String> =
            faulty.iter().take(MAX_TOLD).map(|flow| format!("{} → {}", flow.client, flow.host)).collect();
        self.faults.push(format!("{what}: {} of {} flows, e.g. {}", faulty.len(), flows.len(), examples.join(", ")));
    }

    fn count(&mut self, what: &str, count: usize) {
        if count > 0 {
            self.faults.push(format!("{what}: {count}"));
        }
    }

    fn word(&self) -> &'static str {
        if self.faults.is_empty() { "all true" } else { "WRONG, see below" }
    }
}

/// What `eve.jsonl` says, by client.
fn read(events: &Path) -> Result<HashMap<SocketAddrV4, Told>, String> {
    let at = |error: &dyn std::fmt::Display| format!("{}: {error}", events.display());
    let mut told: HashMap<SocketAddrV4, Told> = HashMap::new();
    for line in BufReader::new(File::open(events).map_err(|error| at(&error))?).lines() {
        let event: Value = serde_json::from_str(&line.map_err(|error| at(&error))?).map_err(|error| at(&error))?;
        let Some(client) = client(&event) else { continue };
        match event["event_type"].as_str() {
            Some("tls") => told.entry(client).or_default().server_name = event["tls"]["sni"].as_str().map(Into::into),
            Some("ai_activity") => activity(&event["ai"], told.entry(client).or_default()),
            Some("alert") => {
                let context = &event["alert"]["context"]["shadowtap"];
                let phi = context["ai"]["content"]["classification"] == "phi" && context["revision"] == 1;
                told.entry(client).or_default().phi_alerts += u64::from(phi);
            }
            _ => {}
        }
    }
    Ok(told)
}

fn activity(ai: &Value, told: &mut Told) {
    let content = &ai["content"];
    told.exchanges += u64::from(ai["final"] == true);
    told.phi_exchanges += u64::from(content["classification"] == "phi");
    told.body_bytes += content["body_bytes"].as_u64().unwrap_or_default();
    told.scanned_bytes += content["scanned_bytes"].as_u64().unwrap_or_default();
    if let Some(findings) = content["findings"].as_object() {
        told.identifiers.extend(findings.keys().cloned());
    }
}

fn client(event: &Value) -> Option<SocketAddrV4> {
    let address = event["src_ip"].as_str()?.parse().ok()?;
    Some(SocketAddrV4::new(address, event["src_port"].as_u64()?.try_into().ok()?))
}
