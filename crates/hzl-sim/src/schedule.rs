//! Schedules: everything that will happen in a simulation, decided before it begins.
//!
//! A step carries its own random number, so leaving one out does not change what the others do: that is
//! what makes shrinking possible.

use hzl_store::interrupt::Interrupt;

use crate::cloud::Fault;
use crate::random::Random;

/// One simulation, before it runs.
#[derive(Clone, PartialEq, Debug)]
pub struct Schedule {
    /// Where the random numbers come from.
    pub seed: u64,
    /// How many devices there are at first.
    pub devices: usize,
    /// What agents do most.
    pub focus: Focus,
    /// How it ends.
    pub ending: Ending,
    /// Rows of a page of a pull.
    pub page_rows: u32,
    /// Events of a push.
    pub chunk_events: usize,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// What agents do most: rare encounters are less rare where everybody does the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Focus {
    /// A bit of everything.
    Everything,
    /// They take tasks, and take them away from one another.
    Ownership,
    /// They let leases run out, renew them, and take over what seems to be abandoned.
    Leases,
    /// They change the same few values.
    Values,
    /// They rename projects and link tasks.
    Structure,
}

/// How a simulation ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The faults end for all devices at once.
    Together,
    /// They end for some devices first: those must agree while the others are still in trouble.
    CoreFirst,
}

/// One thing that happens.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// On which device, modulo their number.
    pub device: usize,
    /// What.
    pub action: Action,
    /// All random choices of this step follow from this.
    pub salt: u64,
    /// How much time passes before.
    pub wait_ms: i64,
    /// What happens to its requests, in order; then nothing.
    pub faults: Vec<Fault>,
    /// The process dies, or the disk is full, after so many transaction edges.
    pub interrupt: Option<(u32, Interrupt)>,
    /// What happens while its first requests are under way, one step for each.
    pub meanwhile: Vec<Step>,
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// An agent runs a command.
    Write,
    /// An agent claims a task with the cloud's word.
    Claim,
    /// The device syncs.
    Sync,
    /// The projections are lost.
    LoseCache,
    /// The disk is copied to another machine.
    Copy,
    /// A backup of the disk is made.
    BackUp,
    /// The backup is put back.
    Restore,
    /// The cloud is put back to an older state.
    Rewind,
    /// The cloud loses all its tables.
    Wipe,
    /// The device's clock jumps.
    TurnClock,
    /// The cloud's clock jumps.
    TurnCloudClock,
    /// The cloud refuses events with a certain word, or no longer does.
    Poison,
    /// The devices' token may only read, or may write again.
    ChangeToken,
    /// HZL 3.2.0 writes an event on the device.
    WriteAsOldHzl,
    /// A later hzl writes an event on the device.
    WriteAsNewHzl,
    /// Somebody writes rows into the cloud that no hzl would write.
    PlantJunk,
}

/// The rare troubles; most schedules have one kind, so that others are not hidden behind it.
const TROUBLES: [&[Action]; 8] = [
    &[],
    &[Action::Copy],
    &[Action::BackUp, Action::Restore],
    &[Action::Rewind],
    &[Action::TurnClock, Action::TurnCloudClock],
    &[Action::WriteAsOldHzl, Action::WriteAsNewHzl],
    &[Action::Poison, Action::ChangeToken, Action::PlantJunk],
    &[
        Action::Copy,
        Action::BackUp,
        Action::Restore,
        Action::Rewind,
        Action::TurnClock,
        Action::TurnCloudClock,
        Action::Poison,
        Action::ChangeToken,
        Action::WriteAsNewHzl,
        Action::PlantJunk,
        Action::Wipe,
    ],
];

/// What goes wrong besides the line, and how often: some faults only show where one meets another.
#[derive(Clone, Copy)]
struct Trouble {
    kinds: &'static [Action],
    is_frequent: bool,
}

impl Trouble {
    const NONE: Self = Self {
        kinds: TROUBLES[0],
        is_frequent: false,
    };

    /// What goes wrong; with no kinds, a sync goes well.
    fn draw(self, random: &mut Random) -> Action {
        if self.kinds.is_empty() {
            return Action::Sync;
        }
        self.kinds[random.index(self.kinds.len())]
    }
}

