//! `hzl hook`: queued with the event, delivered later, never lost and never elsewhere.

use std::time::Duration;

use hzl_remote::hooks::signature;
use hzl_remote::secret::Secret;
use hzl_testkit::home::Home;
use hzl_testkit::stub::Stub;
use rusqlite::Connection;
use serde_json::Value;
use serde_json::json;

use crate::add;
use crate::home;

fn configured(hooks: &Value) -> Home {
    let home = home();
    let config = json!({ "hooks": hooks }).to_string();
    home.write("config/hzl/config.json", config);
    home
}

fn on_done(url: &str) -> Home {
    configured(&json!({"on_done": {"url": url}}))
}

fn done(home: &Home, title: &str) -> String {
    let task = add(home, &[title, "-s", "in_progress"]);
    home.json(&["task", "complete", &task]);
    task
}

fn queue(home: &Home) -> Connection {
    Connection::open(home.data().join("hzl/events.db")).expect("the ledger is there")
}

/// Returns `status|attempts|last_error` of every row.
fn rows(home: &Home) -> Vec<String> {
    let queue = queue(home);
    let sql = "select status || '|' || attempts || '|' || coalesce(last_error, '')
                 from hook_outbox order by id";
    let mut statement = queue.prepare(sql).expect("the queue is there");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn change(home: &Home, sql: &str) {
    queue(home).execute_batch(sql).expect("a change");
}

#[track_caller]
fn assert_drained(home: &Home, expected: &Value) {
    let drained = home.json(&["hook", "drain"]);
    for (name, count) in expected.as_object().expect("counts by name") {
        assert_eq!(&drained[name], count, "{name} in {drained}");
    }
}

fn parts(request: &str) -> (&str, &str) {
    request.split_once("\r\n\r\n").expect("an HTTP request")
}

fn body(request: &str) -> &str {
    parts(request).1
}

fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    parts(request)
        .0
        .lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[test]
fn a_delivery_arrives_once_and_says_what_happened() {
    let stub = Stub::http(200, &[], "");
    let home = configured(&json!({"on_done": {
        "url": stub.url(), "headers": {"X-A": "b"}, "body": {"wakeMode": "now", "trigger": "x"}}}));
    let task = done(&home, "T");
    assert!(stub.requests().is_empty(), "commands do not wait for hooks");
    assert_drained(
        &home,
        &json!({"claimed": 1, "attempted": 1, "delivered": 1, "retried": 0, "failed": 0}),
    );
    assert_drained(&home, &json!({"claimed": 0}));
    let requests = stub.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(header(&requests[0], "x-a"), Some("b"));
    let type_header = header(&requests[0], "content-type");
    assert_eq!(type_header, Some("application/json"));
    assert_eq!(header(&requests[0], "x-hzl-signature"), None);
    let sent: Value = serde_json::from_str(body(&requests[0])).unwrap();
    assert_eq!(sent["trigger"], "on_done");
    assert_eq!(sent["wakeMode"], "now");
    assert_eq!(sent["task"]["task_id"], task);
    assert_eq!(
        sent["transition"],
        json!({"from": "in_progress", "to": "done"})
    );
    let event = crate::log(&home).pop().unwrap();
    assert_eq!(
        header(&requests[0], "x-hzl-delivery"),
        Some(format!("{}.on_done", event["event_id"].as_str().unwrap()).as_str())
    );
    assert_eq!(rows(&home), ["delivered|0|"]);
}

#[test]
fn a_secret_signs_and_is_neither_sent_nor_stored() {
    let stub = Stub::http(200, &[], "");
    let hook = json!({"on_done": {"url": stub.url(), "secret": "s3cret-word"}});
    let home = configured(&hook);
    done(&home, "T");
    assert_drained(&home, &json!({"delivered": 1}));
    let request = &stub.requests()[0];
    let expected = signature(&Secret::new("s3cret-word"), body(request));
    assert_eq!(header(request, "x-hzl-signature"), Some(expected.as_str()));
    assert!(!request.contains("s3cret-word"));
    let sql = "select headers || payload from hook_outbox";
    let stored: String = queue(&home).query_row(sql, [], |row| row.get(0)).unwrap();
    assert!(!stored.contains("s3cret-word"), "{stored}");
}

#[test]
fn what_fails_is_tried_again_for_a_day() {
    let stub = Stub::http(500, &[], "out of order");
    let home = on_done(&stub.url());
    done(&home, "T");
    for attempts in 1..=7 {
        assert_drained(&home, &json!({"retried": 1, "failed": 0}));
        assert_eq!(
            rows(&home),
            [format!("queued|{attempts}|HTTP 500: out of order")]
        );
        assert_drained(&home, &json!({"claimed": 0}));
        change(
            &home,
            "update hook_outbox set next_attempt_at = '2000-01-01T00:00:00.000Z'",
        );
    }
    assert_drained(&home, &json!({"retried": 0, "failed": 1}));
    assert_eq!(rows(&home), ["failed|8|HTTP 500: out of order"]);
    assert_drained(&home, &json!({"claimed": 0, "failed": 0}));
    assert_eq!(stub.requests().len(), 8);
    let ids: Vec<_> = stub
        .requests()
        .iter()
        .map(|request| header(request, "x-hzl-delivery").map(str::to_owned))
        .collect();
    assert!(ids.iter().all(|id| *id == ids[0] && id.is_some()));
}

#[test]
fn what_is_too_old_has_failed() {
    let stub = Stub::http(200, &[], "");
    let home = on_done(&stub.url());
    done(&home, "T");
    change(
        &home,
        "update hook_outbox set created_at = '2000-01-01T00:00:00.000Z'",
    );
    assert_drained(
        &home,
        &json!({"claimed": 0, "failed": 1, "preflight_failed": 1}),
    );
    assert!(stub.requests().is_empty());
}

#[test]
fn a_redirect_is_not_followed() {
    let target = Stub::http(200, &[], "");
    let stub = Stub::http(302, &[("Location", &target.url())], "");
    let home = on_done(&stub.url());
    done(&home, "T");
    assert_drained(&home, &json!({"delivered": 0, "retried": 1}));
    assert!(target.requests().is_empty());
    assert_eq!(rows(&home), ["queued|1|HTTP 302"]);
}

#[test]
fn a_killed_drain_loses_nothing() {
    let silent = Stub::silent();
    let home = on_done(&silent.url());
    done(&home, "T");
    let mut drain = home.spawn(&["hook", "drain"]);
    hzl_testkit::wait_until(Duration::from_secs(20), "it is being delivered", || {
        rows(&home) == ["processing|0|"]
    });
    drain.kill();
    drop(drain);
    // Whoever drains next cannot know yet that the first one is gone.
    assert_drained(&home, &json!({"claimed": 0, "reclaimed": 0}));
    let stub = Stub::http(200, &[], "");
    let url = stub.url();
    change(
        &home,
        &format!(
            "update hook_outbox set lock_expires_at = '2000-01-01T00:00:00.000Z', url = '{url}'"
        ),
    );
    assert_drained(&home, &json!({"reclaimed": 1, "delivered": 1}));
    assert_eq!(stub.requests().len(), 1);
}

#[test]
fn parallel_drains_send_each_delivery_once() {
    let stub = Stub::http(200, &[], "");
    let home = on_done(&stub.url());
    for number in 0..6 {
        done(&home, &format!("T{number}"));
    }
    let drains: Vec<_> = (0..4).map(|_| home.spawn(&["hook", "drain"])).collect();
    let delivered: u64 = drains
        .into_iter()
        .map(|drain| {
            let run = drain.wait();
            assert_eq!(run.exit, 0, "{run}");
            run.json()["delivered"].as_u64().unwrap()
        })
        .sum();
    assert_eq!((delivered, stub.requests().len()), (6, 6));
}

#[test]
fn a_refused_command_queues_nothing_and_a_handoff_queues_its_completion() {
    let stub = Stub::http(200, &[], "");
    let home = on_done(&stub.url());
    let ready = add(&home, &["Ready", "-s", "ready"]);
    home.fails(&["task", "complete", &ready], 3);
    home.json(&["task", "claim", &ready, "--agent", "ann"]);
    let handoff = ["workflow", "run", "handoff", "--from", &ready, "--title"];
    home.fails(&[&handoff[..], &["N", "-P", "nosuch"]].concat(), 1);
    assert!(rows(&home).is_empty());
    home.json(&[&handoff[..], &["N", "-P", "inbox"]].concat());
    assert_eq!(rows(&home), ["queued|0|"]);
}

#[test]
fn other_triggers_fire_too() {
    let stub = Stub::http(200, &[], "");
    let hook = json!({"url": stub.url()});
    let home = configured(&json!({"on_claimed": hook, "on_comment": hook, "on_event": {}}));
    let task = add(&home, &["T", "-s", "ready"]);
    home.json(&["task", "claim", &task, "--agent", "ann"]);
    home.json(&["task", "comment", &task, "hello"]);
    assert_drained(&home, &json!({"delivered": 2}));
    let triggers: Vec<Value> = stub
        .requests()
        .iter()
        .map(|request| serde_json::from_str::<Value>(body(request)).unwrap()["trigger"].clone())
        .collect();
    assert_eq!(triggers, [json!("on_claimed"), json!("on_comment")]);
}

#[test]
fn a_hook_that_can_never_be_sent_is_refused_in_the_settings() {
    for hook in [
        json!({"url": "file:///etc/passwd"}),
        json!({"url": "https://h", "headers": {"A": "b\r\nX: y"}}),
    ] {
        let home = configured(&json!({ "on_done": hook }));
        let refused = home.fails(&["task", "add", "T"], 1);
        assert_eq!(refused["error"]["code"], "config_invalid");
    }
    // A row that is there already fails for good, and nothing is sent.
    let home = on_done("http://127.0.0.1:9/");
    done(&home, "T");
    change(&home, "update hook_outbox set url = 'file:///etc/passwd'");
    assert_drained(&home, &json!({"retried": 0, "failed": 1}));
}

#[test]
fn the_queue_can_be_looked_at_and_given_another_day() {
    let stub = Stub::http(200, &[], "");
    let hook = json!({"on_done": {
        "url": format!("{}/in?token=t0k3n", stub.url()), "headers": {"Authorization": "Bearer b34rer"}}});
    let home = configured(&hook);
    let task = done(&home, "T");
    change(
        &home,
        "update hook_outbox set status = 'failed', attempts = 8, last_error = 'HTTP 500', created_at = '2000-01-01T00:00:00.000Z'",
    );
    let list = home.json(&["hook", "list", "--status", "failed"]);
    let item = &list["deliveries"][0];
    assert_eq!((&item["id"], &item["task_id"]), (&json!(1), &json!(task)));
    assert_eq!(item["last_error"], "HTTP 500");
    let shown = home.json(&["hook", "show", "1"]);
    assert_eq!(shown["headers"], json!(["Authorization"]));
    assert_eq!(shown["payload"]["task"]["title"], "T");
    for answer in [&list, &shown] {
        let text = answer.to_string();
        assert!(
            !text.contains("t0k3n") && !text.contains("b34rer"),
            "{text}"
        );
    }
    assert_eq!(
        home.json(&["hook", "retry", "1"])["delivery"]["status"],
        "queued"
    );
    assert_drained(&home, &json!({"delivered": 1, "failed": 0}));
    home.fails(&["hook", "retry", "1"], 3);
    home.fails(&["hook", "retry", "2"], 4);
    home.fails(&["hook", "show", "2"], 4);
    home.fails(&["hook", "list", "--status", "lost"], 3);
    let run = home.hzl(&["hook", "list", "--format", "md"]);
    assert!(run.stdout.contains("on_done delivered"), "{run}");
}

#[test]
fn hooks_are_tested_without_a_task() {
    let stub = Stub::http(200, &[], "");
    let broken = Stub::http(403, &[], "who are you?");
    let home = configured(&json!({
        "on_done": {"url": stub.url(), "secret": "s3cret-word"},
        "on_blocked": {"url": broken.url()}}));
    let tested = home.json(&["hook", "test", "--trigger", "on_done"]);
    assert_eq!(tested["hooks"][0]["delivered"], true);
    let request = &stub.requests()[0];
    assert!(header(request, "x-hzl-signature").is_some());
    let sent: Value = serde_json::from_str(body(request)).unwrap();
    assert_eq!(sent["test"], true);
    let run = home.hzl(&["hook", "test"]);
    assert_eq!(run.exit, 1, "{run}");
    assert_eq!(
        run.json()["hooks"][1]["error"],
        "HTTP 403: who are you?",
        "{run}"
    );
    home.fails(&["hook", "test", "--trigger", "on_nothing"], 4);
}
