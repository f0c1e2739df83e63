//! Random schedules: several devices, one cloud, faults, copies and rewinds. When the faults have ended
//! all devices agree, a rebuild agrees, a fresh device agrees, and no acknowledged event is missing.

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
use hzl_remote::sync::{SyncError, SyncOptions, sync};
use hzl_store::ledger::ExecuteError;
use hzl_store::{log, query};

use crate::devices::Device;
use crate::model_cloud::{Fault, ModelCloud};
use crate::random::{Random, setting};

struct World {
    devices: Vec<Device>,
    cloud: ModelCloud,
    random: Random,
    acknowledged: BTreeSet<String>,
    tasks: Vec<TaskId>,
    rewound: bool,
}

#[test]
fn all_devices_agree_when_the_faults_have_ended() {
    // A long run: HZL_TEST_SCHEDULES=10000, and HZL_TEST_SEED for where to begin.
    let (first, count) = (
        setting("HZL_TEST_SEED", 1),
        setting("HZL_TEST_SCHEDULES", 60),
    );
    for seed in first..first + count {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..70 {
            world.step();
        }
        world.settle();
        world.check();
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let random = Random::new(seed);
        let devices = vec![Device::new(), Device::new(), Device::new()];
        let mut world = Self {
            devices,
            cloud: ModelCloud::new(),
            random,
            acknowledged: BTreeSet::new(),
            tasks: vec![],
            rewound: false,
        };
        (0..3).for_each(|at| {
            world.sync(at, vec![]).unwrap();
        });
        world
    }

    fn step(&mut self) {
        let at = self.random.below(self.devices.len());
        match self.random.below(100) {
            0..=64 => self.act(at),
            65..=93 => {
                let faults = (0..self.random.below(4))
                    .map(|_| match self.random.below(4) {
                        0 => Some(Fault::RequestLost),
                        1 => Some(Fault::ReplyLost),
                        _ => None,
                    })
                    .collect();
                // A fault ends this sync; nothing else may.
                match self.sync(at, faults) {
                    Ok(()) | Err(SyncError::Remote(_)) => {}
                    Err(error) => panic!("{error}"),
                }
                self.compare_with_rebuild(at);
            }
            94..=95 if self.devices.len() < 5 => {
                let copy = self.devices[at].copy();
                self.devices.push(copy);
            }
            96 if !self.rewound => {
                let count = self.random.below(6);
                self.cloud.rewind(count);
                self.rewound = true;
            }
            _ => self.compare_with_rebuild(at),
        }
    }

    fn sync(&mut self, at: usize, faults: Vec<Option<Fault>>) -> Result<(), SyncError> {
        let options = SyncOptions {
            reset: self.rewound,
            merge: true,
            ..SyncOptions::default()
        };
        let mut line = self.cloud.line(faults);
        sync(
            &mut self.devices[at].ledger,
            &mut line,
            &options,
            &mut |_| {},
        )
        .map(drop)
    }

    fn compare_with_rebuild(&mut self, at: usize) {
        self.devices[at].hash();
    }

    /// A random wish; many are refused, and then nothing may have happened.
    fn act(&mut self, at: usize) {
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

    /// The faults end; everybody syncs until nothing moves, within three rounds after a rewind has
    /// been dealt with.
    fn settle(&mut self) {
        for _ in 0..3 {
            for at in 0..self.devices.len() {
                self.sync(at, vec![]).unwrap();
            }
        }
    }

    fn check(&mut self) {
        let cloud: BTreeSet<String> = self.cloud.event_ids().into_iter().collect();
        let lost: Vec<&String> = self.acknowledged.difference(&cloud).collect();
        assert!(
            lost.is_empty(),
            "acknowledged, and not in the cloud: {lost:?}"
        );
        self.devices.push(Device::new());
        let fresh = self.devices.len() - 1;
        self.sync(fresh, vec![]).unwrap();
        (0..fresh).for_each(|at| self.sync(at, vec![]).unwrap());
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
