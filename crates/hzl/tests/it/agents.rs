//! `hzl agent status`, `hzl agent log`, `hzl task stuck` and `hzl stats`.

use hzl_testkit::home::Home;
use serde_json::json;

use crate::add;
use crate::each;
use crate::home;

fn claimed(home: &Home, agent: &str, more: &[&str]) -> String {
    let mut line = vec!["T", "-s", "ready"];
    line.extend(more);
    let task = add(home, &line);
    home.json(&["task", "claim", &task, "--agent", agent]);
    task
}

fn md(home: &Home, arguments: &[&str]) -> String {
    let mut line = arguments.to_vec();
    line.extend(["--format", "md"]);
    home.hzl(&line).stdout
}

#[test]
fn agents_at_work_come_before_idle_ones() {
    let home = home();
    let nobody = home.json(&["agent", "status"]);
    assert_eq!(
        nobody,
        json!({"agents": [], "summary": {"total": 0, "active": 0, "idle": 0}})
    );
    add(&home, &["Routed", "--agent", "cyd"]);
    home.json(&["project", "create", "web"]);
    let first = claimed(&home, "bob", &["-P", "web"]);
    let second = claimed(&home, "ann", &[]);
    home.json(&["task", "progress", &second, "45"]);
    let report = home.json(&["agent", "status"]);
    assert_eq!(each(&report["agents"], "agent"), ["bob", "ann", "cyd"]);
    assert_eq!(each(&report["agents"], "isActive"), [true, true, false]);
    assert_eq!(
        report["summary"],
        json!({"total": 3, "active": 2, "idle": 1})
    );
    let ann = &report["agents"][1];
    assert!(ann["activeDurationMs"].is_i64());
    assert_eq!(ann["stats"], json!(null));
    let held = &ann["tasks"][0];
    assert_eq!(held["taskId"], second);
    assert_eq!(held["progress"], 45);
    assert_eq!(held["leaseUntil"], json!(null));
    assert_eq!(held["leaseExpired"], false);
    let cyd = &report["agents"][2];
    assert_eq!(cyd["activeDurationMs"], json!(null));
    assert_eq!(cyd["tasks"], json!([]));

    let web = home.json(&["agent", "status", "-P", "web"]);
    assert_eq!(each(&web["agents"], "agent"), ["bob"]);
    assert_eq!(web["agents"][0]["tasks"][0]["taskId"], first);
    let one = home.json(&["agent", "status", "-a", "ann", "-P", "web"]);
    assert_eq!(one["summary"]["total"], 0);
    let one = home.json(&["agent", "status", "--agent", "cyd"]);
    assert_eq!(one["summary"], json!({"total": 1, "active": 0, "idle": 1}));
}

#[test]
fn an_agents_tasks_are_counted_by_status_without_archived_ones() {
    let home = home();
    for status in ["backlog", "ready", "ready", "done"] {
        add(&home, &["T", "--agent", "ann", "-s", status]);
    }
    let away = add(&home, &["T", "--agent", "ann"]);
    home.json(&["task", "archive", &away]);
    claimed(&home, "ann", &[]);
    let report = home.json(&["agent", "status", "--stats"]);
    assert_eq!(
        report["agents"][0]["stats"],
        json!({"total": 5, "counts": {"backlog": 1, "ready": 2, "in_progress": 1, "done": 1}})
    );
}

#[test]
fn a_log_keeps_what_an_agent_did_before_others_took_over() {
    let home = home();
    let task = claimed(&home, "ann", &[]);
    home.json(&["task", "comment", &task, "mine", "--author", "ann"]);
    home.json(&["task", "release", &task, "--author", "ann"]);
    home.json(&[
        "task",
        "claim",
        &task,
        "--agent",
        "bob",
        "--agent-id",
        "box",
    ]);
    let log = home.json(&["agent", "log", "ann"]);
    assert_eq!(log["total"], 3);
    assert_eq!(
        each(&log["events"], "type"),
        ["status_changed", "comment_added", "status_changed"]
    );
    let newest = &log["events"][0];
    assert_eq!(newest["data"]["to"], "ready");
    assert_eq!(newest["taskId"], task);
    assert_eq!(newest["taskTitle"], "T");
    assert_eq!(newest["taskStatus"], "in_progress");
    assert_eq!(newest["author"], "ann");
    assert!(newest.get("agentId").is_none());
    let two = home.json(&["agent", "log", "ann", "--limit", "2"]);
    assert_eq!(
        (each(&two["events"], "id").len(), &two["total"]),
        (2, &json!(3))
    );
    let by_id = home.json(&["agent", "log", "box"]);
    assert_eq!(by_id["events"][0]["agentId"], "box");
    assert_eq!(
        home.json(&["agent", "log", "nobody"]),
        json!({"events": [], "total": 0})
    );
    for (line, exit) in [
        (&["agent", "log"][..], 2),
        (&["agent", "log", "ann", "--limit", "0"], 3),
        (&["agent", "log", "ann", "-l", "201"], 3),
        (&["agent"], 2),
    ] {
        home.fails(line, exit);
    }
}

