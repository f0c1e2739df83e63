//! Claims that the cloud is asked about, with every request and every reply lost that can be.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_core::command::{Actor, ClaimTask, Command, StealTask, Transition};
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_remote::sync::claim::{self, Fallback, conclude};
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::{SyncOptions, sync};
use hzl_store::intent::Intended;

use crate::devices::Device;
use crate::model_cloud::{Fault, ModelCloud, exchange};

/// What a claimer is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Confirmed,
    Provisional,
    Refused,
    Failed,
}

/// Claims as a command does with `sync.claims: auto`.
pub(crate) fn ask(
    device: &mut Device,
    remote: &mut dyn Remote,
    task_id: &TaskId,
    agent: &str,
) -> Told {
    ask_in(Fallback::Here, device, remote, task_id, agent)
}

/// Claims as a command does with `sync.claims: strict`.
fn ask_strictly(
    device: &mut Device,
    remote: &mut dyn Remote,
    task_id: &TaskId,
    agent: &str,
) -> Told {
    ask_in(Fallback::Nothing, device, remote, task_id, agent)
}

fn ask_in(
    fallback: Fallback,
    device: &mut Device,
    remote: &mut dyn Remote,
    task_id: &TaskId,
    agent: &str,
) -> Told {
    let command = Command::ClaimTask(ClaimTask {
        task_id: task_id.clone(),
        lease_minutes: None,
    });
    let actor = Actor {
        author: Some(agent.to_owned()),
        ..Actor::default()
    };
    let intent = match device.ledger.intend_claim(&command, &actor) {
        Ok(Intended::Claim(intent)) => intent,
        Ok(Intended::Nothing(_)) => unreachable!("a named task is claimed or refused"),
        Err(_) => return Told::Refused,
    };
    let options = SyncOptions::default();
    let asked = claim::claim(&mut device.ledger, remote, &intent.outgoing, &options);
    match conclude(&mut device.ledger, &intent, asked, fallback).unwrap() {
        claim::Told::Confirmed(outcome) => {
            assert_eq!(outcome.after[task_id].task.agent.as_deref(), Some(agent));
            Told::Confirmed
        }
        claim::Told::Provisional(_) => Told::Provisional,
        claim::Told::TooLate => Told::Refused,
        claim::Told::Unanswered(_) => Told::Failed,
    }
}

/// Two devices that both have the same ready task.
fn pair(cloud: &ModelCloud) -> (Device, Device, TaskId) {
    let (mut a, mut b) = (Device::new(), Device::new());
    let task_id = a.add("wanted");
    exchange(&mut a, cloud);
    exchange(&mut b, cloud);
    (a, b, task_id)
}

fn owner(device: &mut Device, task_id: &TaskId) -> Option<String> {
    device.task(task_id).unwrap().agent
}

#[test]
fn a_claim_survives_the_loss_of_any_request_or_reply() {
    let choices = [None, Some(Fault::RequestLost), Some(Fault::ReplyLost)];
    for number in 0..27 * 4 {
        let faults: Vec<_> = [1, 3, 9].map(|n| choices[number / n % 3]).to_vec();
        let (tail, b_first) = (number / 27 % 2 == 1, number / 54 == 1);
        let cloud = ModelCloud::new();
        let (mut a, mut b, task_id) = pair(&cloud);
        if tail {
            // Something waits, and goes first.
            a.add("later");
        }
        let ask_b = |b: &mut Device| ask(b, &mut cloud.line(vec![]), &task_id, "bob");
        let early = b_first.then(|| ask_b(&mut b));
        let told_a = ask(&mut a, &mut cloud.line(faults.clone()), &task_id, "ann");
        let told_b = early.unwrap_or_else(|| ask_b(&mut b));
        let context = format!("{faults:?} tail {tail} b first {b_first}: {told_a:?} {told_b:?}");
        assert!(told_b != Told::Provisional, "{context}");
        assert!(
            [told_a, told_b]
                .iter()
                .filter(|told| **told == Told::Confirmed)
                .count()
                <= 1,
            "{context}"
        );
        for _ in 0..2 {
            for device in [&mut a, &mut b] {
                let report = exchange(device, &cloud);
                assert!(!report.became_clone, "{context}");
            }
        }
        assert_eq!(a.hash(), b.hash(), "{context}");
        let holder = owner(&mut a, &task_id);
        assert_eq!(holder, owner(&mut b, &task_id), "{context}");
        match (told_a, told_b) {
            (Told::Confirmed, _) => assert_eq!(holder.as_deref(), Some("ann"), "{context}"),
            (_, Told::Confirmed) => assert_eq!(holder.as_deref(), Some("bob"), "{context}"),
            _ => assert_eq!(holder.as_deref(), Some("ann"), "{context}"),
        }
        // Only a claim that was made without the cloud can lose, and then it is listed.
        let lost = told_a == Told::Provisional && holder.as_deref() == Some("bob");
        assert_eq!(a.conflicts(), u64::from(lost), "{context}");
        let mut ids = cloud.event_ids();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{context}");
    }
}

