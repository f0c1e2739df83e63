//! A rebuild of many events makes the indexes after the rows, and leaves everything as it was.

use hzl_store::digest::StateSum;
use hzl_store::projector;
use rusqlite::Connection;

use crate::files::fresh;

/// More than from which on indexes are set aside.
const EVENTS: i64 = 6_000;

const MANY: &str = "
    with recursive number (n) as (select 1 union all select n + 1 from number where n < ?1)
    insert into events (event_id, task_id, type, data)
    select printf('E%d', n), printf('T%d', n / 2),
           case n % 2 when 0 then 'task_created' else 'status_changed' end,
           case n % 2 when 0 then printf('{\"title\":\"Title %d\",\"project\":\"inbox\",\"tags\":[\"a\"]}', n)
                      else '{\"from\":\"backlog\",\"to\":\"ready\"}' end
      from number";

/// All that a cache is defined by, and what it says.
fn look(cache: &Connection) -> (Vec<(String, Option<String>)>, StateSum, i64) {
    let mut statement = cache
        .prepare("select name, sql from sqlite_master order by name")
        .unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    let definitions = rows.unwrap().collect::<Result<_, _>>().unwrap();
    let ready = "select count(*) from p_tasks indexed by p_tasks_status where status = 'ready'";
    let ready = cache.query_row(ready, [], |row| row.get(0)).unwrap();
    (definitions, projector::state_sum(cache).unwrap(), ready)
}

#[test]
fn indexes_are_set_aside_and_made_again() {
    let (_home, mut ledger) = fresh();
    let fresh = look(&ledger.files().cache).0;
    ledger.files().events.execute(MANY, [EVENTS]).unwrap();
    // One by one, as if there were few.
    ledger.read(|_| Ok(())).unwrap();
    let grown = look(&ledger.files().cache);
    assert_eq!(grown.0, fresh);
    assert!(grown.2 > 2_000, "{}", grown.2);
    ledger.rebuild().unwrap();
    assert_eq!(look(&ledger.files().cache), grown);
}
