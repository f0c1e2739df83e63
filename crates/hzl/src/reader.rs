//! The ledger of a command that only looks at tasks: projections alone where they are current, and everything
//! else only if it is needed.

use std::mem::ManuallyDrop;

use hzl_core::time::Timestamp;
use hzl_store::ledger::Ledger;
use hzl_store::projections::Projections;
use hzl_store::projections::Snapshot;
use hzl_store::source::Clock as _;
use hzl_store::source::SystemClock;

use crate::background;
use crate::context::Context;
use crate::context::Purpose;
use crate::error::CommandError;
use crate::opened::Opened;

/// Reads current projections.
pub(crate) trait Read {
    /// Reads them in one snapshot. `read` may be called more than once, and must only look.
    ///
    /// # Errors
    ///
    /// As [`Ledger::read`], and whatever opening the ledger reports.
    fn read<T>(
        &mut self,
        read: impl FnMut(&Snapshot) -> hzl_store::Result<T>,
    ) -> Result<T, CommandError>;
}

impl Read for Opened {
    fn read<T>(
        &mut self,
        read: impl FnMut(&Snapshot) -> hzl_store::Result<T>,
    ) -> Result<T, CommandError> {
        Read::read(&mut **self, read)
    }
}

impl Read for Ledger {
    fn read<T>(
        &mut self,
        read: impl FnMut(&Snapshot) -> hzl_store::Result<T>,
    ) -> Result<T, CommandError> {
        Ok(Ledger::read(self, read)?)
    }
}

/// What a command reads from.
pub(crate) struct Reader<'ctx> {
    ctx: &'ctx mut Context,
    /// Gone once they did not do. Not taken apart either: see [`Opened`].
    projections: Option<ManuallyDrop<Projections>>,
    ledger: Option<Opened>,
}

impl<'ctx> Reader<'ctx> {
    /// Opens as little as will do, as the settings say.
    ///
    /// # Errors
    ///
    /// As [`Context::database`].
    pub(crate) fn new(ctx: &'ctx mut Context) -> Result<Self, CommandError> {
        let projections = match Projections::open(&ctx.store_paths()?) {
            Some(found) if background::rests(ctx, || found.at_rest_since())? => Some(found),
            _ => None,
        };
        Ok(Self {
            ctx,
            projections: projections.map(ManuallyDrop::new),
            ledger: None,
        })
    }

    /// The local time.
    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

impl Read for Reader<'_> {
    fn read<T>(
        &mut self,
        mut read: impl FnMut(&Snapshot) -> hzl_store::Result<T>,
    ) -> Result<T, CommandError> {
        if let Some(projections) = self.projections.take()
            && let Some(found) = projections.read(&mut read)
        {
            self.projections = Some(projections);
            return Ok(found);
        }
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            closed => closed.insert(self.ctx.ledger(Purpose::Read)?),
        };
        Read::read(ledger, read)
    }
}
