//! Claims where a cloud decides: confirmed before the command returns, or provisional, or refused.

use std::collections::BTreeSet;
use std::time::Duration;
use std::time::Instant;

use hzl_testkit::relay::Fate;
use hzl_testkit::relay::Relay;
use hzl_testkit::servers::Tursodb;
use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::assert_same;
use crate::add;

/// Sets a machine up that syncs only for claims, in this way.
fn claimer(cloud: &Cloud, claims: &str) -> Device {
    let device = cloud.device();
    let config = json!({
        "syncUrl": cloud.server.url(),
        "authToken": cloud.token,
        "sync": {"claims": claims},
        "db": {"sync": {"staleAfterMs": 86_400_000}},
    });
    device.write("config/hzl/config.json", config.to_string());
    device
}

fn state(claim: &Value) -> &str {
    claim["claim"]["state"].as_str().expect("a claim")
}

#[test]
fn a_confirmed_claim_is_known_to_all_at_once() {
    let cloud = Cloud::start();
    let (a, b) = (claimer(&cloud, "auto"), claimer(&cloud, "auto"));
    let first = add(&a, &["First", "-s", "ready", "-p", "2"]);
    let second = add(&a, &["Second", "-s", "ready"]);
    a.sync();
    b.sync();
    let claim = a.json(&["task", "claim", &first, "--agent", "ann", "--lease", "30"]);
    assert_eq!(state(&claim), "confirmed", "{claim}");
    assert_eq!(claim["agent"], "ann");
    // B has not synced since, and hears of it by asking.
    let refused = b.fails(&["task", "claim", &first, "--agent", "bob"], 3);
    let reason = &refused["error"]["details"]["decision_trace"]["outcome"]["reason_code"];
    assert_eq!(*reason, "not_ready", "{refused}");
    let next = b.json(&["task", "claim", "--next", "--agent", "bob"]);
    assert_eq!(
        (&next["task_id"], state(&next)),
        (&json!(second), "confirmed")
    );
    let none = b.json(&["task", "claim", "--next", "--agent", "bob"]);
    assert_eq!(none["task_id"], Value::Null);
    a.sync();
    b.sync();
    assert_same(&a, &b);
    assert_eq!(a.status()["conflicts"], 0, "nobody lost anything");
    let id = claim["claim"]["id"].as_str().unwrap();
    a.json(&["task", "complete", &first, "--claim", id]);
}

#[test]
fn what_waits_is_sent_before_the_claim() {
    let cloud = Cloud::start();
    let (a, b) = (claimer(&cloud, "auto"), claimer(&cloud, "local"));
    add(&a, &["Early"]);
    a.sync();
    a.kill_syncers();
    let task = add(&a, &["New", "-s", "ready"]);
    let claim = a.json(&["task", "claim", &task, "--agent", "ann"]);
    assert_eq!(state(&claim), "confirmed");
    b.sync();
    assert_eq!(b.json(&["task", "show", &task])["task"]["agent"], "ann");
    let other = add(&b, &["Local", "-s", "ready"]);
    let claim = b.json(&["task", "claim", &other, "--agent", "bob"]);
    assert_eq!(state(&claim), "provisional", "local never asks");
}

#[test]
fn without_the_cloud_auto_is_provisional_and_strict_refuses() {
    let mut cloud = Cloud::start();
    let (auto, strict) = (claimer(&cloud, "auto"), claimer(&cloud, "strict"));
    let one = add(&auto, &["One", "-s", "ready"]);
    let two = add(&auto, &["Two", "-s", "ready"]);
    auto.sync();
    strict.sync();
    cloud.server.stop();
    let started = Instant::now();
    let claim = auto.json(&["task", "claim", &one, "--agent", "ann"]);
    assert_eq!(state(&claim), "provisional");
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    let before = strict.event_ids();
    let error = strict.fails(&["task", "claim", &two, "--agent", "bob"], 8);
    assert_eq!(error["error"]["code"], "sync_unavailable");
    assert_eq!(error["error"]["details"]["outcome"], "unknown");
    assert_eq!(strict.event_ids(), before, "nothing was claimed");
    assert_eq!(
        strict.json(&["task", "show", &two])["task"]["status"],
        "ready"
    );
    cloud.server.restart();
    auto.kill_syncers();
    auto.sync();
    let claim = strict.json(&["task", "claim", "--next", "--agent", "bob"]);
    assert_eq!(
        (&claim["task_id"], state(&claim)),
        (&json!(two), "confirmed")
    );
    auto.sync();
    assert_same(&auto, &strict);
    assert_eq!(auto.status()["conflicts"], 0);
}

