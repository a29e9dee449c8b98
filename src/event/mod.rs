//! Plain data that all modules share, a file per object. No logic beyond construction and formatting.

mod alert;
mod exchange;
mod facts;
mod finding;
mod flow;
mod service;
mod time;

pub use alert::*;
pub use exchange::*;
pub use facts::*;
pub use finding::*;
pub use flow::*;
pub use service::*;
pub use time::*;
