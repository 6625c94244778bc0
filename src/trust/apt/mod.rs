//! A Debian repository: signed `Release`, its `Packages`, their `.deb` files.

mod packages;
mod release;

pub(crate) use packages::is_location;
pub use packages::{Deb, find_deb, list_debs};
pub use release::{MOST_BYTES, Release};
