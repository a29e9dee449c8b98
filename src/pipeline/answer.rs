//! The beginning of a response's body, which may name the model where the request did not: its first JSON object, its first
//! event. In: body bytes; out: that name. Responses are not searched for patient data, and nothing else of them is kept.
//! Bounds: [`MAX_BYTES`] as sent and decoded.

use crate::{
    content::{self, Arena, Body, ContentHint},
    protocol::ResponseHead,
};

/// Bytes looked at; a model's name stands in the first hundreds.
const MAX_BYTES: u64 = 64 << 10;

/// Members that name it; the second is Gemini's.
const NAMES: &[&str] = &["model", "modelVersion"];

pub(super) struct Answer {
    reading: Option<Box<(Body, Arena)>>,
    left: u64,
    model: Option<String>,
}

impl Answer {
    pub(super) fn new(head: &ResponseHead, settings: &content::Settings) -> Self {
        let settings = content::Settings { max_decoded_bytes: MAX_BYTES, ..*settings };
        let hint = ContentHint { content_type: head.content_type.as_deref(), ..ContentHint::default() };
        let body = Body::new(&hint, &head.content_encoding, &settings).watch(NAMES);
        Self { reading: Some(Box::new((body, Arena::new()))), left: MAX_BYTES, model: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let Some((body, arena)) = self.reading.as_deref_mut() else { return };
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        body.push(bytes.get(..count).unwrap_or(bytes), arena);
        self.left -= count as u64;
        arena.discard_before(arena.end());
        if self.left == 0 {
            self.end();
        }
    }

    /// No more of it comes, or is wanted.
    pub(super) fn end(&mut self) {
        if let Some(mut reading) = self.reading.take() {
            let (body, arena) = &mut *reading;
            body.finish(true, arena);
            self.model = NAMES.iter().find_map(|name| body.captured(name)).map(str::to_owned);
        }
    }

    /// As sent: nothing of it leaves without `redact`.
    pub(super) fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }
}
