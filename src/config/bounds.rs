//! Numbers of the configuration that would blind, stall or break the sensor. In: a [`Config`]; out: a sentence for each
//! key that is out of its range.

use super::Config;
use crate::intake::IcapServer;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const WEEK: u64 = 7 * 86_400;

/// What a key may be.
pub(super) struct Range {
    pub(super) key: &'static str,
    value: u64,
    pub(super) least: u64,
    pub(super) most: u64,
}

/// What is out of range, a sentence each.
pub(super) fn faults(config: &Config) -> Vec<String> {
    let mut faults: Vec<String> = ranges(config)
        .into_iter()
        .filter(|Range { value, least, most, .. }| !(least..=most).contains(&value))
        .map(|Range { key, value, least, most }| format!("{key} is {value}; it must be {least} to {most}"))
        .collect();
    let (least, most) = (config.protocol.min_name_ttl_seconds, config.protocol.max_name_ttl_seconds);
    if least > most {
        faults
            .push(format!("protocol.min_name_ttl_seconds is {least}; it must be at most max_name_ttl_seconds, {most}"));
    }
    faults
}

/// All keys with bounds, and their values.
pub(super) fn ranges(config: &Config) -> Vec<Range> {
    let (capture, packet, flow) = (&config.capture, &config.packet, &config.flow);
    let size = |bytes: usize| bytes as u64;
    let icap_server = config.proxies.icap_server.as_ref();
    let of_icap = |value: fn(&IcapServer) -> usize, default| size(icap_server.map_or(default, value));
    [
        ("capture.rings", size(capture.rings), 1, 64),
        // libpcap takes a signed number of 32 bits.
        ("capture.ring_bytes", size(capture.ring_bytes), MIB, 2 * GIB - 1),
        ("capture.max_frame_bytes", size(capture.max_frame_bytes), 128, 256 * KIB),
        ("capture.max_keylog_sessions", size(capture.max_keylog_sessions), 1, 1 << 24),
        ("capture.max_batch_bytes", size(capture.max_batch_bytes), 64 * KIB, GIB),
        ("capture.max_batch_memory_bytes", size(capture.max_batch_memory_bytes), 4 * MIB, 1 << 40),
        ("capture.max_record_bytes", size(capture.max_record_bytes), 64 * KIB, GIB),
        ("packet.fragment_timeout_seconds", packet.fragment_timeout_seconds, 1, 120),
        ("packet.max_fragmented_datagrams", size(packet.max_fragmented_datagrams), 1, 1 << 20),
        // One datagram must have room, in the smallest fragments that there are.
        ("packet.max_fragment_bytes_total", size(packet.max_fragment_bytes_total), MIB, 1 << 30),
        ("packet.max_fragments_per_datagram", size(packet.max_fragments_per_datagram), 2, 8192),
        ("flow.tcp_idle_timeout_seconds", flow.tcp_idle_timeout_seconds, 1, WEEK),
        ("flow.tcp_handshake_timeout_seconds", flow.tcp_handshake_timeout_seconds, 1, WEEK),
        ("flow.udp_idle_timeout_seconds", flow.udp_idle_timeout_seconds, 1, WEEK),
        ("flow.closing_timeout_seconds", flow.closing_timeout_seconds, 1, WEEK),
        ("flow.broken_off_timeout_seconds", flow.broken_off_timeout_seconds, 1, WEEK),
        ("flow.hole_timeout_milliseconds", flow.hole_timeout_milliseconds, 10, 60_000),
        ("flow.midstream_timeout_milliseconds", flow.midstream_timeout_milliseconds, 1, 10_000),
        ("flow.max_reassembly_bytes_per_flow", size(flow.max_reassembly_bytes_per_flow), 64 * KIB, GIB),
        ("flow.max_reassembly_bytes_total", size(flow.max_reassembly_bytes_total), MIB, 1 << 40),
        ("flow.max_window_bytes", u64::from(flow.max_window_bytes), 64 * KIB, GIB),
        ("flow.max_memory_bytes", size(flow.max_memory_bytes), 16 * MIB, 1 << 40),
        ("protocol.max_http2_streams", size(config.protocol.max_http2_streams), 1, 1024),
        // A record, at least.
        ("protocol.max_undecrypted_bytes", size(config.protocol.max_undecrypted_bytes), 32 * KIB, 16 * MIB),
        ("protocol.max_undecrypted_bytes_total", size(config.protocol.max_undecrypted_bytes_total), MIB, 1 << 40),
        ("protocol.max_learned_names", size(config.protocol.max_learned_names), 1, 1 << 24),
        ("protocol.min_name_ttl_seconds", config.protocol.min_name_ttl_seconds, 0, WEEK),
        ("protocol.max_name_ttl_seconds", config.protocol.max_name_ttl_seconds, 1, WEEK),
        ("proxies.icap_server.max_connections", of_icap(|server| server.max_connections, 1), 1, 65_535),
        ("proxies.icap_server.max_waiting_bytes", of_icap(|server| server.max_waiting_bytes, 1 << 20), MIB, 1 << 40),
        ("detect.max_findings_per_exchange", config.detect.max_findings_per_exchange, 1, 1 << 20),
        ("metrics.statistics_interval_seconds", config.metrics.statistics_interval_seconds, 1, WEEK),
    ]
    .into_iter()
    .map(|(key, value, least, most)| Range { key, value, least, most })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_within_its_bounds_and_the_least_time_to_live_is_below_the_most() {
        let mut config = Config::default();
        assert_eq!(faults(&config), Vec::<String>::new());
        (config.protocol.min_name_ttl_seconds, config.protocol.max_name_ttl_seconds) = (WEEK, 1);
        assert_eq!(faults(&config).len(), 1);
    }
}
