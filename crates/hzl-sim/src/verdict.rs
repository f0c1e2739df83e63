//! What a simulation found.

use std::fmt;

/// Something that must not be, by kind: shrinking keeps to the kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Finding {
    /// The program panicked.
    Panic,
    /// A local write failed without cause.
    LocalWriteFailed,
    /// A command that failed or was refused has written something.
    WroteAndFailed,
    /// A command succeeded and its event is not in the log.
    AcknowledgedAndAbsent,
    /// An acknowledged event is not everywhere at the end.
    Lost,
    /// An event is in the cloud twice.
    Duplicated,
    /// A log holds an event that nobody wrote.
    NobodyWroteIt,
    /// An event is not as it was written.
    Changed,
    /// The events of one device are in the cloud in another order than they were written.
    Reordered,
    /// The cloud holds a part of a command.
    CommandSplit,
    /// The projections are not what a rebuild makes of the log.
    NotAsRebuilt,
    /// Devices do not agree.
    Disagreement,
    /// Sync does not come to an end after the faults did.
    Wedged,
    /// Sync failed although nothing disturbed it.
    SyncFailed,
    /// A sync took more requests than it ever should.
    TooManyRequests,
    /// A device took itself for a copy.
    FalseClone,
    /// A file is damaged.
    Damaged,
    /// Something is set aside, or listed, without cause.
    SetAside,
    /// A write lost, and nothing says so.
    SilentOverwrite,
    /// A write lost against one that it had seen.
    NewerWriteLost,
    /// A row says that two writes did not know each other, and they did.
    FalseConflict,
    /// A claim that the cloud had confirmed was taken back.
    ConfirmedClaimLost,
    /// A task was claimed while somebody held it.
    TwoOwners,
    /// An act applied under a claim that its writer did not see.
    StaleAct,
    /// An act was superseded although its writer had seen everything.
    FreshActLost,
    /// An act that lost is not listed.
    SilentSupersession,
    /// A lease lasts longer or shorter than it should.
    WrongLease,
    /// A parent has a parent.
    DeepParent,
}

/// What went wrong, and on what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The kind.
    pub finding: Finding,
    /// For people.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.finding, self.detail)
    }
}
