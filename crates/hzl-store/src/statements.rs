//! How many SQL statements a command takes, counted: each is compiled anew in every process, and none may be run
//! once more for each task that is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hzl_core::command::{Actor, AddTask, ClaimFilter, Command, Transition};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use tempfile::TempDir;

use crate::ledger::{Ledger, Outcome};
use crate::query::tasks::{self, ListFilter};
use crate::{Access, StorePaths};

/// A store, and how many statements were run on it.
struct Counted {
    _home: TempDir,
    ledger: Ledger,
    count: Arc<AtomicUsize>,
}

impl Counted {
    /// A store with this many tasks that can be claimed, which `ada` adds.
    fn with_tasks(tasks: usize) -> Self {
        let home = hzl_testkit::fast_directory();
        let paths = StorePaths {
            events: home.path().join("events.db"),
            cache: home.path().join("cache.db"),
        };
        let mut ledger = Ledger::open(&paths, Access::ReadWrite).unwrap();
        ledger.ensure_inbox().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        for log in [&mut ledger.files.events, &mut ledger.files.cache] {
            let count = Arc::clone(&count);
            let trace = move |event: TraceEvent<'_>| {
                // Whether a WAL is full is no matter of the command.
                if let TraceEvent::Stmt(_, sql) = event
                    && !sql.contains("wal_checkpoint(truncate)")
                {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            };
            log.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(trace))
                .unwrap();
        }
        let mut counted = Self {
            _home: home,
            ledger,
            count,
        };
        for number in 0..tasks {
            counted.add(&format!("Task {number}"));
        }
        counted
    }

    fn count<T>(&mut self, work: impl FnOnce(&mut Ledger) -> T) -> (usize, T) {
        self.count.store(0, Ordering::Relaxed);
        let done = work(&mut self.ledger);
        (self.count.load(Ordering::Relaxed), done)
    }

    fn execute(&mut self, command: &Command) -> (usize, Outcome) {
        let actor = Actor {
            author: Some("ada".to_owned()),
            ..Actor::default()
        };
        let (count, done) = self.count(|ledger| ledger.execute(command, &actor));
        (count, done.unwrap())
    }

    fn add(&mut self, title: &str) -> (usize, TaskId) {
        let task_id = self.ledger.new_task_id();
        let add = AddTask {
            status: Status::Ready,
            ..AddTask::new(task_id.clone(), title, ProjectName::inbox())
        };
        (self.execute(&Command::AddTask(Box::new(add))).0, task_id)
    }

    fn list(&mut self, filter: &ListFilter) -> usize {
        let (count, page) =
            self.count(|ledger| ledger.read(|cache| tasks::list(cache, filter, 0, 20)));
        page.unwrap();
        count
    }
}

/// What each command took, by name.
fn counts(tasks: usize) -> Vec<(&'static str, usize)> {
    let mut store = Counted::with_tasks(tasks);
    let (add, added) = store.add("One more");
    let (comment, _) = store.execute(&Command::AddComment {
        task_id: added.clone(),
        text: "a remark".to_owned(),
    });
    let (claim, claimed) = store.execute(&Command::ClaimNext {
        filter: ClaimFilter {
            agent: Some("ada".to_owned()),
            ..ClaimFilter::default()
        },
        lease_minutes: None,
    });
    let claimed = claimed.after.into_keys().next().unwrap();
    let (complete, _) = store.execute(&Command::CompleteTask(Transition {
        task_id: claimed,
        comment: None,
    }));
    let (show, found) =
        store.count(|ledger| ledger.read(|cache| tasks::resolve(cache, added.as_str())));
    found.unwrap();
    let of_inbox = ListFilter {
        project: Some("inbox".to_owned()),
        ..ListFilter::default()
    };
    let available = ListFilter {
        available: true,
        ..ListFilter::default()
    };
    vec![
        ("add", add),
        ("comment", comment),
        ("claim", claim),
        ("complete", complete),
        ("find", show),
        ("list", store.list(&ListFilter::default())),
        ("list of a project", store.list(&of_inbox)),
        ("list of what can be claimed", store.list(&available)),
    ]
}

#[test]
fn commands_take_as_many_statements_as_written_down_whatever_there_is() {
    let expected = [
        ("add", 49),
        ("comment", 37),
        ("claim", 41),
        ("complete", 40),
        ("find", 8),
        ("list", 9),
        ("list of a project", 9),
        ("list of what can be claimed", 9),
    ];
    assert_eq!(counts(20), expected);
    assert_eq!(counts(400), expected);
}
