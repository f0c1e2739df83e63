//! What `hzl-remote` does against real servers, and against misbehaving ones.

mod announcements;
mod claims;
mod devices;
mod hrana;
mod model_cloud;
mod quarantine;
mod schedules;
mod sync_round_trip;
mod verification;
mod wedges;
