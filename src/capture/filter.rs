//! BPF over any source: frames that the filter does not want go no further (`capture.bpf`). In: a [`Source`]; out:
//! the same with fewer frames. libpcap compiles the expression (pcap-filter(7)), once per link type.

use super::{CaptureCounters, CaptureError, CaptureWarning, FrameBatch, LinkType, Source};

/// A filter expression, known to compile for Ethernet.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: String,
}

/// Why an expression cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[cfg(feature = "pcap")]
    #[error("not a BPF filter: {0}; the language is that of tcpdump (man pcap-filter)")]
    Expression(String),
    #[cfg(not(feature = "pcap"))]
    #[error(
        "this build has no libpcap, so it cannot filter; build with the feature \"pcap\" or leave capture.bpf empty"
    )]
    NotBuilt,
}

impl Filter {
    /// `None` for an empty expression.
    ///
    /// # Errors
    /// The expression is at fault, or this build cannot filter.
    pub fn new(expression: &str) -> Result<Option<Self>, FilterError> {
        if expression.trim().is_empty() {
            return Ok(None);
        }
        programs::check(expression)?;
        Ok(Some(Self { expression: expression.to_owned() }))
    }
}

/// A source behind a filter.
pub struct Filtered<'s> {
    source: &'s mut dyn Source,
    programs: programs::Programs,
    filtered: u64,
}

impl<'s> Filtered<'s> {
    #[must_use]
    pub fn new(source: &'s mut dyn Source, filter: &Filter) -> Self {
        Self { source, programs: programs::Programs::new(&filter.expression), filtered: 0 }
    }
}

impl Source for Filtered<'_> {
    fn next_batch(&mut self) -> Result<Option<FrameBatch>, CaptureError> {
        while let Some(mut batch) = self.source.next_batch()? {
            let before = batch.frames.len();
            let FrameBatch { memory, frames, .. } = &mut batch;
            frames.retain(|frame| {
                let bytes = memory.get(frame.range.start as usize..frame.range.end as usize).unwrap_or_default();
                self.programs.wants(frame.link, bytes)
            });
            self.filtered += (before - frames.len()) as u64;
            if !frames.is_empty() {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    fn take_warnings(&mut self) -> Vec<CaptureWarning> {
        self.source.take_warnings()
    }

    fn counters(&self) -> CaptureCounters {
        CaptureCounters { filtered: self.filtered, ..self.source.counters() }
    }
}

#[cfg(feature = "pcap")]
mod programs {
    use pcap::{BpfProgram, Capture, Linktype};

    use super::{FilterError, LinkType};

    /// The expression compiled for each link type met.
    pub(super) struct Programs {
        expression: String,
        /// `None` where the expression makes no sense on the link (`vlan` on raw IP): nothing matches.
        compiled: Vec<(LinkType, Option<BpfProgram>)>,
    }

    pub(super) fn check(expression: &str) -> Result<(), FilterError> {
        compile(expression, LinkType::Ethernet).map(drop).map_err(|error| FilterError::Expression(error.to_string()))
    }

    fn compile(expression: &str, link: LinkType) -> Result<BpfProgram, pcap::Error> {
        let number = match link {
            LinkType::Ethernet => 1,
            LinkType::Ppp => 9,
            LinkType::LinuxCooked => 113,
            LinkType::LinuxCooked2 => 276,
            // libpcap's own number for raw IP on Linux.
            LinkType::RawIp => 12,
            LinkType::Loopback => 0,
            LinkType::ArcnetBsd => 7,
            LinkType::ArcnetLinux => 129,
            LinkType::Wireless => 105,
            LinkType::Radiotap => 127,
            LinkType::PerPacketInformation => 192,
            LinkType::Prism => 119,
            LinkType::Avs => 163,
            LinkType::NetfilterLog => 239,
            LinkType::Unsupported(number) => i32::try_from(number).unwrap_or(1),
        };
        Capture::dead(Linktype(number))?.compile(expression, true)
    }

    impl Programs {
        pub(super) fn new(expression: &str) -> Self {
            Self { expression: expression.to_owned(), compiled: Vec::new() }
        }

        pub(super) fn wants(&mut self, link: LinkType, bytes: &[u8]) -> bool {
            if !self.compiled.iter().any(|(known, _)| *known == link) {
                self.compiled.push((link, compile(&self.expression, link).ok()));
            }
            let program =
                self.compiled.iter().find(|(known, _)| *known == link).and_then(|(_, program)| program.as_ref());
            program.is_some_and(|program| program.filter(bytes))
        }
    }
}

#[cfg(not(feature = "pcap"))]
mod programs {
    use super::{FilterError, LinkType};

    pub(super) struct Programs;

    pub(super) fn check(_expression: &str) -> Result<(), FilterError> {
        Err(FilterError::NotBuilt)
    }

    impl Programs {
        pub(super) fn new(_expression: &str) -> Self {
            Self
        }

        pub(super) fn wants(&mut self, _link: LinkType, _bytes: &[u8]) -> bool {
            true
        }
    }
}

#[cfg(all(test, feature = "pcap"))]
mod tests {
    use super::*;

    #[test]
    fn an_expression_that_libpcap_refuses_is_told_with_the_language_it_must_be_in() {
        let error = Filter::new("host 10.0.0.").unwrap_err().to_string();
        assert!(error.starts_with("not a BPF filter") && error.contains("pcap-filter"), "{error}");
        assert!(Filter::new("  ").unwrap().is_none());
        assert!(Filter::new("tcp port 443 and not net 10.9.0.0/16").unwrap().is_some());
    }
}