#[test]
fn no_task_is_confirmed_to_two_of_many_claimers() {
    const TASKS: usize = 24;
    let cloud = Cloud::start();
    let devices: Vec<Device> = (0..3).map(|_| claimer(&cloud, "strict")).collect();
    for n in 0..TASKS {
        add(&devices[0], &[&format!("Task {n}"), "-s", "ready"]);
    }
    for device in &devices {
        device.sync();
    }
    let mut taken = vec![];
    while taken.len() < TASKS {
        let running: Vec<_> = devices
            .iter()
            .flat_map(|device| ["one", "two"].map(|agent| (device, agent)))
            .map(|(device, agent)| device.spawn(&["task", "claim", "--next", "--agent", agent]))
            .collect();
        let answers = running.into_iter().map(|running| running.wait());
        let before = taken.len();
        for run in answers {
            // Under a crowd a claim may not be confirmed in time; then it says so.
            if run.exit == 8 {
                continue;
            }
            assert_eq!(run.exit, 0, "{run}");
            let claim = run.json();
            if let Some(task_id) = claim["task_id"].as_str() {
                assert_eq!(state(&claim), "confirmed", "{claim}");
                taken.push(task_id.to_owned());
            }
        }
        assert!(taken.len() > before, "somebody always gets one");
    }
    let each: BTreeSet<&String> = taken.iter().collect();
    assert_eq!(each.len(), TASKS, "every task was handed out once");
    for device in &devices {
        device.sync();
    }
    for device in &devices[1..] {
        assert_same(&devices[0], device);
    }
    assert_eq!(devices[0].status()["conflicts"], 0);
}

#[test]
fn a_workflow_starts_with_a_confirmed_claim() {
    let cloud = Cloud::start();
    let (a, b) = (claimer(&cloud, "strict"), claimer(&cloud, "strict"));
    let task = add(&a, &["Only one", "-s", "ready"]);
    a.sync();
    b.sync();
    let start = ["workflow", "run", "start", "--any-project", "--agent"];
    let line = |agent: &'static str| [&start[..], &[agent]].concat();
    let started = a.json(&line("ann"));
    assert_eq!(
        (&started["mode"], &started["selected"]["task_id"]),
        (&json!("claim_next"), &json!(task))
    );
    let other = b.json(&line("bob"));
    assert_eq!(
        other["mode"], "none",
        "B has heard of it by asking: {other}"
    );
    assert_eq!(a.json(&line("ann"))["mode"], "resume");
    a.sync();
    assert_eq!(a.status()["conflicts"], 0);
    assert_same(&a, &b);
}

#[test]
fn a_workflow_with_a_key_starts_with_a_confirmed_claim_once() {
    let cloud = Cloud::start();
    let (a, b) = (claimer(&cloud, "strict"), claimer(&cloud, "strict"));
    let tasks: BTreeSet<String> = (0..12)
        .map(|number| add(&a, &[&format!("Task {number}"), "-s", "ready"]))
        .collect();
    a.sync();
    b.sync();
    let start = ["workflow", "run", "start", "--any-project"];
    let mut started = BTreeSet::new();
    for round in 0..4 {
        let (agent, key) = (format!("ann{round}"), format!("key{round}"));
        let line = [&start[..], &["--agent", &agent, "--op-id", &key]].concat();
        // All at once: one of them carries it out, the others give its answer.
        let runs: Vec<_> = (0..4).map(|_| a.spawn(&line)).collect();
        let answers: Vec<Value> = runs.into_iter().map(|run| run.wait().json()).collect();
        let chosen = answers[0]["selected"]["task_id"].as_str().unwrap();
        assert!(tasks.contains(chosen), "{answers:?}");
        assert!(started.insert(chosen.to_owned()), "{chosen} is given twice");
        for answer in &answers {
            assert_eq!(answer["selected"]["task_id"], chosen, "{answers:?}");
            assert_eq!(answer["claim_id"], answers[0]["claim_id"]);
        }
        let first = |answer: &&Value| answer["idempotency"]["replayed"] == false;
        assert_eq!(answers.iter().filter(first).count(), 1, "{answers:?}");
        let held = a.json(&["task", "list", "--agent", &agent, "-s", "in_progress"]);
        assert_eq!(held["total"], 1, "{held}");
        // B hears of it from the cloud, without A having synced.
        b.sync();
        let seen = b.json(&["task", "show", chosen])["task"].clone();
        assert_eq!(seen["agent"], json!(agent), "{seen}");
    }
    a.sync();
    b.sync();
    assert_eq!(a.status()["conflicts"], 0);
    assert_same(&a, &b);
}

