//! Words for made-up text: some six thousand, used as unevenly as those of a language.
//!
//! The frequency of a word falls with its rank (Zipf's law), so an index over such text has a few long lists
//! and many short ones, as one over real text has. Nothing here is random but through a seed.

use crate::random::Random;

/// The most frequent words, the most frequent first; what follows them is composed of syllables.
const COMMON: &str = "the to in for and on of a with when from is not add fix task after by test error file user \
    check page update as at it all list make new status report if no use one page write read be that only query \
    login sync server client index cache release build docs request token config field table column row schema \
    migration retry timeout upload download search filter export import backup restore project team review \
    deploy staging production branch merge commit rename remove move split handle parse render validate log \
    metric alert queue worker job batch event hook payload header cookie session account password email invoice \
    payment order cart price currency report chart dashboard button form dialog menu icon theme color font layout \
    mobile desktop browser crash leak slow fast wrong missing broken empty duplicate stale unknown invalid late";
const FIRST: [&str; 18] = [
    "ba", "cor", "del", "fin", "gra", "hel", "jun", "kal", "lim", "mar", "nor", "pel", "qui",
    "ros", "sal", "tur", "ver", "wen",
];
const MIDDLE: [&str; 18] = [
    "", "a", "be", "ci", "do", "el", "fi", "go", "hu", "in", "ka", "lo", "mi", "no", "pu", "ri",
    "so", "ta",
];
const LAST: [&str; 18] = [
    "ble", "cks", "der", "fer", "ging", "hen", "ion", "ker", "lar", "mer", "ning", "or", "per",
    "ry", "sis", "ter", "val", "wick",
];
/// How frequencies are drawn: in this many steps.
const STEPS: usize = 1 << 16;

/// A vocabulary, and how often each word is drawn from it.
#[derive(Debug)]
pub struct Words {
    words: Vec<String>,
    /// The word of each step: a frequent one has many.
    steps: Vec<u16>,
}

impl Default for Words {
    fn default() -> Self {
        Self::new()
    }
}

impl Words {
    /// Makes the vocabulary.
    #[must_use]
    pub fn new() -> Self {
        let mut words: Vec<String> = COMMON.split_whitespace().map(str::to_owned).collect();
        words.sort_unstable();
        words.dedup();
        let order: Vec<&str> = COMMON.split_whitespace().collect();
        words.sort_by_key(|word| order.iter().position(|other| other == word));
        for middle in MIDDLE {
            for first in FIRST {
                words.extend(LAST.map(|last| format!("{first}{middle}{last}")));
            }
        }
        // The n-th word has a share of 1/n.
        let mut total = 0.0;
        let shares: Vec<f64> = (0..words.len())
            .scan(1.0, |rank, _| {
                total += 1.0 / *rank;
                *rank += 1.0;
                Some(total)
            })
            .collect();
        let mut steps = Vec::with_capacity(STEPS);
        let mut word = 0_u16;
        for place in (0_u32..).take(STEPS) {
            let drawn = f64::from(place) / f64::from(u16::MAX) * total;
            while usize::from(word) + 1 < words.len() && shares[usize::from(word)] < drawn {
                word += 1;
            }
            steps.push(word);
        }
        Self { words, steps }
    }

    /// How many different words there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Never: there are words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Draws a word.
    pub fn word(&self, random: &mut Random) -> &str {
        let step = random.below(self.steps.len());
        // A step stands for several rare words: which one is drawn, too.
        let from = usize::from(self.steps[step]);
        let next = self
            .steps
            .get(step + 1)
            .map_or(from, |next| usize::from(*next));
        let at = from + random.below(next.saturating_sub(from).max(1));
        &self.words[at]
    }

    /// The word of that rank, from 0, the most frequent.
    #[must_use]
    pub fn ranked(&self, rank: usize) -> &str {
        &self.words[rank.min(self.words.len() - 1)]
    }

    /// Draws a text of so many words, with a capital letter.
    pub fn text(&self, random: &mut Random, words: usize) -> String {
        let mut text = String::with_capacity(words * 7);
        for number in 0..words {
            if number > 0 {
                text.push(' ');
            }
            text.push_str(self.word(random));
        }
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_long_text_has_thousands_of_words_and_few_frequent_ones() {
        let words = Words::new();
        let mut random = Random::new(1);
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for _ in 0..100_000 {
            *counts.entry(words.word(&mut random)).or_default() += 1;
        }
        assert!(counts.len() > 5000, "{}", counts.len());
        let mut by_count: Vec<u32> = counts.into_values().collect();
        by_count.sort_unstable_by(|a, b| b.cmp(a));
        let top: u32 = by_count[..10].iter().sum();
        assert!((25_000..40_000).contains(&top), "{top}");
        assert!(by_count[1000] < 50, "{}", by_count[1000]);
    }
}
