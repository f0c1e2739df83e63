//! A world of random wishes: several devices and the cloud where they meet, whatever that is. It knows
//! what was acknowledged, and checks what must be true when the faults have ended: all devices agree, a
//! rebuild agrees, a fresh device agrees, and no acknowledged event is missing or there twice.
//!
//! What may go wrong, and when, is for the schedules to say.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use std::collections::BTreeSet;

use hzl_core::command::{
    AddTask, ClaimFilter, ClaimTask, Command, ProjectTasks, StealTask, SubtaskPolicy, Transition,
    UpdateTask,
};
use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};
use hzl_store::ledger::ExecuteError;
use hzl_store::{log, query};

use crate::devices::Device;
use hzl_testkit::random::Random;

/// Where devices meet.
pub(crate) trait Meeting {
    /// A line to it, for one sync.
    fn line(&self, weather: Weather<'_>) -> Box<dyn Remote + '_>;

    /// The ids of all events there, by sequence.
    fn event_ids(&self) -> Vec<String>;
}

/// What a line is like.
pub(crate) enum Weather<'random> {
    /// It has no faults.
    Fair,
    /// It has some, at random.
    Foul(&'random mut Random),
}

/// Devices, the place where they meet, and what they were promised.
pub(crate) struct World<M> {
    pub(crate) devices: Vec<Device>,
    pub(crate) cloud: M,
    pub(crate) random: Random,
    acknowledged: BTreeSet<String>,
    tasks: Vec<TaskId>,
}

impl<M: Meeting> World<M> {
    pub(crate) fn new(seed: u64, cloud: M, devices: usize) -> Self {
        Self {
            devices: (0..devices).map(|_| Device::new()).collect(),
            cloud,
            random: Random::new(seed),
            acknowledged: BTreeSet::new(),
            tasks: vec![],
        }
    }

    /// A sync in foul weather. A fault ends it; nothing else may.
    pub(crate) fn sync_in_foul_weather(&mut self, at: usize) {
        let options = self.options();
        let mut line = self.cloud.line(Weather::Foul(&mut self.random));
        let synced = sync(
            &mut self.devices[at].ledger,
            &mut *line,
            &options,
            &mut |_| {},
        );
        drop(line);
        match synced {
            Ok(report) => self.has_no_false_clone(&report),
            // A false 403 says that the tables cannot be made.
            Err(SyncError::Remote(_) | SyncError::EmptyAndReadOnly) => {}
            Err(error) => panic!("{error}"),
        }
        self.compare_with_rebuild(at);
    }

    pub(crate) fn sync_in_fair_weather(&mut self, at: usize) {
        let options = self.options();
        let mut line = self.cloud.line(Weather::Fair);
        let report = sync(
            &mut self.devices[at].ledger,
            &mut *line,
            &options,
            &mut |_| {},
        )
        .unwrap();
        drop(line);
        self.has_no_false_clone(&report);
    }

    fn options(&self) -> SyncOptions {
        SyncOptions {
            merge: true,
            ..SyncOptions::default()
        }
    }

    fn has_no_false_clone(&self, report: &Report) {
        assert!(!report.became_clone, "no disk was copied");
    }

    pub(crate) fn compare_with_rebuild(&mut self, at: usize) {
        self.devices[at].hash();
    }

    /// A random wish; many are refused, and then nothing may have happened.
    pub(crate) fn act(&mut self, at: usize) {
        let command = self.command(at);
        let before = log::find_end(&self.devices[at].ledger.files().events).unwrap();
        match self.devices[at].try_execute(&command, &format!("agent{at}")) {
            Ok(outcome) => {
                let ids = outcome
                    .events
                    .iter()
                    .map(|(_, event)| event.event_id.to_string());
                self.acknowledged.extend(ids);
            }
            Err(ExecuteError::Rejected(_)) => {
                let after = log::find_end(&self.devices[at].ledger.files().events).unwrap();
                assert_eq!(
                    before, after,
                    "a refused command wrote something: {command:?}"
                );
            }
            Err(ExecuteError::Store(error)) => panic!("{error}: {command:?}"),
        }
    }

