//! A Debian repository: signed `Release`, its `Packages`, their `.deb` files.

mod packages;
mod release;

pub(crate) use packages::is_location;
pub use packages::{Deb, find_deb};
pub use release::{MOST_BYTES, Release};
