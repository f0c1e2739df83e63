//! Made-up ledgers of any size: the export that a team would have after some months of work.
//!
//! The same size and shape give the same bytes, on every machine. `hzl import` makes a store of it, so what is
//! measured or tested is a real store, whatever its schema is by then.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::io::Write;

use serde_json::Value;
use serde_json::json;

use crate::random::Random;
use crate::words::Words;

/// Changes whenever the bytes of a ledger change: what was made before is then made anew.
pub const VERSION: u32 = 1;

/// 2025-01-01T00:00:00Z
const START_MS: u64 = 1_735_689_600_000;
/// All tasks are created within this time; a larger ledger is a busier one.
const SPAN_MS: u64 = 300 * 24 * 3_600_000;
const MONTH_DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const PROJECTS: [&str; 24] = [
    "web", "api", "docs", "mobile", "billing", "infra", "search", "sync", "auth", "design", "data",
    "mail", "support", "research", "release", "security", "import", "reports", "plugins",
    "website", "hiring", "legal", "events", "archive",
];
const TAGS: usize = 60;
const AGENTS: usize = 40;
/// A task depends on one of the last ones, not on any.
const NEAR: usize = 200;

/// What the tasks of a ledger are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Most are finished, some are waited for, a few are being worked on.
    Lived,
    /// All are ready and wait for nothing: enough for everybody who claims.
    Ready,
}

/// The id of task number `n`, from 0.
#[must_use]
pub fn task_id(n: u64) -> String {
    format!("01JGFJJZ00{n:016}")
}

/// What a task is created with.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its title.
    pub title: String,
    /// Its project.
    pub project: &'static str,
    /// Its tags.
    pub tags: Vec<String>,
    /// 0 to 3.
    pub priority: usize,
}

/// Draws tasks, one after the other.
#[derive(Debug)]
pub struct Drafts {
    words: Words,
    random: Random,
}

impl Drafts {
    /// Begins the sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            words: Words::new(),
            random: Random::new(seed),
        }
    }

    /// The next task.
    pub fn next_draft(&mut self) -> Draft {
        let random = &mut self.random;
        let length = 4 + random.below(6);
        let mut tags: Vec<usize> = (0..random.below(4)).map(|_| uneven(random, TAGS)).collect();
        tags.sort_unstable();
        tags.dedup();
        Draft {
            title: self.words.text(random, length),
            project: PROJECTS[uneven(random, PROJECTS.len())],
            tags: tags
                .iter()
                .map(|tag| self.words.ranked(20 + tag).to_owned())
                .collect(),
            priority: [0, 0, 0, 1, 1, 2, 2, 3][random.below(8)],
        }
    }
}

/// An index below `end`, the small ones more often.
fn uneven(random: &mut Random, end: usize) -> usize {
    let bound = 1 + random.below(end);
    random.below(bound)
}

/// One event that is still to come: its time, then its number, so that the order is total.
type Due = Reverse<(u64, u64, Happening)>;

/// What is to happen to a task.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Happening {
    task: u64,
    kind: &'static str,
    data: String,
    author: usize,
}

/// Writes the export of a ledger with so many tasks, in the format of HZL 3.2.0, and returns how many events it has.
///
/// # Errors
///
/// Whatever the writer reports.
pub fn write(tasks: u64, shape: Shape, into: &mut dyn Write) -> io::Result<u64> {
    let mut ledger = Ledger {
        drafts: Drafts::new(7),
        shape,
        due: BinaryHeap::new(),
        numbers: 0,
        events: 0,
        into,
    };
    for project in PROJECTS {
        ledger.put(
            START_MS,
            "__project__",
            "project_created",
            &json!({"name": project}).to_string(),
            0,
        )?;
    }
    for n in 0..tasks {
        let now = START_MS + 1000 + SPAN_MS / tasks.max(1) * n;
        ledger.happen_until(now)?;
        ledger.create(n, now)?;
    }
    ledger.happen_until(u64::MAX)?;
    Ok(ledger.events)
}

struct Ledger<'a> {
    drafts: Drafts,
    shape: Shape,
    due: BinaryHeap<Due>,
    numbers: u64,
    events: u64,
    into: &'a mut dyn Write,
}

