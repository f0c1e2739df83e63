//! What a reply means: pure judgement, tested without a network.

use hzl_store::ledger::Ledger;
use hzl_store::replica::{CloudCursor, Membership, PullBasis};

use super::wire::{FORMAT, PullReply};
use hzl_core::planted::{Bug, is_planted};

/// What this store knows when a reply arrives.
#[derive(Clone, PartialEq, Debug)]
pub struct View {
    /// Which ledger this is, and which it has joined.
    pub membership: Membership,
    /// The last row pulled.
    pub cursor: Option<CloudCursor>,
    /// The rewind points known here.
    pub rewind_points: Vec<i64>,
}

impl View {
    /// Looks at the store, all at one moment: another sync may be running.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn of(ledger: &Ledger) -> Result<Self, hzl_store::Error> {
        let _snapshot = ledger.snapshot()?;
        Ok(Self {
            membership: ledger.membership()?,
            cursor: ledger.cloud_cursor()?,
            rewind_points: ledger.sync_state()?.rewind_points,
        })
    }

    /// What a pull that goes out now goes out from.
    pub fn basis(&self) -> PullBasis {
        PullBasis {
            joined: self.membership.joined.clone(),
            cursor: self.cursor.clone(),
            rewind_points: self.rewind_points.clone(),
        }
    }
}

/// What to do with a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Take its rows over.
    Accept,
    /// First join this ledger: it is the one here, or there is nothing here or there to lose.
    Join,
    /// Both sides hold something: find out how much is there, and whether uniting them is meant.
    MeetOther,
    /// Another device has dealt with a rewind: cut at this sequence, then go on.
    CutAt(i64),
    /// The last row pulled is gone: the cloud was rewound.
    Rewound,
    /// It is another ledger than the one that was joined.
    Replaced,
    /// A later hzl wrote it.
    NewerFormat,
}

/// Judges a reply.
pub fn judge(view: &View, reply: &PullReply) -> Verdict {
    if reply
        .format
        .parse::<u32>()
        .is_ok_and(|format| format > FORMAT)
    {
        return Verdict::NewerFormat;
    }
    match &view.membership.joined {
        None if reply.instance_id == view.membership.instance_id => return Verdict::Join,
        None => return Verdict::MeetOther,
        Some(joined) if *joined != reply.instance_id => return Verdict::Replaced,
        Some(_) => {}
    }
    let known = view.rewind_points.len();
    let grown = reply.rewind_points.starts_with(&view.rewind_points);
    if grown && reply.rewind_points.len() > known && !is_planted(Bug::EpochUnheeded) {
        let newer = reply.rewind_points.get(known..).unwrap_or(&[]);
        return Verdict::CutAt(newer.iter().copied().min().unwrap_or(0));
    }
    if (!grown || reply.cursor != view.cursor) && !is_planted(Bug::RewindUnnoticed) {
        return Verdict::Rewound;
    }
    Verdict::Accept
}

/// The rewind points with which to raise the epoch of a cloud that has `theirs`, if `own` are known here and the
/// common history ends at `common`. The last one is where to cut.
///
/// The epoch is a number, the length of the list, and events name it: it must never fall. A cloud that was put back from a
/// backup has a shorter list, or the others have gone on from there to another one. So the new list is longer than
/// both, and holds to what either of them says of the sequences that were given out again.
pub fn raised(own: &[i64], theirs: &[i64], common: i64) -> Vec<i64> {
    let shared = own.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    let forgotten = own.get(shared..).unwrap_or(&[]);
    let cut = forgotten.iter().copied().fold(common, i64::min);
    let mut points = theirs.to_vec();
    points.resize(own.len().max(theirs.len()) + 1, cut);
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(seq: i64, received_at: &str) -> Option<CloudCursor> {
        Some(CloudCursor {
            seq,
            event_id: "e".into(),
            received_at: received_at.into(),
        })
    }

    fn view() -> View {
        View {
            membership: Membership {
                instance_id: "L".into(),
                joined: Some("L".into()),
            },
            cursor: cursor(5, "t"),
            rewind_points: vec![2],
        }
    }

    fn reply() -> PullReply {
        PullReply {
            instance_id: "L".into(),
            format: "1".into(),
            rewind_points: vec![2],
            cursor: cursor(5, "t"),
            rows: vec![],
            server_time: None,
        }
    }

    #[test]
    fn what_continues_is_accepted() {
        assert_eq!(judge(&view(), &reply()), Verdict::Accept);
        let fresh = View {
            cursor: None,
            ..view()
        };
        assert_eq!(
            judge(
                &fresh,
                &PullReply {
                    cursor: None,
                    ..reply()
                }
            ),
            Verdict::Accept
        );
    }

    #[test]
    fn a_lost_or_changed_cursor_row_is_a_rewind() {
        assert_eq!(
            judge(
                &view(),
                &PullReply {
                    cursor: None,
                    ..reply()
                }
            ),
            Verdict::Rewound
        );
        let again = PullReply {
            cursor: cursor(5, "later"),
            ..reply()
        };
        assert_eq!(
            judge(&view(), &again),
            Verdict::Rewound,
            "the same event came in again"
        );
        let forgot = PullReply {
            rewind_points: vec![],
            ..reply()
        };
        assert_eq!(
            judge(&view(), &forgot),
            Verdict::Rewound,
            "a raised epoch was taken back"
        );
    }

    #[test]
    fn a_raised_epoch_is_later_than_all_that_were_known() {
        assert_eq!(raised(&[], &[], 4), [4]);
        assert_eq!(raised(&[6], &[6], 4), [6, 4]);
        assert_eq!(
            raised(&[6], &[4], 5),
            [4, 5],
            "the others went on from a backup"
        );
        assert_eq!(
            raised(&[6, 3, 8], &[6], 5),
            [6, 3, 3, 3],
            "a backup was put back"
        );
    }

    #[test]
    fn a_newer_epoch_cuts_even_if_the_cursor_stands() {
        let raised = PullReply {
            rewind_points: vec![2, 9, 4],
            ..reply()
        };
        assert_eq!(judge(&view(), &raised), Verdict::CutAt(4));
    }

    #[test]
    fn another_ledger_is_never_taken_for_this_one() {
        let other = PullReply {
            instance_id: "M".into(),
            ..reply()
        };
        assert_eq!(judge(&view(), &other), Verdict::Replaced);
        let mut fresh = view();
        fresh.membership.joined = None;
        assert_eq!(judge(&fresh, &other), Verdict::MeetOther);
        assert_eq!(judge(&fresh, &reply()), Verdict::Join);
    }

    #[test]
    fn a_later_format_is_refused_first() {
        let newer = PullReply {
            format: "2".into(),
            instance_id: "M".into(),
            ..reply()
        };
        assert_eq!(judge(&view(), &newer), Verdict::NewerFormat);
    }
}
