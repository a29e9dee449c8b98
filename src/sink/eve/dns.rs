//! EVE's `dns` object, version 3. In: events; out: what serde writes of them.

use std::borrow::Cow;

use serde::Serialize;

use crate::event::{DnsAnswer, DnsEvent};

/// The form of the object.
const VERSION: u8 = 3;

const RESPONSE: u16 = 0x8000;
const RECURSION_DESIRED: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;

#[derive(Serialize)]
pub(super) struct DnsObject<'a> {
    version: u8,
    r#type: &'static str,
    id: u16,
    flags: String,
    qr: bool,
    rd: bool,
    ra: bool,
    opcode: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode: Option<&'static str>,
    queries: [Query<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer<'a>>,
}

#[derive(Serialize)]
struct Query<'a> {
    rrname: &'a str,
    rrtype: Cow<'static, str>,
}

#[derive(Serialize)]
struct Answer<'a> {
    rrname: &'a str,
    rrtype: Cow<'static, str>,
    ttl: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    rdata: Option<&'a str>,
}

impl<'a> DnsObject<'a> {
    pub(super) fn of(dns: &'a DnsEvent) -> Self {
        let is_response = dns.flags & RESPONSE != 0;
        let answer = |answer: &'a DnsAnswer| Answer {
            rrname: answer.rrname.as_deref().unwrap_or(&dns.rrname),
            rrtype: kind(answer.rrtype),
            ttl: answer.ttl,
            rdata: answer.rdata.as_deref(),
        };
        Self {
            version: VERSION,
            r#type: if is_response { "response" } else { "request" },
            id: dns.id,
            flags: format!("{:x}", dns.flags),
            qr: is_response,
            rd: dns.flags & RECURSION_DESIRED != 0,
            ra: dns.flags & RECURSION_AVAILABLE != 0,
            opcode: 0,
            rcode: is_response.then(|| code(dns.flags)),
            queries: [Query { rrname: &dns.rrname, rrtype: kind(dns.rrtype) }],
            answers: dns.answers.iter().map(answer).collect(),
        }
    }
}

/// RCODEs (RFC 6895 §2.3) of a header without extensions.
fn code(flags: u16) -> &'static str {
    match flags & 0x0f {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        _ => "UNKNOWN",
    }
}

fn kind(number: u16) -> Cow<'static, str> {
    Cow::Borrowed(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        41 => "OPT",
        43 => "DS",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        other => return Cow::Owned(format!("TYPE{other}")),
    })
}
