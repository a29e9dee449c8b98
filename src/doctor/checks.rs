//! From what was seen to what it means: each check looks at one thing that a mirror port may do wrong, and says how
//! grave it is, the figure, and what mends it. In: an [`Observation`]; out: [`Check`]s in the order in which a network
//! engineer would ask. A pure function; thresholds are the constants below.

use std::{collections::BTreeMap, fmt::Display};

use serde::Serialize;

use super::{FlowsSeen, FramesSeen, InterfaceSeen, Observation};

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Ok,
    /// Worth knowing; costs nothing that the sensor is for.
    Note,
    /// Part of the traffic is not seen, or not as it was.
    Warning,
    /// The sensor is blind, or nearly so.
    Problem,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub check: &'static str,
    pub verdict: Verdict,
    pub figure: String,
    /// What mends it, where something is to be mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Shares in percent, from which on something is worth a word, a warning, or makes blind.
struct Limits {
    note: f64,
    warning: f64,
    problem: f64,
}

/// A flow with one direction may be a scan, or have ended as the capture began.
const ONE_WAY: Limits = Limits { note: 2.0, warning: 10.0, problem: 90.0 };
/// Zeek speaks of capture loss from 10 % on; at 1 % every third upload of a megabyte has a hole.
const MISSING: Limits = Limits { note: 0.0, warning: 1.0, problem: 30.0 };
/// All packets twice make 50 %. It costs work and disk, never sight.
const DUPLICATES: Limits = Limits { note: 0.5, warning: 10.0, problem: f64::INFINITY };
const CUT: Limits = Limits { note: 0.0, warning: 1.0, problem: 90.0 };
const TUNNELS: Limits = Limits { note: 0.0, warning: 5.0, problem: 50.0 };
/// Fragments whose packet never became whole.
const FRAGMENTS: Limits = Limits { note: 0.0, warning: 2.0, problem: 50.0 };
/// A rule of thumb of Suricata's guide: drops below 1 % can be lived with.
const DROPS: Limits = Limits { note: 0.0, warning: 1.0, problem: 50.0 };
/// Frames of protocols that are not read.
const NOT_READ: Limits = Limits { note: 5.0, warning: 50.0, problem: 99.9 };
/// Hellos without a name.
const NAMELESS: Limits = Limits { note: 10.0, warning: 50.0, problem: f64::INFINITY };

/// The offloads of docs/deploy.md, which change what a frame was on the wire.
const OFFLOADS_OFF: &str = "gro off lro off gso off tso off rxvlan off";

impl Limits {
    fn judge(&self, share: f64) -> Verdict {
        match share {
            share if share >= self.problem => Verdict::Problem,
            share if share >= self.warning => Verdict::Warning,
            share if share > self.note => Verdict::Note,
            _ => Verdict::Ok,
        }
    }
}

/// All checks that apply.
#[must_use]
pub fn checks(seen: &Observation) -> Vec<Check> {
    let name = seen.interface.as_ref().map_or("eth1", |interface| interface.name.as_str());
    let mut checks = vec![frames(seen, name)];
    checks.extend(seen.interface.as_ref().map(link));
    if seen.frames.frames == 0 {
        checks.extend(seen.interface.as_ref().map(drops));
        checks.extend(seen.interface.as_ref().and_then(offloads));
        return checks;
    }
    checks.extend(mirror(&seen.frames));
    checks.push(directions(&seen.flows));
    checks.push(loss(&seen.flows));
    checks.extend(midstream(&seen.flows));
    checks.push(duplicates(&seen.frames));
    checks.push(cut(&seen.frames));
    checks.push(encapsulation(&seen.frames));
    checks.extend(fragments(&seen.frames));
    checks.extend(not_read(&seen.frames));
    checks.push(sizes(&seen.frames, seen.interface.as_ref(), name));
    checks.push(checksums(&seen.frames));
    checks.extend(seen.interface.as_ref().and_then(offloads));
    checks.extend(seen.interface.as_ref().map(drops));
    checks.extend(others(seen));
    checks.push(readable(&seen.flows));
    checks.push(names(&seen.flows));
    checks.extend(hidden_look_ups(&seen.flows));
    checks.push(services(&seen.flows));
    checks
}

