//! A home directory on the disk that is measured, and hzl in it.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

/// A home of hzl. Its files stay.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    hzl: PathBuf,
    directory: PathBuf,
}

impl Machine {
    pub(crate) fn new(hzl: &Path, directory: impl Into<PathBuf>) -> Self {
        Self {
            hzl: hzl.to_owned(),
            directory: directory.into(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.directory.join("data/hzl")
    }

    /// Makes the home as empty as a new one.
    pub(crate) fn clear(&self) {
        drop(fs::remove_dir_all(&self.directory));
        fs::create_dir_all(&self.directory).expect("a home can be made");
    }

    /// Becomes a copy of another machine.
    pub(crate) fn copy_from(&self, other: &Self) {
        self.clear();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(other.directory.join("data"))
            .arg(&self.directory)
            .status();
        assert!(
            copied.expect("cp starts").success(),
            "a store cannot be copied"
        );
    }

    /// Reads its files, so that they are in memory as those of a copy are.
    pub(crate) fn read_through(&self) {
        for entry in fs::read_dir(self.store()).expect("a store is there") {
            let path = entry.expect("an entry").path();
            let mut file = File::open(path).expect("a file of a store opens");
            io::copy(&mut file, &mut io::sink()).expect("it can be read");
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hzl);
        command.args(arguments).env_clear();
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        command
    }

    pub(crate) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let below = |folder| self.directory.join(folder);
        vec![
            ("HOME", self.directory.clone()),
            ("XDG_DATA_HOME", below("data")),
            ("XDG_CONFIG_HOME", below("config")),
            ("XDG_CACHE_HOME", below("cache")),
            ("XDG_STATE_HOME", below("state")),
            ("HZL_DEV_MODE", "0".into()),
        ]
    }

    /// Runs hzl and returns its answer.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().expect("hzl starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "hzl {} failed:\n{text}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_str(&text).expect("the answer is JSON")
    }

    /// Sets it up with a cloud, with which it syncs only when told to.
    pub(crate) fn join(&self, url: &str) {
        let config = json!({"syncUrl": url, "db": {"sync": {"policy": "manual"}}, "sync": {"claims": "strict"}});
        let directory = self.directory.join("config/hzl");
        fs::create_dir_all(&directory).expect("a directory can be made");
        fs::write(directory.join("config.json"), config.to_string())
            .expect("settings can be written");
    }

    /// The ids of so many tasks that anybody may claim, best first; fewer if there are not so many.
    pub(crate) fn claimable(&self, count: usize) -> Vec<String> {
        let list = self.json(&["task", "list", "--available", "--limit", &count.to_string()]);
        let tasks = list["tasks"].as_array().expect("a list has tasks");
        let ids = tasks.iter().filter_map(|task| task["task_id"].as_str());
        ids.map(str::to_owned).collect()
    }
}
