//! Whom a session is with, by the names that its hello and the tunnel around it say. In: a ClientHello; out: evidence,
//! and what the catalogue makes of it. The same for TLS and QUIC.

use super::Rules;
use crate::{
    event::{AboutAi, Evidence, EvidenceKind, ServiceMatch},
    protocol::ClientHello,
    redact::wire,
};

/// Names that stand in a hello in place of the encrypted one.
const ECH_OUTER_NAMES: [&str; 1] = ["cloudflare-ech.com"];

/// What a session's names say.
pub(super) struct Naming {
    pub(super) service: Option<ServiceMatch>,
    pub(super) evidence: Vec<Evidence>,
    /// One of them is a name of whom the session is with.
    pub(super) named: bool,
    /// What the hello's own name counts as.
    own_kind: EvidenceKind,
}

impl Naming {
    /// `kind` is what the hello's name counts as; `around`: where the streams around it lead.
    pub(super) fn of(
        hello: &ClientHello,
        kind: EvidenceKind,
        around: Vec<(String, EvidenceKind)>,
        rules: &Rules,
    ) -> Self {
        // Behind the public name of a provider of Encrypted Client Hello stands another.
        let hidden = hello.ech && hello.server_name.as_deref().is_some_and(|name| ECH_OUTER_NAMES.contains(&name));
        let own_kind = if hidden { EvidenceKind::EchOuterName } else { kind };
        let own = hello.server_name.clone().map(|name| (name, own_kind));
        let mut naming = Self { service: None, evidence: Vec::new(), named: false, own_kind };
        for (host, kind) in own.into_iter().chain(around) {
            naming.named |= kind != EvidenceKind::EchOuterName;
            let found = rules.catalog.lookup(&host, None).map(|found| found.service_match());
            naming.service = naming.service.or(found);
            naming.evidence.push(Evidence { kind, value: wire::host(&host) });
        }
        naming
    }

    pub(super) fn own_kind(&self) -> EvidenceKind {
        self.own_kind
    }

    pub(super) fn about_ai(&self) -> AboutAi {
        match self.service {
            Some(_) => AboutAi::Yes,
            None if self.named => AboutAi::No,
            None => AboutAi::ByAddress,
        }
    }

    /// With nobody whom we know. A session without a name may be with someone by its address.
    pub(super) fn is_of_others(&self) -> bool {
        self.service.is_none() && self.named
    }
}
