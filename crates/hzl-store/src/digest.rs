//! The state hash: one number for all projections, kept up to date element by element.
//!
//! Each projected element (a task, a comment, a link, …) has a digest of what all devices share: no row
//! ids, no device-local columns. The state hash is their sum, so the order of elements does not
//! matter, and a change costs what it touches. It finds divergence; it is no defence against forgery.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// The digest of one element, or the sum of many: 128 bits, added and subtracted modulo 2^128.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StateSum(u128);

impl StateSum {
    /// Digests an element. `kind` keeps elements of different projections apart.
    pub fn of(kind: &str, element: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(&(kind, element)).expect("elements are plain values");
        let hash = Sha256::digest(&bytes);
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        Self(u128::from_be_bytes(half))
    }

    /// Adds an element.
    pub fn add(&mut self, element: Self) {
        self.0 = self.0.wrapping_add(element.0);
    }

    /// Takes an element away.
    pub fn subtract(&mut self, element: Self) {
        self.0 = self.0.wrapping_sub(element.0);
    }

    /// The bytes that are stored.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads stored bytes; anything else is the empty sum.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.try_into().map_or(0, u128::from_be_bytes))
    }
}

/// 32 hexadecimal digits.
impl std::fmt::Display for StateSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_what_is_taken_away_is_gone() {
        let (a, b) = (StateSum::of("task", &"a"), StateSum::of("comment", &"a"));
        assert_ne!(a, b);
        let (mut one, mut other) = (a, b);
        one.add(b);
        other.add(a);
        assert_eq!(one, other);
        one.subtract(a);
        assert_eq!(one, b);
        assert_eq!(StateSum::from_bytes(&one.to_bytes()), b);
    }
}