fn check(check: &'static str, verdict: Verdict, figure: String, remedy: &str) -> Check {
    let remedy = (verdict > Verdict::Ok && !remedy.is_empty()).then(|| remedy.to_owned());
    Check { check, verdict, figure, remedy }
}

fn frames(seen: &Observation, interface: &str) -> Check {
    let FramesSeen { frames, bytes, links, .. } = &seen.frames;
    if *frames == 0 {
        let (figure, remedy) = match (&seen.interface, seen.filtered_frames) {
            (_, 1..) => (
                format!("none: capture.bpf left out all {}", thousands(seen.filtered_frames)),
                "correct capture.bpf".to_owned(),
            ),
            (Some(_), _) => (
                "none: no mirror arrives here".to_owned(),
                format!("look at the mirror session and its destination port; tcpdump -ni {interface} -c 10"),
            ),
            (None, _) => ("none: the capture is empty".to_owned(), "capture again, while there is traffic".to_owned()),
        };
        return check("frames", Verdict::Problem, figure, &remedy);
    }
    let span = seen.span_seconds;
    let mut figure = format!("{}, {} in {}", counted(*frames, "frame"), size(*bytes), seconds(span));
    if span >= 0.01 {
        #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
        let (per_second, bits) = (*frames as f64 / span, *bytes as f64 * 8.0 / span);
        figure += &format!(": {}, {} frames/s", rate(bits), thousands_of(per_second));
    }
    figure += &format!("; {}", few(links.keys()));
    check("frames", Verdict::Ok, figure, "")
}

fn link(interface: &InterfaceSeen) -> Check {
    let mut words = vec![interface.state.clone().unwrap_or_else(|| "state unknown".into())];
    words.extend(interface.speed_mbits.map(|speed| format!("{speed} Mbit/s")));
    words.extend(interface.mtu_bytes.map(|mtu| format!("MTU {mtu}")));
    words.extend(interface.promiscuous.map(|on| if on { "promiscuous".into() } else { "not promiscuous".to_owned() }));
    let figure = words.join(", ");
    if interface.has_carrier == Some(false) {
        let remedy = "no carrier: look at the cable, the transceiver and the switch port";
        return check("link", Verdict::Problem, figure, remedy);
    }
    if interface.promiscuous == Some(false) {
        let remedy = format!("capture.promiscuous: true, or ip link set {} promisc on", interface.name);
        return check("link", Verdict::Warning, figure, &remedy);
    }
    check("link", Verdict::Ok, figure, "")
}

/// Whether frames of others arrive at all. Only Ethernet tells.
fn mirror(frames: &FramesSeen) -> Option<Check> {
    let FramesSeen { unicast, broadcast, own, .. } = *frames;
    let total = unicast + broadcast;
    if total == 0 {
        return None;
    }
    let figure =
        format!("{} for single stations, {} for all or groups", counted(unicast, "frame"), thousands(broadcast));
    Some(if unicast == 0 {
        let remedy = "this is an ordinary port: make it the destination of a mirror session (SPAN)";
        check("mirror", Verdict::Problem, figure, remedy)
    } else if own == unicast {
        let remedy = "all are this machine's own: right on a proxy, otherwise mirror the clients' traffic here";
        check("mirror", Verdict::Warning, figure, remedy)
    } else {
        check("mirror", Verdict::Ok, figure, "")
    })
}

