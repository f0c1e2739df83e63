//! The machines and the server of a page, and its commands on them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::home::Home;
use hzl_testkit::port::Port;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use super::compare::Ids;
use super::page::Order;
use super::root;
use crate::cloud::SOON;
use crate::cloud::kill;
use crate::cloud::syncers_below;

/// What pages call the address of a server and the home directory.
const ADDRESS: &str = "127.0.0.1:8080";
const HOME: &str = "/home/ada";
const TOKEN: &str = "hzl-cloud/token";
const EVENTS_3_2_0: &str =
    include_str!("../../../../hzl-store/tests/it/files_upgrade/events_3_2_0.sql");
const CACHE_3_2_0: &str =
    include_str!("../../../../hzl-store/tests/it/files_upgrade/cache_3_2_0.sql");
const FIRST_MACHINE: &str = "laptop";

/// What a command printed, on both streams as a terminal shows them, in the words of a page.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) exit: i32,
}

/// The world in which a page is played.
pub(crate) struct World {
    machines: BTreeMap<String, Home>,
    here: String,
    server: Option<Server>,
    is_up: bool,
    /// Holds the binary under its name.
    bin: TempDir,
    exit: i32,
    pub(crate) ids: Ids,
}

impl World {
    pub(crate) fn new() -> Self {
        let bin = tempfile::tempdir().expect("a temporary directory can be made");
        symlink(env!("CARGO_BIN_EXE_hzl"), bin.path().join("hzl")).expect("links can be made");
        let mut world = Self {
            machines: BTreeMap::new(),
            here: String::new(),
            server: None,
            is_up: false,
            bin,
            exit: 0,
            ids: Ids::default(),
        };
        world.machine(FIRST_MACHINE);
        world
    }

    /// Goes to a machine. A new one has nothing but the token, as a person would have brought it along.
    pub(crate) fn machine(&mut self, name: &str) {
        name.clone_into(&mut self.here);
        if self.machines.contains_key(name) {
            return;
        }
        let home = self.settled(Home::new("/bin/sh"));
        if let Some(token) = self.token() {
            home.write(TOKEN, token);
        }
        self.machines.insert(name.to_owned(), home);
    }

    /// Copies the disk of a machine, and goes to the copy.
    pub(crate) fn copy(&mut self, of: &str, name: &str) {
        let copy = self.machines[of].duplicate();
        let copy = self.settled(copy);
        self.machines.insert(name.to_owned(), copy);
        name.clone_into(&mut self.here);
    }

    /// A home as a person's: files where they are without any settings, hzl on the path.
    fn settled(&self, mut home: Home) -> Home {
        for name in [
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
        ] {
            home.remove_env(name);
        }
        let path = env::var("PATH").unwrap_or_default();
        home.set_env("PATH", format!("{}:{path}", self.bin.path().display()));
        home
    }

    fn home(&self) -> &Home {
        &self.machines[&self.here]
    }

    fn token(&self) -> Option<String> {
        match self.server.as_ref()? {
            Server::Ours { token, .. } => Some(token.clone()),
            Server::Theirs { .. } => {
                let first = &self.machines[FIRST_MACHINE];
                fs::read_to_string(first.path().join(TOKEN)).ok()
            }
        }
    }

    /// Lets something happen to the server.
    pub(crate) fn server(&mut self, order: &Order) {
        match (order, &mut self.server) {
            (Order::By(block), _) => {
                let server = Server::by(block, self.home());
                self.server = Some(server);
                self.is_up = true;
            }
            (Order::Start, None) => {
                let server = Box::new(Sqld::start(Auth::Jwt));
                let token = format!("{}\n", server.token(Access::ReadWrite, 3600));
                for home in self.machines.values() {
                    home.write(TOKEN, &token);
                }
                self.server = Some(Server::Ours { server, token });
                self.is_up = true;
            }
            (Order::Start, Some(Server::Ours { server, .. })) => {
                // What tries in the background would be faster, or not.
                for home in self.machines.values() {
                    kill(&syncers_below(home.path()));
                }
                server.restart();
                self.is_up = true;
            }
            (Order::Stop, Some(Server::Ours { server, .. })) => {
                server.stop();
                self.is_up = false;
            }
            (Order::Wipe, Some(Server::Ours { server, .. })) => server.wipe(),
            (order, _) => panic!("no server for {order:?}"),
        }
    }

    /// Writes a config file, with the address and the token that are meant.
    pub(crate) fn settings(&self, text: &str) {
        let mut text = self.in_world(text);
        if let Some(token) = self.token() {
            text = text.replace(
                "\"authToken\": \"…\"",
                &format!("\"authToken\": \"{}\"", token.trim()),
            );
        }
        self.home().write(".config/hzl/config.json", text);
    }

