//! What is told: one document for JSON, status file and text.

/// The document from facts and decision.
pub mod build;
/// The document.
pub mod document;
/// What earlier runs learnt.
pub mod kept;
/// How text stands on a screen.
pub mod layout;
/// The document as text for a person.
pub mod text;
/// The windows of a schedule.
pub mod windows;
/// Times as a person reads them.
pub mod words;

pub use document::{AgentReport, Document};
