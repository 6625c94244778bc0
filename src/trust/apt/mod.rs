//! A Debian repository: signed `Release`, its `Packages`, their `.deb` files.

mod packages;
mod release;

pub use packages::{Deb, find_deb};
pub use release::Release;
