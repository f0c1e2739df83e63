//! Whatever listens: the dashboard's API, the live stream, the embedded UI.
//!
//! Nothing is here yet: it comes with `hzl serve`. The crate exists so that what belongs here goes
//! nowhere else: async code and an HTTP server stay out of the other crates.
