//! Node itself: what HZL 3.2.0 and every other program on it takes before its first line runs.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use super::Goal;
use super::Peer;
use super::Question;
use super::version_of;
use crate::stores::Bench;

const QUESTIONS: [Question; 3] = [
    Question {
        name: "nothing (hzl: one task)",
        theirs: &["-e", "0"],
        ours: &["task", "show", "ID"],
    },
    Question {
        name: "nothing (hzl: the next 20)",
        theirs: &["-e", "0"],
        ours: &["task", "list", "--available", "--limit", "20"],
    },
    Question {
        name: "nothing (hzl: add)",
        theirs: &["-e", "0"],
        ours: &["task", "add", "Write it down", "-P", "docs"],
    },
];

pub(super) struct Node {
    version: String,
}

impl Node {
    pub(super) fn find() -> Option<Self> {
        version_of("node").map(|version| Self { version })
    }
}

impl Peer for Node {
    fn name(&self) -> &'static str {
        "Node"
    }

    fn title(&self) -> String {
        format!(
            "Node {} doing nothing (`node -e 0`): the least that a program on it takes, as HZL 3.2.0 is one.",
            self.version
        )
    }

    fn sizes(&self) -> &'static [u64] {
        &[10_000]
    }

    fn questions(&self) -> &'static [Question] {
        &QUESTIONS
    }

    /// None: P7 speaks of programs that keep tasks.
    fn goal(&self) -> Option<Goal> {
        None
    }

    fn lay_out(&self, bench: &Bench, _tasks: u64) -> PathBuf {
        bench.fresh("node")
    }

    fn command(&self, _home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("node");
        command.args(arguments);
        command
    }
}
