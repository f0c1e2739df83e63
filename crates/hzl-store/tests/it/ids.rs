//! Tasks by the beginning of their id.

use hzl_core::ids::TaskId;
use hzl_store::query::compare::{Compared, compare};
use hzl_store::query::tasks::{Resolved, resolve};

use crate::files::{fresh, paths};

const ADD: &str = "
    insert into events (event_id, task_id, type, data)
    values ('E' || ?1, ?1, ?2, json_object('title', ?1, 'project', 'inbox'))";

#[test]
fn ids_of_other_programs_are_found_in_any_case_as_long_as_there_are_any() {
    let (home, mut ledger) = fresh();
    let paths = paths(home.path());
    let one = |id: &str| Resolved::One(TaskId::from(id));
    let mut find = |typed: &str| ledger.read(|cache| resolve(cache, typed)).unwrap();
    let add = |id: &str, kind: &str| {
        let other = rusqlite::Connection::open(&paths.events).unwrap();
        other
            .execute(ADD, [id, kind])
            .unwrap_or_else(|error| panic!("{id}: {error}"));
    };
    add("01HZZZ", "task_created");
    assert_eq!(find("01hz"), one("01HZZZ"));
    assert_eq!(find("old-t"), Resolved::None);
    add("Old-Task", "task_created");
    assert_eq!(find("old-t"), one("Old-Task"));
    assert_eq!(find("01hz"), one("01HZZZ"));
    assert!(matches!(compare(&paths).unwrap(), Compared::Same { .. }));
}
