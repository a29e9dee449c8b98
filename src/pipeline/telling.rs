//! The telling thread. In: events out of the spool; out: the sinks. In a replay a sink that fails ends the run. Live it
//! is told of once, what it could not write is counted, and it is tried again with the next events.

use std::time::Duration;

use super::{Board, Control, Live, Notice, ReplayError, Run};
use crate::{
    event::{Event, EventKind},
    sink::{Sink, SinkError},
    spool::{self, SpoolError},
};

/// Without events the thread looks up so often: files are reopened and rotated then too.
const TURN: Duration = Duration::from_millis(500);

pub(super) struct Telling<'a> {
    control: &'a Control,
    board: &'a Board,
    live: Option<Live<'a>>,
    reopenings: u64,
    failing: bool,
}

impl<'a> Telling<'a> {
    pub(super) fn new(run: &Run<'a>) -> Self {
        let reopenings = run.control.reopenings();
        Self { control: run.control, board: run.board, live: run.live, reopenings, failing: false }
    }

    pub(super) fn run(mut self, reader: &spool::Reader, sinks: &mut [&mut dyn Sink]) -> Result<(), ReplayError> {
        let told = reader.run(TURN, |events| self.tell(events, sinks));
        let flushed = sinks.iter_mut().try_for_each(|sink| sink.flush());
        match told {
            Ok(()) => Ok(flushed?),
            Err(SpoolError::Tell(error)) => Err(error.into()),
            Err(SpoolError::NotAnEvent) => Err(ReplayError::Internal),
        }
    }

    fn tell(&mut self, events: &[Event], sinks: &mut [&mut dyn Sink]) -> Result<(), SinkError> {
        let Some(live) = self.live else {
            return sinks.iter_mut().try_for_each(|sink| sink.deliver(events));
        };
        let reopenings = self.control.reopenings();
        let reopen = std::mem::replace(&mut self.reopenings, reopenings) != reopenings;
        let mut failed = None;
        let mut lost = Vec::new();
        for sink in sinks.iter_mut() {
            let told = if reopen { sink.reopen() } else { Ok(()) };
            if let Err(error) = told.and_then(|()| sink.deliver(events)).and_then(|()| sink.flush()) {
                lost.push((sink.name(), events.len() as u64));
                failed = Some(error);
            }
        }
        match &failed {
            Some(error) if !self.failing => (live.notice)(Notice::OutputFailed(error)),
            None if self.failing && !events.is_empty() => (live.notice)(Notice::OutputBack),
            _ => {}
        }
        self.failing = failed.is_some() || (self.failing && events.is_empty());
        self.count(events, &lost);
        if !events.is_empty() {
            self.board.telling(|figures| {
                for sink in sinks.iter() {
                    figures.written_events.insert(sink.name(), sink.written());
                }
            });
        }
        Ok(())
    }

    fn count(&self, events: &[Event], lost: &[(String, u64)]) {
        self.board.telling(|figures| {
            figures.events_told += events.len() as u64;
            for (name, count) in lost {
                *figures.lost_events.entry(name.clone()).or_default() += count;
            }
            for event in events {
                match &event.kind {
                    EventKind::AiActivity(ai) if ai.r#final => {
                        *figures.exchanges.entry(ai.service.id.clone()).or_default() += 1;
                        for (kind, count) in ai.content.iter().flat_map(|content| &content.findings) {
                            *figures.findings.entry(*kind).or_default() += count;
                        }
                    }
                    EventKind::Alert(alert) if alert.revision == 1 => {
                        *figures.alerts.entry(alert.severity).or_default() += 1;
                    }
                    _ => {}
                }
            }
        });
    }
}
