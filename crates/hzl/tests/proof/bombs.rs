//! Too much of everything: servers that never stop, inputs that never end, events larger than any.
//!
//! The binary refuses in bounded time and memory, and what is in the store stays. `HZL_TEST_BOMB_MB`: how much
//! an endless input has to give, in MiB (1,024 if not set; nobody reads so far).

use std::fs;
use std::io;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use hzl_testkit::home::Call;
use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::stub::Stub;

use crate::home;
use crate::setting;

/// The most memory that any answer may cost, in kB.
const MEMORY_LIMIT_KB: u64 = 64 * 1024;
/// The longest that a command waits: `hzl sync` 30 s for a server, and the machine may be busy.
const TIME_LIMIT: Duration = Duration::from_secs(45);

/// Runs to the end, and says how much memory that took at most.
#[track_caller]
fn measured(call: Call) -> (Run, u64, Duration) {
    let start = Instant::now();
    let mut running = call.spawn();
    let status = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    while !running.has_ended() {
        // A process that has just ended has no memory any more.
        let now = fs::read_to_string(&status).ok();
        peak = now
            .as_deref()
            .and_then(hzl_testkit::peak_kb)
            .unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    (running.wait(), peak, start.elapsed())
}

fn head(lines: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}\r\n\r\n")
}

