//! A deterministic simulator of everything that sync may meet.
//!
//! Several devices and one cloud, played from a seed: agents write, claim and sync while requests and
//! replies are lost, processes die at transaction edges, disks fill up, are copied and restored, clocks
//! jump, clouds are rewound, and other programs write. The rules, the sync planner, the store and its
//! SQL are the product's; only clock, randomness and network are replaced. A judge that knows the truth
//! checks the contract after every step and at the end.

mod check;
pub mod cloud;
mod commands;
pub mod device;
mod disk;
mod foreign;
pub mod history;
mod line;
pub mod play;
pub mod random;
pub mod schedule;
pub mod shrink;
pub mod torture;
pub mod trace;
pub mod verdict;
pub mod world;

pub use play::{Played, play};
pub use schedule::Schedule;
pub use verdict::{Finding, Violation};