    fn command(&mut self, at: usize) -> Command {
        let task = |world: &mut Self| match world.tasks.len() {
            0 => TaskId::from("none"),
            n => world.tasks[world.random.below(n)].clone(),
        };
        let names = ["inbox", "a", "b", "c"];
        let name = |world: &mut Self| ProjectName::from(names[world.random.below(4)]);
        let (task_id, other) = (task(self), task(self));
        let transition = Transition {
            task_id: task_id.clone(),
            comment: None,
        };
        let number = self.random.below(1_000);
        match self.random.below(24) {
            0..=3 => self.add(at, name),
            4 | 5 => Command::ClaimTask(ClaimTask {
                task_id,
                lease_minutes: (number.is_multiple_of(2)).then_some(1),
            }),
            6 => Command::ClaimNext {
                filter: ClaimFilter::default(),
                lease_minutes: None,
            },
            7 => Command::CompleteTask(transition),
            8 => Command::ReleaseTask(transition),
            9 => Command::BlockTask(transition),
            10 => Command::UnblockTask {
                transition,
                release: number.is_multiple_of(2),
            },
            11 => Command::ReopenTask {
                transition,
                to: Status::Ready,
            },
            12 => Command::ArchiveTask {
                transition,
                subtasks: [
                    SubtaskPolicy::Refuse,
                    SubtaskPolicy::Cascade,
                    SubtaskPolicy::Orphan,
                ][number % 3],
            },
            13 => Command::StealTask(StealTask {
                task_id,
                agent: Some(format!("thief{at}")),
                force: true,
                if_expired: false,
                lease_minutes: Some(5),
            }),
            14 => Command::UpdateTask(Box::new(UpdateTask {
                task_id,
                title: Some(format!("title {number}")),
                tags: Some(vec![format!("tag{}", number % 3)]),
                ..UpdateTask::default()
            })),
            15 => Command::UpdateTask(Box::new(UpdateTask {
                task_id,
                parent: Some((!number.is_multiple_of(3)).then_some(other)),
                ..UpdateTask::default()
            })),
            16 => Command::MoveTask {
                task_id,
                project: name(self),
            },
            17 => Command::AddDependency {
                task_id,
                depends_on: other,
            },
            18 => Command::RemoveDependency {
                task_id,
                depends_on: other,
            },
            19 => Command::RecordCheckpoint {
                task_id,
                name: format!("state {number}"),
                data: None,
                progress: Some(u8::try_from(number % 101).unwrap()),
            },
            20 => Command::CreateProject {
                name: name(self),
                description: None,
                is_protected: false,
            },
            21 => Command::RenameProject {
                old_name: name(self),
                new_name: name(self),
            },
            22 => Command::DeleteProject {
                name: name(self),
                tasks: Some([ProjectTasks::Archive, ProjectTasks::Delete][number % 2].clone()),
            },
            _ => Command::AddComment {
                task_id,
                text: format!("remark {number}"),
            },
        }
    }

    fn add(&mut self, at: usize, name: impl Fn(&mut Self) -> ProjectName) -> Command {
        let task_id = self.devices[at].ledger.new_task_id();
        let waits = !self.tasks.is_empty() && self.random.chance(3);
        let depends_on = if waits {
            vec![self.tasks[self.random.below(self.tasks.len())].clone()]
        } else {
            vec![]
        };
        self.tasks.push(task_id.clone());
        Command::AddTask(Box::new(AddTask {
            priority: u8::try_from(self.random.below(4)).unwrap(),
            depends_on,
            status: Status::Ready,
            ..AddTask::new(task_id, format!("task {}", self.tasks.len()), name(self))
        }))
    }

    /// The faults have ended; everybody syncs until nothing moves, within three rounds after a rewind has
    /// been dealt with.
    pub(crate) fn settle(&mut self) {
        for _ in 0..3 {
            (0..self.devices.len()).for_each(|at| self.sync_in_fair_weather(at));
        }
    }

    pub(crate) fn check(&mut self) {
        let there = self.cloud.event_ids();
        let cloud: BTreeSet<String> = there.iter().cloned().collect();
        assert_eq!(there.len(), cloud.len(), "every event is there once");
        let lost: Vec<&String> = self.acknowledged.difference(&cloud).collect();
        assert!(
            lost.is_empty(),
            "acknowledged, and not in the cloud: {lost:?}"
        );
        self.devices.push(Device::new());
        let fresh = self.devices.len() - 1;
        self.sync_in_fair_weather(fresh);
        (0..fresh).for_each(|at| self.sync_in_fair_weather(at));
        let states: Vec<(String, u64)> = self
            .devices
            .iter_mut()
            .map(|device| {
                let pending = device.ledger.count_pending().unwrap();
                assert_eq!(pending, 0, "nothing waits any more");
                let conflicts = device.ledger.read(query::conflicts::count).unwrap();
                (device.hash(), conflicts)
            })
            .collect();
        assert!(
            states.windows(2).all(|pair| pair[0] == pair[1]),
            "{states:?}"
        );
    }
}
