//! No command may cost more because a ledger is old: each is run on a store of 1,000 tasks and on one of 10,000, and
//! the pages that it reads are counted. Whoever walks through a table that grows reads ten times as many.
//!
//! Left out is what has to look at everything: rebuild, export, backup, doctor, `sync --verify`, validate, lists without
//! a limit, and statistics. A project that is renamed here has few tasks: all of them get the name.

use hzl_testkit::home::Home;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::strace;
use rusqlite::Connection;
use serde_json::json;

use crate::add;
use crate::counts::store_of;
use crate::store;

/// Some trees have one level more in a store ten times as large.
fn may_read(small: u64) -> u64 {
    small + small / 3 + 20
}

/// A machine with a store, and the cloud that it has joined.
struct Machine {
    home: Home,
    _server: Sqld,
}

impl Machine {
    fn with_tasks(tasks: u64) -> Self {
        let (home, server) = (store_of(tasks), Sqld::start(Auth::Jwt));
        let config = json!({
            "syncUrl": server.url(),
            "authToken": server.token(Access::ReadWrite, 3600),
            "db": {"sync": {"policy": "manual"}},
        });
        home.write("config/hzl/config.json", config.to_string());
        home.json(&["sync"]);
        Self {
            home,
            _server: server,
        }
    }

    fn add(&self, arguments: &[&str]) -> String {
        add(&self.home, arguments)
    }

    /// Runs a command that has to succeed, and returns how many pages it has read.
    fn reads(&self, line: &[&str]) -> u64 {
        // Frames in a WAL are read by every process, however large the store is.
        for file in ["events.db", "cache.db"] {
            let conn = Connection::open(store::directory(&self.home).join(file)).expect("it opens");
            conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
                .expect("nobody is in the way");
        }
        let (_, calls) = strace::tally(self.home.call(line));
        let count = |name| u64::from(calls.get(name).copied().unwrap_or(0));
        count("pread64") + count("read")
    }

    /// Each command, and the pages that it reads.
    fn play(&self) -> Vec<(String, u64)> {
        let mut played = vec![];
        let mut run = |line: &[&str]| {
            let is_word = |word: &&&str| {
                word.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            };
            let name: Vec<&str> = line.iter().take_while(is_word).copied().collect();
            played.push((name.join(" "), self.reads(line)));
        };
        self.read_some(&mut run);
        self.write_some(&mut run);
        self.sync_some(&mut run);
        played
    }

    fn read_some(&self, run: &mut dyn FnMut(&[&str])) {
        let id = self.add(&["To be looked at", "--tags", "quokka"]);
        for line in [
            &["status"][..],
            &["task", "show", &id],
            &["task", "history", &id],
            &["task", "list", "--limit", "20"],
            &["task", "list", "--available", "--limit", "20"],
            &[
                "task",
                "list",
                "--agent",
                "nobody-so-far",
                "-s",
                "in_progress",
            ],
            &["task", "list", "-P", "web", "--limit", "20"],
            &["task", "list", "--parent", &id],
            &["task", "search", "quokka"],
            &["events", "--limit", "20"],
            &["conflicts", "list"],
            &["project", "list"],
            &["devices"],
            &["which-db"],
        ] {
            run(line);
        }
    }

    fn write_some(&self, run: &mut dyn FnMut(&[&str])) {
        let [one, other, parent] =
            ["One", "Other", "Parent"].map(|title| self.add(&[title, "-s", "ready"]));
        let workflow = self.add(&["Workflow", "-s", "ready"]);
        self.home
            .json(&["task", "claim", &workflow, "--agent", "zoe"]);
        run(&["project", "create", "growing"]);
        for line in [
            &[
                "task",
                "add",
                "A task more",
                "--depends-on",
                &other,
                "--parent",
                &parent,
            ][..],
            &["task", "claim", &one, "--agent", "ada"],
            &["task", "checkpoint", &one, "Half of it"],
            &["task", "comment", &one, "It goes on"],
            &["task", "progress", &one, "40"],
            &["task", "renew", &one, "--lease", "30", "--author", "ada"],
            &["task", "steal", &one, "--agent", "bob", "--force"],
            &["task", "block", &one, "--comment", "no key"],
            &["task", "unblock", &one],
            &["task", "release", &one],
            &["task", "reassign", &one, "carl"],
            &[
                "task", "update", &one, "--title", "One more", "--tags", "a,b",
            ],
            &["task", "add-dep", &one, &other],
            &["task", "remove-dep", &one, &other],
            &["task", "move", &parent, "growing"],
            &["project", "rename", "growing", "grown"],
            &["task", "start", &other, "--agent", "ada"],
            &["task", "complete", &other],
            &["task", "reopen", &other],
            &["task", "archive", &other],
            &["task", "unarchive", &other],
            &["task", "set-status", &other, "in_progress"],
            &["task", "claim", "--next", "--agent", "ada"],
            &[
                "workflow", "run", "delegate", "--from", &workflow, "--title", "T",
            ],
            &[
                "workflow", "run", "handoff", "--from", &workflow, "--title", "T", "--agent",
                "carl",
            ],
            &[
                "workflow",
                "run",
                "start",
                "--agent",
                "dan",
                "--any-project",
            ],
            &["undo"],
            &["hook", "drain"],
        ] {
            run(line);
        }
    }

    fn sync_some(&self, run: &mut dyn FnMut(&[&str])) {
        let another = self.home.duplicate();
        self.home.json(&["sync"]);
        run(&["sync"]);
        let id = self.add(&["To be pushed"]);
        run(&["sync"]);
        // The copy meets the original, and becomes a machine of its own.
        another.json(&["sync"]);
        another.json(&["task", "comment", &id, "From afar"]);
        another.json(&["sync"]);
        run(&["sync"]);
    }
}

#[test]
fn no_command_reads_more_in_a_larger_store() {
    let machine = |tasks| std::thread::spawn(move || Machine::with_tasks(tasks).play());
    let [small, large] = [1_000, 10_000]
        .map(machine)
        .map(|thread| thread.join().expect("it plays"));
    assert!(small.len() > 40, "{small:?}");
    let mut grown = vec![];
    for ((name, small), (same, large)) in small.iter().zip(&large) {
        assert_eq!(name, same);
        println!("{name}: {small}, {large}");
        if *large > may_read(*small) {
            grown.push(format!(
                "{name}: {small} pages, {large} in the larger store"
            ));
        }
    }
    assert!(grown.is_empty(), "{grown:#?}");
}