fn directions(flows: &FlowsSeen) -> Check {
    let total = flows.tcp_flows_with_data;
    if total == 0 {
        let figure = format!("no TCP flow with data among {}", counted(flows.tcp_flows + flows.udp_flows, "flow"));
        let remedy = "mirror the link between clients and the internet or the proxy, in both directions";
        return check("directions", Verdict::Warning, figure, remedy);
    }
    let one_way = flows.only_client_side + flows.only_server_side;
    let verdict = ONE_WAY.judge(percent(one_way, total));
    if one_way == 0 {
        return check("directions", verdict, format!("both, in all of {}", counted(total, "TCP flow")), "");
    }
    let figure = format!(
        "{} of {} in one direction only ({} the client's, {} the server's)",
        shown(one_way, total),
        counted(total, "TCP flow"),
        thousands(flows.only_client_side),
        thousands(flows.only_server_side)
    );
    let remedy = if flows.only_server_side > flows.only_client_side {
        "what clients send is not seen: mirror the port in both directions (rx and tx), or its peer too"
    } else {
        "what servers answer is not seen: mirror the port in both directions (rx and tx), or its peer too"
    };
    check("directions", verdict, figure, remedy)
}

fn loss(flows: &FlowsSeen) -> Check {
    let verdict = MISSING.judge(percent(flows.missing_bytes, flows.stream_bytes + flows.missing_bytes));
    if flows.missing_bytes == 0 {
        return check("loss", verdict, "none: no hole in any flow seen both ways".into(), "");
    }
    let figure = format!(
        "{} of TCP payload never came ({}), in {}",
        shown(flows.missing_bytes, flows.stream_bytes + flows.missing_bytes),
        size(flows.missing_bytes),
        counted(flows.flows_with_holes, "flow"),
    );
    let remedy = "lost before the sensor: the mirror port is oversubscribed; mirror less, or to a faster port";
    check("loss", verdict, figure, remedy)
}

fn midstream(flows: &FlowsSeen) -> Option<Check> {
    (flows.midstream_flows > 0).then(|| {
        let figure = format!(
            "{} of {} had begun before",
            shown(flows.midstream_flows, flows.tcp_flows_with_data),
            counted(flows.tcp_flows_with_data, "TCP flow")
        );
        let remedy = "usual at the start of a capture; their names (SNI) are not seen";
        check("beginnings", Verdict::Note, figure, remedy)
    })
}

fn duplicates(frames: &FramesSeen) -> Check {
    if frames.duplicates == 0 {
        return check("duplicates", Verdict::Ok, "none".into(), "");
    }
    let verdict = DUPLICATES.judge(percent(frames.duplicates, frames.frames));
    let figure = format!(
        "{} of the frames ({}) came a second time",
        shown(frames.duplicates, frames.frames),
        thousands(frames.duplicates)
    );
    let remedy = "mirror each packet once: one side of the link, or rx alone of all ports of a VLAN";
    check("duplicates", verdict, figure, remedy)
}

fn cut(frames: &FramesSeen) -> Check {
    if frames.cut_packets == 0 {
        return check("cut frames", Verdict::Ok, "none: frames are whole".into(), "");
    }
    let verdict = CUT.judge(percent(frames.cut_packets, frames.payload_packets));
    let figure = format!(
        "{} of the packets with payload are cut short ({} missing)",
        shown(frames.cut_packets, frames.payload_packets),
        size(frames.cut_bytes)
    );
    let remedy = "take whole frames: no slicing in the broker or switch, tcpdump -s 0, capture.max_frame_bytes";
    check("cut frames", verdict, figure, remedy)
}

fn encapsulation(frames: &FramesSeen) -> Check {
    let tunnelled: u64 = frames.tunnels.values().sum();
    let mut words = Vec::new();
    if !frames.vlans.is_empty() {
        let tagged: u64 = frames.vlans.values().sum();
        let stacked = if frames.stacked_vlans > 0 {
            format!(", {} with two tags or more", thousands(frames.stacked_vlans))
        } else {
            String::new()
        };
        words.push(format!("VLAN {} ({}{stacked})", few(frames.vlans.keys()), counted(tagged, "frame")));
    }
    if !frames.opened.is_empty() {
        let opened: u64 = frames.opened.values().sum();
        words.push(format!("{} opened: {}", shown(opened, frames.frames), most(&frames.opened)));
    }
    if tunnelled == 0 {
        let figure = if words.is_empty() { "none".into() } else { format!("{}, read", words.join("; ")) };
        return check("envelopes", Verdict::Ok, figure, "");
    }
    words.push(format!("{} not opened: {}", shown(tunnelled, frames.frames), most(&frames.tunnels)));
    let remedy = "these are encrypted or not known here: end the tunnel before the sensor, or mirror without it";
    check("envelopes", TUNNELS.judge(percent(tunnelled, frames.frames)), words.join("; "), remedy)
}

