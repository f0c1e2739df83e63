//! Eight machines with eight processes each, all after the same tasks on one real server: no task is ever
//! confirmed to two of them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use hzl_testkit::home::{Home, Run};
use hzl_testkit::servers::{Auth, Sqld};
use serde_json::{Value, json};

use crate::{home, setting};

const MACHINES: usize = 8;
const PROCESSES: usize = 8;

/// Nothing was confirmed in time, and nothing is claimed here.
const NOT_CONFIRMED: i32 = 8;

/// What the claimers were told.
#[derive(Default)]
struct Told {
    /// Who holds a task, and by which claim.
    confirmed: BTreeMap<String, (String, String)>,
    twice: Vec<String>,
    unanswered: usize,
}

/// Long: HZL_TEST_CLAIMS=10000.
#[test]
fn no_task_is_confirmed_to_two_claimers() {
    let tasks = usize::try_from(setting("HZL_TEST_CLAIMS", 96)).expect("not that many");
    let sqld = Sqld::start(Auth::None);
    let machines: Vec<Home> = (0..MACHINES).map(|_| machine(&sqld)).collect();
    add_tasks(&machines[0], tasks);
    for machine in &machines {
        machine.json(&["sync"]);
    }
    let started = Instant::now();
    let told = Mutex::new(Told::default());
    thread::scope(|scope| {
        for (at, machine) in machines.iter().enumerate() {
            for process in 0..PROCESSES {
                let (told, agent) = (&told, format!("agent-{at}-{process}"));
                scope.spawn(move || claim_until_none_is_left(machine, &agent, told));
            }
        }
    });
    let took = started.elapsed();
    let told = told.into_inner().expect("no claimer panicked");
    assert_eq!(told.twice, Vec::<String>::new(), "confirmed to two");
    for machine in machines.iter().chain(&machines) {
        machine.json(&["sync"]);
    }
    assert_held_as_told(&machines, &told, tasks);
    println!(
        "{} claims confirmed to {} claimers, {} unanswered, in {took:.1?}",
        told.confirmed.len(),
        MACHINES * PROCESSES,
        told.unanswered
    );
}

/// A machine whose claims are confirmed by the cloud or not made, and that otherwise syncs when told to.
fn machine(sqld: &Sqld) -> Home {
    let home = home();
    let config = json!({
        "syncUrl": sqld.url(),
        "sync": {"claims": "strict"},
        "db": {"sync": {"policy": "manual"}},
    });
    home.write("config/hzl/config.json", config.to_string());
    home
}

fn add_tasks(home: &Home, count: usize) {
    let tasks =
        (0..count).map(|number| json!({"title": format!("Task {number}"), "status": "ready"}));
    let tasks: Vec<Value> = tasks.collect();
    for part in tasks.chunks(500) {
        let call = home.call(&["task", "add", "--from-json", "-"]);
        call.stdin(Value::from(part).to_string()).json();
    }
}

fn claim_until_none_is_left(home: &Home, agent: &str, told: &Mutex<Told>) {
    loop {
        let run = home.hzl(&["task", "claim", "--next", "--agent", agent]);
        if !note(&run, agent, told) {
            return;
        }
    }
}

/// Notes what a claimer was told. Returns whether there may be more.
fn note(run: &Run, agent: &str, told: &Mutex<Told>) -> bool {
    if run.exit == NOT_CONFIRMED {
        told.lock().expect("no claimer panicked").unanswered += 1;
        return true;
    }
    assert_eq!(run.exit, 0, "{run}");
    let answer = run.json();
    let Some(task) = answer["task_id"].as_str() else {
        return false;
    };
    assert_eq!(answer["claim"]["state"], "confirmed", "{run}");
    let claim = answer["claim"]["id"].as_str().expect("a claim has an id");
    let mut told = told.lock().expect("no claimer panicked");
    told.confirm(task, &(agent.to_owned(), claim.to_owned()));
    drop(told);
    true
}

impl Told {
    fn confirm(&mut self, task: &str, holder: &(String, String)) {
        if let Some(other) = self.confirmed.insert(task.to_owned(), holder.clone()) {
            self.twice.push(format!("{task}: {other:?} and {holder:?}"));
        }
    }
}

/// Everybody holds what they were told, on every machine, and nobody lost anything.
fn assert_held_as_told(machines: &[Home], told: &Told, tasks: usize) {
    let first = machines[0].json(&["status"])["data"].clone();
    for machine in machines {
        let status = machine.json(&["status"])["data"].clone();
        assert_eq!(status["stateHash"], first["stateHash"]);
        assert_eq!(status["conflicts"], 0, "{status}");
        assert_eq!(status["pendingEvents"], 0, "{status}");
    }
    let last = &machines[MACHINES - 1];
    let list = last.json(&["task", "list", "--view", "full", "--limit", "1000000"]);
    let listed = list["tasks"].as_array().expect("a list");
    assert_eq!(listed.len(), tasks);
    for task in listed {
        let id = task["task_id"].as_str().expect("an id");
        match told.confirmed.get(id) {
            Some((agent, _)) => assert_eq!(task["agent"], agent.as_str(), "{task}"),
            // A claim whose confirmation came too late for its claimer has been given back, or will be.
            None => assert!(told.unanswered > 0, "{task} was never claimed"),
        }
    }
}
