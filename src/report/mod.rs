//! What is told: one document for JSON, status file and text.

/// Whether somebody has to do something.
pub mod attention;
/// The document from facts and decision.
pub mod build;
/// The document.
pub mod document;
/// Everything that is known of one agent, as text.
mod explanation;
/// The record as a table for a person.
pub mod history;
/// What earlier runs learnt.
pub mod kept;
/// The Prometheus textfile.
pub mod metrics;
/// The message of the day.
pub mod motd;
/// The answer of `check`.
pub mod nagios;
/// Lines for a person.
pub mod page;
#[cfg(test)]
mod schema;
/// The document as text for a person.
pub mod text;
/// The windows of a schedule.
pub mod windows;
/// Times as a person reads them.
pub mod words;

pub use document::{AgentReport, Document};
