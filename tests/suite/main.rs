//! The tests of the library and of whole runs: one program, which links once.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../common/mod.rs"]
mod common;

mod additions;
mod answers;
mod contract;
mod each;
mod json;
mod layers;
mod man;
mod multipath;
mod nvme;
mod properties;
mod whole_runs;
