//! Keeps an agent at the version its cluster supports.

/// When a change may start: windows, freezes and time zones. Pure.
pub mod schedule;
