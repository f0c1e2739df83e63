//! Current projections without the log: for commands that only look at them, which is most of what agents call.
//!
//! Not for healing, catching up or explaining: where anything is in the way the answer is `None`, and the
//! ledger is opened instead. Invariant: what is read holds everything that was committed before the read began
//! (see [`crate::tip`]).

use std::path::PathBuf;

use hzl_core::time::Timestamp;
use rusqlite::Connection;

use crate::busy;
use crate::catch_up::ReadTransaction;
use crate::connect::connect_to_read;
use crate::error::Result;
use crate::paths::StorePaths;
use crate::projector;
use crate::schema::cache;
use crate::tip::Tip;
use crate::vetted::{self, IfMissing};

/// One snapshot of the projections, for what is in [`crate::query`].
pub type Snapshot = Connection;

/// The projections of a store.
#[derive(Debug)]
pub struct Projections {
    cache: Connection,
    log: PathBuf,
}

impl Projections {
    /// Opens them, if they are of this version and nothing about their file is unusual.
    #[must_use]
    pub fn open(paths: &StorePaths) -> Option<Self> {
        let (log, found) = vetted::databases(paths, IfMissing::Refuse).ok()?;
        let found = found.ok()?;
        let cache = connect_to_read(&found.path, busy::DEADLINE).ok()?;
        // A file that is moved aside while it is opened shows its successor's content, for a moment.
        let is_ours = vetted::Identity::at(&found.path) == Some(found.identity);
        (is_ours && cache::is_current(&cache).ok()?).then_some(Self {
            cache,
            log: log.path,
        })
    }

    /// Reads them in one snapshot, if they hold all of the log and `read` succeeds.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Option<T> {
        let tip = Tip::at(&self.log)?;
        let _snapshot = ReadTransaction::begin(&self.cache).ok()?;
        if !projector::has_tip(&self.cache, &tip).ok()? {
            return None;
        }
        read(&self.cache).ok()
    }

    /// When a sync last left nothing to be sent, if nothing was written since.
    #[must_use]
    pub fn at_rest_since(&self) -> Option<Timestamp> {
        self.read(projector::find_rest)?
    }
}
