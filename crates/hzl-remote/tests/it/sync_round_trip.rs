//! Two devices and a real server: what one does, the other sees.

use hzl_remote::sync::error::SyncErrorKind;
use hzl_remote::sync::{SyncError, SyncOptions};
use hzl_testkit::servers::{Access, Auth, Sqld, Tursodb};

use hzl_core::command::{Command, Transition};
use hzl_core::rejection::Rejection;
use hzl_core::task::Status;

use hzl_store::ledger::ExecuteError;

use crate::devices::{Cloud, Device};

#[test]
fn what_one_device_does_the_other_sees() {
    let sqld = Sqld::start(Auth::None);
    both_ways(&Cloud::at(sqld.url()), 1);
}

#[test]
fn the_same_through_tursodb() {
    let tursodb = Tursodb::start();
    both_ways(&Cloud::at(tursodb.url()), 2);
}

fn both_ways(cloud: &Cloud, round_trips: u64) {
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("from A");
    a.sync(cloud);
    b.sync(cloud);
    assert_eq!(b.titles(), ["from A"]);
    b.claim(&task, "bob");
    b.complete(&task, "bob");
    b.add("from B");
    let report = b.sync(cloud);
    assert_eq!((report.pushed, report.pulled), (4, 0));
    let report = a.sync(cloud);
    assert!(report.pulled >= 4, "{report:?}");
    assert_eq!(a.task(&task).map(|task| task.status), Some(Status::Done));
    assert_eq!(a.titles(), ["from A", "from B"]);
    b.sync(cloud);
    assert_eq!(a.hash(), b.hash());
    let idle = a.sync(cloud);
    assert_eq!((idle.pushed, idle.pulled), (0, 0));
    // A client that does not know yet that tursodb rejects `close` asks twice.
    assert!(
        idle.requests <= round_trips,
        "{} round trips",
        idle.requests
    );
}

#[test]
fn ten_thousand_events_take_twelve_requests_each_way() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("talked about");
    a.sync(&cloud);
    b.sync(&cloud);
    a.add_remarks(&task, 10_000);
    let pushed = a.sync(&cloud);
    assert_eq!(pushed.pushed, 10_000);
    assert!(pushed.requests <= 12, "{} requests", pushed.requests);
    let pulled = b.sync(&cloud);
    assert_eq!(pulled.pulled, 10_000);
    assert!(pulled.requests <= 12, "{} requests", pulled.requests);
    assert_eq!(a.sync(&cloud).requests, 1);
    a.sync(&cloud);
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn a_pull_folds_the_tasks_it_touches_and_no_others() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    let (touched, other) = (a.add("touched"), a.add("other"));
    a.sync(&cloud);
    b.sync(&cloud);
    // Nobody does this; but a fold would undo it.
    let mark = "update p_tasks set description = 'marked' where task_id in (?1, ?2)";
    let marked = b
        .ledger
        .files()
        .cache
        .execute(mark, [touched.as_str(), other.as_str()]);
    assert_eq!(marked.expect("the projections can be written"), 2);
    a.add_remarks(&touched, 100);
    a.sync(&cloud);
    assert_eq!(b.sync(&cloud).pulled, 100);
    let description =
        |device: &mut Device, task| device.task(task).and_then(|task| task.description);
    assert_eq!(description(&mut b, &touched), None, "folded anew");
    assert_eq!(description(&mut b, &other).as_deref(), Some("marked"));
}

#[test]
fn one_claim_stands_and_the_other_is_listed() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("wanted");
    a.sync(&cloud);
    b.sync(&cloud);
    a.claim(&task, "ann");
    b.claim(&task, "bob");
    b.complete(&task, "bob");
    a.sync(&cloud);
    b.sync(&cloud);
    a.sync(&cloud);
    for device in [&mut a, &mut b] {
        let held = device.task(&task).unwrap();
        assert_eq!(
            (held.status, held.agent.as_deref()),
            (Status::InProgress, Some("ann"))
        );
        assert_eq!(
            device.conflicts(),
            2,
            "the claim and the completion under it"
        );
    }
    assert_eq!(a.hash(), b.hash());
    // Bob only gives his name; he hears that the task is not his any more, and changes nothing.
    let act = Command::CompleteTask(Transition {
        task_id: task.clone(),
        comment: None,
    });
    let refused = b.try_execute(&act, "bob");
    let Err(ExecuteError::Rejected(Rejection::ClaimLost { holder, .. })) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(holder.as_deref(), Some("ann"));
    a.complete(&task, "ann");
    assert!(
        b.try_execute(&act, "eve").is_ok(),
        "who never claimed it did not lose it"
    );
}

