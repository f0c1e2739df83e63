//! Backlog.md, a program on Bun, which keeps each task in a file and reads all of them.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use hzl_testkit::made_up::Drafts;

use super::Goal;
use super::Peer;
use super::Question;
use super::version_of;
use crate::stores::Bench;

const QUESTIONS: [Question; 3] = [
    Question {
        name: "add",
        theirs: &["task", "create", "Write it down", "-l", "docs", "--plain"],
        ours: &["task", "add", "Write it down", "-P", "docs"],
    },
    Question {
        name: "one task",
        theirs: &["task", "view", "500", "--plain"],
        ours: &["task", "show", "ID"],
    },
    Question {
        name: "a list of all",
        theirs: &["task", "list", "--plain"],
        ours: &["task", "list", "--limit", "1000"],
    },
];

pub(super) struct Backlog {
    version: String,
}

impl Backlog {
    pub(super) fn find() -> Option<Self> {
        version_of("backlog").map(|version| Self { version })
    }
}

impl Peer for Backlog {
    fn name(&self) -> &'static str {
        "Backlog.md"
    }

    fn title(&self) -> String {
        format!(
            "Backlog.md {} with as many open tasks and without git, in turn with hzl.",
            self.version
        )
    }

    fn sizes(&self) -> &'static [u64] {
        &[1000]
    }

    fn questions(&self) -> &'static [Question] {
        &QUESTIONS
    }

    fn goal(&self) -> Option<Goal> {
        Some(Goal {
            tasks: 1000,
            times: 30.0,
        })
    }

    fn lay_out(&self, bench: &Bench, tasks: u64) -> PathBuf {
        let home = bench.fresh(&format!("backlog-{tasks}"));
        fs::create_dir_all(&home).expect("target/ is writable");
        let settings = ["--no-git", "--defaults", "--integration-mode", "none"];
        let mut init = self.command(&home, &["init", "bench"]);
        let made = init.args(settings).stdin(Stdio::null()).output();
        assert!(
            made.expect("backlog starts").status.success(),
            "backlog makes a project"
        );
        let folder = home.join("backlog/tasks");
        fs::create_dir_all(&folder).expect("target/ is writable");
        let mut drafts = Drafts::new(7);
        for n in 1..=tasks {
            let draft = drafts.next_draft();
            let priority = ["low", "low", "medium", "high"][draft.priority];
            let text = format!(
                "---\nid: TASK-{n}\ntitle: {:?}\nstatus: To Do\nassignee: []\n\
                 created_date: '2025-01-01 00:00'\nlabels:\n  - {}\ndependencies: []\n\
                 priority: {priority}\nordinal: {n}000\n---\n\n## Description\n\nAs it says.\n",
                draft.title, draft.project
            );
            fs::write(folder.join(format!("task-{n} - Task.md")), text)
                .expect("target/ is writable");
        }
        let listed = self.command(&home, &["task", "list", "--plain"]).output();
        let listed = listed.expect("backlog starts").stdout;
        let listed = String::from_utf8_lossy(&listed);
        let count = listed.matches("TASK-").count() as u64;
        assert_eq!(count, tasks, "backlog finds the tasks");
        home
    }

    fn command(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("backlog");
        command.args(arguments).env("HOME", home);
        command.env("BACKLOG_CWD", home);
        command
    }
}