fn fragments(frames: &FramesSeen) -> Option<Check> {
    (frames.fragments > 0).then(|| {
        let parts = format!(
            "{} of the frames ({}) are IP fragments",
            shown(frames.fragments, frames.frames),
            thousands(frames.fragments)
        );
        let figure = match frames.fragments_lost {
            0 => format!("{parts}, all put together"),
            lost => format!("{parts}; {} never became whole", thousands(lost)),
        };
        let remedy = "the others are not mirrored, were lost, or capture.bpf leaves them out: only the first has ports";
        check("fragments", FRAGMENTS.judge(percent(frames.fragments_lost, frames.frames)), figure, remedy)
    })
}

fn not_read(frames: &FramesSeen) -> Option<Check> {
    let others: u64 = frames.not_read.values().sum();
    let total = others + frames.unreadable;
    (total > 0).then(|| {
        let mut causes = frames.not_read.clone();
        if frames.unreadable > 0 {
            causes.insert("cut or broken headers".into(), frames.unreadable);
        }
        let figure =
            format!("{} of the frames are neither TCP nor UDP: {}", shown(total, frames.frames), most(&causes));
        let remedy = "usual in small shares; if most, mirror a port with clients behind it";
        check("not read", NOT_READ.judge(percent(total, frames.frames)), figure, remedy)
    })
}

fn sizes(frames: &FramesSeen, interface: Option<&InterfaceSeen>, name: &str) -> Check {
    let longest = frames.longest_packet_bytes;
    let figure = format!("longest IP packet {} B", thousands(longest));
    if frames.over_1500 == 0 {
        return check("packet sizes", Verdict::Ok, figure, "");
    }
    if frames.over_9216 > 0 {
        let figure =
            format!("{figure}; {} longer than any link takes: glued by an offload", thousands(frames.over_9216));
        let remedy = format!("ethtool -K {name} {OFFLOADS_OFF}");
        return check("packet sizes", Verdict::Note, figure, &remedy);
    }
    let figure = format!("{figure}; {} longer than 1,500 B", thousands(frames.over_1500));
    if interface.and_then(|interface| interface.mtu_bytes).is_some_and(|mtu| longest <= mtu) {
        return check("packet sizes", Verdict::Ok, format!("{figure}, within the MTU"), "");
    }
    let remedy = format!("right with jumbo frames; otherwise an offload glues: ethtool -K {name} {OFFLOADS_OFF}");
    check("packet sizes", Verdict::Note, figure, &remedy)
}

fn checksums(frames: &FramesSeen) -> Check {
    if frames.wrong_checksums == 0 {
        return check("checksums", Verdict::Ok, "all right".into(), "");
    }
    let figure = format!("{} of the packets have a wrong one", shown(frames.wrong_checksums, frames.packets));
    let remedy = "harmless: captured before a sending card filled it in; packets are read all the same";
    check("checksums", Verdict::Note, figure, remedy)
}

fn offloads(interface: &InterfaceSeen) -> Option<Check> {
    let on = interface.offloads.as_ref()?;
    Some(if on.is_empty() {
        check("offloads", Verdict::Ok, "none that changes frames".into(), "")
    } else {
        let off: Vec<String> = on.iter().map(|offload| format!("{offload} off")).collect();
        let remedy = format!("ethtool -K {} {}", interface.name, off.join(" "));
        check("offloads", Verdict::Note, format!("on: {}", on.join(", ")), &remedy)
    })
}

