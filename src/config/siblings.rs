//! The types of other modules that the configuration speaks in.

pub(super) use crate::health::http::HttpTarget;
pub(super) use crate::schedule::{Freeze, ScheduleDocument};
pub(super) use crate::version_server::{Proxy, ServerOptions};
pub(super) use adapters::{ManagerKind, PackageName, TargetVersion};
