//! What `hzl-remote` does against real servers, and against misbehaving ones.

mod hrana;
