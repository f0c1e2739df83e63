//! Commands whose cost is counted, in system calls and in what goes over the wire.
//!
//! ```text
//! for case in counted::cases(&home) {
//!     println!("{}: {}", case.name, case.count().total());
//! }
//! ```
//!
//! Each case begins with the same files, so it makes the same calls each time.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::json;

use crate::home::Call;
use crate::home::Home;
use crate::proxy::Proxy;
use crate::servers::Auth;
use crate::servers::Sqld;
use crate::strace;
use crate::words::Words;

/// System calls that make the disk keep what was written.
const SYNCS: [&str; 5] = ["fsync", "fdatasync", "sync", "syncfs", "sync_file_range"];
/// System calls for memory, and for threads to wait for one another: how many there are depends on the allocator
/// and on the scheduler, and none of them touches a file.
const MEMORY: [&str; 8] = [
    "brk",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "futex",
    "sched_yield",
];

/// The rank of the word that is searched for.
const RARE: usize = 3000;

/// A command on a store.
#[derive(Debug)]
pub struct Case {
    /// Its words, without ids and options.
    pub name: &'static str,
    /// Whether it writes an event.
    pub writes: bool,
    home: Rc<Home>,
    arguments: Vec<String>,
}

/// How often a run made each system call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// By name.
    pub by_name: BTreeMap<String, u32>,
}

impl Counts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.by_name.values().sum()
    }

    /// Those that wait for the disk.
    #[must_use]
    pub fn syncs(&self) -> u32 {
        self.sum(|name| SYNCS.contains(&name))
    }

    /// All but those for memory.
    #[must_use]
    pub fn without_memory(&self) -> u32 {
        self.sum(|name| !MEMORY.contains(&name))
    }

    fn sum(&self, counts: impl Fn(&str) -> bool) -> u32 {
        let wanted = self.by_name.iter().filter(|(name, _)| counts(name));
        wanted.map(|(_, count)| count).sum()
    }
}

impl Case {
    /// A home of its own with the files that the case begins with.
    #[must_use]
    pub fn home(&self) -> Home {
        self.home.duplicate()
    }

    /// The command in that home, not yet started.
    #[must_use]
    pub fn call(&self, home: &Home) -> Call {
        let words: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        home.call(&words)
    }

    /// Counts the system calls of the command.
    ///
    /// # Panics
    ///
    /// When it fails, or there is no strace.
    #[must_use]
    #[track_caller]
    pub fn count(&self) -> Counts {
        let (_, by_name) = match self.writes {
            true => strace::tally(self.call(&self.home())),
            false => strace::tally(self.call(&self.home)),
        };
        Counts { by_name }
    }
}

/// The commands that agents call most, on a store that is there already, has a task in work and ones that can be
/// claimed.
///
/// All begin after a write, as nearly all do: what it left in the WALs costs each process a read per page. The first write
/// after a checkpoint is a case of its own.
///
/// # Panics
///
/// When the store is not so.
#[must_use]
pub fn cases(home: &Home) -> Vec<Case> {
    let fresh = Rc::new(home.duplicate());
    let held = fresh.json(&["task", "list", "-s", "in_progress", "--limit", "1"]);
    let id = held["tasks"][0]["task_id"].as_str();
    let id = id.expect("a task is in work");
    let in_use = Rc::new(fresh.duplicate());
    in_use.json(&["task", "comment", id, "It goes on"]);
    let rare = Words::new().ranked(RARE).to_owned();
    let case = |home: &Rc<Home>, name, writes, arguments: &[&str]| Case {
        name,
        writes,
        home: Rc::clone(home),
        arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
    };
    let read = |name, arguments: &[&str]| case(&in_use, name, false, arguments);
    let write = |name, arguments: &[&str]| case(&in_use, name, true, arguments);
    let few = ["--limit", "20"];
    let add = ["task", "add", "Write it down", "-P", "web", "-s", "ready"];
    vec![
        read("task show", &["task", "show", id]),
        read("task list", &[&["task", "list"], &few[..]].concat()),
        read(
            "task list --available",
            &[&["task", "list", "--available"], &few[..]].concat(),
        ),
        read("task search", &["task", "search", &rare]),
        read("status", &["status"]),
        case(&fresh, "task add, the first after a checkpoint", true, &add),
        write("task add", &add),
        write(
            "task claim --next",
            &["task", "claim", "--next", "--agent", "ada"],
        ),
        write("task complete", &["task", "complete", id]),
    ]
}

/// A sync, as a proxy before a real server sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was synced.
    pub name: &'static str,
    /// How many requests.
    pub round_trips: usize,
    /// What they were together, heads included.
    pub sent_bytes: usize,
    /// What came back, heads included.
    pub received_bytes: usize,
}

/// Syncs an empty home with a server of its own, and counts what goes over the wire.
///
/// # Panics
///
/// When a sync fails.
#[must_use]
pub fn exchanges(home: &Home) -> Vec<Exchange> {
    let sqld = Sqld::start(Auth::None);
    let proxy = Proxy::start(&sqld.url());
    let config = json!({"syncUrl": proxy.url(), "db": {"sync": {"policy": "manual"}}, "sync": {"claims": "strict"}});
    home.write("config/hzl/config.json", config.to_string());
    let mut seen = 0;
    let mut count = |name, arguments: &[&str]| {
        home.json(arguments);
        let all = proxy.exchanges();
        let new = &all[seen..];
        seen = all.len();
        Exchange {
            name,
            round_trips: new.len(),
            sent_bytes: new.iter().map(|exchange| exchange.request_bytes).sum(),
            received_bytes: new.iter().map(|exchange| exchange.reply_bytes).sum(),
        }
    };
    count("", &["sync"]);
    let nothing = count("a sync with nothing to do", &["sync"]);
    let add = ["task", "add", "Write it down", "-s", "ready"];
    count("", &add);
    let one = count("a sync that pushes one task", &["sync"]);
    let claim = ["task", "claim", "--next", "--agent", "ada"];
    let claim = count("a claim that the cloud confirms", &claim);
    vec![nothing, one, claim]
}
