//! Cloud synchronisation: push what only this device has, pull what the cloud has.
//!
//! - [`wire`]: the tables and statements of the cloud, and their replies
//! - [`plan`]: pure: what a reply means and what to do next
//! - [`claim`]: a claim that the cloud decides
//! - [`run`]: carries plans out on a ledger and a cloud; joining and healing are in `heal`,
//!   what devices tell one another in `announce`, a single request in `exchange`, doing two things at once
//!   in `ahead`
//! - [`remote`]: what a sync talks to: a server, or a model of one
//! - [`session`]: a sync with its bookkeeping: what `status` shows, and when to try again
//! - [`verify`]: compares the log here with the cloud
//! - [`policy`]: pure: when to sync, and how long to wait after a failure
//!
//! The law: a sync never deletes or changes an event here; what a reply says is final only when a pull
//! has brought it back. So any request may be lost, repeated or cut, at any byte.

mod ahead;
mod announce;
pub mod claim;
pub mod error;
mod exchange;
mod heal;
pub mod plan;
pub mod policy;
pub mod remote;
pub mod run;
pub mod session;
pub mod verify;
pub mod wire;

pub use error::SyncError;
pub use run::{Progress, Report, SyncOptions, sync};
pub use session::{Session, Target};
