//! An rpm repository: `repomd.xml`, its `primary.xml`, and the packages with signatures of their
//! own.

mod header;
mod package;
mod primary;
mod repomd;
mod xml;

pub use package::{Nevra, check_package};
pub use primary::{Rpm, find_rpm, list_rpms};
pub use repomd::{MOST_BYTES, Repomd};
