//! The ledger: one write path, projections that follow the log, whatever happened to either file.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use hzl_core::command::{
    Actor, AddTask, ClaimFilter, ClaimTask, Command, ProjectTasks, SubtaskPolicy, Transition,
    UpdateTask,
};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use hzl_store::ledger::{ExecuteError, Ledger, Outcome};
use hzl_store::source::{Clock, SystemIds};
use hzl_store::{Access, StorePaths, log, projector, query};

use crate::files::fresh;

/// A clock that the test sets.
#[derive(Clone)]
struct Hands(Rc<Cell<i64>>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.get())
    }
}

fn paths(home: &Path) -> StorePaths {
    StorePaths {
        events: home.join("events.db"),
        cache: home.join("cache.db"),
    }
}

fn open(home: &Path) -> Ledger {
    let mut ledger = Ledger::open(&paths(home), Access::ReadWrite).unwrap();
    ledger.ensure_inbox().unwrap();
    ledger
}

fn actor(name: &str) -> Actor {
    Actor {
        author: Some(name.to_owned()),
        ..Actor::default()
    }
}

fn add(ledger: &mut Ledger, title: &str) -> TaskId {
    let task_id = ledger.new_task_id();
    let command = Command::AddTask(Box::new(new_task(&task_id, title)));
    ledger.execute(&command, &actor("adder")).unwrap();
    task_id
}

fn new_task(task_id: &TaskId, title: &str) -> AddTask {
    AddTask {
        status: Status::Ready,
        ..AddTask::new(task_id.clone(), title, ProjectName::inbox())
    }
}

fn claim_next(ledger: &mut Ledger, agent: &str) -> Outcome {
    let filter = ClaimFilter {
        agent: Some(agent.to_owned()),
        ..ClaimFilter::default()
    };
    let command = Command::ClaimNext {
        filter,
        lease_minutes: None,
    };
    ledger.execute(&command, &actor(agent)).unwrap()
}

fn titles(ledger: &mut Ledger) -> Vec<String> {
    let filter = query::tasks::ListFilter::default();
    let page = ledger
        .read(|cache| query::tasks::list(cache, &filter, 0, 100))
        .unwrap();
    page.tasks
        .into_iter()
        .map(|stored| stored.task.title)
        .collect()
}

/// The state hash as kept, after checking that a rebuild comes to the same.
fn hash(ledger: &mut Ledger) -> String {
    let kept = ledger.read(projector::state_sum).unwrap();
    ledger.rebuild().unwrap();
    assert_eq!(
        ledger.read(projector::state_sum).unwrap(),
        kept,
        "a rebuild agrees"
    );
    kept.to_string()
}

#[test]
fn what_was_appended_is_what_is_read_back() {
    let (_home, mut ledger) = fresh();
    let blocker = add(&mut ledger, "one");
    let task_id = ledger.new_task_id();
    let full = AddTask {
        description: Some("a \"word\"\n".to_owned()),
        links: vec!["https://example.com/ä".to_owned()],
        tags: vec!["b".to_owned(), "a".to_owned()],
        depends_on: vec![blocker],
        agent: Some("ann".to_owned()),
        comment: Some("first".to_owned()),
        due_at: Some("2026-12-01".to_owned()),
        metadata: serde_json::json!({"z": 1.5, "a": [null]})
            .as_object()
            .cloned(),
        stale_after_minutes: Some(0),
        ..new_task(&task_id, "two")
    };
    let project = Command::CreateProject {
        name: ProjectName::new("web"),
        description: Some(String::new()),
        is_protected: false,
    };
    let claim = Command::ClaimNext {
        filter: ClaimFilter::default(),
        lease_minutes: Some(5),
    };
    let mut since = end(&ledger);
    for command in [Command::AddTask(Box::new(full)), project, claim] {
        let done = ledger.execute(&command, &actor("ann")).unwrap();
        let device = ledger.sync_state().unwrap().device;
        let read = log::list_events_after(&ledger.files().events, since, &device).unwrap();
        let appended: Vec<_> = done.events.iter().map(|(_, event)| event).collect();
        let events: Vec<_> = read.iter().map(|placed| &placed.event).collect();
        assert!(!events.is_empty());
        assert_eq!(events, appended);
        since = end(&ledger);
    }
    hash(&mut ledger);
}

fn end(ledger: &Ledger) -> i64 {
    let end = log::find_end(&ledger.files().events).unwrap();
    end.map_or(0, |end| end.rowid)
}

