//! When a change may start: windows, freezes and time zones.

mod excerpt;
mod time_zone;

pub use time_zone::{Zone, ZoneError, ZoneName};
