//! The rules of hzl: what an event means and what a command may do.
//!
//! Pure: no I/O, no clock, no randomness. Everything a rule looks at is an argument, so a history can
//! be replayed, simulated and property-tested. The two functions that carry the product are
//! [`decide::decide`] (what should happen?) and [`fold::TaskFold::apply`] (what does it mean that this
//! happened?). SQL, files and the network live in the other crates.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod availability;
pub mod command;
pub mod conflict;
pub mod decide;
pub mod event;
pub mod fold;
pub mod graph;
pub mod ids;
mod lenient;
pub mod limits;
pub mod order;
pub mod planted;
pub mod project;
pub mod rejection;
pub mod restore;
pub mod stamp;
pub mod task;
pub mod time;