#[test]
fn no_server_makes_it_slow_or_large() {
    let mebibyte = "x".repeat(1 << 20);
    let chunk = format!("100000\r\n{mebibyte}\r\n");
    let no_pause = Duration::ZERO;
    let text =
        r#"{"results":[{"type":"ok","response":{"type":"execute","result":{"cols":[{"name":""#;
    let deep = |open: &str| format!(r#"{{"results":{}"#, open.repeat(100_000));
    let million = format!(r#"{{"results":[{}null]}}"#, "null,".repeat(1_500_000));
    let rows = format!(
        r#"{{"results":[{{"type":"ok","response":{{"type":"execute","result":{{"cols":[],"rows":[{}[]]}}}}}}]}}"#,
        "[],".repeat(2_500_000)
    );
    // A page, as a text in a row.
    let values = |open: &str, piece: &str, close: &str| {
        let page = format!("{open}{}{close}", piece.repeat(6_000_000 / piece.len()));
        let row = format!(
            r#"[{{"type":"text","value":"[[\"instance_id\",\"L\"]]"}},{{"type":"null"}},{{"type":"text","value":"{page}"}},{{"type":"null"}}]"#
        );
        let cols = r#"{"name":"meta"},{"name":"cursor"},{"name":"page"},{"name":"now"}"#;
        let result = format!(r#"{{"cols":[{cols}],"rows":[{row}]}}"#);
        let execute =
            format!(r#"{{"type":"ok","response":{{"type":"execute","result":{result}}}}}"#);
        let close = r#"{"type":"ok","response":{"type":"close"}}"#;
        format!(r#"{{"results":[{execute},{close}]}}"#)
    };
    for (what, server) in [
        (
            "2 GiB",
            Stub::endless(
                head("Content-Length: 2147483648"),
                mebibyte.clone(),
                no_pause,
            ),
        ),
        (
            "a text of 2 GiB",
            Stub::endless(
                head("Content-Length: 2147483648") + text,
                mebibyte.clone(),
                no_pause,
            ),
        ),
        (
            "endless chunks",
            Stub::endless(head("Transfer-Encoding: chunked"), chunk, no_pause),
        ),
        (
            "no end",
            Stub::endless(head("Connection: close"), mebibyte.clone(), no_pause),
        ),
        (
            "endless headers",
            Stub::endless(
                "HTTP/1.1 200 OK\r\n",
                format!("X-{mebibyte}: y\r\n"),
                no_pause,
            ),
        ),
        (
            "many headers",
            Stub::endless("HTTP/1.1 200 OK\r\n", "X: y\r\n".repeat(1_000), no_pause),
        ),
        ("deep arrays", Stub::http(200, &[], &deep("["))),
        ("deep objects", Stub::http(200, &[], &deep(r#"{"a":"#))),
        ("a million results", Stub::http(200, &[], &million)),
        ("millions of rows", Stub::http(200, &[], &rows)),
        (
            "millions of values",
            Stub::http(200, &[], &values("[[", "0,", "0]]")),
        ),
        (
            "a nested million",
            Stub::http(200, &[], &values("[[[", "0,", "0]]]")),
        ),
        (
            "millions of empty rows",
            Stub::http(200, &[], &values("[", "[],", "[]]")),
        ),
        (
            "compressed",
            Stub::http(200, &[("Content-Encoding", "gzip")], "\u{1f}\u{8b}\u{8}"),
        ),
        (
            "an endless refusal",
            Stub::endless("HTTP/1.1 500 No\r\n\r\n", mebibyte.clone(), no_pause),
        ),
    ] {
        survives(what, &server);
    }
}

#[test]
fn no_server_is_waited_for_longer_because_it_drips() {
    let head = head("Content-Length: 1000");
    survives(
        "a drip",
        &Stub::endless(head, " ", Duration::from_millis(100)),
    );
}

/// A sync with this server fails in time, in little memory, and leaves the store as it is.
#[track_caller]
#[expect(clippy::print_stdout, reason = "figures, shown with --nocapture")]
fn survives(what: &str, server: &Stub) {
    let home = home().env("HZL_SYNC_URL", "");
    home.json(&["task", "add", "stays"]);
    let before = home.hzl(&["export"]).stdout;
    let call = home.call(&["sync"]).env("HZL_SYNC_URL", server.url());
    let (run, peak, took) = measured(call);
    assert_ne!(run.exit, 0, "{what}: {run}");
    let code = run.json()["error"]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(took < TIME_LIMIT, "{what}: {took:?}");
    assert!(peak < MEMORY_LIMIT_KB, "{what}: {peak} kB");
    assert!(peak > 1_000, "{what}: its memory was not seen");
    println!(
        "{what}: {code} after {} ms and {} MB",
        took.as_millis(),
        peak / 1024
    );
    let (before, after) = (lines(&before), lines(&home.hzl(&["export"]).stdout));
    assert_eq!(before, after, "{what}: the store is another");
    // Nothing compressed was asked for.
    let asked = server.requests().concat().to_ascii_lowercase();
    assert!(
        !asked.contains("accept-encoding") || asked.contains("accept-encoding: identity"),
        "{asked}"
    );
}

/// The events of an export.
fn lines(export: &str) -> Vec<String> {
    export.lines().skip(1).map(str::to_owned).collect()
}

/// The same piece again and again, up to a length, and how much of it was taken.
struct Again {
    piece: Vec<u8>,
    at: usize,
    left: u64,
    taken: Arc<AtomicU64>,
}

impl Read for Again {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let from = &self.piece[self.at..];
        let length = from.len().min(buffer.len());
        let length = length.min(usize::try_from(self.left).unwrap_or(usize::MAX));
        buffer[..length].copy_from_slice(&from[..length]);
        self.at = (self.at + length) % self.piece.len();
        self.left -= length as u64;
        self.taken.fetch_add(length as u64, Ordering::SeqCst);
        Ok(length)
    }
}

#[test]
fn no_input_is_read_beyond_its_limit() {
    let total = setting("HZL_TEST_BOMB_MB", 1_024) << 20;
    let event = r#"{"title":"a task of many"} "#;
    for (line, piece, limit_mb) in [
        (&["task", "add", "--from-json", "-"][..], "x", 33),
        (&["task", "add", "--from-json", "-"], event, 33),
        (&["task", "add", "--from-json", "-"], "[", 33),
        (&["import", "-"], "x", 9),
        (&["import", "-"], "{\"a\":", 9),
        (
            &[
                "init",
                "--sync-url",
                "http://127.0.0.1:1",
                "--auth-token",
                "-",
            ],
            "x",
            1,
        ),
    ] {
        let home = home();
        home.json(&["task", "add", "stays"]);
        let before = home.hzl(&["export"]).stdout;
        let taken = Arc::new(AtomicU64::new(0));
        let input = Again {
            piece: piece.repeat(10_000).into_bytes(),
            at: 0,
            left: total,
            taken: Arc::clone(&taken),
        };
        let (run, peak, took) = measured(home.call(line).stdin_from(input));
        assert_eq!(run.json()["error"]["code"], "invalid_input", "{run}");
        let taken_mb = taken.load(Ordering::SeqCst) >> 20;
        assert!(
            taken_mb <= limit_mb,
            "{line:?}: {taken_mb} MiB of {piece:?} were taken"
        );
        // What is read is held once, and once more while it grows.
        assert!(peak < 2 * MEMORY_LIMIT_KB, "{line:?}: {peak} kB");
        assert!(took < TIME_LIMIT, "{line:?}: {took:?}");
        println!(
            "{line:?}: refused after {taken_mb} MiB, {} ms and {} MB",
            took.as_millis(),
            peak / 1024
        );
        assert_eq!(lines(&before), lines(&home.hzl(&["export"]).stdout));
    }
}

#[test]
fn an_event_that_nobody_else_would_take_is_not_written() {
    let home = home();
    let wide = "\u{1f600}";
    let links: Vec<String> = (0..100).map(|_| wide.repeat(2_048)).collect();
    let task = serde_json::json!({
        "title": "all that is allowed, at once", "links": links, "description": wide.repeat(16_384),
        "metadata": {"k": wide.repeat(60_000)},
    });
    home.json(&["task", "add", "stays"]);
    let before = home.hzl(&["export"]).stdout;
    let error = adds(&home, &task).fails(1);
    assert_eq!(error["error"]["code"], "general_error", "{error}");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("the limit is 1048576"),
        "{error}"
    );
    assert_eq!(lines(&before), lines(&home.hzl(&["export"]).stdout));
    let task = serde_json::json!({"title": "less of it", "links": &links[..60]});
    assert_eq!(adds(&home, &task).json()["total"], 1);
}

fn adds(home: &Home, task: &serde_json::Value) -> Call {
    home.call(&["task", "add", "--from-json", "-"])
        .stdin(task.to_string())
}

#[test]
fn an_import_takes_no_event_that_nobody_else_would() {
    let home = home();
    let event = |id: &str, data: &str| {
        format!(
            r#"{{"event_id":"{id}","task_id":"T","type":"comment_added","data":{data},"timestamp":"2026-01-01T00:00:00.000Z"}}"#
        )
    };
    let deep = |levels: usize| {
        format!(
            r#"{{"text":"x","m":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    let large = format!(r#"{{"text":"{}"}}"#, "x".repeat(1 << 20));
    let file = [
        event("E1", &deep(79)),
        event("E2", &deep(80)),
        event("E3", &deep(100_000)),
        event("E4", &large),
        event("E5", r#"{"text":"\ud800"}"#),
        event("E5", r#"{"text":"\ud801"}"#),
    ];
    let call = home
        .call(&["import", "-", "--skip-invalid"])
        .stdin(file.join("\n"));
    let done = call.json();
    assert_eq!(
        (&done["imported"], &done["errors"]),
        (&2.into(), &4.into()),
        "{done}"
    );
    let reasons: Vec<_> = done["invalid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| bad["reason"].as_str().unwrap())
        .collect();
    assert!(
        reasons[0].contains("nested too deeply") && reasons[1].contains("nested too deeply"),
        "{reasons:?}"
    );
    assert!(
        reasons[2].contains("too large") && reasons[3].contains("another content"),
        "{reasons:?}"
    );
}
