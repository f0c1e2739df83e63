//! Stored projections against the log, row by row.

use hzl_core::command::{Actor, AddTask, Command};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_store::ledger::Ledger;
use hzl_store::query::compare::{Compared, TableDifference, compare};
use tempfile::TempDir;

use crate::files::fresh;

/// A store with a bit of everything.
fn store() -> (TempDir, Ledger, [TaskId; 2]) {
    let (home, mut ledger) = fresh();
    let actor = Actor {
        author: Some("ann".to_owned()),
        ..Actor::default()
    };
    let ids = [ledger.new_task_id(), ledger.new_task_id()];
    for (at, task_id) in ids.iter().enumerate() {
        let add = AddTask {
            status: Status::Ready,
            description: Some("some words".to_owned()),
            tags: vec!["red".to_owned(), "blue".to_owned()],
            depends_on: ids[..at].to_vec(),
            ..AddTask::new(task_id.clone(), "a title", ProjectName::inbox())
        };
        let comment = Command::AddComment {
            task_id: task_id.clone(),
            text: "a remark".to_owned(),
        };
        for command in [Command::AddTask(Box::new(add)), comment] {
            ledger.execute(&command, &actor).unwrap();
        }
    }
    (home, ledger, ids)
}

fn differences(ledger: &Ledger) -> Vec<TableDifference> {
    match compare(&ledger.files().paths).unwrap() {
        Compared::Same { .. } => vec![],
        Compared::Different { tables, .. } => tables,
        Compared::Unknown => panic!("nobody else writes"),
    }
}

#[test]
fn what_was_written_step_by_step_is_what_a_rebuild_makes() {
    let (_home, ledger, _) = store();
    let compared = compare(&ledger.files().paths).unwrap();
    let Compared::Same { sum, rows } = compared else {
        panic!("{compared:?}");
    };
    assert_eq!(
        sum,
        hzl_store::projector::state_sum(&ledger.files().cache).unwrap()
    );
    assert!(rows > 20, "{rows}");
}

#[test]
fn each_row_that_was_tampered_with_is_found() {
    let (_home, mut ledger, [first, second]) = store();
    let id = |task_id: &TaskId| task_id.as_str().to_owned();
    let (first, second) = (id(&first), id(&second));
    for (table, sql, rows, subject) in [
        (
            "p_meta",
            "update p_meta set value = length(:task) where key = 'odd_ids'",
            1,
            &"odd_ids".to_owned(),
        ),
        (
            "p_tasks",
            "update p_tasks set priority = 3 where task_id = :task",
            1,
            &second,
        ),
        (
            "p_tasks",
            "update p_tasks set memory = '{}' where task_id = :task",
            1,
            &second,
        ),
        (
            "p_counts",
            "update p_counts set tasks = tasks + length(:task) where status = 'ready'",
            1,
            &"inbox".to_owned(),
        ),
        (
            "p_tags",
            "delete from p_tags where tag = 'red' and task_id = :task",
            1,
            &second,
        ),
        (
            "p_edges",
            "update p_edges set state = 'missing' where task_id = :task",
            1,
            &second,
        ),
        (
            "p_comments",
            "update p_comments set text = 'other' where task_id = :task",
            1,
            &second,
        ),
        (
            "p_checkpoints",
            "insert into p_checkpoints values (:task, 1, 'E', null, 'n', '{}')",
            1,
            &second,
        ),
        (
            "p_conflicts",
            "insert into p_conflicts values ('E', 'value', 'title', :task, null, '', '', 1)",
            1,
            &second,
        ),
        (
            "p_search",
            "delete from p_search
              where rowid = (select id from p_tasks where task_id = :task)",
            6,
            &second,
        ),
        (
            "p_projects",
            "update p_projects set description = :task",
            1,
            &"inbox".to_owned(),
        ),
    ] {
        let cache = &ledger.files().cache;
        let changed = cache.execute(sql, &[(":task", &second)]).unwrap();
        assert_eq!(changed, 1, "{sql}");
        let found = differences(&ledger);
        let expected = TableDifference {
            table,
            rows,
            subjects: vec![subject.clone()],
        };
        assert_eq!(found, [expected], "{sql}");
        ledger.rebuild().unwrap();
        assert_eq!(differences(&ledger), [], "{sql}");
    }
    assert_ne!(first, second);
}

#[test]
fn a_missing_task_takes_its_words_along() {
    let (_home, ledger, [first, _]) = store();
    let cache = &ledger.files().cache;
    cache
        .execute("delete from p_tasks where task_id = ?1", [first.as_str()])
        .unwrap();
    let tables: Vec<_> = differences(&ledger)
        .into_iter()
        .map(|found| found.table)
        .collect();
    assert_eq!(tables, ["p_tasks", "p_search"]);
}

#[test]
fn a_wrong_sum_alone_is_a_difference() {
    let (_home, ledger, _) = store();
    let cache = &ledger.files().cache;
    cache
        .execute_batch("update p_meta set value = zeroblob(16) where key = 'state_sum'")
        .unwrap();
    let compared = compare(&ledger.files().paths).unwrap();
    let Compared::Different {
        stored,
        folded,
        tables,
    } = compared
    else {
        panic!("{compared:?}");
    };
    assert_ne!(stored, folded);
    assert_eq!(tables, []);
}