fn drops(interface: &InterfaceSeen) -> Check {
    let card: u64 = interface.dropped.values().sum();
    let total = interface.ring_dropped + card;
    if total == 0 {
        return check("drops", Verdict::Ok, "none in the ring, none in the card".into(), "");
    }
    let received = interface.ring_received.max(interface.received) + card;
    let mut causes = interface.dropped.clone();
    causes.insert("ring".into(), interface.ring_dropped);
    causes.retain(|_, count| *count > 0);
    let figure = format!("{} of {}: {}", shown(total, received), counted(received, "frame"), most(&causes));
    let remedy = if interface.ring_dropped >= card {
        "the sensor was too slow: raise capture.ring_bytes (run also has workers and capture.rings)".to_owned()
    } else {
        format!("the card was: ethtool -G {} rx 4096, and its interrupts on a core of their own", interface.name)
    };
    check("drops", DROPS.judge(percent(total, received)), figure, &remedy)
}

/// What is rare: told when it is there.
fn others(seen: &Observation) -> Vec<Check> {
    let mut checks = Vec::new();
    if seen.filtered_frames > 0 {
        let total = seen.filtered_frames + seen.frames.frames;
        let figure = format!("{} of the frames left out by capture.bpf", shown(seen.filtered_frames, total));
        checks.push(check("filter", Verdict::Note, figure, "as configured"));
    }
    if seen.clock_back > 0 {
        let figure = format!("{} earlier than the frame before", counted(seen.clock_back, "frame"));
        let remedy = "several queues or captures merged without sorting; times are kept from going back";
        checks.push(check("clock", Verdict::Note, figure, remedy));
    }
    if seen.flows.panics > 0 {
        let figure = format!("{} given up: a parser failed", counted(seen.flows.panics, "flow"));
        checks.push(check("parsers", Verdict::Warning, figure, "a fault of shadowtap; please report it"));
    }
    checks
}

fn readable(flows: &FlowsSeen) -> Check {
    let FlowsSeen { readable_bytes, encrypted_bytes, quic_bytes, other_bytes, .. } = *flows;
    let total = readable_bytes + encrypted_bytes + quic_bytes + other_bytes;
    if total == 0 {
        return check("content", Verdict::Note, "no payload at all".into(), "mirror a port with clients behind it");
    }
    let share = |part| shown(part, total);
    let mut words =
        vec![format!("{} readable (HTTP)", share(readable_bytes)), format!("{} TLS", share(encrypted_bytes))];
    if quic_bytes > 0 {
        words.push(format!("{} QUIC", share(quic_bytes)));
    }
    words.push(format!("{} other", share(other_bytes)));
    let figure = format!("of {} payload: {}", size(total), words.join(", "));
    if readable_bytes == 0 {
        let remedy = "which services, not what is sent; to see content, mirror what the TLS proxy decrypted";
        return check("content", Verdict::Note, figure, remedy);
    }
    check("content", Verdict::Ok, figure, "")
}

fn names(flows: &FlowsSeen) -> Check {
    let FlowsSeen { hellos_with_name, hellos_without_name, hellos_with_ech, http_requests, dns_answers, .. } = *flows;
    let hellos = hellos_with_name + hellos_without_name;
    if hellos + http_requests == 0 {
        let remedy = "no hello of TLS or QUIC, no HTTP request: mirror the clients' way to the internet or the proxy";
        return check("names", Verdict::Warning, "none: nobody's service can be told".into(), remedy);
    }
    let mut figure = format!("{}, {} with a name", counted(hellos, "TLS or QUIC hello"), thousands(hellos_with_name));
    if hellos_with_ech > 0 {
        figure += &format!(", {} with ECH", thousands(hellos_with_ech));
    }
    figure += &format!("; {}, {}", counted(http_requests, "HTTP request"), counted(dns_answers, "DNS answer"));
    let remedy = "names are hidden: is DNS in the mirror, and does the proxy allow ECH?";
    check("names", NAMELESS.judge(percent(hellos_without_name, hellos)), figure, remedy)
}

