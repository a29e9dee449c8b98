//! Where events are told. In: [`Event`]s out of the spool; out: files and terminals. A format or transport is one
//! file behind [`Sink`].

mod eve;
mod story;
mod summary;
mod terminal;

use std::path::PathBuf;

#[cfg(feature = "testkit")]
pub use eve::schema;
pub use eve::{EveFile, EveLines, EveLog, EveType, FindingObject, Rotation};
pub use story::story;
pub use summary::Summary;
pub use terminal::{AlertLines, word};

use crate::event::Event;

/// One way of telling.
pub trait Sink: Send {
    /// Tells a batch, in order.
    ///
    /// # Errors
    /// When it could not be told in whole; names the place and the remedy.
    fn deliver(&mut self, events: &[Event]) -> Result<(), SinkError>;

    /// Makes what was delivered durable as far as the sink can.
    ///
    /// # Errors
    /// As `deliver`.
    fn flush(&mut self) -> Result<(), SinkError>;

    /// Closes files that somebody moved away and makes them anew.
    ///
    /// # Errors
    /// As `deliver`.
    fn reopen(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Events that it wrote so far, to the last byte.
    fn written(&self) -> u64 {
        0
    }

    /// What it is called in metrics.
    fn name(&self) -> String {
        String::new()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    #[error("cannot write {path}: {source}{}", remedy(source))]
    Write { path: PathBuf, source: std::io::Error },
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::StorageFull => "; free space on that disk or choose another --out, then run again",
        std::io::ErrorKind::PermissionDenied => "; choose a folder that you may write to",
        std::io::ErrorKind::NotFound => "; make the folder first",
        _ => "",
    }
}