#[test]
fn a_task_that_is_being_asked_for_is_not_given_to_another_process() {
    let cloud = ModelCloud::new();
    let (mut a, _, task_id) = pair(&cloud);
    let other = a.add("other");
    let actor = Actor {
        author: Some("ann".to_owned()),
        ..Actor::default()
    };
    let next = Command::ClaimNext {
        filter: hzl_core::command::ClaimFilter::default(),
        lease_minutes: None,
    };
    let Ok(Intended::Claim(first)) = a.ledger.intend_claim(&next, &actor) else {
        panic!("there is a task");
    };
    assert_eq!(first.task_id, task_id);
    let outcome = a.ledger.execute(&next, &actor).unwrap();
    assert_eq!(outcome.claimed, Some(other));
    let named = Command::ClaimTask(ClaimTask {
        task_id: task_id.clone(),
        lease_minutes: None,
    });
    assert!(a.ledger.execute(&named, &actor).is_err(), "it is reserved");
    a.ledger.abandon_intent(&first).unwrap();
    assert_eq!(
        a.ledger.execute(&next, &actor).unwrap().claimed,
        Some(task_id)
    );
}

/// The status changes of the task in the cloud, as `from>to`.
fn changes(cloud: &ModelCloud, task_id: &TaskId) -> Vec<String> {
    cloud.status_changes(task_id.as_str())
}

#[test]
fn a_claim_reported_as_failed_is_given_back_whatever_is_lost_on_the_way() {
    let choices = [None, Some(Fault::RequestLost), Some(Fault::ReplyLost)];
    for number in 0..27 {
        let faults: Vec<_> = [1, 3, 9].map(|n| choices[number / n % 3]).to_vec();
        let cloud = ModelCloud::new();
        let (mut a, mut b, task_id) = pair(&cloud);
        let told = ask_strictly(
            &mut a,
            &mut cloud.line(vec![Some(Fault::ReplyLost)]),
            &task_id,
            "ann",
        );
        assert_eq!(told, Told::Failed);
        assert_eq!(owner(&mut a, &task_id), None, "nothing was claimed here");
        exchange(&mut b, &cloud);
        assert_eq!(owner(&mut b, &task_id).as_deref(), Some("ann"));
        // It arrives, is given back, and that is sent, in one sync, if nothing is lost.
        let options = SyncOptions::default();
        let mut line = cloud.line(faults.clone());
        let context = format!("{faults:?}");
        let mut released = 0;
        for _ in 0..4 {
            if let Ok(report) = sync(&mut a.ledger, &mut line, &options, &mut |_| {}) {
                assert!(!report.became_clone, "{context}");
                released += report.released;
            }
        }
        if faults[..2] == [None, None] {
            assert_eq!(released, 1, "{context}");
        }
        exchange(&mut b, &cloud);
        exchange(&mut a, &cloud);
        for device in [&mut a, &mut b] {
            let task = device.task(&task_id).unwrap();
            assert_eq!(task.status, Status::Ready, "{context}");
            assert_eq!(device.conflicts(), 0, "{context}");
        }
        assert_eq!(a.hash(), b.hash(), "{context}");
        assert_eq!(
            changes(&cloud, &task_id),
            ["backlog>ready", "ready>in_progress", "in_progress>ready"],
            "{context}: once"
        );
        let told = ask_strictly(&mut b, &mut cloud.line(vec![]), &task_id, "bob");
        assert_eq!(told, Told::Confirmed, "{context}");
    }
}

#[test]
fn a_claim_that_never_arrived_leaves_nothing_to_give_back() {
    let cloud = ModelCloud::new();
    let (mut a, mut b, task_id) = pair(&cloud);
    let lost = vec![Some(Fault::RequestLost)];
    assert_eq!(
        ask_strictly(&mut a, &mut cloud.line(lost), &task_id, "ann"),
        Told::Failed
    );
    let told = ask_strictly(&mut b, &mut cloud.line(vec![]), &task_id, "bob");
    assert_eq!(told, Told::Confirmed);
    assert_eq!(exchange(&mut a, &cloud).released, 0);
    assert_eq!(owner(&mut a, &task_id).as_deref(), Some("bob"));
}