#[test]
fn a_deleted_cache_comes_back_the_same() {
    let (home, mut ledger) = fresh();
    add(&mut ledger, "one");
    claim_next(&mut ledger, "ann");
    let before = hash(&mut ledger);
    drop(ledger);
    for suffix in ["", "-wal", "-shm"] {
        drop(std::fs::remove_file(
            home.path().join(format!("cache.db{suffix}")),
        ));
    }
    let mut ledger = open(home.path());
    assert_eq!(titles(&mut ledger), ["one"]);
    assert_eq!(hash(&mut ledger), before);
}

#[test]
fn a_restored_older_log_is_noticed_even_if_other_events_took_its_rows() {
    let (home, mut ledger) = fresh();
    add(&mut ledger, "kept");
    drop(ledger);
    let backup = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("events.db{suffix}");
        std::fs::copy(home.path().join(&name), backup.path().join(&name)).unwrap();
    }
    let mut ledger = open(home.path());
    add(&mut ledger, "lost with the disk");
    drop(ledger);
    for suffix in ["", "-wal"] {
        let name = format!("events.db{suffix}");
        std::fs::copy(backup.path().join(&name), home.path().join(&name)).unwrap();
    }
    drop(std::fs::remove_file(home.path().join("events.db-shm")));
    let mut ledger = open(home.path());
    assert_eq!(titles(&mut ledger), ["kept"], "the cache was ahead");
    add(&mut ledger, "takes the same rows");
    assert_eq!(titles(&mut ledger), ["kept", "takes the same rows"]);
    hash(&mut ledger);
}

#[test]
fn events_that_others_append_are_folded_by_the_next_reader() {
    let (home, mut ledger) = fresh();
    let task_id = add(&mut ledger, "by us");
    let other = rusqlite::Connection::open(home.path().join("events.db")).unwrap();
    // As HZL 3.2.0 writes: no epoch, no basis, the time of the database.
    other
        .execute(
            "insert into events (event_id, task_id, type, data, author)
             values ('01FOREIGN', ?1, 'task_updated',
                     '{\"field\":\"title\",\"new_value\":\"by 3.2.0\"}', 'old')",
            [task_id.as_str()],
        )
        .unwrap();
    assert_eq!(titles(&mut ledger), ["by 3.2.0"]);
    hash(&mut ledger);
}

#[test]
fn readers_fold_in_memory_where_nothing_may_be_written() {
    let (home, mut ledger) = fresh();
    add(&mut ledger, "readable");
    drop(ledger);
    std::fs::remove_file(home.path().join("cache.db")).unwrap();
    let mut reader = Ledger::open(&paths(home.path()), Access::ReadOnly).unwrap();
    assert_eq!(titles(&mut reader), ["readable"]);
    let command = Command::AddTask(Box::new(new_task(&TaskId::from("x"), "not written")));
    let refused = reader.execute(&command, &Actor::default());
    assert!(
        matches!(
            refused,
            Err(ExecuteError::Store(hzl_store::Error::ReadOnly { .. }))
        ),
        "{refused:?}"
    );
    assert!(!home.path().join("cache.db").exists());
}

#[test]
fn each_task_is_claimed_once_by_many_threads() {
    let (home, mut ledger) = fresh();
    let mut tasks: Vec<TaskId> = (0..40)
        .map(|n| add(&mut ledger, &format!("task {n}")))
        .collect();
    // Ids of one millisecond are in no order.
    tasks.sort();
    drop(ledger);
    let claimed = std::sync::Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for agent in 0..8 {
            let (home, claimed) = (home.path(), &claimed);
            scope.spawn(move || {
                let mut ledger = open(home);
                while let Some(task_id) = claim_next(&mut ledger, &format!("agent{agent}")).claimed
                {
                    claimed.lock().unwrap().push(task_id);
                }
            });
        }
    });
    let mut claimed = claimed.into_inner().unwrap();
    claimed.sort();
    assert_eq!(claimed, tasks, "each once, none left");
    hash(&mut open(home.path()));
}

#[test]
fn a_task_that_was_given_back_is_for_everybody() {
    let (_home, mut ledger) = fresh();
    let task_id = add(&mut ledger, "given back");
    claim_next(&mut ledger, "ann");
    let transition = Transition {
        task_id: task_id.clone(),
        comment: None,
    };
    let release = Command::ReleaseTask(transition);
    ledger.execute(&release, &actor("ann")).unwrap();
    assert_eq!(
        claim_next(&mut ledger, "bob").claimed,
        Some(task_id.clone())
    );
    ledger.execute(&release, &actor("bob")).unwrap();
    let route = UpdateTask {
        task_id: task_id.clone(),
        agent: Some(Some("cyd".to_owned())),
        ..UpdateTask::default()
    };
    ledger
        .execute(&Command::UpdateTask(Box::new(route)), &actor("boss"))
        .unwrap();
    assert_eq!(
        claim_next(&mut ledger, "bob").claimed,
        None,
        "it is meant for cyd now"
    );
    assert_eq!(claim_next(&mut ledger, "cyd").claimed, Some(task_id));
    hash(&mut ledger);
}

