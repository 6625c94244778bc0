//! Maintenance schedules.
