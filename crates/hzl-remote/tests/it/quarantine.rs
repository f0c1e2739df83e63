//! Bad events, from here and from there: set aside, listed, and never in the way.

use hzl_core::command::{Command, Transition};
use hzl_core::task::Status;
use hzl_remote::sync::run::Limits;
use hzl_remote::sync::{SyncOptions, sync};
use hzl_store::query::quarantine::{self, Way};

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
    assert_eq!(b.titles(), ["sick", "healthy"]);
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