#[test]
fn a_log_keeps_events_of_deleted_tasks() {
    let home = home();
    home.json(&["project", "create", "web"]);
    claimed(&home, "ann", &["-P", "web"]);
    home.json(&["project", "delete", "web", "--delete-tasks"]);
    let log = home.json(&["agent", "log", "ann"]);
    assert_eq!(log["total"], 1);
    assert_eq!(log["events"][0]["taskTitle"], json!(null));
    assert_eq!(log["events"][0]["taskStatus"], json!(null));
}

#[test]
fn people_see_agents_and_their_logs() {
    let home = home();
    assert_eq!(md(&home, &["agent", "status"]), "No agents.\n");
    assert_eq!(md(&home, &["agent", "log", "ann"]), "No events.\n");
    let task = claimed(&home, "ann", &[]);
    let status = md(&home, &["agent", "status", "--stats"]);
    assert_eq!(
        status,
        format!(
            "ann: at work for 0m\n  → [{}] T (inbox)\n  1 tasks: 1 in_progress\n1 agents, 1 at work, 0 idle\n",
            &task[..8]
        )
    );
    home.json(&["task", "comment", &task, "x", "--author", "ann"]);
    let log = md(&home, &["agent", "log", "ann", "-l", "1"]);
    assert!(
        log.contains("comment_added") && log.contains("2 events in all"),
        "{log}"
    );
}

#[test]
fn a_task_is_stuck_when_it_is_stale_and_that_was_asked_for() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let task = claimed(&home, "ann", &["-P", "web"]);
    let with_lease = add(&home, &["Leased", "-s", "ready"]);
    home.json(&["task", "claim", &with_lease, "--lease", "5"]);
    let none = json!({"tasks": [], "total": 0});
    assert_eq!(home.json(&["task", "stuck"]), none);
    assert_eq!(home.json(&["task", "stuck", "--stale"]), none);
    let stuck = home.json(&["task", "stuck", "--stale", "--stale-threshold", "0"]);
    assert_eq!(stuck["total"], 2);
    assert_eq!(stuck["tasks"][0]["reason"], "stale");
    assert_eq!(stuck["tasks"][0]["stale_minutes"], 0);
    assert_eq!(stuck["tasks"][0]["lease_until"], json!(null));
    assert_eq!(stuck["tasks"][0]["expired_for_ms"], json!(null));
    assert!(stuck["tasks"][1]["lease_until"].is_string());
    let line = [
        "task",
        "stuck",
        "--stale",
        "--stale-threshold",
        "0",
        "-P",
        "web",
    ];
    assert_eq!(each(&home.json(&line)["tasks"], "task_id"), [&task]);
    assert!(md(&home, &line).contains("ann: no checkpoint for 0m"));
    home.json(&["task", "checkpoint", &task, "cp"]);
    assert_eq!(home.json(&line), none);
    assert_eq!(md(&home, &line), "No stuck tasks.\n");
    for bad in ["-1", "x"] {
        home.fails(&["task", "stuck", "--older-than", bad], 3);
        home.fails(&["task", "stuck", "--stale-threshold", bad], 3);
    }
}

#[test]
fn stats_count_what_waits_and_what_was_finished_by_whom() {
    let home = home();
    home.json(&["project", "create", "web"]);
    let gate = add(&home, &["Gate", "-s", "ready"]);
    add(&home, &["Gated", "-s", "ready", "--depends-on", &gate]);
    add(&home, &["Later", "-P", "web"]);
    let away = add(&home, &["Away"]);
    home.json(&["task", "archive", &away]);
    let task = claimed(&home, "ann", &["-P", "web"]);
    home.json(&["task", "complete", &task]);
    home.json(&["task", "reopen", &task]);
    home.json(&["task", "claim", &task, "--agent", "bob"]);
    home.json(&["task", "complete", &task]);
    add(&home, &["Born done", "-s", "done"]);
    claimed(&home, "cyd", &[]);

    let stats = home.json(&["stats"]);
    assert_eq!(stats["window"], "24h");
    assert_eq!(stats["projects"], json!(["inbox", "web"]));
    assert_eq!(
        stats["queue"],
        json!({
            "backlog": 1, "ready": 2, "in_progress": 1, "blocked": 0, "done": 2, "archived": 1,
            "available": 1, "stale": 0, "expired_leases": 0,
        })
    );
    assert_eq!(
        stats["completions"],
        json!({"total": 3, "by_agent": {"ann": 1, "bob": 1}})
    );
    let time = &stats["execution_time_ms"];
    assert_eq!(
        (&time["count"], &time["excluded_without_start"]),
        (&json!(2), &json!(1))
    );
    assert!(time["mean"].is_i64() && time["min"].is_i64() && time["max"].is_i64());

    let web = home.json(&["stats", "-P", "web", "--window", "90"]);
    assert_eq!(web["window"], "90m");
    assert_eq!(web["completions"]["total"], 2);
    assert_eq!(web["queue"]["backlog"], 1);
    let none = home.json(&["stats", "-P", "nosuch"]);
    assert_eq!(none["completions"], json!({"total": 0, "by_agent": {}}));
    assert_eq!(none["execution_time_ms"]["mean"], json!(null));
    for bad in ["0", "soon", "-1"] {
        home.fails(&["stats", "--window", bad], 3);
    }
    let text = md(&home, &["stats"]);
    assert!(
        text.contains("Ready: 2") && text.contains("  ann: 1\n"),
        "{text}"
    );
}
