//! Bugs that are planted on purpose, to prove that the simulator finds them.
//!
//! Without the feature `planted`, which only tests switch on, every question is answered with a constant
//! `false` and the compiler removes the bug. With it, at most one bug at a time lives on a thread.

macro_rules! bugs {
    ($($(#[doc = $doc:literal])+ $bug:ident,)+) => {
        /// A planted bug; each says what is wrong with the code that has it.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Bug {
            $($(#[doc = $doc])+ $bug,)+
        }

        impl Bug {
            /// All there are.
            pub const ALL: &[Bug] = &[$(Bug::$bug),+];
        }
    };
}

bugs! {
    // ---- what events mean
    /// An act is compared with the status only, not with the claim its writer saw.
    ClaimNotCompared,
    /// An archive applies whatever its writer saw.
    ArchiveUnguarded,
    /// A tombstone applies whatever its writer saw.
    TombstoneUnguarded,
    /// A claim applies to a task that somebody holds.
    StaleClaimAccepted,
    /// A steal does not look at the lease.
    LeaseNotCompared,
    /// A lease ends when the writer's clock says so.
    LeaseByWritersClock,
    /// A value that lost to a concurrent one is not listed.
    LostValueUnlisted,
    /// A lost value is not listed if it was equal.
    EqualValueUnlisted,
    /// An act that was superseded is not listed.
    SupersededUnlisted,
    /// Values are compared by time alone, whatever their writers knew.
    ValuesByTimeAlone,
    /// Of concurrent values the one that arrives last stands.
    LastArrivalWins,
    /// What a writer knew before a rewind counts after it.
    RewindPointsIgnored,
    /// Progress counts under a claim that is over.
    StaleProgressCounts,
    // ---- the store
    /// A failed commit of the log is reported as done.
    FailedCommitIgnored,
    /// A commit of the log that took place is reported as failed.
    CommitReportedAsFailed,
    /// The pull cursor is saved before the events.
    CursorSavedFirst,
    /// Events of an unknown type are dropped by a pull.
    UnknownEventDropped,
    /// One fold in a thousand is not stored.
    ProjectionSkipsOne,
    /// The projections' cursor is compared by its row alone.
    CacheCursorByRowOnly,
    /// The projections' cursor is saved before the projections.
    CacheCursorSavedFirst,
    /// A pull folds the new events of a task behind what is stored of it.
    PulledEventsAppended,
    /// Events go on whose task has an event set aside.
    QuarantineHoldsNothing,
    /// A chunk may end in the middle of a command.
    CommandSplit,
    /// A copied disk goes on as the device it was.
    CloneUnnoticed,
    /// The claim to ask about is not noted.
    IntentForgotten,
    /// What a rewind made tail again goes behind the rest of the tail.
    ResentLast,
    // ---- the protocol
    /// A push does not depend on anything.
    PushUnconditional,
    /// A push does not look for rows of its own device.
    OwnRowsNotCompared,
    /// A push that was answered is taken as done.
    PushAnswerFinal,
    /// A claim is pushed whatever has happened to the task.
    ClaimPushUnconditional,
    /// A pull asks for what came in later than the last row, by time.
    CursorByTime,
    /// A token that is refused loses what waits.
    TailDroppedOn401,
    /// A cloud that lost rows is not noticed.
    RewindUnnoticed,
    /// What another device found out about a rewind is not heeded.
    EpochUnheeded,
    /// A refused chunk is never halved.
    CulpritNotSought,
    /// The next chunk goes out before the one before it has come back.
    AheadUnconfirmed,
}

#[cfg(feature = "planted")]
mod switch {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug on this thread, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Tells whether this bug is planted.
    pub fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "planted")]
pub use self::switch::{is_planted, plant};

/// Tells whether this bug is planted: never, in a program that is not a test.
#[cfg(not(feature = "planted"))]
#[inline]
pub const fn is_planted(_: Bug) -> bool {
    false
}
