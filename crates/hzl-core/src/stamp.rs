//! Who wrote a value, when, and what they knew: enough to tell a later write from a concurrent one.

use serde::{Deserialize, Serialize};

use crate::event::PlacedEvent;
use crate::ids::{DeviceId, EventId};
use crate::order::Position;
use crate::planted::{Bug, is_planted};
use crate::time::Timestamp;

/// The provenance of one write.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Stamp {
    /// The writing event.
    #[serde(rename = "e")]
    pub event_id: EventId,
    /// Its effective time, in milliseconds.
    #[serde(rename = "t")]
    effective_ms: i64,
    /// When the cloud received it, in milliseconds.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    received_ms: Option<i64>,
    /// Its device; `None` for events of HZL 3.2.0.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    /// Its cloud sequence; `None` in the tail.
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    /// The writer's pull cursor.
    #[serde(rename = "b", default)]
    basis_seq: i64,
    /// The writer's epoch.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
    /// Its place in the order.
    #[serde(rename = "p")]
    position: i64,
}

impl Stamp {
    /// Takes the provenance of an event.
    pub fn of(placed: &PlacedEvent) -> Self {
        Self {
            event_id: placed.event.event_id.clone(),
            effective_ms: placed.effective_ts().millis(),
            received_ms: placed.received_at.map(Timestamp::millis),
            device: placed.device.clone(),
            seq: placed.seq,
            basis_seq: placed.event.basis_seq,
            epoch: placed.event.epoch,
            position: placed.position.as_i64(),
        }
    }

    /// The effective time of the write.
    pub fn effective_ts(&self) -> Timestamp {
        Timestamp::from_millis(self.effective_ms)
    }

    /// When the cloud received the write.
    pub fn received_at(&self) -> Option<Timestamp> {
        self.received_ms.map(Timestamp::from_millis)
    }

    /// The place of the write in the order.
    pub fn position(&self) -> Position {
        Position::from_i64(self.position)
    }

    /// Tells whether the writer of `self` knew `other`.
    ///
    /// Both of one device: the one written first was known (ids of one device ascend), unless it stands behind:
    /// then a backup was put back in between, and the cloud lost it, too. Else `other` must be settled at or below
    /// the writer's pull cursor, and not above the rewind point of an epoch later than the writer's, since sequences
    /// above it were given out again.
    ///
    /// Events of HZL 3.2.0 carry no cursor. Among themselves their order is the only truth there is;
    /// one that stands before an event of ours with an earlier time was in the log that we took over.
    pub fn had_seen(&self, other: &Stamp, rewind_points: &[i64]) -> bool {
        match (&self.epoch, &other.epoch) {
            (None, None) => return other.position < self.position,
            (Some(_), None)
                if other.position < self.position && other.effective_ms <= self.effective_ms =>
            {
                return true;
            }
            _ => {}
        }
        if self.device.is_some() && self.device == other.device {
            return other.event_id < self.event_id && other.position < self.position;
        }
        let Some(seq) = other.seq else { return false };
        let epoch = usize::try_from(self.epoch.unwrap_or(0)).unwrap_or(usize::MAX);
        let known = self.epoch.is_some() && seq <= self.basis_seq;
        if is_planted(Bug::RewindPointsIgnored) {
            return known;
        }
        known
            && other.epoch <= self.epoch
            && rewind_points
                .get(epoch..)
                .unwrap_or(&[])
                .iter()
                .all(|point| seq <= *point)
    }

    /// Of two concurrent writes, the larger key wins.
    pub fn wins_over(&self, other: &Stamp) -> bool {
        (self.effective_ms, &self.event_id) > (other.effective_ms, &other.event_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(device: Option<&str>, id: &str, seq: Option<i64>, basis_seq: i64) -> Stamp {
        Stamp {
            event_id: id.into(),
            effective_ms: 10,
            received_ms: None,
            device: device.map(DeviceId::from),
            seq,
            basis_seq,
            epoch: device.map(|_| 0),
            position: seq.map_or(Position::tail(1), Position::settled).as_i64(),
        }
    }

    #[test]
    fn one_device_has_seen_what_it_wrote_before() {
        let (first, second) = (
            stamp(Some("a"), "1", Some(5), 0),
            stamp(Some("a"), "2", None, 0),
        );
        assert!(second.had_seen(&first, &[]));
        assert!(!first.had_seen(&second, &[]));
        let came_before = stamp(Some("a"), "2", Some(4), 0);
        assert!(!came_before.had_seen(&first, &[]));
        assert!(!first.had_seen(&came_before, &[]));
    }

    #[test]
    fn another_device_has_seen_what_it_had_pulled() {
        let other = stamp(Some("a"), "1", Some(5), 0);
        assert!(stamp(Some("b"), "2", None, 5).had_seen(&other, &[]));
        assert!(!stamp(Some("b"), "2", None, 4).had_seen(&other, &[]));
        assert!(!stamp(Some("b"), "2", None, 9).had_seen(&stamp(Some("a"), "1", None, 0), &[]));
    }

    #[test]
    fn sequences_given_out_again_are_not_seen() {
        let other = stamp(Some("a"), "1", Some(6), 0);
        let writer = stamp(Some("b"), "2", None, 8);
        assert!(
            !writer.had_seen(&other, &[5]),
            "rewound to 5 after it was written"
        );
        assert!(writer.had_seen(&other, &[6]));
    }

    #[test]
    fn a_log_that_was_taken_over_is_known() {
        let legacy = stamp(None, "1", Some(3), 0);
        assert!(stamp(Some("a"), "2", Some(4), 0).had_seen(&legacy, &[]));
        assert!(stamp(None, "2", Some(4), 0).had_seen(&legacy, &[]));
        assert!(!legacy.had_seen(&stamp(Some("a"), "0", Some(2), 0), &[]));
    }
}