#[test]
fn the_other_server_confirms_claims_as_well() {
    let server = Tursodb::start();
    let (a, b) = (Device::new(), Device::new());
    for device in [&a, &b] {
        let config = json!({
            "syncUrl": server.url(),
            "sync": {"claims": "strict"},
            "db": {"sync": {"staleAfterMs": 86_400_000}},
        });
        device.write("config/hzl/config.json", config.to_string());
    }
    let first = add(&a, &["First", "-s", "ready", "-p", "1"]);
    let second = add(&a, &["Second", "-s", "ready"]);
    a.sync();
    b.sync();
    let claim = a.json(&["task", "claim", "--next", "--agent", "ann"]);
    assert_eq!(
        (&claim["task_id"], state(&claim)),
        (&json!(first), "confirmed")
    );
    let claim = b.json(&["task", "claim", "--next", "--agent", "bob"]);
    assert_eq!(
        (&claim["task_id"], state(&claim)),
        (&json!(second), "confirmed")
    );
    a.sync();
    assert_same(&a, &b);
    assert_eq!(a.status()["conflicts"], 0);
}

#[test]
fn a_strict_claim_whose_reply_was_lost_is_given_back() {
    let cloud = Cloud::start();
    let (a, b) = (claimer(&cloud, "strict"), claimer(&cloud, "strict"));
    let relay = Relay::to(&cloud.server.url());
    let config = json!({
        "syncUrl": relay.url(),
        "authToken": cloud.token,
        "sync": {"claims": "strict"},
        "db": {"sync": {"policy": "manual"}},
    });
    a.write("config/hzl/config.json", config.to_string());
    let task = add(&a, &["Wanted", "-s", "ready"]);
    a.sync();
    relay.plan(&[Fate::LoseReply], Fate::LoseRequest);
    let error = a.fails(&["task", "claim", &task, "--agent", "ann"], 8)["error"].clone();
    assert_eq!(error["details"]["outcome"], "unknown", "{error}");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("gives the task back"),
        "{error}"
    );
    b.sync();
    let held = b.json(&["task", "show", &task])["task"].clone();
    assert_eq!(held["agent"], "ann", "the cloud has the claim: {held}");
    relay.plan(&[], Fate::Pass);
    let synced = a.sync();
    assert_eq!(
        (&synced["released"], &synced["pulled"]),
        (&json!(1), &json!(1)),
        "{synced}"
    );
    assert_eq!(a.pending(), 0, "and that was sent at once");
    b.sync();
    let claim = b.json(&["task", "claim", &task, "--agent", "bob"]);
    assert_eq!(state(&claim), "confirmed");
    a.sync();
    assert_same(&a, &b);
    assert_eq!(a.status()["conflicts"], 0);
}

#[test]
fn who_claims_again_after_a_lost_reply_gets_the_task() {
    let cloud = Cloud::start();
    let relay = Relay::to(&cloud.server.url());
    let a = Device::new();
    let config = json!({
        "syncUrl": relay.url(),
        "authToken": cloud.token,
        "sync": {"claims": "strict"},
        "db": {"sync": {"policy": "manual"}},
    });
    a.write("config/hzl/config.json", config.to_string());
    let task = add(&a, &["Wanted", "-s", "ready"]);
    a.sync();
    relay.plan(&[Fate::LoseReply], Fate::Pass);
    a.fails(&["task", "claim", &task, "--agent", "ann"], 8);
    let claim = a.json(&["task", "claim", &task, "--agent", "ann"]);
    assert_eq!(state(&claim), "confirmed", "{claim}");
    assert_eq!(a.sync().get("released"), None);
    let id = claim["claim"]["id"].as_str().unwrap();
    a.json(&["task", "complete", &task, "--claim", id]);
}
