//! Bad events, from here and from there: set aside, listed, and never in the way.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_core::command::{Command, Transition};
use hzl_core::task::Status;
use hzl_remote::sync::run::Limits;
use hzl_remote::sync::{SyncOptions, sync};
use hzl_store::query::quarantine::{self, Way};
use hzl_testkit::fuzz;

use crate::devices::Device;
use crate::model_cloud::{ModelCloud, exchange};

#[test]
fn an_event_the_cloud_refuses_is_set_aside_and_the_rest_goes_on() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    exchange(&mut a, &cloud);
    cloud.refuse("poison");
    let (sick, healthy) = (a.add("sick"), a.add("healthy"));
    a.remark(&sick, "poison");
    a.claim(&sick, "ann");
    (0..40).for_each(|n| a.remark(&healthy, &format!("remark {n}")));
    let report = exchange(&mut a, &cloud);
    assert_eq!(report.quarantined, 1);
    assert!(!a.ledger.has_outgoing().unwrap());
    exchange(&mut b, &cloud);
    assert_eq!(b.titles(), ["healthy", "sick"]);
    // Its later events of that task are held back: they would mean something else without it.
    assert_eq!(b.task(&sick).unwrap().status, Status::Ready);
    assert_eq!(
        a.task(&sick).unwrap().status,
        Status::InProgress,
        "here everything is as it was"
    );
    assert_eq!(a.ledger.count_pending().unwrap(), 1);
    let (listed, total) = quarantine::list(&a.ledger.files().events, 10).unwrap();
    assert_eq!(total, 1);
    let [found] = &listed[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(found.task_id.as_ref(), Some(&sick));
    assert_eq!(found.kind.as_deref(), Some("comment_added"));
    assert!(found.reason.contains("refused"), "{found:?}");
    let Way::Refused { rowid, held_back } = found.way else {
        panic!("{found:?}");
    };
    assert_eq!(held_back, 1, "the claim");
    let log = &a.ledger.files().events;
    let event_id = hzl_store::log::find_event_id(log, rowid).unwrap();
    assert_eq!(event_id.as_ref(), Some(&found.event_id));
    a.hash();
    cloud.accept();
    assert_eq!(
        exchange(&mut a, &cloud).quarantined,
        0,
        "what was set aside stays aside"
    );
}

