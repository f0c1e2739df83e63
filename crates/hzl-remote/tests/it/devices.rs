//! Devices under test: a store in a temporary directory each, and a cloud they share.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use std::time::Duration;

use hzl_core::command::{Actor, AddTask, ClaimTask, Command, Transition, UpdateTask};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::{Status, Task};
use hzl_remote::endpoint::{Endpoint, InsecureHttp};
use hzl_remote::hrana::Hrana;
use hzl_remote::http::Timeouts;
use hzl_remote::secret::Secret;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};
use hzl_store::ledger::{ExecuteError, Ledger, Outcome};
use hzl_store::{Access, StorePaths, projector, query};
use tempfile::TempDir;

/// One machine.
pub(crate) struct Device {
    pub(crate) ledger: Ledger,
    pub(crate) home: TempDir,
}

impl Device {
    /// A new machine with an empty store.
    pub(crate) fn new() -> Self {
        let home = hzl_testkit::fast_directory();
        let mut ledger = Ledger::open(&paths(&home), Access::ReadWrite).unwrap();
        ledger.ensure_inbox().unwrap();
        Self { ledger, home }
    }

    /// Another process on this machine.
    pub(crate) fn other_process(&self) -> Ledger {
        Ledger::open(&paths(&self.home), Access::ReadWrite).unwrap()
    }

    /// A machine whose disk is a copy of this one's.
    pub(crate) fn copy(&self) -> Self {
        let home = hzl_testkit::fast_directory();
        for entry in std::fs::read_dir(self.home.path()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().ends_with(".lock") {
                continue;
            }
            std::fs::copy(entry.path(), home.path().join(entry.file_name())).unwrap();
        }
        let ledger = Ledger::open(&paths(&home), Access::ReadWrite).unwrap();
        Self { ledger, home }
    }

    pub(crate) fn execute(&mut self, command: &Command, author: &str) -> Outcome {
        self.try_execute(command, author).unwrap()
    }

    pub(crate) fn try_execute(
        &mut self,
        command: &Command,
        author: &str,
    ) -> Result<Outcome, ExecuteError> {
        let actor = Actor {
            author: Some(author.to_owned()),
            ..Actor::default()
        };
        self.ledger.execute(command, &actor)
    }

    /// Adds a ready task to the inbox.
    pub(crate) fn add(&mut self, title: &str) -> TaskId {
        let task_id = self.ledger.new_task_id();
        let add = AddTask {
            status: Status::Ready,
            ..AddTask::new(task_id.clone(), title, ProjectName::inbox())
        };
        self.execute(&Command::AddTask(Box::new(add)), "adder");
        task_id
    }

