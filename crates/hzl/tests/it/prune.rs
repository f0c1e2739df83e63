//! Pruning: rows go where nobody else has them, tombstones where somebody has.

use hzl_testkit::home::Home;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::Value;

const LATER: &str = "2999-01-01";

fn home() -> Home {
    Home::new(env!("CARGO_BIN_EXE_hzl"))
}

fn add(home: &Home, title: &str, status: &str) -> String {
    let added = home.json(&["task", "add", title, "-s", status]);
    added["task_id"].as_str().expect("an id").to_owned()
}

fn titles(home: &Home) -> Vec<String> {
    let listed = home.json(&["task", "list"]);
    let tasks = listed["tasks"].as_array().expect("tasks").clone();
    let title = |task: &Value| task["title"].as_str().expect("a title").to_owned();
    tasks.iter().map(title).collect()
}

#[test]
fn finished_tasks_go_with_their_events_and_the_rest_stays() {
    let home = home();
    add(&home, "done long ago", "done");
    add(&home, "open", "ready");
    let fresh = home.json(&["task", "prune", "--all", "--yes"]);
    assert_eq!(fresh["count"], 0, "nothing is thirty days old");
    let preview = home.json(&["task", "prune", "--all", "--as-of", LATER, "--dry-run"]);
    assert_eq!(preview["wouldPrune"][0]["title"], "done long ago");
    assert_eq!(titles(&home).len(), 2, "a look deletes nothing");
    let pruned = home.json(&["task", "prune", "-A", "--as-of", LATER, "-y"]);
    assert_eq!(
        (&pruned["count"], &pruned["eventsDeleted"]),
        (&1.into(), &2.into())
    );
    assert_eq!(titles(&home), ["open"]);
    let hash = home.json(&["status"])["data"]["stateHash"].clone();
    for file in ["cache.db", "cache.db-wal", "cache.db-shm"] {
        std::fs::remove_file(home.data().join("hzl").join(file)).ok();
    }
    assert_eq!(
        home.json(&["status"])["data"]["stateHash"],
        hash,
        "a rebuild agrees"
    );
    add(&home, "the log still takes events", "ready");
}

#[test]
fn families_and_tasks_that_are_waited_for_stay_together() {
    let home = home();
    let parent = add(&home, "parent", "ready");
    home.json(&[
        "task",
        "add",
        "finished part",
        "--parent",
        &parent,
        "-s",
        "done",
    ]);
    let needed = add(&home, "needed", "done");
    home.json(&["task", "add", "waits", "--depends-on", &needed]);
    let pruned = home.json(&["task", "prune", "--all", "--as-of", LATER, "--yes"]);
    assert_eq!(pruned["count"], 0);
}

#[test]
fn the_scope_must_be_named_and_deleting_must_be_meant() {
    let home = home();
    home.fails(&["task", "prune", "--yes"], 2);
    home.fails(&["task", "prune", "--all", "-P", "inbox", "--yes"], 2);
    home.fails(&["task", "prune", "--all"], 2);
    home.fails(
        &["task", "prune", "--all", "--older-than", "2w", "--yes"],
        2,
    );
    home.fails(
        &["task", "prune", "--all", "--older-than", "0d", "--yes"],
        3,
    );
    home.fails(&["task", "prune", "--all", "--as-of", "soon", "--yes"], 2);
    let shown = home.hzl(&["task", "prune", "--all", "--format", "md"]);
    assert_eq!(shown.exit, 0, "people are shown what would go");
}

#[test]
fn in_a_shared_ledger_the_deletion_reaches_the_other_machine() {
    let sqld = Sqld::start(Auth::None);
    let (a, b) = (home(), home());
    a.json(&["init", "--sync-url", &sqld.url()]);
    add(&a, "finished", "done");
    add(&a, "open", "ready");
    a.json(&["sync"]);
    b.json(&["init", "--sync-url", &sqld.url()]);
    assert_eq!(titles(&b).len(), 2);
    let pruned = b.json(&["task", "prune", "-P", "inbox", "--as-of", LATER, "--yes"]);
    assert_eq!(
        (&pruned["count"], &pruned["eventsDeleted"]),
        (&1.into(), &0.into())
    );
    assert_eq!(pruned["tombstones"], 1);
    b.json(&["sync"]);
    a.json(&["sync"]);
    assert_eq!(titles(&a), ["open"]);
    let hash = |home: &Home| home.json(&["sync"])["data"]["stateHash"].clone();
    assert_eq!(hash(&a), hash(&b));
}
