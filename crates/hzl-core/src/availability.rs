//! Which tasks may be claimed, and which of them first.

use std::cmp::{Ordering, Reverse};

use crate::ids::TaskId;
use crate::task::Status;
use crate::time::Timestamp;

/// Why a task is not to be had; the first that holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ineligible {
    /// Its status is not `ready`.
    NotReady,
    /// It waits for another task.
    DependencyBlocked,
    /// Work is done on its subtasks.
    HasChildren,
    /// It is meant for somebody else.
    RoutedElsewhere,
    /// Somebody on this device is claiming it right now.
    Reserved,
}

impl Ineligible {
    /// The `reason_code` of a decision trace.
    pub const fn code(self) -> &'static str {
        match self {
            Ineligible::NotReady => "not_ready",
            Ineligible::DependencyBlocked => "dependency_blocked",
            Ineligible::HasChildren => "has_children",
            Ineligible::RoutedElsewhere => "routed_elsewhere",
            Ineligible::Reserved => "reserved",
        }
    }
}

impl std::fmt::Display for Ineligible {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Ineligible::NotReady => "its status is not ready",
            Ineligible::DependencyBlocked => "it waits for other tasks",
            Ineligible::HasChildren => "it has subtasks, claim one of those",
            Ineligible::RoutedElsewhere => "it is routed to another agent",
            Ineligible::Reserved => "another process on this machine is claiming it",
        })
    }
}

/// What decides whether a task is to be had.
#[derive(Clone, PartialEq, Debug)]
pub struct Candidate {
    /// The task.
    pub task_id: TaskId,
    /// Its status.
    pub status: Status,
    /// Tasks it waits for that are neither done, archived nor deleted.
    pub open_deps: u32,
    /// Its subtasks, of any status.
    pub child_count: u32,
    /// Whom it is meant for.
    pub agent: Option<String>,
    /// 0 to 3.
    pub priority: u8,
    /// When it should be finished.
    pub due_at: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Candidate {
    /// Tells why `agent` cannot have this task by `claim --next`; `None`: it can.
    pub fn ineligible_for(&self, agent: Option<&str>) -> Option<Ineligible> {
        let routed = self.agent.as_deref().filter(|name| !name.is_empty());
        if self.status != Status::Ready {
            Some(Ineligible::NotReady)
        } else if self.open_deps > 0 {
            Some(Ineligible::DependencyBlocked)
        } else if self.child_count > 0 {
            Some(Ineligible::HasChildren)
        } else if routed.is_some() && agent.is_some() && routed != agent {
            Some(Ineligible::RoutedElsewhere)
        } else {
            None
        }
    }

    /// The order of `claim --next`: priority, due date (none comes last), age, id.
    pub fn order(&self, other: &Candidate) -> Ordering {
        let key = |c: &Candidate| {
            (
                Reverse(c.priority),
                c.due_at.is_none(),
                c.due_at,
                c.created_at,
            )
        };
        key(self)
            .cmp(&key(other))
            .then_with(|| self.task_id.cmp(&other.task_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str) -> Candidate {
        Candidate {
            task_id: id.into(),
            status: Status::Ready,
            open_deps: 0,
            child_count: 0,
            agent: None,
            priority: 0,
            due_at: None,
            created_at: Timestamp::from_millis(5),
        }
    }

    #[test]
    fn urgent_then_due_then_old_then_by_id() {
        let due = |at| Some(Timestamp::from_millis(at));
        let mut tasks = [
            candidate("z"),
            candidate("b"),
            Candidate {
                created_at: Timestamp::from_millis(1),
                ..candidate("old")
            },
            Candidate {
                due_at: due(9),
                ..candidate("due later")
            },
            Candidate {
                due_at: due(3),
                ..candidate("due")
            },
            Candidate {
                priority: 2,
                ..candidate("urgent")
            },
        ];
        tasks.sort_by(Candidate::order);
        let ids: Vec<&str> = tasks.iter().map(|c| c.task_id.as_str()).collect();
        assert_eq!(ids, ["urgent", "due", "due later", "old", "b", "z"]);
    }

    #[test]
    fn the_first_obstacle_is_named() {
        let mine = Candidate {
            agent: Some("ann".into()),
            ..candidate("a")
        };
        assert_eq!(mine.ineligible_for(Some("ann")), None);
        assert_eq!(mine.ineligible_for(None), None);
        assert_eq!(
            mine.ineligible_for(Some("bob")),
            Some(Ineligible::RoutedElsewhere)
        );
        let waiting = Candidate {
            open_deps: 1,
            child_count: 1,
            ..mine
        };
        assert_eq!(
            waiting.ineligible_for(Some("bob")),
            Some(Ineligible::DependencyBlocked)
        );
        let done = Candidate {
            status: Status::Done,
            ..waiting
        };
        assert_eq!(done.ineligible_for(Some("bob")), Some(Ineligible::NotReady));
    }
}