impl Ledger<'_> {
    fn create(&mut self, n: u64, now: u64) -> io::Result<()> {
        let draft = self.drafts.next_draft();
        let mut data =
            json!({"title": draft.title, "project": draft.project, "priority": draft.priority});
        if !draft.tags.is_empty() {
            data["tags"] = json!(draft.tags);
        }
        let random = &mut self.drafts.random;
        if random.below(4) > 0 {
            let length = 10 + random.below(40);
            data["description"] = Value::from(self.drafts.words.text(random, length));
        }
        let author = uneven(random, AGENTS);
        if self.shape == Shape::Lived {
            let near = |random: &mut Random| u64::try_from(random.below(NEAR)).unwrap_or(0) + 1;
            if random.chance(6)
                && let Some(on) = n.checked_sub(near(random))
            {
                data["depends_on"] = json!([task_id(on)]);
            }
            // Only every tenth task has subtasks, and none of those has any.
            if !n.is_multiple_of(10) && random.chance(12) {
                data["parent_id"] = Value::from(task_id(n / 10 * 10));
            }
            if random.chance(10) {
                data["links"] = json!([format!("src/{}.rs", self.drafts.words.word(random))]);
            }
        }
        // A subtask is in the project of its parent. So that nothing has to be looked up, families have theirs.
        let is_in_family = n.is_multiple_of(10) || data.get("parent_id").is_some();
        if is_in_family && self.shape == Shape::Lived {
            data["project"] = Value::from(family_project(n));
        }
        self.put(now, &task_id(n), "task_created", &data.to_string(), author)?;
        match self.shape {
            Shape::Lived => self.plan(n, now),
            Shape::Ready => self.later(now + 1, status(n, "backlog", "ready", author)),
        }
        Ok(())
    }

    /// Draws what will become of a task.
    fn plan(&mut self, n: u64, now: u64) {
        let random = &mut self.drafts.random;
        let author = uneven(random, AGENTS);
        let worker = uneven(random, AGENTS);
        let mut at = now;
        let mut pass = |random: &mut Random, hours: usize| {
            at += 1 + u64::try_from(random.below(hours * 3_600_000)).unwrap_or(0);
            at
        };
        let mut plans = vec![];
        // Of a hundred: 8 in the backlog, 8 ready, 4 in progress, 3 blocked, 60 done, 17 archived.
        let fate = random.below(100);
        if fate >= 8 {
            plans.push((pass(random, 24), status(n, "backlog", "ready", author)));
        }
        if fate >= 16 {
            plans.push((pass(random, 72), status(n, "ready", "in_progress", worker)));
            for _ in 0..random.below(3) {
                let length = 3 + random.below(6);
                let data = json!({
                    "name": self.drafts.words.text(random, length),
                    "progress": 10 + random.below(80),
                });
                plans.push((
                    pass(random, 6),
                    happening(n, "checkpoint_recorded", &data, worker),
                ));
            }
        }
        for _ in 0..random.below(3) {
            let length = 5 + random.below(30);
            let data = json!({"text": self.drafts.words.text(random, length)});
            plans.push((
                pass(random, 12),
                happening(n, "comment_added", &data, author),
            ));
        }
        match fate {
            20..=22 => plans.push((pass(random, 8), status(n, "in_progress", "blocked", worker))),
            23.. => plans.push((pass(random, 24), status(n, "in_progress", "done", worker))),
            _ => {}
        }
        if fate >= 83 {
            plans.push((
                pass(random, 240),
                happening(n, "task_archived", &json!({}), author),
            ));
        }
        for (at, plan) in plans {
            self.later(at, plan);
        }
    }

    fn later(&mut self, at: u64, happening: Happening) {
        self.numbers += 1;
        self.due.push(Reverse((at, self.numbers, happening)));
    }

    fn happen_until(&mut self, now: u64) -> io::Result<()> {
        while let Some(Reverse((at, _, _))) = self.due.peek()
            && *at < now
        {
            let Some(Reverse((at, _, happening))) = self.due.pop() else {
                break;
            };
            let Happening {
                task,
                kind,
                data,
                author,
            } = happening;
            self.put(at, &task_id(task), kind, &data, author)?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        at: u64,
        task: &str,
        kind: &str,
        data: &str,
        author: usize,
    ) -> io::Result<()> {
        self.events += 1;
        let (event, time) = (self.events, time(at));
        writeln!(
            self.into,
            r#"{{"event_id":"01JGFJK0{event:018}","task_id":"{task}","type":"{kind}","data":{data},"author":"agent-{author}","timestamp":"{time}"}}"#,
        )
    }
}

fn family_project(n: u64) -> &'static str {
    let family = usize::try_from(n / 10).unwrap_or(0);
    PROJECTS[family % PROJECTS.len()]
}

fn happening(task: u64, kind: &'static str, data: &Value, author: usize) -> Happening {
    let data = data.to_string();
    Happening {
        task,
        kind,
        data,
        author,
    }
}

fn status(task: u64, from: &str, to: &str, author: usize) -> Happening {
    happening(
        task,
        "status_changed",
        &json!({"from": from, "to": to}),
        author,
    )
}

/// An instant of 2025 as text, from milliseconds since 1970.
fn time(ms: u64) -> String {
    let (mut day, rest) = ((ms - START_MS) / 86_400_000, ms % 86_400_000);
    let mut month = 0;
    while day >= MONTH_DAYS[month] {
        day -= MONTH_DAYS[month];
        month += 1;
    }
    let (month, day) = (month + 1, day + 1);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, ms) = (rest / 1000 % 60, rest % 1000);
    format!("2025-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(tasks: u64, shape: Shape) -> String {
        let mut bytes = vec![];
        write(tasks, shape, &mut bytes).expect("memory can be written to");
        String::from_utf8(bytes).expect("it is text")
    }

    #[test]
    fn a_ledger_is_the_same_each_time_and_in_the_order_of_time() {
        let text = made(300, Shape::Lived);
        assert_eq!(text, made(300, Shape::Lived));
        let times: Vec<String> = text
            .lines()
            .map(|line| {
                let event: Value = serde_json::from_str(line).expect("a line is JSON");
                event["timestamp"].as_str().expect("a time").to_owned()
            })
            .collect();
        assert!(times.is_sorted());
        assert!((1200..1800).contains(&times.len()), "{}", times.len());
        assert_eq!(time(START_MS), "2025-01-01T00:00:00.000Z");
        assert_eq!(time(1_740_787_199_999), "2025-02-28T23:59:59.999Z");
        assert_eq!(time(1_740_787_200_000), "2025-03-01T00:00:00.000Z");
        assert_eq!(time(1_767_225_599_999), "2025-12-31T23:59:59.999Z");
    }

    #[test]
    fn tasks_that_are_all_ready_have_two_events_each() {
        assert_eq!(made(50, Shape::Ready).lines().count(), PROJECTS.len() + 100);
    }
}
