//! When a change may start: windows, freezes and time zones.

mod cron_field;
mod cron_line;
mod document;
mod excerpt;
mod freeze;
mod instant;
mod json;
mod pairs;
mod parse_error;
mod time_zone;
mod window;

pub use cron_line::{CronLine, CronLineError};
pub use document::{MAX_BYTES, MAX_WINDOWS, ScheduleDocument};
pub use freeze::{Exemption, Freeze};
pub use parse_error::{ParseError, Position};
pub use time_zone::{Zone, ZoneError, ZoneName};
pub use window::{MAX_DURATION, Opening, Window};
