//! What `hzl-remote` does against real servers, and against misbehaving ones.

mod devices;
mod hrana;
mod sync_round_trip;