    /// Lays the files of HZL 3.2.0 down on the machine where we are.
    pub(crate) fn old_store(&self) {
        let place = self.home().write(".local/share/hzl/events.db", "");
        let (tables, _) = EVENTS_3_2_0
            .split_once("insert into events")
            .expect("the tables stand before the events");
        let log = Connection::open(&place).expect("a file can be made");
        log.execute_batch(tables).expect("tables can be made");
        // Each machine has written its own.
        let machine = self.machines.len();
        for (number, (task, kind, data)) in [
            (
                "__project__",
                "project_created",
                r#"{"name":"inbox","is_protected":true}"#,
            ),
            (
                "T1",
                "task_created",
                r#"{"title":"Ship 1.0","project":"inbox"}"#,
            ),
            ("T1", "status_changed", r#"{"from":"backlog","to":"ready"}"#),
            (
                "T2",
                "task_created",
                r#"{"title":"Thank everybody","project":"inbox"}"#,
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let task = match task.strip_prefix('T') {
                Some(number) => format!("01HZX{machine:05}{number:0>16}"),
                None => task.to_owned(),
            };
            let row = (format!("01HZY{machine:05}{number:016}"), task, kind, data);
            let sql = "insert into events (event_id, task_id, type, data, timestamp)
                       values (?1, ?2, ?3, ?4, '2026-01-01T00:00:00.000Z')";
            log.execute(sql, row).expect("an event can be added");
        }
        let place = place.with_file_name("cache.db");
        let cache = Connection::open(place).expect("a file can be made");
        cache
            .execute_batch(CACHE_3_2_0)
            .expect("tables can be made");
    }

    /// Runs a line of shell on the machine where we are.
    pub(crate) fn run(&mut self, line: &str) -> Answer {
        let line = self.ids.in_command(&self.in_world(line));
        // `$ echo $?` shows how the command before it ended.
        let script = format!("exec 2>&1\n(exit {})\n{line}", self.exit);
        let run = self.home().hzl(&["-c", &script]);
        self.exit = run.exit;
        if self.is_up {
            hzl_testkit::wait_until(SOON, "the background has sent what was written", || {
                syncers_below(self.home().path()).is_empty() && self.has_sent_all()
            });
        }
        Answer {
            text: self.in_page(&run.stdout),
            exit: run.exit,
        }
    }

    /// Whether nothing waits to be sent from here, or the last sync says why it waits.
    fn has_sent_all(&self) -> bool {
        let status = self.home().hzl(&["-c", "hzl status"]);
        let status: Value = serde_json::from_str(&status.stdout).unwrap_or_default();
        let status = &status["data"];
        status["mode"] != "offline-sync"
            || status["pendingEvents"] == 0
            || !status["lastSyncError"].is_null()
    }

    fn address(&self) -> Option<String> {
        match self.server.as_ref()? {
            Server::Ours { server, .. } => Some(server.url().replace("http://", "")),
            Server::Theirs { port, .. } => Some(port.address()),
        }
    }

    fn in_world(&self, text: &str) -> String {
        let text = text.replace(HOME, &self.home().path().display().to_string());
        match self.address() {
            Some(address) => text.replace(ADDRESS, &address),
            None => text,
        }
    }

    fn in_page(&self, text: &str) -> String {
        let text = text.replace(&self.home().path().display().to_string(), HOME);
        match self.address() {
            Some(address) => text.replace(&address, ADDRESS),
            None => text,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for home in self.machines.values() {
            kill(&syncers_below(home.path()));
        }
    }
}

/// A server, and who has made its token.
enum Server {
    Ours {
        server: Box<Sqld>,
        token: String,
    },
    /// By the commands of a page.
    Theirs {
        port: Port,
        process: Child,
    },
}

impl Server {
    /// Runs a block whose last command is a server, as it stands but for the port.
    fn by(block: &str, home: &Home) -> Self {
        // The page fetches the server, as the tests do.
        let fetched = Command::new(root().join("scripts/fetch-servers")).status();
        assert!(fetched.is_ok_and(|status| status.success()), "no server");
        let port = Port::reserve();
        let (keys, start) = block
            .split_once("\nsqld ")
            .expect("the block starts sqld at its end");
        let start = format!("exec sqld {start}").replace(ADDRESS, &port.address());
        // The server ends with this process, however that ends.
        let script = format!("set -e\n{keys}\n({start}) <&- &\nread -r _ || true\nkill -KILL $!\n");
        let log = fs::File::create(home.path().join("server.log")).expect("the log can be written");
        let errors = log.try_clone().expect("a handle can be duplicated");
        let process = Command::new("sh")
            .args(["-c", &script])
            .current_dir(root())
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("sh can be run");
        let server = Self::Theirs { port, process };
        let log = home.path().join("server.log");
        server.wait_until_up(&log);
        server
    }

    fn wait_until_up(&self, log: &Path) {
        let Self::Theirs { port, .. } = self else {
            return;
        };
        let health = format!("http://{}", port.address());
        hzl_testkit::wait_until(SOON, "the server of the page is up", || {
            hzl_testkit::stub::exchange(&health, "GET", "/health", None, "").is_ok() || {
                let log = fs::read_to_string(log).unwrap_or_default();
                assert!(!log.contains("rror"), "the server does not come up:\n{log}");
                false
            }
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Theirs { process, .. } = self {
            // The end of its input is the end of the server.
            drop(process.stdin.take());
            drop(process.wait());
        }
    }
}

/// Returns the pages that a person reads: README.md and all of `docs/`, but for those that are generated.
pub(crate) fn pages() -> Vec<(String, PathBuf)> {
    const GENERATED: [&str; 2] = ["docs/cli.md", "docs/output-size.md"];
    let mut pages = vec!["README.md".to_owned()];
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).expect("a folder can be read");
        for entry in entries {
            let entry = entry.expect("a folder can be read");
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(name);
            } else if name.ends_with(".md") && !GENERATED.contains(&name.as_str()) {
                pages.push(name);
            }
        }
    }
    pages.sort();
    pages
        .into_iter()
        .map(|name| (name.clone(), root().join(name)))
        .collect()
}