#[test]
fn without_a_name_tasks_are_chosen_whomever_they_are_meant_for() {
    let (_home, mut ledger) = fresh();
    let project = Command::CreateProject {
        name: ProjectName::new("web"),
        description: None,
        is_protected: false,
    };
    ledger.execute(&project, &actor("boss")).unwrap();
    // Title, project, priority, due, for whom: in the order in which they are to be claimed.
    let tasks = [
        ("urgent", "web", 3, None, Some("cyd")),
        ("due soon", "inbox", 2, Some("2026-12-01"), Some("ann")),
        ("due later", "web", 2, Some("2026-12-09"), None),
        ("not due", "web", 2, None, Some("ann")),
        ("for bob", "web", 1, None, Some("bob")),
        ("for nobody", "inbox", 0, None, None),
    ];
    for (title, project, priority, due, agent) in tasks.iter().rev() {
        let task_id = ledger.new_task_id();
        let task = AddTask {
            project: ProjectName::new(*project),
            priority: *priority,
            due_at: due.map(str::to_owned),
            agent: agent.map(str::to_owned),
            ..new_task(&task_id, title)
        };
        let add = Command::AddTask(Box::new(task));
        ledger.execute(&add, &actor("boss")).unwrap();
    }
    let list = |ledger: &mut Ledger, filter: ClaimFilter| {
        let ids = ledger
            .read(|cache| query::claim::list_eligible(cache, &filter, 5))
            .unwrap();
        let title = |id: &TaskId| {
            let found = ledger
                .read(|cache| projector::find_task(cache, id))
                .unwrap();
            found.unwrap().task.title
        };
        ids.iter().map(title).collect::<Vec<_>>()
    };
    let first: Vec<&str> = tasks[..5].iter().map(|task| task.0).collect();
    assert_eq!(list(&mut ledger, ClaimFilter::default()), first);
    let of_web = ClaimFilter {
        project: Some(ProjectName::new("web")),
        ..ClaimFilter::default()
    };
    assert_eq!(
        list(&mut ledger, of_web.clone()),
        ["urgent", "due later", "not due", "for bob"]
    );
    let of_ann = ClaimFilter {
        agent: Some("ann".to_owned()),
        ..of_web
    };
    assert_eq!(list(&mut ledger, of_ann), ["due later", "not due"]);
}

#[test]
fn time_goes_on_when_the_clock_goes_back() {
    let home = tempfile::tempdir().unwrap();
    let now = Rc::new(Cell::new(1_800_000_000_000));
    let mut ledger = Ledger::open_with(
        &paths(home.path()),
        Access::ReadWrite,
        Box::new(Hands(now.clone())),
        Box::new(SystemIds),
    )
    .unwrap();
    ledger.ensure_inbox().unwrap();
    add(&mut ledger, "in time");
    now.set(1_700_000_000_000);
    add(&mut ledger, "after the clock went back");
    let events = log::list_stored_after(&ledger.files().events, 0, None).unwrap();
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].timestamp < pair[1].timestamp),
        "{events:?}"
    );
    assert!(
        events
            .windows(2)
            .all(|pair| pair[0].event_id < pair[1].event_id),
        "{events:?}"
    );
}

#[test]
fn a_lease_is_as_long_as_asked_even_when_the_clock_went_back() {
    let home = tempfile::tempdir().unwrap();
    let now = Rc::new(Cell::new(1_800_000_000_000));
    let mut ledger = Ledger::open_with(
        &paths(home.path()),
        Access::ReadWrite,
        Box::new(Hands(now.clone())),
        Box::new(SystemIds),
    )
    .unwrap();
    ledger.ensure_inbox().unwrap();
    let task_id = add(&mut ledger, "leased");
    now.set(1_700_000_000_000);
    let claim = ClaimTask {
        task_id: task_id.clone(),
        lease_minutes: Some(30),
    };
    let outcome = ledger
        .execute(&Command::ClaimTask(claim), &actor("ann"))
        .unwrap();
    let task = &outcome.after[&task_id].task;
    let length = task.lease_until.unwrap().millis() - task.claimed_at.unwrap().millis();
    assert_eq!(length, 30 * 60_000);
}

