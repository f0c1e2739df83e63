//! Time and identity, passed in: the only two things a ledger takes from outside besides files.

use std::time::{SystemTime, UNIX_EPOCH};

use hzl_core::time::Timestamp;
use ulid::Ulid;

/// Tells the time.
pub trait Clock {
    /// The local time, as it is set.
    fn now(&self) -> Timestamp;
}

/// Makes ids that nobody else makes.
pub trait IdSource {
    /// A new ULID of this millisecond with fresh random bits, never "last + 1": two copies of a disk
    /// would make the same id.
    fn new_id(&mut self, at: Timestamp) -> String;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = match since {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        Timestamp::from_millis(millis)
    }
}

/// The randomness of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemIds;

impl IdSource for SystemIds {
    /// # Panics
    /// If the operating system has no randomness to give: ids would not be unique.
    fn new_id(&mut self, at: Timestamp) -> String {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        Ulid::from_parts(millis, u128::from_be_bytes(bytes)).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_time_and_differ() {
        let at = Timestamp::from_millis(1_772_355_600_000);
        let (one, other) = (SystemIds.new_id(at), SystemIds.new_id(at));
        assert_ne!(one, other);
        assert_eq!(one[..10], other[..10]);
        assert!(SystemIds.new_id(at.plus_millis(1)) > one);
        assert_eq!(one.len(), 26);
    }
}
