//! Keeps an agent at the version its cluster supports.
//!
//! One tick over an agent: `gather` learns the facts, `decision` decides purely, `repository` asks
//! what the repository offers, `transaction` makes the change, looks at what came of it and undoes it, `report`
//! tells. The package managers themselves are values of the crate `adapters`.

/// Coming from the ancestor, Teleport's package-manager updater.
pub mod ancestor;
/// What is told of a change and of a tick.
pub mod announce;
/// What an operator asks for instead of the version server.
pub mod by_hand;
/// One change, from the decision to what came of it.
mod change;
/// The command line.
pub mod cli;
/// The commands, from arguments to an exit code.
pub mod commands;
/// Completions for the shells.
mod completions;
/// What the operator wants: files, merged, validated into one policy for each agent.
pub mod config;
/// Decides what to do; does nothing. Pure.
pub mod decision;
/// What an update would meet on this host, and the way out.
pub mod doctor;
/// `on_event`: what happens is told to the operator's program.
mod events;
/// Learns the facts for the decision.
pub mod gather;
/// The last look before dpkg.
pub mod guard;
/// Whether the agent works.
pub mod health;
/// What is asked of the host itself.
pub mod host;
/// The installer as a process of its own.
pub mod installer;
/// The manual pages.
mod manual;
/// What a run leaves for monitoring and for whoever logs in.
mod monitoring;
/// States, reasons and exit codes. Pure.
pub mod outcome;
/// Programs of the operator's, outside of the decider's sandbox.
pub mod outside;
/// Proven package files in our own cache.
pub mod packages;
/// Our own pin on the package, so that a general upgrade leaves it alone.
pub mod pin;
/// What the decider asks the installer to do.
pub mod plan;
/// Fetches a due target ahead of its window.
mod prefetch;
/// What a run is doing at this moment.
pub mod progress;
/// Proves what a refresh and a download left, with the keys that the host has.
pub mod proof;
/// What was left broken.
mod repair;
/// What is told: JSON, status file, text.
pub mod report;
/// Finds the repository that offers the target.
pub mod repository;
/// An operator's way back by our own cache.
mod roll_back;
/// When a change may start: windows, freezes and time zones. Pure.
pub mod schedule;
/// What is remembered from tick to tick.
pub mod state;
/// Signals while a change is being made.
pub mod stop;
/// One tick over one agent.
pub mod tick;
/// One change to the package, observed, rolled back or recovered.
mod transaction;
/// Proof before installing: signatures, checksums and dates.
pub mod trust;
/// Begins a transaction, or takes one up, and reports it.
mod update;
/// The version server: asked for the target, its urgency and its schedule; and an embedded one.
pub mod version_server;
/// The present version's package, before it is replaced.
mod way_back;
