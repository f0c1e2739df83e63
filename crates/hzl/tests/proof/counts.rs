//! What noise cannot touch: how often commands ask the system for something, make the disk sync, or talk to the
//! cloud. More of it than in `docs/counts.json` fails; less has to be written down, with `UPDATE_COUNTS=1`.
//!
//! The counts are of the binary of the tests. The one that is shipped is linked statically and makes fewer calls
//! before it begins; `scripts/bench --only counts` counts those.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use hzl_testkit::counted;
use hzl_testkit::counted::Counts;
use hzl_testkit::home::Home;
use hzl_testkit::made_up;
use hzl_testkit::made_up::Shape;
use serde_json::Value;
use serde_json::json;

use crate::home;

/// The sizes of the stores, in tasks.
const SMALL: u64 = 1000;
const LARGE: u64 = 10_000;
/// The port and the clock stand in what is sent: some digits more or fewer.
const WIRE_SLACK_BYTES: u64 = 16;
/// Commands that read or write one task that they are told the id of: they may not notice the size of the store.
const BY_ID: [&str; 2] = ["task show", "task complete"];

/// A home with a store of so many tasks.
pub(crate) fn store_of(tasks: u64) -> Home {
    let home = home();
    let file = home.path().join("export.ndjson");
    let mut export = File::create(&file).expect("the home is writable");
    made_up::write(tasks, Shape::Lived, &mut export).expect("the home is writable");
    home.json(&["import", &file.to_string_lossy()]);
    home.json(&["task", "list", "--limit", "1"]);
    fs::remove_file(file).expect("it was just made");
    home
}

fn count_all(tasks: u64) -> BTreeMap<&'static str, Counts> {
    let cases = counted::cases(&store_of(tasks));
    cases.iter().map(|case| (case.name, case.count())).collect()
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/counts.json")
}

/// Compares with one key of the table, or writes it. `slack`: by how much a count may be above, or below.
#[track_caller]
fn compare(key: &str, found: &Value, slack: u64) {
    // The tests of this file run at once, and write into one page.
    static PAGE: Mutex<()> = Mutex::new(());
    let _one_by_one = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(page()).unwrap_or_else(|_| "{}".to_owned());
    let mut table: Value = serde_json::from_str(&text).expect("docs/counts.json is JSON");
    if env::var_os("UPDATE_COUNTS").is_some() {
        table[key] = found.clone();
        let text = serde_json::to_string_pretty(&table).expect("it is JSON");
        fs::write(page(), text + "\n").expect("docs/ is writable");
        return;
    }
    let (found, known) = (numbers("", found), numbers("", &table[key]));
    let worse: Vec<_> = found
        .iter()
        .filter(|(name, count)| known.get(*name).is_none_or(|known| **count > known + slack))
        .map(|(name, count)| format!("{name}: {count}, was {:?}", known.get(name)))
        .collect();
    assert!(
        worse.is_empty(),
        "{key}, more than in docs/counts.json:\n{worse:#?}"
    );
    let better: Vec<_> = known
        .iter()
        .filter(|(name, known)| found.get(*name).is_none_or(|count| count + slack < **known))
        .map(|(name, known)| format!("{name}: {:?}, was {known}", found.get(name)))
        .collect();
    assert!(
        better.is_empty(),
        "{key}, less than in docs/counts.json. Good: keep it so, and write it down with\n\
         UPDATE_COUNTS=1 cargo test -p hzl --test proof counts\n{better:#?}"
    );
}

/// Every number in a value, by the way to it.
fn numbers(way: &str, value: &Value) -> BTreeMap<String, u64> {
    match value {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(name, value)| numbers(&format!("{way} / {name}"), value))
            .collect(),
        _ => value
            .as_u64()
            .map(|count| (way.to_owned(), count))
            .into_iter()
            .collect(),
    }
}

#[test]
fn commands_make_no_more_system_calls_and_syncs_than_written_down() {
    let (small, large) = (count_all(SMALL), count_all(LARGE));
    let mut found = json!({});
    for (name, counts) in &small {
        found[*name] = json!({
            "syncs": counts.syncs(),
            "system calls": counts.without_memory(),
            "system calls at 10,000 tasks": large[name].without_memory(),
        });
    }
    for name in BY_ID {
        let (small, large) = (small[name].without_memory(), large[name].without_memory());
        // Some indexes have one level more in a store ten times as large.
        assert!(
            large <= small + small / 10,
            "{name} grows with the store: {small} at {SMALL}, {large} at {LARGE}"
        );
    }
    for (name, counts) in &large {
        assert_eq!(
            counts.syncs(),
            small[name].syncs(),
            "{name} syncs more often in a larger store"
        );
    }
    compare("commands", &found, 0);
}

#[test]
fn syncs_make_no_more_round_trips_than_written_down() {
    let exchanges = counted::exchanges(&home());
    let mut trips = json!({});
    let mut bytes = json!({});
    for exchange in &exchanges {
        trips[exchange.name] = json!(exchange.round_trips);
        bytes[exchange.name] =
            json!({"sent": exchange.sent_bytes, "received": exchange.received_bytes});
    }
    compare("round trips", &trips, 0);
    compare("bytes on the wire", &bytes, WIRE_SLACK_BYTES);
}
