//! Numbers from a seed: the only randomness of a simulation.

/// A small reproducible source of numbers (splitmix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Begins a sequence of its own for each seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0 if there is none.
    pub fn below(&mut self, end: u32) -> u32 {
        let scaled = (self.number() >> 32) * u64::from(end);
        u32::try_from(scaled >> 32)
            .expect("a 32-bit number scaled by another fits in the upper half")
    }

    /// An index below `end`, or 0 if there is none.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(u32::try_from(end).unwrap_or(u32::MAX))).unwrap_or(0)
    }

    /// True once in so many times.
    pub fn chance(&mut self, one_in: u32) -> bool {
        self.below(one_in) == 0
    }
}
