//! Pages of lists, against all tasks sorted here.

use hzl_core::task::Status;
use hzl_store::ledger::Ledger;
use hzl_store::projector::StoredTask;
use hzl_store::query::tasks::{ListFilter, list};

use crate::files::fresh;

/// Tasks of two projects in all statuses; every seventh waits for the one before.
const MANY: &str = "
    with recursive number (n) as (select 0 union all select n + 1 from number where n < 399)
    insert into events (event_id, task_id, type, data, timestamp)
    select printf('E%d', n), printf('T%d', n), 'task_created',
           json_object('title', printf('Title %d', n), 'project', iif(n % 3, 'inbox', 'other'),
                       'priority', n * 7 % 4,
                       'depends_on', json(iif(n % 7, '[]', json_array(printf('T%d', n - 1))))),
           strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n * 37 % 100, 'unixepoch')
      from number
     union all
    select printf('S%d', n), printf('T%d', n), 'status_changed',
           json_object('from', 'backlog', 'to', case n * 11 % 13 / 2
                       when 0 then 'backlog' when 1 then 'in_progress' when 2 then 'blocked'
                       when 3 then 'done' when 4 then 'archived' else 'ready' end),
           strftime('%Y-%m-%dT%H:%M:%fZ', 1700001000 + n, 'unixepoch')
      from number";

fn read(ledger: &mut Ledger, filter: &ListFilter, offset: u64, limit: u64) -> (Vec<String>, u64) {
    let page = ledger
        .read(|cache| list(cache, filter, offset, limit))
        .unwrap();
    let ids = page.tasks.into_iter();
    let ids = ids.map(|stored| stored.task.task_id.as_str().to_owned());
    (ids.collect(), page.total)
}

fn is_available(stored: &StoredTask) -> bool {
    stored.task.status == Status::Ready && stored.open_deps == 0 && stored.child_count == 0
}

#[test]
fn pages_are_parts_of_the_whole_in_order() {
    let (_home, mut ledger) = fresh();
    ledger.files().events.execute_batch(MANY).unwrap();
    let everything = ListFilter::default();
    let mut all = ledger
        .read(|cache| list(cache, &everything, 0, 1_000))
        .unwrap()
        .tasks;
    all.sort_by_key(|stored| {
        let task = &stored.task;
        let id = task.task_id.as_str().to_owned();
        (u8::MAX - task.priority, task.created_at.millis(), id)
    });
    assert!(all.len() > 300, "{}", all.len());
    let project = |name: &str| ListFilter {
        project: Some(name.to_owned()),
        ..ListFilter::default()
    };
    for (filter, least) in [
        (everything.clone(), 300),
        (project("inbox"), 200),
        (project("other"), 100),
        (project("none"), 0),
        (
            ListFilter {
                status: Some(Status::Done),
                ..project("inbox")
            },
            20,
        ),
        (
            ListFilter {
                available: true,
                ..everything
            },
            60,
        ),
        (
            ListFilter {
                available: true,
                ..project("other")
            },
            20,
        ),
    ] {
        let wanted = all.iter().filter(|stored| {
            let of_project = |name: &String| stored.project.as_str() == name.as_str();
            filter.project.as_ref().is_none_or(of_project)
                && filter
                    .status
                    .is_none_or(|status| stored.task.status == status)
                && (!filter.available || is_available(stored))
        });
        let wanted: Vec<_> = wanted.map(|it| it.task.task_id.as_str()).collect();
        assert!(wanted.len() >= least, "{filter:?}: {}", wanted.len());
        for (offset, limit) in [
            (0, 1_000),
            (0, 1),
            (0, 7),
            (5, 7),
            (30, 3),
            (95, 20),
            (1_000, 5),
        ] {
            let (page, total) = read(&mut ledger, &filter, offset, limit);
            let numbered = (0..).zip(&wanted).skip_while(|(at, _)| *at < offset);
            let expected = numbered.take_while(|(at, _)| *at < offset + limit);
            let expected: Vec<_> = expected.map(|(_, id)| *id).collect();
            assert_eq!(page, expected, "{filter:?} {offset} {limit}");
            assert_eq!(total, wanted.len() as u64, "{filter:?}");
        }
    }
}