#[test]
fn rows_that_no_hzl_wrote_harm_nobody() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("before");
    exchange(&mut a, &cloud);
    let id = task.as_str();
    cloud.plant("X1", id, "status_changed", "this is not JSON");
    cloud.plant(
        "X2",
        id,
        "status_changed",
        r#"{"from":"ready","to":"flying"}"#,
    );
    cloud.plant("X3", id, "task_exploded", "{}");
    cloud.plant(
        "X4",
        "unknown-task",
        "comment_added",
        r#"{"text":"to nobody"}"#,
    );
    cloud.plant(
        "X5",
        id,
        "task_updated",
        r#"{"field":"title","new_value":[1]}"#,
    );
    cloud.plant(
        "X6",
        id,
        "dependency_added",
        &format!(r#"{{"depends_on_id":"{id}"}}"#),
    );
    cloud.plant(
        "X7",
        id,
        "task_updated",
        &format!(
            r#"{{"field":"title","new_value":"{}"}}"#,
            "x".repeat(2_000_000)
        ),
    );
    cloud.plant("", id, "comment_added", r#"{"text":"no id"}"#);
    let after = a.add("after");
    let report = exchange(&mut a, &cloud);
    assert_eq!(report.quarantined, 3, "not JSON, too large, no id");
    exchange(&mut b, &cloud);
    exchange(&mut a, &cloud);
    for device in [&a, &b] {
        let log = &device.ledger.files().events;
        let (listed, total) = quarantine::list(log, 2).unwrap();
        assert_eq!((listed.len(), total), (2, 3), "the first two of three");
        let (listed, _) = quarantine::list(log, 10).unwrap();
        let mut ids: Vec<_> = listed.iter().map(|found| found.event_id.as_str()).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["", "X1", "X7"]);
        for found in &listed {
            assert_eq!((&found.task_id, &found.kind), (&None, &None), "{found:?}");
            let Way::Unreadable { seq } = found.way else {
                panic!("{found:?}");
            };
            let there = &cloud.event_ids()[usize::try_from(seq).unwrap() - 1];
            assert_eq!(there, found.event_id.as_str());
        }
    }
    for device in [&mut a, &mut b] {
        assert_eq!(device.task(&task).unwrap().title, "before");
        assert!(device.task(&after).is_some());
    }
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn an_event_whose_id_was_taken_is_listed_with_its_new_one() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    exchange(&mut a, &cloud);
    let task = a.add("mine");
    let waiting = a.ledger.list_outgoing(10).unwrap();
    let mine = &waiting[0].event.event_id;
    cloud.plant(
        mine.as_str(),
        "T",
        "comment_added",
        r#"{"text":"of another"}"#,
    );
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    let (listed, total) = quarantine::list(&a.ledger.files().events, 10).unwrap();
    assert_eq!(total, 1);
    let found = &listed[0];
    assert_eq!(
        (&found.event_id, found.task_id.as_ref()),
        (mine, Some(&task))
    );
    assert_eq!(found.kind.as_deref(), Some("task_created"));
    let Way::Renamed {
        new_id: Some(new_id),
    } = &found.way
    else {
        panic!("{found:?}");
    };
    assert_ne!(new_id, mine);
    assert!(cloud.event_ids().contains(&new_id.as_str().to_owned()));
    assert!(b.task(&task).is_some(), "it counts everywhere");
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn a_command_that_is_longer_than_a_chunk_is_halved_as_well() {
    let cloud = ModelCloud::new();
    let mut a = Device::new();
    let task_id = a.add("sick");
    exchange(&mut a, &cloud);
    cloud.refuse("poison");
    let complete = Command::CompleteTask(Transition {
        task_id: task_id.clone(),
        comment: Some("poison".to_owned()),
    });
    a.claim(&task_id, "ann");
    assert_eq!(a.execute(&complete, "ann").events.len(), 2);
    let limits = Limits {
        chunk_events: 1,
        ..Limits::default()
    };
    let options = SyncOptions {
        limits,
        ..SyncOptions::default()
    };
    let mut line = cloud.line(vec![]);
    let report = sync(&mut a.ledger, &mut line, &options, &mut |_| {}).unwrap();
    assert_eq!(report.quarantined, 1);
    assert!(!a.ledger.has_outgoing().unwrap());
}

/// What a device has set aside: sequence there and reason.
fn aside(device: &Device) -> Vec<(i64, String)> {
    let (listed, total) = quarantine::list(&device.ledger.files().events, 10_000).unwrap();
    assert_eq!(u64::try_from(listed.len()).unwrap(), total);
    let unreadable = listed.into_iter().filter_map(|found| match found.way {
        Way::Unreadable { seq } => Some((seq, found.reason)),
        Way::Refused { .. } | Way::Renamed { .. } => None,
    });
    let mut unreadable: Vec<_> = unreadable.collect();
    unreadable.sort();
    unreadable
}

#[test]
fn hundreds_of_mutants_between_good_rows_are_judged_alike_by_all() {
    const MUTANTS: u64 = 400;
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("before");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    let mut good = vec![];
    for case in 0..MUTANTS {
        let mut random = fuzz::Random::of("mutant rows", 1, case);
        let event: serde_json::Value =
            serde_json::from_slice(&fuzz::corpus::mutated_event(&mut random)).unwrap_or_default();
        let text = |key: &str| event[key].as_str().map(str::to_owned);
        // Every fourth is no JSON at all, too deep or too large; of the others some are of the task.
        let data = match case % 12 {
            0 => "{\"title\":".to_owned(),
            4 => format!("{}1{}", "[".repeat(81), "]".repeat(81)),
            8 => format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20)),
            _ => event["data"].to_string(),
        };
        let task_id = match case % 3 {
            0 => task.to_string(),
            _ => text("task_id").unwrap_or_default(),
        };
        let kind = text("type").unwrap_or_default();
        cloud.plant(&format!("mutant-{case}"), &task_id, &kind, &data);
        if case % 8 == 0 {
            let device = if case % 16 == 0 { &mut a } else { &mut b };
            good.push(device.add(&format!("good {case}")));
            exchange(device, &cloud);
        }
    }
    let mut fresh = Device::new();
    let last = |device: &mut Device| {
        let options = SyncOptions {
            merge: true,
            ..SyncOptions::default()
        };
        let mut line = cloud.line(vec![]);
        sync(&mut device.ledger, &mut line, &options, &mut |_| {}).unwrap();
    };
    for device in [&mut a, &mut b, &mut fresh] {
        last(device);
    }
    for device in [&mut a, &mut b, &mut fresh] {
        last(device);
        let missing = good.iter().filter(|id| device.task(id).is_none()).count();
        assert_eq!(missing, 0, "good events arrive");
        assert!(!device.ledger.has_outgoing().unwrap());
    }
    let judged = aside(&a);
    assert!(judged.len() as u64 >= MUTANTS / 4, "{}", judged.len());
    assert!(judged.len() as u64 <= MUTANTS / 2, "{}", judged.len());
    assert_eq!(aside(&b), judged);
    assert_eq!(aside(&fresh), judged);
    assert_eq!(a.hash(), b.hash());
    assert_eq!(a.hash(), fresh.hash());
}

