//! Clocks that are wrong by decades. The binary is asked, with a C library that says another time.

use std::path::PathBuf;
use std::process::Command;

use hzl_testkit::home::Home;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::json;

const SOURCE: &str = include_str!("clock.c");

/// A machine whose clock is set; the compiler that SQLite is built with makes the library.
fn at(seconds: i64) -> Home {
    let home = crate::home();
    let source = home.write("clock.c", SOURCE);
    let library = home.path().join("clock.so");
    let output =
        Command::new(std::env::var_os("CC").map_or_else(|| PathBuf::from("cc"), PathBuf::from))
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&library, &source])
            .output()
            .expect("there is a C compiler, as for building hzl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut home = home.env("LD_PRELOAD", library);
    set(&mut home, seconds);
    home
}

fn set(home: &mut Home, seconds: i64) {
    home.set_env("HZL_TEST_SECONDS", seconds.to_string());
}

const IN_1970: i64 = 3;
const IN_2026: i64 = 1_772_000_000;
const IN_2100: i64 = 4_102_444_800;

#[test]
fn clocks_of_other_centuries_stop_nobody() {
    for (seconds, year) in [
        (0, "1970-"),
        (IN_1970, "1970-"),
        (IN_2026, "2026-"),
        (IN_2100, "2100-"),
        (32_503_680_000, "3000-"),
    ] {
        let home = at(seconds);
        let added = home.json(&["task", "add", "T", "-s", "ready"]);
        let id = added["task_id"].as_str().expect("an id");
        home.json(&["task", "claim", "--next", "--agent", "ann", "--lease", "30"]);
        home.json(&["task", "complete", id]);
        let events = home.hzl(&["events"]);
        let first = events.stdout.lines().next().unwrap_or_default();
        assert!(first.contains(year), "the clock is set: {first}");
        for line in [
            &["task", "list"][..],
            &["status"],
            &["doctor"],
            &["stats"],
            &["agent", "status"],
            &["task", "stuck"],
            &["validate"],
            &["undo", "--dry-run"],
        ] {
            home.json(line);
        }
    }
}

/// Before the epoch there is no time for ids to be made of.
#[test]
fn a_clock_before_1970_is_no_panic() {
    let home = at(-86_400 * 365);
    for line in [&["task", "add", "T"][..], &["task", "list"], &["doctor"]] {
        let run = home.hzl(line);
        assert!(!run.stderr.contains("panicked"), "{run}");
        assert!(run.exit >= 0, "{run}");
    }
}

#[test]
fn a_clock_that_jumps_keeps_the_order_of_the_log() {
    let mut home = at(IN_2026);
    let mut titles = vec![];
    for (number, seconds) in [IN_2026, IN_2100, IN_1970, IN_2026 + 5, 0]
        .into_iter()
        .enumerate()
    {
        set(&mut home, seconds);
        let title = format!("T{number}");
        home.json(&["task", "add", &title, "-s", "ready"]);
        titles.push(title);
    }
    let events = home.hzl(&["events"]).stdout;
    let at = titles
        .iter()
        .map(|title| events.find(&format!("\"{title}\"")).expect("it is there"));
    let at: Vec<usize> = at.collect();
    assert!(at.is_sorted(), "{events}");
    set(&mut home, IN_2026 + 10);
    let claimed = home.json(&["task", "claim", "--next", "--agent", "ann", "--lease", "10"]);
    assert_eq!(claimed["claim"]["state"], "confirmed", "{claimed}");
    assert_eq!(
        home.json(&["doctor"])["checks"]["projections"]["status"],
        "pass"
    );
}

/// Two machines, a century apart, and one cloud.
#[test]
fn machines_a_century_apart_agree() {
    let sqld = Sqld::start(Auth::Jwt);
    let token = sqld.token(Access::ReadWrite, 3600);
    let homes = [IN_1970, IN_2026, IN_2100].map(|seconds| {
        let home = at(seconds);
        let config = json!({"syncUrl": sqld.url(), "authToken": token, "db": {"sync": {"policy": "manual"}}});
        home.write("config/hzl/config.json", config.to_string());
        home.json(&["task", "add", &format!("From {seconds}")]);
        home
    });
    for _ in 0..2 {
        for home in &homes {
            home.json(&["sync", "--merge"]);
        }
    }
    let hash = |home: &Home| home.json(&["status"])["data"]["stateHash"].clone();
    let tasks = |home: &Home| {
        home.json(&["task", "list"])["tasks"]
            .as_array()
            .map(Vec::len)
    };
    for home in &homes {
        assert_eq!((hash(home), tasks(home)), (hash(&homes[0]), Some(3)));
    }
}
