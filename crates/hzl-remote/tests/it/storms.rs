//! Random schedules against real servers behind the proxy: every request may be cut, refused, answered
//! by somebody else, delayed, repeated, or delivered long after everybody has forgotten it.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_remote::sync::remote::Remote;
use hzl_testkit::proxy::{End, Fault, Server};
use hzl_testkit::random::{Random, setting};
use hzl_testkit::servers::{Auth, Sqld, Tursodb};

use crate::claims::{Told, ask};
use crate::network::Network;
use crate::random::{note, seed};
use crate::world::{Meeting, Weather, World};

#[test]
fn all_devices_agree_after_storms_before_sqld() {
    let sqld = Sqld::start(Auth::None);
    weather_storms(&Network::before(sqld.url()), 150, 0);
}

/// The other half, at the same time.
#[test]
fn all_devices_agree_after_more_storms_before_sqld() {
    let sqld = Sqld::start(Auth::None);
    weather_storms(&Network::before(sqld.url()), 150, 1);
}

#[test]
fn all_devices_agree_after_storms_before_tursodb() {
    let tursodb = Tursodb::start();
    weather_storms(&Network::before(tursodb.url()), 50, 0);
}

/// A long run: HZL_TEST_PROXY_SCHEDULES=10000, and HZL_TEST_SEED for where to begin.
fn weather_storms(network: &Network, schedules: u64, half: u64) {
    let schedules = setting("HZL_TEST_PROXY_SCHEDULES").unwrap_or(schedules);
    let first = seed() + half * schedules;
    let mut given = 0;
    for seed in first..first + schedules {
        note(&format!("seed {seed}"));
        network.clear();
        network.proxy.forget();
        let mut storm = Storm::new(seed, network);
        (0..40).for_each(|_| storm.step());
        // The last requests arrive before the last syncs, and the others with them.
        network.proxy.calm();
        network.proxy.deliver();
        storm.world.settle();
        storm.world.check();
        given += storm.check_owners();
    }
    note(&format!("{given} contested tasks were given to somebody"));
    assert!(given > 0 || schedules < 20, "nobody ever got a task");
}

struct Storm<'network> {
    world: World<&'network Network>,
    /// Tasks that agents claim, asking the cloud, and do nothing else with; and who was told to have them.
    contested: BTreeMap<TaskId, BTreeSet<String>>,
}

impl<'network> Storm<'network> {
    fn new(seed: u64, network: &'network Network) -> Self {
        let devices = 2 + Random::new(seed).below(3);
        Self {
            world: World::new(seed, network, devices),
            contested: BTreeMap::new(),
        }
    }

    fn step(&mut self) {
        let world = &mut self.world;
        let at = world.random.below(world.devices.len());
        match world.random.below(100) {
            0..=54 => world.act(at),
            55..=81 => world.sync_in_foul_weather(at),
            82..=85 => {
                let task = world.devices[at].add("contested");
                self.contested.insert(task, BTreeSet::new());
            }
            86..=95 => self.contest(at),
            _ => {
                world.cloud.proxy.deliver();
            }
        }
    }

    /// An agent wants a task, and asks the cloud for it in foul weather.
    fn contest(&mut self, at: usize) {
        let world = &mut self.world;
        let known = |task: &&TaskId| world.devices[at].task(task).is_some();
        let Some(task) = self.contested.keys().rev().find(known).cloned() else {
            return;
        };
        let agent = format!("agent{at}");
        let mut line = world.cloud.line(Weather::Foul(&mut world.random));
        let told = ask(&mut world.devices[at], &mut *line, &task, &agent);
        drop(line);
        if told == Told::Confirmed {
            self.contested.entry(task).or_default().insert(agent);
        }
    }

    /// Whoever was told to have a task has it, alone and on every device. Returns how many are had.
    fn check_owners(&mut self) -> usize {
        for (task, agents) in &self.contested {
            assert!(agents.len() <= 1, "{task} was given to {agents:?}");
            for device in &mut self.world.devices {
                let found = device.task(task).unwrap();
                if let Some(agent) = agents.first() {
                    let holder = (found.status, found.agent.as_ref());
                    assert_eq!(holder, (Status::InProgress, Some(agent)), "{task}");
                }
            }
        }
        let agents = self.contested.values();
        agents.filter(|agents| !agents.is_empty()).count()
    }
}

impl Meeting for &Network {
    fn line(&self, weather: Weather<'_>) -> Box<dyn Remote + '_> {
        self.proxy.calm();
        if let Weather::Foul(random) = weather {
            let requests = random.below(6);
            self.proxy.plan((0..requests).map(|_| draw(random)));
        }
        Box::new(self.far.client())
    }

    fn event_ids(&self) -> Vec<String> {
        Network::event_ids(self)
    }
}

/// Half of the requests have no fault. A typical request has 5,000 bytes, a reply 2,000.
fn draw(random: &mut Random) -> Fault {
    let ends = [End::Fin, End::Rst];
    let servers = [Server::Asked, Server::NotAsked];
    // Not 413: twice in a row for one event, and that is set aside, as it should be.
    let statuses = [401, 403, 404, 408, 429, 500, 502, 503, 504];
    match random.below(18) {
        0 | 1 => Fault::CutRequest {
            after_bytes: random.below(6_000),
            end: ends[random.below(2)],
        },
        2 | 3 => Fault::CutReply {
            after_bytes: random.below(3_000),
            end: ends[random.below(2)],
        },
        4 => Fault::HangUp,
        5 => match (statuses[random.below(9)], servers[random.below(2)]) {
            // Whoever forbids something has not done it before.
            (403, _) => Fault::status(403, Server::NotAsked),
            (status, server) => Fault::status(status, server),
        },
        6 => Fault::CutBody {
            after_bytes: random.below(1_500),
        },
        7 => Fault::Twice,
        8 => Fault::Keep,
        9 => Fault::Delay(Duration::from_millis(random.below(8).try_into().unwrap())),
        _ => Fault::None,
    }
}