impl Schedule {
    /// Draws a schedule. The same seed gives the same schedule.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let trouble = Trouble {
            kinds: TROUBLES[random.index(TROUBLES.len())],
            is_frequent: random.chance(2),
        };
        // One in fifty is long: many events, many devices.
        let is_long = random.chance(50);
        let (devices, length) = if is_long {
            (3 + random.index(4), 150 + random.index(150))
        } else {
            (2 + random.index(2), 16 + random.index(34))
        };
        let focus = [
            Focus::Everything,
            Focus::Ownership,
            Focus::Leases,
            Focus::Values,
            Focus::Structure,
        ][random.index(5)];
        let steps = (0..length).map(|_| Step::draw(&mut random, focus, trouble, 0));
        Self {
            seed,
            devices,
            steps: steps.collect(),
            focus,
            ending: if random.chance(3) {
                Ending::CoreFirst
            } else {
                Ending::Together
            },
            page_rows: [2, 3, 5, 1_000][random.index(4)],
            chunk_events: [1, 2, 4, 1_000][random.index(4)],
        }
    }
}

impl Step {
    /// A sync that nothing disturbs.
    pub(crate) const fn quiet() -> Self {
        Self {
            device: 0,
            action: Action::Sync,
            salt: 0,
            wait_ms: 0,
            faults: vec![],
            interrupt: None,
            meanwhile: vec![],
        }
    }

    /// Something that goes wrong on this device.
    pub(crate) fn troubled(random: &mut Random, device: usize) -> Self {
        let step = Self::draw(random, Focus::Everything, Trouble::NONE, 1);
        Self {
            device,
            faults: match step.action {
                Action::Sync | Action::Claim => vec![draw_fault(random), draw_fault(random)],
                _ => vec![],
            },
            ..step
        }
    }

    fn draw(random: &mut Random, focus: Focus, trouble: Trouble, depth: u32) -> Self {
        let action = match random.below(100) {
            0..=20 if trouble.is_frequent && !trouble.kinds.is_empty() => trouble.draw(random),
            0..=50 => Action::Write,
            51..=57 => Action::Claim,
            58..=88 => Action::Sync,
            // Not under a process that has the store open.
            89 | 90 if depth == 0 => Action::LoseCache,
            _ => trouble.draw(random),
        };
        let talks = matches!(action, Action::Sync | Action::Claim);
        let works = talks || action == Action::Write;
        let faults = match random.below(3) {
            0 if talks => (0..=random.below(4)).map(|_| draw_fault(random)).collect(),
            _ => vec![],
        };
        let interrupt = (works && random.chance(8)).then(|| {
            let kind = if random.chance(3) {
                Interrupt::Fail
            } else {
                Interrupt::Die
            };
            (random.below(12), kind)
        });
        let meanwhile = if talks && depth == 0 && random.chance(3) {
            (0..=random.below(3))
                .map(|_| Self::draw(random, focus, Trouble::NONE, depth + 1))
                .collect()
        } else {
            vec![]
        };
        Self {
            device: random.index(64),
            action,
            salt: random.number(),
            wait_ms: draw_wait(random, focus),
            faults,
            interrupt,
            meanwhile,
        }
    }
}

fn draw_fault(random: &mut Random) -> Fault {
    match random.below(16) {
        0..=3 => Fault::None,
        4 | 5 => Fault::RequestLost,
        6..=8 => Fault::ReplyLost,
        9 => Fault::Twice,
        10 => Fault::Late,
        11 => Fault::Half(u8::try_from(random.below(3)).unwrap_or(0)),
        12 => Fault::Unavailable,
        13 => Fault::Unauthorized,
        14 => Fault::Busy,
        _ if random.chance(2) => Fault::Garbage,
        _ => Fault::TooLarge,
    }
}

/// Mostly moments, sometimes long enough for a lease to run out; often, where leases matter.
fn draw_wait(random: &mut Random, focus: Focus) -> i64 {
    i64::from(match random.below(20) {
        0..=4 => 0,
        5..=12 if focus == Focus::Leases => 30_000 + random.below(60_000),
        5..=17 => 1 + random.below(3_000),
        18 => random.below(120_000),
        _ => random.below(1_200_000),
    })
}
