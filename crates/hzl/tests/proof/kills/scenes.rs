//! The commands that are killed, and the ledgers they meet: every command that writes, and some that only
//! seem to read.

use hzl_testkit::home::Call;
use hzl_testkit::home::Home;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::Value;
use serde_json::json;

use super::cloud::Cloud;
use crate::add;

/// A write that finds a larger WAL of the log writes it back first.
const FULL_WAL_BYTES: u64 = 256 << 10;

/// A command and the machine it runs on.
pub(crate) struct Scene {
    /// What it is called in reports.
    pub(crate) name: String,
    /// The machine before the command; each point runs on a copy.
    pub(crate) home: Home,
    /// The arguments.
    pub(crate) line: Vec<String>,
    /// What the command reads, if it does.
    pub(crate) stdin: Option<String>,
    /// How its events come into the log.
    pub(crate) manner: Manner,
    /// The file it makes for its user, below the home.
    pub(crate) product: Option<Product>,
    /// The cloud it talks to, which is put back for each point.
    pub(crate) cloud: Option<Cloud>,
    /// A configuration for this command alone, below the home: what follows starts nothing in the background.
    config: Option<&'static str>,
}

/// How the events of a command come into the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As one command: all have one cause, and come in one transaction.
    AsOne,
    /// As so many commands, one after the other.
    InTurn(usize),
    /// Those of others, in one transaction.
    Brought,
}