    /// Adds remarks to a task, all in one transaction: a large log in a short time.
    pub(crate) fn add_remarks(&mut self, task_id: &TaskId, count: u32) {
        let added = self.ledger.files().events.execute(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?2)
             insert into events (event_id, task_id, type, data, timestamp, basis_seq, epoch)
             select '01RM' || hex(randomblob(11)), ?1, 'comment_added',
                    json_object('text', 'remark ' || i || ', with some words in it'),
                    strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), 0, 0
               from n where i <= ?2",
            rusqlite::params![task_id.as_str(), count],
        );
        assert_eq!(added.unwrap(), usize::try_from(count).unwrap());
    }

    pub(crate) fn claim(&mut self, task_id: &TaskId, agent: &str) -> Outcome {
        self.try_claim(task_id, agent).unwrap()
    }

    pub(crate) fn try_claim(
        &mut self,
        task_id: &TaskId,
        agent: &str,
    ) -> Result<Outcome, ExecuteError> {
        let claim = ClaimTask {
            task_id: task_id.clone(),
            lease_minutes: None,
        };
        self.try_execute(&Command::ClaimTask(claim), agent)
    }

    pub(crate) fn complete(&mut self, task_id: &TaskId, agent: &str) -> Outcome {
        let transition = Transition {
            task_id: task_id.clone(),
            comment: None,
        };
        self.execute(&Command::CompleteTask(transition), agent)
    }

    pub(crate) fn retitle(&mut self, task_id: &TaskId, title: &str) {
        let update = UpdateTask {
            task_id: task_id.clone(),
            title: Some(title.to_owned()),
            ..UpdateTask::default()
        };
        self.execute(&Command::UpdateTask(Box::new(update)), "ann");
    }

    pub(crate) fn task(&mut self, task_id: &TaskId) -> Option<Task> {
        let found = self
            .ledger
            .read(|cache| projector::find_task(cache, task_id))
            .unwrap();
        found.map(|stored| stored.task)
    }

    /// The titles of all tasks, sorted: tasks of one millisecond are listed in any order.
    pub(crate) fn titles(&mut self) -> Vec<String> {
        let all = query::tasks::ListFilter::default();
        let page = self
            .ledger
            .read(|cache| query::tasks::list(cache, &all, 0, 1_000))
            .unwrap();
        let titles = page.tasks.into_iter().map(|stored| stored.task.title);
        let mut titles: Vec<String> = titles.collect();
        titles.sort_unstable();
        titles
    }

    pub(crate) fn conflicts(&mut self) -> u64 {
        self.ledger.read(query::conflicts::count).unwrap()
    }

    /// The state hash; it and every row are checked against a rebuild from the first event.
    pub(crate) fn hash(&mut self) -> String {
        let kept = self.ledger.read(projector::state_sum).unwrap();
        let compared = query::compare::compare(&self.ledger.files().paths).unwrap();
        assert!(
            matches!(compared, query::compare::Compared::Same { .. }),
            "{compared:?}"
        );
        self.ledger.rebuild().unwrap();
        let rebuilt = self.ledger.read(projector::state_sum).unwrap();
        assert_eq!(
            kept, rebuilt,
            "the projections are what a rebuild makes of the log"
        );
        kept.to_string()
    }

    /// The ids of all events here, in the order of arrival.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let log = &self.ledger.files().events;
        let mut statement = log
            .prepare("select event_id from events order by id")
            .unwrap();
        let ids = statement.query_map([], |row| row.get(0)).unwrap();
        ids.collect::<Result<_, _>>().unwrap()
    }

    pub(crate) fn remark(&mut self, task_id: &TaskId, text: &str) {
        let command = Command::AddComment {
            task_id: task_id.clone(),
            text: text.to_owned(),
        };
        self.execute(&command, "ann");
    }

    pub(crate) fn sync(&mut self, cloud: &Cloud) -> Report {
        self.try_sync(cloud, &SyncOptions::default()).unwrap()
    }

    pub(crate) fn try_sync(
        &mut self,
        cloud: &Cloud,
        options: &SyncOptions,
    ) -> Result<Report, SyncError> {
        sync(&mut self.ledger, &mut cloud.client(), options, &mut |_| {})
    }
}

fn paths(home: &TempDir) -> StorePaths {
    StorePaths {
        events: home.path().join("events.db"),
        cache: home.path().join("cache.db"),
    }
}

/// Where devices meet.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) timeouts: Timeouts,
    /// The server is known to reject the request `close`, as tursodb does.
    pub(crate) rejects_close: bool,
}

impl Cloud {
    /// Without a token, and with more patience than any test needs.
    pub(crate) fn at(url: String) -> Self {
        let timeouts = Timeouts {
            connect: Duration::from_secs(10),
            total: Duration::from_secs(30),
        };
        Self {
            url,
            token: None,
            timeouts,
            rejects_close: false,
        }
    }

    pub(crate) fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    /// Gives up after that long.
    pub(crate) fn with_patience(mut self, total: Duration) -> Self {
        self.timeouts.total = total;
        self
    }

    pub(crate) fn client(&self) -> Hrana {
        let endpoint = Endpoint::parse(&self.url, InsecureHttp::Refused).unwrap();
        let token = self.token.as_deref().map(Secret::new);
        let mut client = Hrana::new(endpoint, token, self.timeouts);
        if self.rejects_close {
            client.leave_out_close();
        }
        client
    }
}
