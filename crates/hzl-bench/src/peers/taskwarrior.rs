//! taskwarrior, which reads all tasks to do anything.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::made_up::Drafts;
use serde_json::json;

use super::Goal;
use super::Peer;
use super::Question;
use super::version_of;
use crate::stores::Bench;

const QUESTIONS: [Question; 3] = [
    Question {
        name: "add",
        theirs: &["add", "Write it down", "project:docs"],
        ours: &["task", "add", "Write it down", "-P", "docs"],
    },
    Question {
        name: "the next 20",
        theirs: &["next", "limit:20"],
        ours: &["task", "list", "--available", "--limit", "20"],
    },
    Question {
        name: "a list of 50",
        theirs: &["list", "limit:50"],
        ours: &["task", "list", "--limit", "50"],
    },
];

pub(super) struct Taskwarrior {
    version: String,
}

impl Taskwarrior {
    pub(super) fn find() -> Option<Self> {
        version_of("task").map(|version| Self { version })
    }
}

impl Peer for Taskwarrior {
    fn name(&self) -> &'static str {
        "taskwarrior"
    }

    fn title(&self) -> String {
        format!(
            "taskwarrior {} with as many open tasks, in turn with hzl.",
            self.version
        )
    }

    fn sizes(&self) -> &'static [u64] {
        &[1000, 10_000]
    }

    fn questions(&self) -> &'static [Question] {
        &QUESTIONS
    }

    fn goal(&self) -> Option<Goal> {
        Some(Goal {
            tasks: 10_000,
            times: 10.0,
        })
    }

    fn lay_out(&self, bench: &Bench, tasks: u64) -> PathBuf {
        let home = bench.fresh(&format!("taskwarrior-{tasks}"));
        fs::create_dir_all(home.join("data")).expect("target/ is writable");
        fs::write(home.join("taskrc"), "confirmation=off\nverbose=nothing\n")
            .expect("target/ is writable");
        let file = home.join("tasks.json");
        fs::write(&file, lines(tasks)).expect("target/ is writable");
        let imported = self
            .command(&home, &["import"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        assert!(
            imported.expect("task starts").status.success(),
            "taskwarrior takes the tasks"
        );
        home
    }

    fn command(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("task");
        command.args(arguments).env("HOME", home);
        command
            .env("TASKRC", home.join("taskrc"))
            .env("TASKDATA", home.join("data"));
        command
    }
}

/// So many tasks, as taskwarrior imports them.
fn lines(tasks: u64) -> String {
    let mut drafts = Drafts::new(7);
    let task_of = |n: u64| {
        let draft = drafts.next_draft();
        let priority = ["", "L", "M", "H"][draft.priority];
        let mut task = json!({
            "uuid": format!("00000000-0000-4000-8000-{n:012}"),
            "description": draft.title,
            "project": draft.project,
            "tags": draft.tags,
            "status": "pending",
            "entry": "20250101T000000Z",
        });
        if !priority.is_empty() {
            task["priority"] = json!(priority);
        }
        task.to_string()
    };
    let lines: Vec<String> = (0..tasks).map(task_of).collect();
    lines.join("\n")
}