/// A file that is whole or not there.
#[derive(Clone, Copy)]
pub(crate) enum Product {
    /// A database.
    Backup(&'static str),
    /// A text.
    Export(&'static str),
}

impl Scene {
    fn new(home: &Home, line: &[&str]) -> Self {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        let is_name = |word: &&&str| !word.starts_with('-') && !word.contains(char::is_uppercase);
        let name: Vec<&str> = line.iter().take(3).take_while(is_name).copied().collect();
        Self {
            name: name.join(" "),
            home: home.duplicate(),
            line: words,
            stdin: None,
            manner: Manner::AsOne,
            product: None,
            cloud: None,
            config: None,
        }
    }

    fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn with_config(mut self, config: &Value) -> Self {
        self.home.write("alone.json", config.to_string());
        self.config = Some("alone.json");
        self
    }

    fn bringing(mut self) -> Self {
        self.manner = Manner::Brought;
        self
    }

    /// Prepares the command on this machine.
    pub(crate) fn call(&self, home: &Home) -> Call {
        let line: Vec<&str> = self.line.iter().map(String::as_str).collect();
        let mut call = home.call(&line);
        if let Some(config) = self.config {
            call = call.env("HZL_CONFIG", home.path().join(config));
        }
        match &self.stdin {
            Some(text) => call.stdin(text.as_str()),
            None => call,
        }
    }
}

/// A ledger with tasks in every state, and their ids.
struct Ledger {
    home: Home,
    ready: String,
    next: String,
    claimed: String,
    working: String,
    blocked: String,
    done: String,
    archived: String,
    parent: String,
    waiting: String,
    waited_for: String,
}

impl Ledger {
    fn new() -> Self {
        let home = crate::home();
        for project in ["docs", "scrap", "empty"] {
            home.json(&["project", "create", project]);
        }
        let scrap = add(&home, &["Scrap", "-P", "scrap", "--comment", "to be lost"]);
        home.json(&["task", "update", &scrap, "--tags", "old,grey"]);
        let parent = add(&home, &["Parent", "-P", "docs"]);
        add(&home, &["Child", "--parent", &parent]);
        let waited_for = add(&home, &["Waited for"]);
        let waiting = add(&home, &["Waiting", "--depends-on", &waited_for]);
        let claimed = add(&home, &["Claimed", "-s", "ready"]);
        home.json(&["task", "claim", &claimed, "--agent", "ann"]);
        let working = add(&home, &["Working", "-s", "ready"]);
        home.json(&["task", "start", &working, "--agent", "ann"]);
        home.json(&["task", "checkpoint", &working, "half of it"]);
        let archived = add(&home, &["Archived"]);
        home.json(&["task", "archive", &archived]);
        Self {
            ready: add(&home, &["Ready", "-s", "ready", "-p", "2"]),
            next: add(&home, &["Next", "-s", "ready"]),
            blocked: add(&home, &["Blocked", "-s", "blocked"]),
            done: add(&home, &["Done", "-s", "done"]),
            claimed,
            working,
            archived,
            parent,
            waiting,
            waited_for,
            home,
        }
    }

    fn scene(&self, line: &[&str]) -> Scene {
        Scene::new(&self.home, line)
    }

    /// Commands on a task.
    fn of_tasks(&self) -> Vec<Scene> {
        let id = String::as_str;
        [
            &[
                "task",
                "add",
                "T",
                "-P",
                "docs",
                "--tags",
                "a,b",
                "--comment",
                "c",
            ][..],
            &["task", "claim", id(&self.ready), "--agent", "bob"],
            &["task", "start", id(&self.ready), "--agent", "bob"],
            &["task", "complete", id(&self.working)],
            &["task", "release", id(&self.claimed)],
            &["task", "block", id(&self.working), "--comment", "no key"],
            &["task", "unblock", id(&self.blocked)],
            &["task", "reopen", id(&self.done)],
            &["task", "archive", id(&self.done)],
            &["task", "unarchive", id(&self.archived)],
            &[
                "task",
                "steal",
                id(&self.working),
                "--agent",
                "bob",
                "--force",
            ],
            &[
                "task",
                "renew",
                id(&self.claimed),
                "--lease",
                "30",
                "--author",
                "ann",
            ],
            &["task", "reassign", id(&self.next), "carl"],
            &[
                "task",
                "checkpoint",
                id(&self.working),
                "nearly",
                "--progress",
                "80",
            ],
            &["task", "comment", id(&self.working), "a comment"],
            &["task", "progress", id(&self.working), "50"],
            &[
                "task",
                "update",
                id(&self.next),
                "--title",
                "N",
                "--tags",
                "x",
                "-p",
                "3",
            ],
            &["task", "set-status", id(&self.next), "in_progress"],
            &["task", "move", id(&self.parent), "inbox"],
            &["task", "add-dep", id(&self.next), id(&self.ready)],
            &[
                "task",
                "remove-dep",
                id(&self.waiting),
                id(&self.waited_for),
            ],
        ]
        .map(|line| self.scene(line))
        .into()
    }

    /// Commands on several tasks, on projects, and workflows.
    fn of_many(&self) -> Vec<Scene> {
        let mut many = self.scene(&["task", "add", "--from-json", "-"]);
        let tasks: Vec<Value> = (0..8)
            .map(|n| json!({"title": format!("Task {n}")}))
            .collect();
        many.stdin = Some(json!(tasks).to_string());
        let from = self.working.as_str();
        let mut scenes: Vec<Scene> = [
            &["task", "claim", "--next", "--agent", "bob"][..],
            &[
                "task",
                "prune",
                "--all",
                "--yes",
                "--as-of",
                "2099-01-01T00:00:00Z",
            ],
            &["project", "create", "fresh"],
            &["project", "rename", "docs", "manuals"],
            &["project", "delete", "empty"],
            &[
                "workflow",
                "run",
                "start",
                "--agent",
                "bob",
                "--any-project",
                "--op-id",
                "k1",
            ],
            &[
                "workflow", "run", "handoff", "--from", from, "--title", "T", "--agent", "carl",
                "--op-id", "k2",
            ],
            &[
                "workflow", "run", "delegate", "--from", from, "--title", "T", "--op-id", "k3",
            ],
            &["undo"],
            &["sample-project", "create"],
        ]
        .map(|line| self.scene(line))
        .into();
        for how in [
            &["--move-to", "inbox"][..],
            &["--archive-tasks"],
            &["--delete-tasks"],
        ] {
            let line = [&["project", "delete", "scrap"], how].concat();
            scenes.push(
                self.scene(&line)
                    .named(&format!("project delete {}", how[0])),
            );
        }
        for (name, operation) in [("workflow run start", 5), ("workflow run handoff", 6)] {
            scenes[operation].name = name.to_owned();
        }
        scenes[7].name = "workflow run delegate".to_owned();
        // The project, then task by task.
        scenes[9].manner = Manner::InTurn(21);
        scenes.push(many.named("task add --from-json"));
        scenes
    }

    /// Commands on whole files.
    fn of_files(&self) -> Vec<Scene> {
        let other = Self::new();
        other.home.json(&["backup", "other.db"]);
        other.home.json(&["export", "other.jsonl"]);
        let give = |home: &Home| {
            for file in ["other.db", "other.jsonl"] {
                let content = std::fs::read(other.home.path().join(file)).expect("it was made");
                home.write(file, content);
            }
        };
        give(&self.home);
        let empty = crate::home();
        give(&empty);
        let product = |mut scene: Scene, product| {
            scene.product = Some(product);
            scene
        };
        let without_cache = self
            .scene(&["task", "list"])
            .named("task list without a cache");
        crate::store::delete_cache(&crate::store::directory(&without_cache.home));
        let first = Scene::new(&empty, &["task", "add", "First"]).named("first start");
        vec![
            self.scene(&["rebuild"]),
            product(
                self.scene(&["backup", "made.db"]),
                Product::Backup("made.db"),
            ),
            product(
                self.scene(&["export", "made.jsonl"]),
                Product::Export("made.jsonl"),
            ),
            self.scene(&["import", "other.jsonl"])
                .named("import")
                .bringing(),
            self.scene(&["restore", "other.db", "--force"])
                .named("restore --force")
                .bringing(),
            Scene::new(&empty, &["restore", "other.db"])
                .named("restore into nothing")
                .bringing(),
            Scene::new(&empty, &["init"]).named("init"),
            first,
            without_cache,
            self.checkpoint(),
        ]
    }

    /// A write before which the log's WAL has to be written back.
    fn checkpoint(&self) -> Scene {
        let scene = self.scene(&["task", "comment", &self.working, "a comment more"]);
        let wal = crate::store::directory(&scene.home).join("events.db-wal");
        let size = || std::fs::metadata(&wal).map_or(0, |wal| wal.len());
        while size() <= FULL_WAL_BYTES {
            let before = size();
            let comment = ["task", "comment", &self.working, "a comment"];
            scene.home.json(&comment);
            assert!(size() > before, "the WAL was written back too early");
        }
        scene.named("task comment with a full WAL")
    }
}

/// Settling a write that lost a merge. The cloud is gone by then.
fn of_conflicts() -> Vec<Scene> {
    let server = Sqld::start(Auth::Jwt);
    let [a, b] = [(), ()].map(|()| crate::home());
    for home in [&a, &b] {
        configure(home, &server);
    }
    let task = add(&a, &["Draft"]);
    for home in [&a, &b] {
        home.json(&["sync"]);
    }
    a.json(&["task", "update", &task, "--title", "By A"]);
    b.json(&["task", "update", &task, "--title", "By B"]);
    for home in [&a, &b, &a] {
        home.json(&["sync"]);
    }
    let lost = a.json(&["conflicts", "list"])["conflicts"][0]["event_id"].clone();
    let lost = lost.as_str().expect("A's title has lost").to_owned();
    [["conflicts", "ack", &lost], ["conflicts", "restore", &lost]]
        .map(|line| Scene::new(&a, &line))
        .into()
}

fn configure(home: &Home, server: &Sqld) {
    home.write(
        "config/hzl/config.json",
        config(server, "manual").to_string(),
    );
}

fn config(server: &Sqld, policy: &str) -> Value {
    json!({
        "syncUrl": server.url(),
        "authToken": server.token(Access::ReadWrite, 7 * 24 * 3600),
        "db": {"sync": {"policy": policy}},
        "sync": {"claims": if policy == "manual" { "local" } else { "auto" }},
    })
}

/// A ledger that has joined a cloud of its own.
fn joined() -> (Sqld, Ledger) {
    let server = Sqld::start(Auth::Jwt);
    let ledger = Ledger::new();
    configure(&ledger.home, &server);
    ledger.home.json(&["sync"]);
    (server, ledger)
}

/// A sync that pushes, one that pulls, and the first ones of a machine, each with a server of its own.
fn of_clouds() -> Vec<Scene> {
    let sync = |home: &Home, server: Sqld, name: &str| {
        let mut scene = Scene::new(home, &["sync"]).named(name).bringing();
        scene.cloud = Some(Cloud::of(server));
        scene
    };
    let fill = |home: &Home| {
        for number in 0..3 {
            add(
                home,
                &[&format!("Task {number}"), "--comment", "with a note"],
            );
        }
    };
    let (server, pushing) = joined();
    fill(&pushing.home);
    let push = sync(&pushing.home, server, "sync that pushes");

    let (server, elsewhere) = joined();
    let pulling = crate::home();
    configure(&pulling, &server);
    pulling.json(&["sync"]);
    fill(&elsewhere.home);
    elsewhere.home.json(&["sync"]);
    let pull = sync(&pulling, server, "sync that pulls");

    let (server, _elsewhere) = joined();
    let empty = crate::home();
    configure(&empty, &server);
    let join = sync(&empty, server, "first sync of an empty machine");

    let server = Sqld::start(Auth::Jwt);
    let ledger = Ledger::new();
    configure(&ledger.home, &server);
    let found = sync(&ledger.home, server, "first sync into an empty cloud");
    vec![push, pull, join, found]
}

/// Commands that ask the cloud, or leave it to a process in the background.
fn of_policies() -> Vec<Scene> {
    let alone = |scene: Scene, server: Sqld| {
        let mut scene = scene.with_config(&config(&server, "opportunistic"));
        scene.cloud = Some(Cloud::of(server));
        scene
    };
    let (server, ledger) = joined();
    let claim = ledger.scene(&["task", "claim", &ledger.ready, "--agent", "bob"]);
    let claim = alone(claim.named("task claim that asks the cloud"), server);

    let (server, ledger) = joined();
    let add = ledger.scene(&["task", "add", "To be pushed"]);
    let add = alone(add.named("task add and a push in the background"), server);
    vec![claim, add]
}

/// A command whose hook is delivered in the background, or would be: nobody listens there.
fn of_hooks() -> Vec<Scene> {
    let ledger = Ledger::new();
    let scene = ledger.scene(&["task", "complete", &ledger.working]);
    let config = json!({
        "hooks": {"on_done": {"url": "http://127.0.0.1:9/done"}, "allowPrivate": true},
    });
    vec![
        scene
            .named("task complete with a hook")
            .with_config(&config),
    ]
}

/// Returns all scenes.
pub(crate) fn all() -> Vec<Scene> {
    let ledger = Ledger::new();
    let mut scenes = ledger.of_tasks();
    scenes.extend(ledger.of_many());
    scenes.extend(ledger.of_files());
    scenes.extend(of_conflicts());
    scenes.extend(of_clouds());
    scenes.extend(of_policies());
    scenes.extend(of_hooks());
    scenes
}
