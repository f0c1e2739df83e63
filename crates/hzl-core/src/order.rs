//! The total order of events on one device: settled ones by cloud sequence, then the tail.
//!
//! Rows that a rewind made tail again come before the rest of the tail, in their old order. Without
//! sync this is plain local order. What the cloud accepted first stands; my own unsent events are
//! replayed on top, like a rebase (design: "ownership goes to the first to arrive").

/// The place of an event. Only comparable on one device at one time: settling moves an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct Position(i64);

const RESENT: i64 = 1 << 61;
const TAIL: i64 = 1 << 62;

impl Position {
    /// Of an event that a pull has returned under this sequence.
    pub const fn settled(cloud_seq: i64) -> Self {
        Self(cloud_seq)
    }

    /// Of an event that was settled before a rewind and is tail again.
    pub const fn resent(ord: i64) -> Self {
        Self(RESENT + ord)
    }

    /// Of an event that no pull has returned yet.
    pub const fn tail(rowid: i64) -> Self {
        Self(TAIL + rowid)
    }

    /// The number stored in projections and used in `order by`.
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// Reads the stored number back.
    pub const fn from_i64(value: i64) -> Self {
        Self(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_then_resent_then_tail() {
        assert!(Position::settled(i64::from(u32::MAX)) < Position::resent(1));
        assert!(Position::resent(1 << 40) < Position::tail(1));
        assert!(Position::tail(1) < Position::tail(2));
    }
}
