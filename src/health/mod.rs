//! How the agent fares: probes do the asking, the verdict is formed elsewhere.

/// Asks an agent's own health endpoint.
pub mod http;
