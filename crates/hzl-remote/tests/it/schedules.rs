//! Random schedules against a cloud in memory: faults, copied disks, a rewound cloud.

use hzl_remote::sync::run::Remote;

use crate::model_cloud::{Fault, ModelCloud};
use crate::random::setting;
use crate::world::{Meeting, Weather, World};

#[test]
fn all_devices_agree_when_the_faults_have_ended() {
    // A long run: HZL_TEST_SCHEDULES=10000, and HZL_TEST_SEED for where to begin.
    let (first, count) = (
        setting("HZL_TEST_SEED", 1),
        setting("HZL_TEST_SCHEDULES", 60),
    );
    for seed in first..first + count {
        println!("seed {seed}");
        let mut world = World::new(seed, ModelCloud::new(), 3);
        (0..3).for_each(|at| world.sync_in_fair_weather(at));
        (0..70).for_each(|_| step(&mut world));
        world.settle();
        world.check();
    }
}

fn step(world: &mut World<ModelCloud>) {
    let at = world.random.below(world.devices.len());
    match world.random.below(100) {
        0..=64 => world.act(at),
        65..=93 => world.sync_in_foul_weather(at),
        94..=95 if world.devices.len() < 5 => world.copy(at),
        96 if !world.rewound => {
            let count = world.random.below(6);
            world.cloud.rewind(count);
            world.rewound = true;
        }
        _ => world.compare_with_rebuild(at),
    }
}

impl Meeting for ModelCloud {
    fn line(&self, weather: Weather<'_>) -> Box<dyn Remote + '_> {
        let faults = match weather {
            Weather::Fair => vec![],
            Weather::Foul(random) => (0..random.below(4))
                .map(|_| match random.below(4) {
                    0 => Some(Fault::RequestLost),
                    1 => Some(Fault::ReplyLost),
                    _ => None,
                })
                .collect(),
        };
        Box::new(ModelCloud::line(self, faults))
    }

    fn event_ids(&self) -> Vec<String> {
        ModelCloud::event_ids(self)
    }
}
