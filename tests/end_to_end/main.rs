//! The main job on real hosts: systemd as PID 1, real package managers, real signed repositories.
//!
//! Needs root and the laboratory (`tests/laboratory`); `scripts/test` sees to both.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails loudly"
)]

#[path = "../support/mod.rs"]
mod support;

#[allow(unreachable_pub, reason = "a module of a test binary")]
mod laboratory;

mod adoption;
mod at_home;
mod decision;
mod disk;
mod doctor;
mod history;
mod hostile;
mod interface;
mod monitoring;
mod no_op;
mod older_index;
mod operator;
mod outcomes;
mod own_files;
mod packages;
mod pin;
mod prefetch;
mod race;
mod repositories;
mod schedule;
mod screens;
mod signatures;
mod trouble;
mod trust;
mod update;

/// Runs a test once with each package manager.
#[macro_export]
macro_rules! with_each_manager {
    ($($(#[$meta:meta])* fn $name:ident($setup:ident: $type:ty) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                fn run($setup: $type) $body

                #[test]
                fn apt() {
                    run(Setup::new("apt"));
                }

                #[test]
                fn yum() {
                    run(Setup::new("yum"));
                }

                #[test]
                fn zypper() {
                    run(Setup::new("zypper"));
                }
            }
        )*
    };
}
