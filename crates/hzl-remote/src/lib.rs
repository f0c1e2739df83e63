//! Whatever dials out: the cloud, over Hrana.
//!
//! Layers, each knowing only those before it: [`secret`] and [`endpoint`] (where to, and as whom),
//! [`error`], [`http`] (one request, one reply, strict limits), [`hrana`] (statements in, rows
//! out). [`hooks`] stands beside them: one POST to an address from the settings. `reach` says
//! which addresses that may be, `resolve` finds them for both. Nothing here decides when to talk or what a reply means for the ledger.

mod bounded;
pub mod endpoint;
pub mod error;
pub mod hooks;
pub mod hrana;
pub mod http;
mod reach;
mod resolve;
pub mod secret;
pub mod sync;
