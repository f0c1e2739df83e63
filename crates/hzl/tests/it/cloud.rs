//! Several machines and one cloud database: what one does, the others have.

mod background;
mod claims;
mod conflicts;
mod copies;
mod devices;
mod fleet;
mod init;
mod offline;
mod quarantine;
mod strict;
mod upgrade;
mod verify;
mod watching;

use std::fs;
use std::ops::Deref;
use std::ops::DerefMut;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hzl_testkit::home::Home;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use serde_json::Value;
use serde_json::json;

/// How long the background gets for what it does in a fraction of it.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A cloud database that asks for a token, and a token it takes.
pub(crate) struct Cloud {
    pub(crate) server: Sqld,
    pub(crate) token: String,
}

impl Cloud {
    pub(crate) fn start() -> Self {
        let server = Sqld::start(Auth::Jwt);
        let token = server.token(Access::ReadWrite, 3600);
        Self { server, token }
    }

    /// Returns a new machine that is set up with this cloud and syncs only when told to.
    pub(crate) fn device(&self) -> Device {
        let device = Device::new();
        device.configure(&self.server.url(), &self.token, &manual());
        device
    }

    /// Returns two such machines that both have a new task.
    pub(crate) fn pair(&self, task: &[&str]) -> (Device, Device, String) {
        let (a, b) = (self.device(), self.device());
        let task = crate::add(&a, task);
        a.sync();
        b.sync();
        (a, b, task)
    }

    /// Returns a new machine that is set up with this cloud and syncs by itself, without rest.
    pub(crate) fn eager_device(&self) -> Device {
        let device = Device::new();
        device.configure(&self.server.url(), &self.token, &eager());
        device
    }
}

/// Settings with which nothing is synced unless somebody asks.
pub(crate) fn manual() -> Value {
    json!({"policy": "manual"})
}

/// Settings with which every read may start a pull.
pub(crate) fn eager() -> Value {
    json!({"staleAfterMs": 1, "minIntervalMs": 1})
}

/// A machine. What it left running in the background ends with it.
pub(crate) struct Device {
    home: Home,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self::of(crate::home())
    }

    pub(crate) fn of(home: Home) -> Self {
        Self { home }
    }

    /// Writes the config file.
    pub(crate) fn configure(&self, url: &str, token: &str, sync: &Value) {
        let mut config = json!({"syncUrl": url, "db": {"sync": sync}});
        if !token.is_empty() {
            config["authToken"] = json!(token);
        }
        self.home
            .write("config/hzl/config.json", config.to_string());
    }

    /// Returns the content of the config file.
    pub(crate) fn settings(&self) -> Value {
        let path = self.home.config().join("hzl/config.json");
        let text = fs::read_to_string(path).expect("there is a config file");
        serde_json::from_str(&text).expect("the config file is JSON")
    }

    /// Runs `hzl sync` and returns its data.
    #[track_caller]
    pub(crate) fn sync(&self) -> Value {
        self.home.json(&["sync"])["data"].clone()
    }

    /// Runs `hzl sync --merge` and returns its data.
    #[track_caller]
    pub(crate) fn sync_merging(&self) -> Value {
        self.home.json(&["sync", "--merge"])["data"].clone()
    }

    /// Returns the data of `hzl status`, which asks nobody and starts nothing.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.home.json(&["status"])["data"].clone()
    }

    #[track_caller]
    pub(crate) fn hash(&self) -> String {
        let hash = self.status()["stateHash"].clone();
        hash.as_str().expect("a text").to_owned()
    }

    #[track_caller]
    pub(crate) fn pending(&self) -> u64 {
        self.status()["pendingEvents"].as_u64().expect("a number")
    }

    /// Returns the ids of all events, sorted.
    #[track_caller]
    pub(crate) fn event_ids(&self) -> Vec<String> {
        let events = crate::log(self);
        let id = |event: &Value| event["event_id"].as_str().expect("a text").to_owned();
        let mut ids: Vec<String> = events.iter().map(id).collect();
        ids.sort();
        ids
    }

    /// Returns the background processes of this machine's store.
    pub(crate) fn syncers(&self) -> Vec<u32> {
        syncers_below(self.home.path())
    }

    /// Kills the background processes of this machine's store.
    pub(crate) fn kill_syncers(&self) {
        kill(&self.syncers());
    }

    /// Waits until nothing is left to send and nobody is at it.
    #[track_caller]
    pub(crate) fn wait_until_settled(&self) {
        hzl_testkit::wait_until(SOON, "all is sent and nothing runs any more", || {
            self.pending() == 0 && self.syncers().is_empty()
        });
    }
}

impl Deref for Device {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.home
    }
}

impl DerefMut for Device {
    fn deref_mut(&mut self) -> &mut Home {
        &mut self.home
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.kill_syncers();
    }
}

/// Returns the background processes of all stores below a directory.
pub(crate) fn syncers_below(directory: &Path) -> Vec<u32> {
    let mark = format!("HZL_DB_EVENTS_PATH={}/", directory.display());
    let contains = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|at| at == part);
    let processes = fs::read_dir("/proc").expect("processes can be listed");
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        // A process that ends meanwhile is none.
        let read = |file| fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
        contains(&read("cmdline"), b"\0--background\0")
            && contains(&read("environ"), mark.as_bytes())
    })
    .collect()
}

/// Kills processes.
pub(crate) fn kill(ids: &[u32]) {
    for id in ids {
        // Fails only when it has already ended.
        drop(Command::new("kill").args(["-9", &id.to_string()]).output());
    }
}

/// Checks that two machines hold the same.
#[track_caller]
pub(crate) fn assert_same(a: &Device, b: &Device) {
    assert_eq!(a.event_ids(), b.event_ids());
    for read in [
        &[
            "task",
            "list",
            "--view",
            "full",
            "--limit",
            "1000",
            "--stale-threshold",
            "0",
        ][..],
        &["project", "list"],
    ] {
        assert_eq!(a.json(read), b.json(read), "{read:?}");
    }
    let tasks = a.json(&["task", "list", "--limit", "1000"]);
    for task in crate::each(&tasks["tasks"], "task_id").iter().take(20) {
        let show = ["task", "show", task.as_str().expect("a text"), "--deep"];
        assert_eq!(a.json(&show), b.json(&show));
    }
    assert_eq!(a.hash(), b.hash());
}
