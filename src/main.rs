//! The command `agent-updater`.
fn main() {}
