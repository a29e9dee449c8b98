//! Whom a session is with, by the names that its hello and the tunnel around it say. In: a ClientHello; out: evidence,
//! and what the catalogue makes of it. The same for TLS and QUIC. The name of a hello with an encrypted one in it is an
//! outer one where it is a known provider's; where it may be one, `correlate` knows by the client's look-ups.

use std::collections::BTreeSet;

use super::Rules;
use crate::{
    catalog::is_public_resolver,
    event::{AboutAi, EchOffer, Evidence, EvidenceKind, Flowbit, HiddenName, Proxied, ServiceMatch},
    protocol::ClientHello,
    redact::wire,
};

/// Names that stand in a hello in place of the encrypted one, at providers whose customers are many
/// (https://developers.cloudflare.com/ssl/edge-certificates/ech/).
const ECH_OUTER_NAMES: [&str; 1] = ["cloudflare-ech.com"];

/// What a session's names say; by default nothing.
#[derive(Default)]
pub(super) struct Naming {
    pub(super) service: Option<ServiceMatch>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) hidden: Option<HiddenName>,
    /// With a public resolver.
    pub(super) encrypted_dns: bool,
    /// A name of nobody whom we know may be an outer one.
    pub(super) ech: Option<EchOffer>,
    /// One of them is a name of whom the session is with.
    pub(super) named: bool,
    /// Who asks, where it is not the flow's client.
    pub(super) proxied: Option<Box<Proxied>>,
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
        let outer = hello.server_name.as_deref().is_some_and(|name| ECH_OUTER_NAMES.contains(&name));
        let hidden = match hello.server_name {
            Some(_) => (outer && hello.ech.is_some()).then_some(HiddenName::Ech),
            None => Some(HiddenName::NoSni),
        };
        let tunnelled = !around.is_empty();
        let encrypted_dns = hello.server_name.as_deref().is_some_and(is_public_resolver);
        let mut naming = Self { hidden, encrypted_dns, ..Self::default() };
        let kind = naming.own_kind(kind);
        let own = hello.server_name.clone().map(|name| (name, kind));
        for (host, kind) in own.into_iter().chain(around) {
            naming.named |= kind != EvidenceKind::EchOuterName;
            let found = rules.catalog.lookup(&host, None).map(|found| found.service_match());
            naming.service = naming.service.or(found);
            naming.evidence.push(Evidence { kind, value: wire::host(&host) });
        }
        // What a tunnel leads to is known by that.
        if naming.service.is_none() && hidden.is_none() && !tunnelled {
            let offer = hello.ech.zip(hello.server_name.clone());
            naming.ech = offer.map(|(config_id, name)| EchOffer { config_id, name });
        }
        naming
    }

    /// What the server's certificate says beside.
    pub(super) fn add(&mut self, said: Option<(ServiceMatch, Evidence)>) {
        self.named = true;
        if let Some((service, evidence)) = said {
            self.service.get_or_insert(service);
            self.evidence.push(evidence);
        }
    }

    /// What the hello's own name counts as, where a plain one counts as `kind`.
    pub(super) fn own_kind(&self, kind: EvidenceKind) -> EvidenceKind {
        if self.hidden == Some(HiddenName::Ech) { EvidenceKind::EchOuterName } else { kind }
    }

    /// What the event of the hello says beside.
    pub(super) fn flowbits(&self) -> BTreeSet<Flowbit> {
        let hidden = (self.hidden == Some(HiddenName::Ech)).then_some(Flowbit::NameHidden);
        let encrypted_dns = self.encrypted_dns.then_some(Flowbit::EncryptedDns);
        hidden.into_iter().chain(encrypted_dns).collect()
    }

    pub(super) fn about_ai(&self) -> AboutAi {
        match self.service {
            Some(_) => AboutAi::Yes,
            None if self.named => AboutAi::No,
            None => AboutAi::ByAddress,
        }
    }

    /// With nobody whom we know, unless its name proves to be an outer one. A session without a name may be with someone by
    /// its address.
    pub(super) fn is_of_others(&self) -> bool {
        self.service.is_none() && self.named && self.ech.is_none()
    }
}

/// The first name in a certificate that is a service's, and what it proves. A wildcard counts as any host that it stands for.
pub(super) fn of_certificate(names: &[String], rules: &Rules) -> Option<(ServiceMatch, Evidence)> {
    let find = |host: &str| rules.catalog.lookup(host, None).map(|found| found.service_match());
    names.iter().find_map(|name| {
        let found = match name.strip_prefix("*.") {
            Some(base) => find(&format!("any.{base}")).or_else(|| find(base)),
            None => find(name),
        };
        found.map(|service| (service, Evidence { kind: EvidenceKind::TlsCertificate, value: wire::host(name) }))
    })
}
