//! What `/metrics` says: all names in one place. In: the board; out: Prometheus' text form. Threads count in fields of
//! their own; sums are made when somebody asks, in a registry that lives for one scrape.

use std::sync::PoisonError;

use prometheus::{
    IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
    core::{MetricVec, MetricVecBuilder},
};

use super::Shared;
use crate::{
    intake,
    packet::{DropReason, Loss, VersionCounters},
    pipeline::{Figures, ReaderFigures, WorkerFigures},
    sink::word,
};

/// All metrics as they stand.
pub(super) fn render(shared: &Shared) -> String {
    let page = Page { registry: Registry::new() };
    let figures = shared.board.read();
    page.capture(&figures);
    page.fragments(&figures);
    figures.icap().into_iter().for_each(|icap| page.icap(icap));
    page.workers(&figures);
    page.telling(&figures);
    page.service(shared);
    let mut text = String::new();
    // Writing to memory does not fail, and names are checked by the tests.
    let _ = TextEncoder::new().encode_utf8(&page.registry.gather(), &mut text);
    text
}

/// Name, help, and the figure of one worker.
type Named = (&'static str, &'static str, fn(&WorkerFigures) -> u64);

struct Page {
    registry: Registry,
}

impl Page {
    /// A counter with one value for each set of labels.
    fn counter<'v>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl IntoIterator<Item = (Vec<&'v str>, u64)>,
    ) {
        self.add(IntCounterVec::new(Opts::new(name, help), labels), values, |counter, value| counter.inc_by(value));
    }

    fn gauge<'v>(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
        values: impl IntoIterator<Item = (Vec<&'v str>, u64)>,
    ) {
        let set = |gauge: &IntGauge, value| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        self.add(IntGaugeVec::new(Opts::new(name, help), labels), values, set);
    }

    /// Names that Prometheus refuses are left out: the tests look for each.
    fn add<'v, B: MetricVecBuilder + 'static>(
        &self,
        family: prometheus::Result<MetricVec<B>>,
        values: impl IntoIterator<Item = (Vec<&'v str>, u64)>,
        set: impl Fn(&B::M, u64),
    ) {
        let Ok(family) = family else { return };
        for (labels, value) in values {
            if let Ok(metric) = family.get_metric_with_label_values(&labels) {
                set(&metric, value);
            }
        }
        let _ = self.registry.register(Box::new(family));
    }

    fn capture(&self, figures: &Figures) {
        let each = |count: fn(&ReaderFigures) -> u64| {
            figures.readers.iter().map(move |reader| (vec![reader.interface.as_str()], count(reader)))
        };
        self.counter(
            "shadowtap_frames_received_total",
            "Frames that the kernel saw, lost ones included.",
            &["interface"],
            each(|reader| reader.counters.capture.received),
        );
        self.counter(
            "shadowtap_frames_processed_total",
            "Frames that were read.",
            &["interface"],
            each(|reader| reader.counters.capture.frames),
        );
        self.counter(
            "shadowtap_bytes_total",
            "Bytes that the frames read had on the wire.",
            &["interface"],
            each(|reader| reader.counters.wire_bytes),
        );
        let lost = [
            ("ring", figures.readers.iter().map(|reader| reader.counters.capture.lost_ring).sum()),
            ("nic", figures.readers.iter().map(|reader| reader.counters.capture.lost_interface).sum()),
        ];
        self.counter(
            "shadowtap_lost_frames_total",
            "Frames lost before they were read: ring, no room in the kernel's ring; nic, dropped by card or driver.",
            &["cause"],
            lost.map(|(cause, count): (&str, u64)| (vec![cause], count)),
        );
        let unread = DropReason::ALL.iter().map(|reason| {
            let count = |reader: &ReaderFigures| reader.counters.dropped_for(*reason);
            (vec![reason.name()], figures.readers.iter().map(count).sum())
        });
        self.counter(
            "shadowtap_frames_dropped_total",
            "Frames read that go no further, by reason.",
            &["reason"],
            unread,
        );
        self.counter(
            "shadowtap_frames_cut_total",
            "Frames shorter than they were on the wire.",
            &["interface"],
            each(|reader| reader.counters.capture.cut_frames),
        );
        self.counter(
            "shadowtap_wrong_checksums_total",
            "Packets whose checksum does not fit, where packet.verify_checksums is on.",
            &["interface"],
            each(|reader| reader.counters.wrong_checksums),
        );
        self.counter(
            "shadowtap_clock_jumps_total",
            "Steps of the clock back by more than a minute.",
            &["interface"],
            each(|reader| reader.counters.capture.clock_jumps),
        );
        self.gauge(
            "shadowtap_interface_up",
            "1 while the interface is listened on.",
            &["interface"],
            each(|reader| u64::from(reader.counters.capture.is_up)),
        );
    }

    fn fragments(&self, figures: &Figures) {
        let each = |count: &dyn Fn(&VersionCounters) -> u64| {
            let (mut ipv4, mut ipv6) = (0, 0);
            for reader in &figures.readers {
                ipv4 += count(&reader.counters.fragments.ipv4);
                ipv6 += count(&reader.counters.fragments.ipv6);
            }
            [(vec!["4"], ipv4), (vec!["6"], ipv6)]
        };
        self.counter("shadowtap_ip_fragments_total", "IP fragments read.", &["version"], each(&|of| of.fragments));
        self.counter(
            "shadowtap_ip_datagrams_reassembled_total",
            "Datagrams put together out of fragments.",
            &["version"],
            each(&|of| of.reassembled),
        );
        self.counter(
            "shadowtap_ip_fragment_conflicts_total",
            "Fragments that overlap others with different bytes.",
            &["version"],
            each(&|of| of.conflicts),
        );
        let lost = Loss::ALL.iter().map(|loss| {
            let [(_, ipv4), (_, ipv6)] = each(&|of: &VersionCounters| of.lost_by(*loss));
            (vec![loss.name()], ipv4 + ipv6)
        });
        self.counter(
            "shadowtap_ip_datagrams_lost_total",
            "Datagrams in fragments that were given up, by cause.",
            &["cause"],
            lost,
        );
    }

    fn icap(&self, icap: &intake::Counters) {
        let requests = &icap.requests;
        let methods = [
            (vec!["OPTIONS"], requests.options),
            (vec!["REQMOD"], requests.reqmod),
            (vec!["RESPMOD"], requests.respmod),
        ];
        self.counter("shadowtap_icap_requests_total", "Requests to the ICAP server.", &["method"], methods);
        for (name, help, count) in [
            (
                "shadowtap_icap_unscanned_bytes_total",
                "Bytes that passed the ICAP server unread, as workers were behind by max_waiting_bytes.",
                icap.unscanned_bytes,
            ),
            ("shadowtap_icap_accepted_connections_total", "Connections accepted.", icap.accepted_connections),
            (
                "shadowtap_icap_refused_connections_total",
                "Connections closed at once, as there were max_connections.",
                icap.refused_connections,
            ),
            ("shadowtap_icap_faults_total", "Connections closed as what came was no ICAP.", requests.faults),
        ] {
            self.counter(name, help, &[], [(vec![], count)]);
        }
        self.gauge("shadowtap_icap_connections", "Connections that are open.", &[], [(vec![], icap.connections)]);
    }

    fn workers(&self, figures: &Figures) {
        let names: Vec<String> = (0..figures.workers.len()).map(|index| index.to_string()).collect();
        let each = |count: fn(&WorkerFigures) -> u64| {
            names.iter().zip(&figures.workers).map(move |(name, worker)| (vec![name.as_str()], count(worker)))
        };
        let counters: [Named; 12] = [
            ("shadowtap_packets_total", "Packets taken into flows.", |worker| worker.flow.packets),
            ("shadowtap_duplicate_packets_total", "Packets that were copies of others.", |worker| {
                worker.flow.duplicates
            }),
            ("shadowtap_flows_total", "Flows that began.", |worker| worker.sensor.flows),
            ("shadowtap_requests_total", "Exchanges that began, with AI services and others.", |worker| {
                worker.sensor.exchanges
            }),
            ("shadowtap_flows_evicted_total", "Flows that the memory cap took.", |worker| worker.flow.evicted_flows),
            ("shadowtap_stream_gaps_total", "Holes in TCP streams.", |worker| worker.flow.gaps),
            ("shadowtap_stream_gap_bytes_total", "Bytes missing in TCP streams.", |worker| worker.flow.gap_bytes),
            ("shadowtap_stream_conflicts_total", "Overlaps with different data.", |worker| worker.flow.conflicts),
            ("shadowtap_reassembly_cap_hits_total", "Holes given up because of a cap.", |worker| {
                worker.flow.flow_cap_hits + worker.flow.total_cap_hits
            }),
            ("shadowtap_panics_total", "Flows given up because a parser panicked; please report it.", |worker| {
                worker.sensor.panics
            }),
            ("shadowtap_encrypted_dns_sessions_total", "Sessions with public resolvers: hidden look-ups.", |worker| {
                worker.sensor.encrypted_dns_sessions
            }),
            ("shadowtap_exchanges_over_cap_total", "Exchanges beyond the cap of their flow.", |worker| {
                worker.sensor.exchanges_over_cap
            }),
        ];
        for (name, help, count) in counters {
            self.counter(name, help, &["worker"], each(count));
        }
        let sum = |count: fn(&WorkerFigures) -> u64| figures.workers.iter().map(count).sum::<u64>();
        let decrypted = sum(|worker| worker.sensor.decrypted_sessions);
        let others = sum(|worker| worker.sensor.sessions).saturating_sub(decrypted);
        self.counter(
            "shadowtap_tls_sessions_total",
            "TLS sessions whose hello was read: those whose content was, by a key log, and the others.",
            &["decrypted"],
            [(vec!["yes"], decrypted), (vec!["no"], others)],
        );
        let gauges: [Named; 4] = [
            ("shadowtap_open_flows", "Flows that are open.", |worker| worker.open_flows),
            ("shadowtap_flow_memory_bytes", "Bytes of the flow table.", |worker| worker.memory_bytes),
            ("shadowtap_flow_memory_max_bytes", "Cap on the bytes of the flow table.", |worker| {
                worker.max_memory_bytes
            }),
            ("shadowtap_queue_depth", "Batches that wait for the worker.", |worker| worker.queue_depth),
        ];
        for (name, help, count) in gauges {
            self.gauge(name, help, &["worker"], each(count));
        }
    }

    fn telling(&self, figures: &Figures) {
        let telling = &figures.telling;
        let exchanges = telling.exchanges.iter().map(|(service, count)| (vec![service.as_str()], *count));
        self.counter("shadowtap_exchanges_total", "Exchanges with AI services that ended.", &["service"], exchanges);
        let types: Vec<(String, u64)> = telling.findings.iter().map(|(kind, count)| (word(kind), *count)).collect();
        let findings = types.iter().map(|(kind, count)| (vec![kind.as_str()], *count));
        self.counter("shadowtap_findings_total", "Identifiers found in exchanges that ended.", &["type"], findings);
        let severities: Vec<(String, u64)> = telling.alerts.iter().map(|(kind, count)| (word(kind), *count)).collect();
        let alerts = severities.iter().map(|(severity, count)| (vec![severity.as_str()], *count));
        self.counter("shadowtap_alerts_total", "Alerts, by the severity of their first line.", &["severity"], alerts);
        self.counter("shadowtap_events_total", "Events told.", &[], [(vec![], telling.events_told)]);
        let written = telling.written_events.iter().map(|(output, count)| (vec![output.as_str()], *count));
        self.counter("shadowtap_written_events_total", "Events that an output wrote.", &["output"], written);
        let lost = telling.lost_events.iter().map(|(output, count)| (vec![output.as_str()], *count));
        self.counter("shadowtap_lost_events_total", "Events that an output could not write.", &["output"], lost);
        self.gauge("shadowtap_open_exchanges", "Exchanges that are open.", &[], [(vec![], telling.open_exchanges)]);
        self.gauge(
            "shadowtap_learned_names",
            "Names of addresses that DNS answers told, of AI services.",
            &[],
            [(vec![], telling.learned_names)],
        );
        self.counter(
            "shadowtap_learned_names_evicted_total",
            "Learned names that had to go for others.",
            &[],
            [(vec![], telling.learned_names_evicted)],
        );
        let hidden = telling
            .hidden_names
            .iter()
            .map(|((hidden, named), count)| (vec![hidden.label(), if *named { "dns" } else { "no" }], *count));
        self.counter(
            "shadowtap_hidden_names_total",
            "Sessions whose hello does not name them, and whether DNS told that they are with an AI service.",
            &["kind", "named"],
            hidden,
        );
        self.counter(
            "shadowtap_unattributed_legs_total",
            "Connections from proxies to AI services that fit no client's exchange.",
            &[],
            [(vec![], telling.unattributed_legs)],
        );
        self.counter(
            "shadowtap_unmatched_icap_answers_total",
            "Answers that a proxy showed by ICAP without their request.",
            &[],
            [(vec![], telling.unmatched_icap_answers)],
        );
        self.gauge(
            "shadowtap_waiting_facts",
            "Facts that wait for the slowest worker.",
            &[],
            [(vec![], telling.waiting_facts)],
        );
    }

    fn service(&self, shared: &Shared) {
        let reloads = *shared.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        let results = [(vec!["success"], reloads.succeeded), (vec!["failure"], reloads.failed)];
        self.counter("shadowtap_reloads_total", "Reloads, by result.", &["result"], results);
        self.gauge(
            "shadowtap_rule_generation",
            "Rises with each reload, from 0.",
            &[],
            [(vec![], shared.control.generation())],
        );
        let (sessions, evicted) = shared.key_log.counts();
        self.gauge(
            "shadowtap_keylog_sessions",
            "TLS sessions whose secrets are kept, out of key logs.",
            &[],
            [(vec![], sessions as u64)],
        );
        self.counter(
            "shadowtap_keylog_sessions_evicted_total",
            "Sessions whose secrets had to go for newer ones.",
            &[],
            [(vec![], evicted)],
        );
        let report = shared.control.engine();
        let library = report.library.as_deref().unwrap_or("none");
        self.gauge(
            "shadowtap_engine_info",
            "The pattern engine in use.",
            &["engine", "library"],
            [(vec![report.engine, library], 1)],
        );
        let version = env!("CARGO_PKG_VERSION");
        self.gauge("shadowtap_build_info", "The program.", &["version"], [(vec![version], 1)]);
        let uptime = shared.started.elapsed().as_secs();
        self.gauge("shadowtap_uptime_seconds", "Since the start.", &[], [(vec![], uptime)]);
    }
}