#[test]
fn who_asks_again_gets_the_task_and_keeps_it() {
    let cloud = ModelCloud::new();
    let (mut a, mut b, task_id) = pair(&cloud);
    let lost = vec![Some(Fault::ReplyLost)];
    ask_strictly(&mut a, &mut cloud.line(lost), &task_id, "ann");
    // The next question brings the first claim, which is given back; the one after that is the second.
    let mut told = ask_strictly(&mut a, &mut cloud.line(vec![]), &task_id, "ann");
    assert_eq!(told, Told::Refused);
    told = ask_strictly(&mut a, &mut cloud.line(vec![]), &task_id, "ann");
    assert_eq!(told, Told::Confirmed);
    for _ in 0..2 {
        assert_eq!(exchange(&mut a, &cloud).released, 0);
        exchange(&mut b, &cloud);
    }
    for device in [&mut a, &mut b] {
        assert_eq!(owner(device, &task_id).as_deref(), Some("ann"));
        assert_eq!(device.conflicts(), 0);
    }
}

#[test]
fn a_task_that_was_claimed_again_meanwhile_is_not_given_back() {
    for finished in [false, true] {
        let cloud = ModelCloud::new();
        let (mut a, mut b, task_id) = pair(&cloud);
        let lost = vec![Some(Fault::ReplyLost)];
        ask_strictly(&mut a, &mut cloud.line(lost), &task_id, "ann");
        exchange(&mut b, &cloud);
        // The same agent, by another claim.
        let steal = Command::StealTask(StealTask {
            task_id: task_id.clone(),
            agent: Some("ann".to_owned()),
            lease_minutes: None,
            if_expired: false,
            force: true,
        });
        b.execute(&steal, "ann");
        if finished {
            b.complete(&task_id, "ann");
        }
        exchange(&mut b, &cloud);
        assert_eq!(exchange(&mut a, &cloud).released, 0);
        assert_eq!(exchange(&mut a, &cloud).released, 0);
        let status = a.task(&task_id).unwrap().status;
        let expected = match finished {
            true => Status::Done,
            false => Status::InProgress,
        };
        assert_eq!(status, expected);
        assert_eq!(owner(&mut a, &task_id).as_deref(), Some("ann"));
        assert_eq!(a.conflicts(), 0);
        assert_eq!(a.hash(), b.hash());
    }
}

#[test]
fn what_was_given_back_is_nothing_to_undo() {
    let cloud = ModelCloud::new();
    let (mut a, _, task_id) = pair(&cloud);
    let before = hzl_store::undo::find_last_command(&a.ledger.files().events, None).unwrap();
    let lost = vec![Some(Fault::ReplyLost)];
    ask_strictly(&mut a, &mut cloud.line(lost), &task_id, "ann");
    assert_eq!(exchange(&mut a, &cloud).released, 1);
    let after = hzl_store::undo::find_last_command(&a.ledger.files().events, None).unwrap();
    assert_eq!(after, before);
}

#[test]
fn a_claim_that_arrives_just_before_it_is_given_up_is_given_back_as_well() {
    let cloud = ModelCloud::new();
    let (mut a, _, task_id) = pair(&cloud);
    let command = Command::ClaimTask(ClaimTask {
        task_id: task_id.clone(),
        lease_minutes: None,
    });
    let Ok(Intended::Claim(intent)) = a.ledger.intend_claim(&command, &Actor::default()) else {
        panic!("it is ready");
    };
    let mut line = cloud.line(vec![Some(Fault::ReplyLost)]);
    let options = SyncOptions::default();
    claim::claim(&mut a.ledger, &mut line, &intent.outgoing, &options).unwrap_err();
    // Another process of this device syncs at this moment.
    assert_eq!(exchange(&mut a, &cloud).released, 0);
    a.ledger.abandon_intent(&intent).unwrap();
    // A later question must not make it forgotten.
    let other = a.add("other");
    let asked = ask_strictly(&mut a, &mut cloud.line(vec![]), &other, "ann");
    assert_eq!(asked, Told::Confirmed);
    assert_eq!(a.task(&task_id).unwrap().status, Status::Ready);
    assert!(!a.ledger.has_outgoing().unwrap(), "and that is sent");
}

#[test]
fn a_claim_waits_behind_what_was_set_aside_of_its_task() {
    let cloud = ModelCloud::new();
    let (mut a, mut b, task_id) = pair(&cloud);
    assert_eq!(
        ask(&mut a, &mut cloud.line(vec![]), &task_id, "ann"),
        Told::Confirmed
    );
    exchange(&mut b, &cloud);
    cloud.refuse("poison");
    let release = Command::ReleaseTask(Transition {
        task_id: task_id.clone(),
        comment: Some("poison".to_owned()),
    });
    b.execute(&release, "boss");
    // The cloud would take the claim; but there the task is still held, and it would count nowhere.
    assert_eq!(
        ask(&mut b, &mut cloud.line(vec![]), &task_id, "bob"),
        Told::Provisional
    );
    cloud.accept();
    b.ledger.retry_quarantined().unwrap();
    exchange(&mut b, &cloud);
    exchange(&mut a, &cloud);
    assert_eq!(owner(&mut a, &task_id).as_deref(), Some("bob"));
    assert_eq!((a.conflicts(), a.hash()), (0, b.hash()));
}