fn hidden_look_ups(flows: &FlowsSeen) -> Option<Check> {
    let figure = format!("{} with public resolvers", counted(flows.encrypted_dns_sessions, "session"));
    let remedy =
        "these clients hide their look-ups, so DNS names none of their flows: let them ask the site's resolver";
    (flows.encrypted_dns_sessions > 0).then(|| check("encrypted DNS", Verdict::Note, figure, remedy))
}

fn services(flows: &FlowsSeen) -> Check {
    if flows.services.is_empty() {
        let remedy = "to try: curl https://api.openai.com/ on a machine behind the mirror, then again";
        return check("AI services", Verdict::Note, "none seen in this time".into(), remedy);
    }
    let figure = format!("{}: {}", thousands(flows.services.len() as u64), most(&flows.services));
    check("AI services", Verdict::Ok, figure, "")
}

/// Names told of a list; the JSON has all.
const TOLD: usize = 6;

/// The most frequent first, with their counts.
fn most(counts: &BTreeMap<String, u64>) -> String {
    let mut sorted: Vec<(&String, &u64)> = counts.iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let mut words: Vec<String> =
        sorted.iter().take(TOLD).map(|(name, count)| format!("{name} {}", thousands(**count))).collect();
    if sorted.len() > TOLD {
        words.push(format!("and {} more", sorted.len() - TOLD));
    }
    words.join(", ")
}

fn few(ids: impl ExactSizeIterator<Item: Display>) -> String {
    let total = ids.len();
    let mut words: Vec<String> = ids.take(TOLD).map(|id| id.to_string()).collect();
    if total > TOLD {
        words.push(format!("and {} more", total - TOLD));
    }
    words.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "a share, shown with two digits")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// `12 %`; a share that is there is never shown as nothing, one that lacks something never as all.
fn shown(part: u64, whole: u64) -> String {
    let share = percent(part, whole);
    match share {
        _ if part == 0 => "0 %".into(),
        _ if part == whole => "100 %".into(),
        share if share < 0.1 => "<0.1 %".into(),
        share if share < 10.0 => format!("{share:.1} %"),
        share if share >= 99.5 => format!("{:.1} %", share.min(99.9)),
        share => format!("{share:.0} %"),
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(count), if count == 1 { "" } else { "s" })
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate, never negative")]
fn thousands_of(rate: f64) -> String {
    thousands(rate.round() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn size(bytes: u64) -> String {
    match bytes as f64 {
        size if size < 1e3 => format!("{bytes} B"),
        size if size < 1e6 => format!("{:.1} kB", size / 1e3),
        size if size < 1e9 => format!("{:.1} MB", size / 1e6),
        size => format!("{:.2} GB", size / 1e9),
    }
}

fn rate(bits: f64) -> String {
    match bits {
        bits if bits < 1e3 => format!("{bits:.0} bit/s"),
        bits if bits < 1e6 => format!("{:.1} kbit/s", bits / 1e3),
        bits if bits < 1e9 => format!("{:.1} Mbit/s", bits / 1e6),
        bits => format!("{:.2} Gbit/s", bits / 1e9),
    }
}

fn seconds(span: f64) -> String {
    match span {
        span if span < 120.0 => format!("{span:.1} s"),
        span if span < 7200.0 => format!("{:.1} min", span / 60.0),
        span => format!("{:.1} h", span / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_shown_as_less_or_more_than_it_is() {
        assert_eq!(shown(0, 10), "0 %");
        assert_eq!(shown(1, 100_000), "<0.1 %");
        assert_eq!(shown(1, 30), "3.3 %");
        assert_eq!(shown(1, 3), "33 %");
        assert_eq!(shown(99_999, 100_000), "99.9 %");
        assert_eq!(shown(7, 7), "100 %");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
    }

    #[test]
    fn nothing_at_all_is_a_problem_with_a_remedy() {
        let found = checks(&Observation::default());
        assert_eq!(found.iter().map(|check| check.verdict).max(), Some(Verdict::Problem));
        assert!(found.iter().all(|check| check.verdict == Verdict::Ok || check.remedy.is_some()), "{found:?}");
    }
}
