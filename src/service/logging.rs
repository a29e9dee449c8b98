//! The log of a running sensor, on stderr, where the service manager takes it. In: `tracing` events; out: lines of text
//! or JSON. Nothing is logged per packet, and nothing of the wire ever.

use tracing::level_filters::LevelFilter;

use crate::config::{Control, LogFormat, LogLevel};

/// Begins to log. Once per process.
pub fn start(settings: &Control) {
    let level = match settings.log_level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(level).with_target(false);
    // A second start leaves the first as it is.
    let _ = match settings.log_format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
