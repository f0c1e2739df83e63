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
