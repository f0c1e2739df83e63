//! What `hzl-remote` does against real servers, and against misbehaving ones.

mod ahead;
mod announcements;
mod answers;
mod claims;
mod cuts;
mod devices;
mod hrana;
mod late;
mod model_cloud;
mod network;
mod outages;
mod quarantine;
mod random;
mod rewinds;
mod slow_links;
mod storms;
mod sync_round_trip;
mod verification;
mod wedges;
mod world;
