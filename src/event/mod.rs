//! Plain data that all modules share, a file per object. No logic beyond construction and formatting.

mod alert;
mod exchange;
mod finding;
mod flow;
mod service;
mod time;

pub use alert::*;
pub use exchange::*;
pub use finding::*;
pub use flow::*;
pub use service::*;
pub use time::*;
