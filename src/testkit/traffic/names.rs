//! Names for the TLS and DNS mix: one in ten is an AI service of the catalogue, the rest are invented hosts that no
//! catalogue can know. Each has an address of its own in 198.18.0.0/15, the range for benchmarks (RFC 2544).

use std::net::Ipv4Addr;

use crate::testkit::random::Random;

/// Part of all names that are AI services.
const AI_NAMES: f64 = 0.1;

/// Invented hosts besides.
const OTHER_NAMES: usize = 3000;

/// In the catalogue, each as use of the service, not as its documentation or content network.
const AI_SERVICES: &[&str] = &[
    "chatgpt.com",
    "api.openai.com",
    "claude.ai",
    "api.anthropic.com",
    "gemini.google.com",
    "copilot.microsoft.com",
    "chat.deepseek.com",
    "api.deepseek.com",
    "api.mistral.ai",
    "api.groq.com",
    "api.x.ai",
    "openrouter.ai",
];

/// A host that traffic goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub name: String,
    pub address: Ipv4Addr,
    pub ai: bool,
}

pub(super) fn choose_host(random: &mut Random) -> Host {
    if random.chance(AI_NAMES) {
        let index = random.below(AI_SERVICES.len());
        return Host { name: AI_SERVICES[index].into(), address: address(index), ai: true };
    }
    let index = random.below(OTHER_NAMES);
    let (first, second) = (WORDS[index % WORDS.len()], WORDS[index / WORDS.len() % WORDS.len()]);
    let label = ["www", "cdn", "static", "login", "mail", "sync"][index % 6];
    let name = format!("{label}{}.{first}{second}.example", index % 90);
    Host { name, address: address(AI_SERVICES.len() + index), ai: false }
}

/// The address of a host by its number; the first 256 are left out.
pub(super) fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 1, 0)) + index as u32)
}

const WORDS: &[&str] = &[
    "willow", "harbor", "copper", "meadow", "signal", "orchard", "lantern", "granite", "saddle", "violet", "timber",
    "marble", "falcon", "juniper", "anchor", "cobalt", "thistle", "beacon", "pewter", "maple", "ridge", "canyon",
    "ember", "frost", "glade", "hollow", "ivory", "jasper", "kestrel", "linden", "mosaic", "nectar", "onyx", "prairie",
    "quarry", "raven", "summit", "tundra", "umber", "valley", "walnut", "yonder", "zephyr", "breeze", "cinder",
];
