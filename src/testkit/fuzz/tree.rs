//! The stream tree under any events of a flow. In: a byte that chooses bounds and cuts, then records of [`steps`];
//! out: a panic when the order of events is broken, memory grows beyond the bounds, or cuts change what is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::steps::{self, Step};
use crate::event::Direction;
use crate::flow::{Interest, StreamEvent};
use crate::protocol::{DoneReason, PROTOCOLS, ProtocolEvent, Settings, StreamInfo, StreamTree, TreeSink};
use crate::testkit::laws::Recorder;

/// Heap bytes of one dissector, at most; `testkit::laws` holds each to it.
const MAX_DISSECTOR_BYTES: usize = 256 << 10;

pub(super) fn run(data: &[u8]) {
    let Some((control, records)) = data.split_first() else { return };
    let steps = steps::read(records);
    let midstream = control & 1 != 0;
    let unwanted_from = if control & 2 == 0 { u32::MAX } else { u32::from(control >> 6) };
    let piece_bytes = if control & 4 == 0 { 1 } else { 1 + usize::from(control >> 3) };
    let whole = play(&steps, usize::MAX, midstream, unwanted_from);
    let cut = play(&steps, piece_bytes, midstream, unwanted_from);
    // Where something is unwanted, how much was told before it took effect depends on the cuts.
    if unwanted_from == u32::MAX {
        assert_eq!(cut.told, whole.told, "in pieces of {piece_bytes}");
        assert_eq!(cut.done, whole.done, "in pieces of {piece_bytes}");
    }
}

fn settings() -> Settings {
    Settings {
        max_stream_buffer_bytes: 4 << 10,
        max_probe_bytes: 256,
        max_upgrade_search_bytes: 512,
        max_midstream_search_bytes: 1 << 10,
        max_tunnel_depth: 3,
        max_streams: 4,
        max_conflict_bytes: 256,
        max_hello_bytes: 2 << 10,
        max_head_bytes: 1 << 10,
        max_open_exchanges: 4,
        max_http2_streams: 4,
        ..Settings::default()
    }
}

fn play(steps: &[(Direction, Step<'_>)], piece_bytes: usize, midstream: bool, unwanted_from: u32) -> Recorder {
    let settings = Arc::new(settings());
    let per_stream = MAX_DISSECTOR_BYTES + 4 * settings.max_stream_buffer_bytes;
    let bound = per_stream * settings.max_streams;
    let mut tree = StreamTree::new(PROTOCOLS, Arc::clone(&settings), midstream);
    let mut checked = Checked { unwanted_from, ..Checked::default() };
    for (direction, step) in steps {
        let mut push = |event| {
            tree.push(*direction, event, &mut checked);
            assert!(tree.held_bytes() <= bound, "{} bytes are held, {bound} are allowed", tree.held_bytes());
        };
        match step {
            Step::Data(bytes) => bytes.chunks(piece_bytes).for_each(|bytes| push(StreamEvent::Data(bytes))),
            other => push(other.event()),
        }
    }
    tree.close(&mut checked);
    if unwanted_from == u32::MAX {
        let open: Vec<_> = checked.exchanges.iter().filter(|(_, exchange)| !exchange.closed).collect();
        assert!(open.is_empty(), "never closed: {open:?}");
    }
    checked.recorder
}

/// What was told of an exchange.
#[derive(Debug, Default)]
struct Exchange {
    bodies_ended: [bool; 2],
    closed: bool,
}

/// Checks the order of events.
#[derive(Default)]
struct Checked {
    recorder: Recorder,
    exchanges: BTreeMap<(u32, u32), Exchange>,
    done: BTreeSet<u32>,
    /// Exchanges from this number on are unwanted.
    unwanted_from: u32,
}

impl TreeSink for Checked {
    fn event(&mut self, stream: &StreamInfo, event: ProtocolEvent<'_>) -> Interest {
        assert!(!self.done.contains(&stream.id.0), "after its stream was done: {event:?}");
        assert!(!matches!(event, ProtocolEvent::Tunnel { .. }), "the tree keeps tunnels to itself");
        let id = event.exchange();
        if let Some(id) = id {
            let exchange = self.exchanges.entry((stream.id.0, id.0)).or_default();
            assert!(!exchange.closed, "after Closed: {event:?}");
            match &event {
                ProtocolEvent::Body { direction, .. } | ProtocolEvent::BodyGap { direction, .. } => {
                    assert!(!exchange.bodies_ended[direction.index()], "after BodyEnd: {event:?}");
                }
                ProtocolEvent::BodyEnd { direction, .. } => {
                    let before = std::mem::replace(&mut exchange.bodies_ended[direction.index()], true);
                    assert!(!before, "a second BodyEnd: {event:?}");
                }
                ProtocolEvent::Closed { .. } => exchange.closed = true,
                _ => {}
            }
        }
        TreeSink::event(&mut self.recorder, stream, event);
        if id.is_some_and(|id| id.0 >= self.unwanted_from) { Interest::Nothing } else { Interest::Data }
    }

    fn done(&mut self, stream: &StreamInfo, reason: DoneReason) {
        assert!(self.done.insert(stream.id.0), "stream {} is done twice", stream.id.0);
        TreeSink::done(&mut self.recorder, stream, reason);
    }
}
