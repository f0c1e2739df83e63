//! The tasks of the sample project: a library puts its catalogue on the web.

use hzl_core::task::Status;

/// A task of the sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) title: &'static str,
    pub(super) status: Status,
    pub(super) priority: u8,
    pub(super) tags: &'static [&'static str],
    /// Positions of earlier tasks in the list.
    pub(super) depends_on: &'static [usize],
    pub(super) description: Option<&'static str>,
    pub(super) agent: Option<&'static str>,
    pub(super) comment: Option<&'static str>,
    /// Its name and the progress in per cent.
    pub(super) checkpoint: Option<(&'static str, u8)>,
}

const fn sample(
    title: &'static str,
    status: Status,
    priority: u8,
    tags: &'static [&'static str],
    depends_on: &'static [usize],
) -> Sample {
    Sample {
        title,
        status,
        priority,
        tags,
        depends_on,
        description: None,
        agent: None,
        comment: None,
        checkpoint: None,
    }
}

/// All of them: 4 done, 1 in progress, 5 ready, 8 in backlog.
pub(super) const SAMPLE: [Sample; 18] = [
    Sample {
        description: Some("Twelve readers and four librarians, half an hour each"),
        agent: Some("mira"),
        comment: Some("Most readers search by author, and from their phones"),
        ..sample(
            "Ask readers how they look for books",
            Status::Done,
            2,
            &["research"],
            &[],
        )
    },
    Sample {
        agent: Some("jonas"),
        ..sample(
            "Choose a format for catalogue records",
            Status::Done,
            3,
            &["data", "decision"],
            &[],
        )
    },
    Sample {
        agent: Some("jonas"),
        checkpoint: Some(("41,000 records read", 100)),
        ..sample(
            "Export the card catalogue",
            Status::Done,
            2,
            &["data"],
            &[1],
        )
    },
    Sample {
        agent: Some("mira"),
        ..sample("Sketch the search page", Status::Done, 1, &["design"], &[0])
    },
    Sample {
        description: Some("The same book was often typed in twice, with other spellings"),
        agent: Some("jonas"),
        comment: Some("Editions of one book stay separate records"),
        checkpoint: Some(("Authors A to M compared", 45)),
        ..sample(
            "Merge duplicate records",
            Status::InProgress,
            3,
            &["data"],
            &[2],
        )
    },
    sample("Build the search page", Status::Ready, 3, &["web"], &[3]),
    Sample {
        description: Some("Names in several scripts, and with or without accents"),
        ..sample(
            "Collect search terms that must work",
            Status::Ready,
            2,
            &["research", "search"],
            &[0],
        )
    },
    sample("Write the privacy notice", Status::Ready, 1, &["text"], &[]),
    sample(
        "Order a certificate for the web address",
        Status::Ready,
        2,
        &["operations"],
        &[],
    ),
    Sample {
        agent: Some("mira"),
        comment: Some("Routed to mira: she knows the photographs"),
        ..sample(
            "Photograph the reading rooms",
            Status::Ready,
            0,
            &["text", "design"],
            &[],
        )
    },
    sample(
        "Load the records into the search index",
        Status::Backlog,
        3,
        &["data", "search"],
        &[4],
    ),
    sample(
        "Rank results by how often a book is lent",
        Status::Backlog,
        1,
        &["search"],
        &[10],
    ),
    sample(
        "Show whether a book is on the shelf",
        Status::Backlog,
        2,
        &["web"],
        &[5, 10],
    ),
    sample(
        "Let readers reserve a book",
        Status::Backlog,
        2,
        &["web"],
        &[12],
    ),
    sample(
        "Try the page with a screen reader",
        Status::Backlog,
        2,
        &["web", "accessibility"],
        &[5],
    ),
    sample(
        "Back up the catalogue every night",
        Status::Backlog,
        3,
        &["operations"],
        &[10],
    ),
    sample(
        "Teach the front desk",
        Status::Backlog,
        1,
        &["people"],
        &[13],
    ),
    sample(
        "Open the catalogue to the public",
        Status::Backlog,
        3,
        &["launch"],
        &[7, 8, 14, 15, 16],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_wait_for_earlier_ones_and_finished_ones_for_finished_ones() {
        for (at, task) in SAMPLE.iter().enumerate() {
            for on in task.depends_on {
                assert!(*on < at, "{}", task.title);
                if matches!(
                    task.status,
                    Status::Done | Status::InProgress | Status::Ready
                ) {
                    assert_eq!(SAMPLE[*on].status, Status::Done, "{}", task.title);
                }
            }
        }
    }

    #[test]
    fn every_status_is_there_as_often_as_the_comment_says() {
        let count = |status| SAMPLE.iter().filter(|task| task.status == status).count();
        assert_eq!(
            [
                Status::Done,
                Status::InProgress,
                Status::Ready,
                Status::Backlog
            ]
            .map(count),
            [4, 1, 5, 8]
        );
    }
}
