//! Keeps an agent at the version its cluster supports.

/// What the operator wants: files, merged, validated into one policy for each agent.
pub mod config;
/// When a change may start: windows, freezes and time zones. Pure.
pub mod schedule;
