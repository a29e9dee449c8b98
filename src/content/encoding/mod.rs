//! Content codings of a body (RFC 9110 §8.4.1): gzip and deflate, br, zstd, identity, one over another. In: coded bytes
//! as they come; out: decoded bytes, which depend on the coded ones alone, never on how these were cut; where a coding
//! breaks, all that came before the break. Bounds per coding: `max_decoded_bytes`, `max_ratio`, `max_window_bytes`.
//! Does not: dictionaries (RFC 9842), checksums (a wrong one hides nothing from us), go on after a hole.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

mod bounds;
mod brotli;
mod deflate;
mod permessage;
mod zstd;

use super::{Reason, Reasons, Settings};
use brotli::Brotli;
use deflate::{Deflate, Gzip, Inflate, Inflated};
pub(super) use permessage::PerMessage;
use zstd::Zstd;

/// Undoes one content coding.
pub trait Decoder: Send {
    /// The next coded bytes; decoded ones go to `out` in pieces. A decoder may hold back some (see there). A reason, when
    /// nothing more can be decoded.
    fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason>;
    /// The body ended; why that was not all of it, if so.
    fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> Option<Reason>;
    /// Coded bytes decoded so far; the others wait for more, or stand after the coding's end or a stop.
    fn used(&self) -> u64;
    /// The body is over and another of the same coding begins; its bounds go on counting from where they are.
    fn restart(&mut self);
}

/// The decoder of a coding by its name in `Content-Encoding`; `None` when there is none. Identity is no coding.
pub(super) fn decoder(name: &str, settings: &Settings) -> Option<Box<dyn Decoder>> {
    match name {
        "gzip" | "x-gzip" => Some(Box::new(Gzip::new(settings))),
        "deflate" => Some(Box::new(Deflate::new(settings))),
        "br" => Some(Box::new(Brotli::new(settings))),
        "zstd" => Some(Box::new(Zstd::new(settings))),
        _ => None,
    }
}

/// Raw DEFLATE streams, each whole, within the bounds of one coding.
pub(super) struct RawDeflate(Inflate);

impl RawDeflate {
    pub(super) fn new(settings: &Settings) -> Self {
        Self(Inflate::new(settings))
    }

    /// Hands on what a stream decodes to, and tells why that was not all of it, if so.
    pub(super) fn inflate(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        self.0.restart(false);
        match self.0.push(coded, out) {
            Inflated::Ended(_) => None,
            Inflated::More(_) => Some(Reason::Truncated),
            Inflated::Stopped(_, reason) => Some(reason),
        }
    }
}

/// Codings one over another, the outermost first.
pub(super) struct Codings {
    stages: Vec<Box<dyn Decoder>>,
}

impl Codings {
    /// `names` in the order applied; `None` when one is unknown or they are too many.
    pub(super) fn new(names: &[String], settings: &Settings) -> Option<Self> {
        let names = names.iter().flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase());
        let names: Vec<_> = names.filter(|name| !name.is_empty() && name != "identity").collect();
        if names.len() > settings.max_codings {
            return None;
        }
        let stages = names.iter().rev().map(|name| decoder(name, settings)).collect::<Option<_>>()?;
        Some(Self { stages })
    }

    pub(super) fn none() -> Self {
        Self { stages: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    pub(super) fn push(&mut self, coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
        push_through(&mut self.stages, coded, out)
    }

    /// Bytes, as sent, decoded so far.
    pub(super) fn used(&self) -> u64 {
        self.stages.first().map_or(0, |outermost| outermost.used())
    }

    /// Ends every coding; why some did not end as they should.
    pub(super) fn finish(&mut self, out: &mut dyn FnMut(&[u8])) -> Reasons {
        let mut reasons = Reasons::default();
        let mut stages = self.stages.as_mut_slice();
        while let Some((first, inner)) = stages.split_first_mut() {
            let mut inner_stopped = None;
            let reason = first.finish(&mut |bytes| {
                if inner_stopped.is_none() {
                    inner_stopped = push_through(inner, bytes, out);
                }
            });
            if let Some(reason) = inner_stopped.or(reason) {
                reasons.insert(reason);
            }
            if inner_stopped.is_some() {
                break;
            }
            stages = inner;
        }
        reasons
    }
}

fn push_through(stages: &mut [Box<dyn Decoder>], coded: &[u8], out: &mut dyn FnMut(&[u8])) -> Option<Reason> {
    let Some((first, inner)) = stages.split_first_mut() else {
        out(coded);
        return None;
    };
    if inner.is_empty() {
        return first.push(coded, out);
    }
    let mut inner_stopped = None;
    let stopped = first.push(coded, &mut |bytes| {
        if inner_stopped.is_none() {
            inner_stopped = push_through(inner, bytes, out);
        }
    });
    // Where both stopped, the inner coding did first: the outer one then went on to what comes after.
    inner_stopped.or(stopped)
}
