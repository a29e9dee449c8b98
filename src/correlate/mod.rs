//! Where facts of all workers meet, in their order. In: [`Fact`]s sorted by stamp; out: [`Event`]s. The one owner of
//! every state that outlives a flow: names of addresses, open exchanges, windows, alert revisions. Deterministic: it
//! knows no clock, only stamps.

mod exchange;
mod names;
mod windows;

use std::sync::Arc;

use hashbrown::{HashMap, hash_map::Entry};

use self::{exchange::OpenExchange, names::Names, windows::Windows};
use crate::{
    asset::Assets,
    catalog::Catalog,
    event::{
        Event, EventKind, Evidence, EvidenceKind, ExchangeKey, Fact, FactBody, FlowIdentity, Opening, ProgressState,
        Stamp,
    },
    policy::Policy,
    redact::wire,
};

/// What correlation decides by; one generation.
#[derive(Clone)]
pub struct Rules {
    pub catalog: Arc<Catalog>,
    pub assets: Arc<Assets>,
    pub policy: Arc<Policy>,
}

/// Exchanges that may be open at once; the oldest facts of more are dropped and counted.
const MAX_OPEN_EXCHANGES: usize = 1_000_000;

/// The state.
pub struct Correlator {
    rules: Rules,
    /// Name of the capture, for events of a folder's separate captures.
    pcap_filename: Option<String>,
    names: Names,
    open: HashMap<ExchangeKey, OpenExchange, ahash::RandomState>,
    windows: Windows,
    over_cap: u64,
}

impl Correlator {
    #[must_use]
    pub fn new(rules: Rules, pcap_filename: Option<String>) -> Self {
        Self {
            rules,
            pcap_filename,
            names: Names::default(),
            open: HashMap::with_hasher(ahash::RandomState::with_seeds(1, 2, 3, 4)),
            windows: Windows::default(),
            over_cap: 0,
        }
    }

    /// Name of the capture, when events carry it.
    #[must_use]
    pub fn pcap_filename(&self) -> Option<&str> {
        self.pcap_filename.as_deref()
    }

    /// Exchanges that found no room.
    #[must_use]
    pub fn over_cap(&self) -> u64 {
        self.over_cap
    }

    /// Takes the next fact and tells what follows from it.
    pub fn take(&mut self, fact: Fact, tell: &mut dyn FnMut(Event)) {
        let Fact { stamp, flow, app_proto, body } = fact;
        let kind = match body {
            FactBody::NameLearned { name, address, expires } => {
                return self.names.learn(address, name, stamp.time, expires);
            }
            FactBody::Opened(opening) => {
                let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
                return Self::opened(
                    &self.rules,
                    &self.names,
                    &mut self.open,
                    &mut self.windows,
                    &mut self.over_cap,
                    *opening,
                    &mut telling,
                );
            }
            FactBody::Finding { key, finding } => {
                if let Some(exchange) = self.open.get_mut(&key) {
                    exchange.found(finding);
                }
                return;
            }
            FactBody::Progress(progress) => {
                let Entry::Occupied(mut entry) = self.open.entry(progress.key) else { return };
                let mut telling = Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell);
                let exchange = entry.get_mut();
                exchange.progress(&progress, stamp.time, &mut self.windows);
                let last = progress.state == ProgressState::Ended;
                exchange.judge(&self.rules.policy, &mut self.windows, last, &mut telling);
                if progress.state != ProgressState::Running {
                    exchange.tell_part(last, &mut telling);
                }
                if last {
                    entry.remove();
                }
                return;
            }
            FactBody::Tls(event) => EventKind::Tls(event),
            FactBody::Http(event) => EventKind::Http(event),
            FactBody::Flow(event) => EventKind::Flow(event),
            FactBody::Anomaly(event) => EventKind::Anomaly(event),
        };
        Telling::new(stamp, &flow, app_proto, self.pcap_filename.as_deref(), tell).event(kind);
    }

    fn opened(
        rules: &Rules,
        names: &Names,
        open: &mut HashMap<ExchangeKey, OpenExchange, ahash::RandomState>,
        windows: &mut Windows,
        over_cap: &mut u64,
        mut opening: Opening,
        telling: &mut Telling<'_>,
    ) {
        let server = telling.flow.server.ip();
        if opening.service.is_none()
            && let Some(name) = names.of(server, telling.stamp.time)
            && let Some(found) = rules.catalog.lookup(name, None)
        {
            opening.service = Some(found.service_match());
            opening.evidence.push(Evidence { kind: EvidenceKind::Dns, value: wire::host(name) });
        }
        // An encrypted session with nobody known: the `tls` event says all there is.
        let Some(service) = opening.service else { return };
        if open.len() >= MAX_OPEN_EXCHANGES {
            *over_cap += 1;
            return;
        }
        let Some(known) = rules.catalog.service(service.service, telling.stamp.time) else { return };
        let device = rules.assets.device(telling.flow.client.ip(), telling.flow.client_mac);
        let mut exchange = OpenExchange::new(opening, service, known, device);
        exchange.judge(&rules.policy, windows, false, telling);
        open.insert(exchange.key(), exchange);
    }
}

/// How events of one fact are told: with its stamp and flow.
pub(crate) struct Telling<'a> {
    pub(crate) stamp: Stamp,
    pub(crate) flow: &'a Arc<FlowIdentity>,
    app_proto: Option<&'static str>,
    pcap_filename: Option<&'a str>,
    tell: &'a mut dyn FnMut(Event),
}

impl<'a> Telling<'a> {
    fn new(
        stamp: Stamp,
        flow: &'a Arc<FlowIdentity>,
        app_proto: Option<&'static str>,
        pcap_filename: Option<&'a str>,
        tell: &'a mut dyn FnMut(Event),
    ) -> Self {
        Self { stamp, flow, app_proto, pcap_filename, tell }
    }

    pub(crate) fn event(&mut self, kind: EventKind) {
        (self.tell)(Event {
            stamp: self.stamp,
            flow: Some(FlowIdentity::clone(self.flow)),
            app_proto: self.app_proto.map(str::to_owned),
            kind,
            pcap_filename: self.pcap_filename.map(str::to_owned),
        });
    }
}
