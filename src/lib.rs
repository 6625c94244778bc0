//! Keeps an agent at the version its cluster supports.

/// How the agent fares.
pub mod health;
/// When a change may start: windows, freezes and time zones. Pure.
pub mod schedule;
/// The version server: asked for the target, its urgency and its schedule; and an embedded one.
pub mod version_server;
