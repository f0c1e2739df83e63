//! What `hzl doctor` says of events that were set aside.

use serde_json::Value;
use serde_json::json;

use super::Cloud;
use super::Device;
use super::fleet::tamper;
use crate::add;

fn check(device: &Device) -> Value {
    let report = device.json(&["doctor"]);
    assert_eq!(report["status"], "healthy", "{report}");
    report["checks"]["quarantine"].clone()
}

#[test]
fn doctor_lists_what_was_set_aside_and_says_what_it_means() {
    let cloud = Cloud::start();
    let a = cloud.device();
    let sick = add(&a, &["Sick"]);
    a.sync();
    assert_eq!(
        check(&a),
        json!({"status": "pass", "message": "no event was set aside", "count": 0})
    );

    let renamed = add(&a, &["Renamed"]);
    let created = crate::log(&a).pop().expect("an event");
    let taken = created["event_id"].as_str().expect("a text");
    for sql in [
        "create trigger poison before insert on hzl_events when new.data like '%poison%'
         begin select raise(abort, 'no \u{1b}[2J poison'); end"
            .to_owned(),
        format!(
            "insert into hzl_events (event_id, task_id, type, data, timestamp)
             values ('{taken}', 'T', 'comment_added', '{{}}', '2026-03-01T09:00:00.000Z')"
        ),
        format!(
            "insert into hzl_events (event_id, task_id, type, data, timestamp)
             values ('BAD', '{}', 'comment_added', '{{}}', '2026-03-01T09:00:00.000Z')",
            "t".repeat(5_000)
        ),
    ] {
        tamper(&cloud, &sql);
    }
    a.json(&["task", "comment", &sick, "poison"]);
    a.json(&["task", "comment", &sick, "later"]);
    a.sync();
    let found = check(&a);
    assert_eq!(
        (&found["status"], &found["count"]),
        (&json!("warn"), &json!(3)),
        "{found}"
    );
    assert_eq!(a.status()["quarantined"], found["count"]);
    let events = found["events"].as_array().expect("a list");
    let of = |direction: &str| {
        let mut of = events
            .iter()
            .filter(|event| event["direction"] == direction);
        of.next().unwrap_or_else(|| panic!("{direction}: {found}"))
    };
    let refused = of("refused_by_cloud");
    assert_eq!(
        (&refused["taskId"], &refused["type"], &refused["heldBack"]),
        (&json!(sick), &json!("comment_added"), &json!(1))
    );
    assert!(refused["reason"].as_str().unwrap().contains("poison"));
    assert!(refused["at"].is_string());
    let unreadable = of("unreadable_from_cloud");
    assert_eq!(
        (&unreadable["eventId"], &unreadable["taskId"]),
        (&json!("BAD"), &Value::Null)
    );
    assert!(unreadable["seq"].is_i64());
    let reissued = of("reissued");
    assert_eq!(
        (&reissued["eventId"], &reissued["taskId"]),
        (&json!(taken), &json!(renamed))
    );
    assert_ne!(reissued["newEventId"], reissued["eventId"]);

    // What is advised runs, and shows the event.
    let advised = found["actions"][0]["command"].as_str().unwrap();
    let words: Vec<&str> = advised.split(' ').skip(1).collect();
    let shown: Value = serde_json::from_str(&a.hzl(&words).stdout).expect("one event");
    assert_eq!(shown["event_id"], refused["eventId"]);
    let text = a.hzl(&["doctor", "--format", "md"]).stdout;
    for part in [
        "⚠ Quarantine: 3 events were set aside",
        "all of them are kept",
        "refused by the cloud since",
        "1 later events of the task wait",
        "unreadable in the cloud, at",
        "sent again as",
        "hzl backup <file>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("no \\u{1b}[2J poison"), "{text:?}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    for word in ["delete", "remove", "drop"] {
        assert!(!found["actions"].to_string().contains(word), "{found}");
    }
}

#[test]
fn what_was_set_aside_is_sent_again_when_somebody_says_so() {
    let cloud = Cloud::start();
    let (a, b, task) = cloud.pair(&["Sick"]);
    let poison = "create trigger poison before insert on hzl_events when new.data like '%poison%'
                  begin select raise(abort, 'no'); end";
    tamper(&cloud, poison);
    a.json(&["task", "comment", &task, "poison"]);
    a.json(&["task", "comment", &task, "later"]);
    assert_eq!(a.sync()["quarantined"], 1);
    assert_eq!(
        a.json(&["sync", "--retry"])["data"]["quarantined"],
        1,
        "still refused"
    );

    tamper(&cloud, "drop trigger poison");
    assert_eq!(a.sync()["pushed"], 0, "not by itself");
    assert_eq!(a.json(&["sync", "--retry"])["data"]["pushed"], 2);
    assert_eq!(check(&a)["count"], 0);
    b.sync();
    assert_eq!(b.status()["stateHash"], a.status()["stateHash"]);
}
