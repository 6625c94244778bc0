//! The version server: what it is asked, how, and what its answers mean.
//!
//! A `Client` asks for `<base>/version`, `<base>/critical` and `<base>/schedule`, one after the other on one
//! connection. Nothing it returns is a free string but the schedule's text, which another module parses:
//! a server's byte never travels further than the parsers in `answer`. `Embedded` is the other side, for trials and
//! tests, and `channel` writes and checks the three files that it or any static host serves.

/// What the answers mean.
pub mod answer;
mod certificate;
/// The publisher's side: the three files of a channel.
pub mod channel;
mod client;
mod credentials;
mod error;
mod exchange;
mod kept;
mod options;
mod serve;
mod transport;
mod trust;

pub use answer::{ScheduleAnswer, VersionAnswer};
pub use client::Client;
pub use error::ServerError;
pub use exchange::{MAX_BODY_BYTES, RETRIES, TOTAL_TIMEOUT};
pub use kept::{Answer, Kept};
pub use options::{Proxy, ServerOptions};
pub use serve::{Embedded, TlsFiles};

pub(crate) use options::url_host;
pub(crate) use transport::local_builder;
