//! What a sync talks to.

use std::time::Duration;

use crate::error::RemoteError;
use crate::hrana::{Hrana, Outcome, Statement};

/// Whatever runs statements of the cloud: a server, or a model of one.
pub trait Remote {
    /// Runs statements, each on its own, in one round trip.
    ///
    /// # Errors
    /// When there is no usable reply; statements may have run all the same.
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError>;

    /// Runs statements as [`Remote::pipeline`] does, and some work that has nothing to do with the cloud; at
    /// once, where that is possible.
    ///
    /// # Errors
    /// As [`Remote::pipeline`]; the work is done all the same.
    fn pipeline_beside(
        &mut self,
        statements: &[Statement],
        work: &mut dyn FnMut(),
    ) -> Result<Vec<Outcome>, RemoteError> {
        let reply = self.pipeline(statements);
        work();
        reply
    }

    /// Round trips so far.
    fn requests(&self) -> u64;

    /// Waits, because others are busy there.
    fn pause(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl Remote for Hrana {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        Hrana::pipeline(self, statements)
    }

    fn pipeline_beside(
        &mut self,
        statements: &[Statement],
        work: &mut dyn FnMut(),
    ) -> Result<Vec<Outcome>, RemoteError> {
        Hrana::pipeline_beside(self, statements, work)
    }

    fn requests(&self) -> u64 {
        Hrana::requests(self)
    }
}