/// Writes a comment as HZL 3.2.0 might have, without asking any rule.
fn write_raw(device: &Device, event_id: &str, task_id: &str, data: &str) {
    let written = device.ledger.files().events.execute(
        "insert into events (event_id, task_id, type, data, timestamp)
         values (?1, ?2, 'comment_added', ?3, '2026-03-01T09:00:00.000Z')",
        [event_id, task_id, data],
    );
    assert_eq!(written.unwrap(), 1);
}

#[test]
fn what_nobody_would_take_over_is_not_sent() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let (sick, healthy) = (a.add("sick"), a.add("healthy"));
    // Fewer characters than bytes: a limit of the server on characters lets it through.
    let wide = format!("{{\"text\":\"{}\"}}", "\u{1f600}".repeat(300_000));
    write_raw(&a, "wide", sick.as_str(), &wide);
    let deep = format!("{{\"text\":{}1{}}}", "[".repeat(900), "]".repeat(900));
    write_raw(&a, "deep", sick.as_str(), &deep);
    a.remark(&sick, "waits behind them");
    a.remark(&healthy, "goes on");
    let report = exchange(&mut a, &cloud);
    assert_eq!(report.quarantined, 1, "the second waits behind the first");
    exchange(&mut b, &cloud);
    let there = cloud.event_ids();
    assert!(!there.iter().any(|id| id == "wide" || id == "deep"));
    assert_eq!(b.titles().len(), 2);
    assert!(aside(&b).is_empty(), "nothing bad has arrived");
    let (listed, _) = quarantine::list(&a.ledger.files().events, 10).unwrap();
    assert!(listed[0].reason.contains("too large"), "{listed:?}");
    assert!(
        matches!(listed[0].way, Way::Refused { held_back: 2, .. }),
        "{listed:?}"
    );
}

#[test]
fn what_an_earlier_hzl_sent_is_judged_alike_by_its_writer() {
    let cloud = ModelCloud::new();
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("talked about");
    exchange(&mut a, &cloud);
    exchange(&mut b, &cloud);
    let wide = format!("{{\"text\":\"{}\"}}", "\u{1f600}".repeat(300_000));
    write_raw(&a, "wide", task.as_str(), &wide);
    cloud.tamper(&format!(
        "insert into hzl_events (event_id, task_id, type, data, timestamp)
         values ('wide', '{task}', 'comment_added', '{wide}', '2026-03-01T09:00:00.000Z')"
    ));
    exchange(&mut b, &cloud);
    exchange(&mut a, &cloud);
    assert_eq!(aside(&a), aside(&b));
    assert_eq!(aside(&a).len(), 1);
}
