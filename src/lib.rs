//! Keeps an agent at the version its cluster supports.

/// What the operator wants: files, merged, validated into one policy for each agent.
pub mod config;
/// How the agent fares.
pub mod health;
/// When a change may start: windows, freezes and time zones. Pure.
pub mod schedule;
/// The version server: asked for the target, its urgency and its schedule; and an embedded one.
pub mod version_server;
