//! Whether the agent works, as far as this host can tell.
//!
//! Sampling is I/O ([`probe`], [`http`]); the verdict over the samples ([`verdict`]) is pure.

/// The `http` probe: over loopback or a unix socket.
pub mod http;
/// Takes samples.
pub mod probe;
/// Whether a version that was just installed works.
pub mod settle;
/// What systemd says of a unit.
pub mod unit;
/// What follows from the samples.
pub mod verdict;
