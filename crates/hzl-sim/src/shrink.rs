//! Makes a schedule that breaks something as small as it gets, in a way that fits into a command.

use std::fmt;
use std::str::FromStr;

use crate::play::play;
use crate::schedule::{Schedule, Step};
use crate::verdict::Finding;

/// What is left of a schedule: the numbers of its steps, each with what it goes without.
///
/// As text: `3,7fm,12` keeps three steps, the second without its faults and without what happens
/// meanwhile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection(Vec<Kept>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    step: usize,
    without: String,
}

type LeaveOut = fn(&mut Step);

/// Parts that a step can go without, by letter.
const PARTS: [(char, LeaveOut); 4] = [
    ('f', |step| step.faults.clear()),
    ('i', |step| step.interrupt = None),
    ('m', |step| step.meanwhile.clear()),
    ('w', |step| step.wait_ms = 0),
];

impl Selection {
    /// All steps, with everything.
    #[must_use]
    pub fn all(schedule: &Schedule) -> Self {
        let whole = |step| Kept {
            step,
            without: String::new(),
        };
        Self((0..schedule.steps.len()).map(whole).collect())
    }

    /// How many steps are left.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Tells whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The schedule with only these steps.
    #[must_use]
    pub fn of(&self, schedule: &Schedule) -> Schedule {
        let step = |kept: &Kept| {
            let mut step = schedule.steps.get(kept.step)?.clone();
            for (letter, leave_out) in PARTS {
                if kept.without.contains(letter) {
                    leave_out(&mut step);
                }
            }
            Some(step)
        };
        Schedule {
            steps: self.0.iter().filter_map(step).collect(),
            ..schedule.clone()
        }
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self
            .0
            .iter()
            .map(|kept| format!("{}{}", kept.step, kept.without));
        f.write_str(&kept.collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kept = |part: &str| {
            let digits =
                part.trim_end_matches(|c: char| PARTS.iter().any(|(letter, _)| *letter == c));
            let step = digits
                .parse()
                .map_err(|_| format!("`{part}` is no step number"))?;
            Ok(Kept {
                step,
                without: part[digits.len()..].to_owned(),
            })
        };
        text.split(',')
            .map(kept)
            .collect::<Result<_, String>>()
            .map(Self)
    }
}

/// Leaves out whatever is not needed for the same finding. Plays at most `tries` schedules.
#[must_use]
pub fn shrink(schedule: &Schedule, finding: Finding, tries: u32) -> Selection {
    let mut shrinking = Shrinking {
        schedule,
        finding,
        best: Selection::all(schedule),
        left: tries,
    };
    loop {
        let before = shrinking.best.clone();
        shrinking.drop_steps();
        shrinking.drop_parts();
        if shrinking.best == before || shrinking.left == 0 {
            return shrinking.best;
        }
    }
}

struct Shrinking<'a> {
    schedule: &'a Schedule,
    finding: Finding,
    best: Selection,
    left: u32,
}

impl Shrinking<'_> {
    /// Takes the candidate if it still breaks in the same way.
    fn take(&mut self, candidate: Selection) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let violation = play(&candidate.of(self.schedule)).violation;
        let same = violation.is_some_and(|violation| violation.finding == self.finding);
        if same {
            self.best = candidate;
        }
        same
    }

    /// Halves first, single steps last.
    fn drop_steps(&mut self) {
        let mut size = self.best.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.best.len() {
                let mut candidate = self.best.clone();
                let end = (at + size).min(candidate.len());
                candidate.0.drain(at..end);
                if !self.take(candidate) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    fn drop_parts(&mut self) {
        for at in 0..self.best.len() {
            for (letter, _) in PARTS {
                let mut candidate = self.best.clone();
                if !candidate.0[at].without.contains(letter) {
                    candidate.0[at].without.push(letter);
                    self.take(candidate);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_reads_as_it_is_written() {
        let selection: Selection = "3,7fm,12".parse().unwrap();
        assert_eq!(selection.to_string(), "3,7fm,12");
        assert!("3,x".parse::<Selection>().is_err());
        let schedule = Schedule::of(1);
        let all = Selection::all(&schedule);
        assert_eq!(all.of(&schedule), schedule);
        let some = selection.of(&schedule);
        assert_eq!(some.steps.len(), 3);
        assert!(some.steps[1].faults.is_empty() && some.steps[1].meanwhile.is_empty());
    }
}
