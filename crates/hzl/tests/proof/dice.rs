//! Numbers that look random and follow from a seed.

/// A generator (xorshift64).
pub(crate) struct Dice(u64);

impl Dice {
    /// Begins with this seed.
    pub(crate) fn new(seed: u64) -> Self {
        // Zero would stick, and small seeds would begin alike.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns a number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let end = u64::try_from(end).expect("an index fits");
        usize::try_from((self.0 >> 11) % end).expect("it is below an index")
    }

    /// Takes this many elements out of a list, or all of them, in any order.
    pub(crate) fn sample<T>(&mut self, mut from: Vec<T>, count: usize) -> Vec<T> {
        let mut taken = vec![];
        while taken.len() < count && !from.is_empty() {
            taken.push(from.swap_remove(self.below(from.len())));
        }
        taken
    }
}