#[test]
fn concurrent_titles_keep_the_later_one_and_list_the_other() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    let task = a.add("first");
    a.sync(&cloud);
    b.sync(&cloud);
    a.retitle(&task, "by A");
    let written = a.ledger.now();
    hzl_testkit::wait_until(std::time::Duration::from_secs(5), "time goes on", || {
        b.ledger.now() > written.plus_millis(1)
    });
    b.retitle(&task, "by B");
    b.sync(&cloud);
    a.sync(&cloud);
    b.sync(&cloud);
    for device in [&mut a, &mut b] {
        assert_eq!(device.task(&task).unwrap().title, "by B");
        assert_eq!(device.conflicts(), 1);
    }
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn offline_work_queues_and_drains() {
    let mut sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    a.sync(&cloud);
    sqld.stop();
    let task = a.add("written offline");
    let error = a.try_sync(&cloud, &SyncOptions::default()).unwrap_err();
    assert_eq!(error.kind(), SyncErrorKind::Unavailable, "{error}");
    assert_eq!(a.ledger.count_pending().unwrap(), 2);
    sqld.restart();
    assert_eq!(a.sync(&cloud).pushed, 2);
    b.sync(&cloud);
    assert!(b.task(&task).is_some());
    a.sync(&cloud);
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn two_ledgers_unite_only_when_that_is_meant() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("ledger A");
    b.add("ledger B");
    a.sync(&cloud);
    let error = b.try_sync(&cloud, &SyncOptions::default()).unwrap_err();
    assert!(
        matches!(
            error,
            SyncError::MergeRequired {
                local_events: 2,
                cloud_events: 2
            }
        ),
        "{error:?}"
    );
    assert_eq!(b.titles(), ["ledger B"], "nothing was taken over");
    b.try_sync(
        &cloud,
        &SyncOptions {
            merge: true,
            ..SyncOptions::default()
        },
    )
    .unwrap();
    a.sync(&cloud);
    assert_eq!(a.titles(), ["ledger A", "ledger B"]);
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn a_token_that_only_reads_pulls_and_keeps_its_events() {
    let sqld = Sqld::start(Auth::Jwt);
    let cloud = |access| Cloud::at(sqld.url()).with_token(sqld.token(access, 3_600));
    let (writing, reading) = (cloud(Access::ReadWrite), cloud(Access::ReadOnly));
    let (mut a, mut b) = (Device::new(), Device::new());
    let error = b.try_sync(&reading, &SyncOptions::default()).unwrap_err();
    assert!(matches!(error, SyncError::EmptyAndReadOnly), "{error:?}");
    a.add("for everybody");
    a.sync(&writing);
    let report = b.sync(&reading);
    assert!(report.pull_only);
    assert_eq!(b.titles(), ["for everybody"]);
    b.add("kept here");
    assert!(b.sync(&reading).pull_only);
    assert_eq!(
        b.ledger.count_pending().unwrap(),
        3,
        "the inbox, a task, its status"
    );
    b.sync(&writing);
    a.sync(&writing);
    assert_eq!(a.titles(), ["for everybody", "kept here"]);
    assert_eq!(a.hash(), b.hash());
}

#[test]
fn wrong_tokens_are_refused_and_lose_nothing() {
    let sqld = Sqld::start(Auth::Jwt);
    let mut a = Device::new();
    a.add("safe");
    for token in [
        None,
        Some("nonsense".to_owned()),
        Some(sqld.token(Access::ReadWrite, -3_600)),
    ] {
        let cloud = Cloud {
            token,
            ..Cloud::at(sqld.url())
        };
        let error = a.try_sync(&cloud, &SyncOptions::default()).unwrap_err();
        assert_eq!(
            (error.kind(), error.code()),
            (SyncErrorKind::Rejected, "unauthorized")
        );
    }
    let cloud = Cloud::at(sqld.url()).with_token(sqld.token(Access::ReadWrite, 60));
    assert_eq!(a.sync(&cloud).pushed, 3);
}

#[test]
fn a_copied_disk_becomes_a_device_of_its_own() {
    let sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let mut a = Device::new();
    a.add("before");
    a.sync(&cloud);
    let mut copy = a.copy();
    a.add("on the original");
    copy.add("on the copy");
    a.sync(&cloud);
    assert!(copy.sync(&cloud).became_clone);
    assert!(!copy.sync(&cloud).became_clone);
    assert!(!a.sync(&cloud).became_clone);
    let (one, other) = (
        a.ledger.sync_state().unwrap(),
        copy.ledger.sync_state().unwrap(),
    );
    assert_ne!(one.device, other.device);
    let mut titles = a.titles();
    titles.sort();
    assert_eq!(titles, ["before", "on the copy", "on the original"]);
    assert_eq!(a.hash(), copy.hash());
}

#[test]
fn a_wiped_cloud_is_noticed_and_healed() {
    let mut sqld = Sqld::start(Auth::None);
    let cloud = Cloud::at(sqld.url());
    let (mut a, mut b) = (Device::new(), Device::new());
    a.add("from A");
    a.sync(&cloud);
    b.sync(&cloud);
    b.add("from B");
    b.sync(&cloud);
    a.sync(&cloud);
    sqld.wipe();
    sqld.restart();
    let error = a.try_sync(&cloud, &SyncOptions::default()).unwrap_err();
    assert_eq!(error.kind(), SyncErrorKind::CloudChanged, "{error}");
    assert_eq!(a.titles().len(), 2, "nothing here is touched");
    let reset = SyncOptions {
        reset: true,
        ..SyncOptions::default()
    };
    assert!(a.try_sync(&cloud, &reset).unwrap().was_reset);
    b.sync(&cloud);
    a.sync(&cloud);
    assert_eq!(a.titles(), b.titles());
    assert_eq!(a.hash(), b.hash());
    let mut fresh = Device::new();
    fresh.sync(&cloud);
    a.sync(&cloud);
    assert_eq!(fresh.hash(), a.hash());
}
