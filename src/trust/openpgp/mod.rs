//! OpenPGP: which signature counts. Parsing and mathematics are those of the crate `pgp`; what is
//! accepted is in `policy`.

mod armor;
mod cleartext;
mod keyring;
mod packets;
mod policy;

pub use cleartext::Cleartext;
pub use keyring::{Key, Keyring};
pub(crate) use policy::SKEW;
pub use policy::Trust;
