//! When a change may start: windows, freezes and time zones.

mod cron_field;
mod cron_line;
mod excerpt;
mod time_zone;

pub use cron_line::{CronLine, CronLineError};
pub use time_zone::{Zone, ZoneError, ZoneName};
