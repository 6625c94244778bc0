//! What the tests stand on: a real server with programmable manners, and certificates for it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "every test binary uses its own part"
)]

pub mod certificates;
pub mod test_server;