#[test]
fn links_to_tasks_that_go_and_come_are_judged_again() {
    let (_home, mut ledger) = fresh();
    let (first, second) = (add(&mut ledger, "first"), add(&mut ledger, "second"));
    let depend = |from: &TaskId, on: &TaskId| Command::AddDependency {
        task_id: from.clone(),
        depends_on: on.clone(),
    };
    ledger
        .execute(&depend(&second, &first), &Actor::default())
        .unwrap();
    let open_deps = |ledger: &mut Ledger, task_id: &TaskId| {
        let found = ledger
            .read(|cache| projector::find_task(cache, task_id))
            .unwrap();
        found.unwrap().open_deps
    };
    assert_eq!(open_deps(&mut ledger, &second), 1);
    let refused = ledger.execute(&depend(&first, &second), &Actor::default());
    assert!(
        matches!(refused, Err(ExecuteError::Rejected(_))),
        "{refused:?}"
    );
    let transition = Transition {
        task_id: first.clone(),
        comment: None,
    };
    let archive = Command::ArchiveTask {
        transition,
        subtasks: SubtaskPolicy::Refuse,
    };
    ledger.execute(&archive, &Actor::default()).unwrap();
    assert_eq!(
        open_deps(&mut ledger, &second),
        0,
        "an archived task is waited for no more"
    );
    hash(&mut ledger);
}

#[test]
fn projects_move_rename_and_go_with_their_tasks() {
    let (_home, mut ledger) = fresh();
    let create = |name: &str| Command::CreateProject {
        name: name.into(),
        description: None,
        is_protected: false,
    };
    ledger.execute(&create("a"), &Actor::default()).unwrap();
    let task_id = add(&mut ledger, "moves");
    let mv = Command::MoveTask {
        task_id: task_id.clone(),
        project: "a".into(),
    };
    ledger.execute(&mv, &Actor::default()).unwrap();
    let rename = Command::RenameProject {
        old_name: "a".into(),
        new_name: "b".into(),
    };
    ledger.execute(&rename, &Actor::default()).unwrap();
    let project = |ledger: &mut Ledger| {
        let found = ledger
            .read(|cache| projector::find_task(cache, &task_id))
            .unwrap();
        found.map(|stored| stored.project.into_string())
    };
    assert_eq!(project(&mut ledger).as_deref(), Some("b"));
    let update = UpdateTask {
        task_id: task_id.clone(),
        title: Some("renamed too".to_owned()),
        ..UpdateTask::default()
    };
    ledger
        .execute(&Command::UpdateTask(Box::new(update)), &Actor::default())
        .unwrap();
    assert_eq!(
        project(&mut ledger).as_deref(),
        Some("b"),
        "an update keeps the project's name"
    );
    hash(&mut ledger);
    let tasks = Some(ProjectTasks::Delete);
    let delete = Command::DeleteProject {
        name: "b".into(),
        tasks,
    };
    ledger.execute(&delete, &Actor::default()).unwrap();
    assert_eq!(project(&mut ledger), None);
    hash(&mut ledger);
}

#[test]
fn a_kept_statement_is_not_prepared_anew_for_each_value() {
    let (_home, mut ledger) = fresh();
    add(&mut ledger, "one");
    let log = &ledger.files().events;
    let sql = "
        select e.id, e.event_id, s.event_rowid is not null, s.cloud_seq
          from events e
          left join event_sync s on s.event_rowid = e.id
         where e.event_id = :event_id";
    let other = "insert into event_sync (event_rowid, cloud_seq) values (:rowid, :seq)";
    let mut prepared_again = 0;
    for event_id in ["a", "b", "c"] {
        // As all our queries: kept, its bindings cleared in between.
        let mut statement = log.prepare_cached(sql).unwrap();
        let bound = rusqlite::named_params! { ":event_id": event_id };
        assert!(
            statement.query_row(bound, |_| Ok(())).is_err(),
            "there is no such event"
        );
        let mut insert = log.prepare_cached(other).unwrap();
        let rowid = i64::from(event_id.as_bytes()[0]);
        insert
            .execute(rusqlite::named_params! { ":rowid": rowid, ":seq": rowid })
            .unwrap();
        prepared_again += insert.get_status(rusqlite::StatementStatus::RePrepare);
        prepared_again += statement.get_status(rusqlite::StatementStatus::RePrepare);
    }
    assert_eq!(prepared_again, 0);
}

#[test]
fn a_project_event_of_a_later_hzl_changes_no_project() {
    let (_home, mut ledger) = fresh();
    add(&mut ledger, "here");
    let project = |ledger: &mut Ledger| ledger.read(query::projects::list).unwrap();
    let before = project(&mut ledger);
    ledger
        .files()
        .events
        .execute(
            "insert into events (event_id, task_id, type, data, timestamp, basis_seq, epoch)
             values ('01LATER', '__project__', 'project_coloured', '{}',
                     '2026-03-01T09:00:00.000Z', 0, 0)",
            [],
        )
        .unwrap();
    assert_eq!(project(&mut ledger).len(), before.len());
    let kept = ledger.read(projector::state_sum).unwrap();
    ledger.rebuild().unwrap();
    assert_eq!(kept, ledger.read(projector::state_sum).unwrap());
}
