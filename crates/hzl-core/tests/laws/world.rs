//! A small world: devices with a log, one cloud that numbers what it accepts, and everything that goes
//! wrong between them. It keeps the truth (who had what in their log when they wrote), which the rules
//! never see and the checks judge by.
//!
//! The protocol (`network`) is the design's (§2, §6) in memory: settled rows, rows made tail again by a
//! rewind, tail.

mod network;

use std::collections::BTreeSet;

use hzl_core::command::{Actor, Command};
use hzl_core::decide::{Draft, decide};
use hzl_core::event::{Event, Payload, PlacedEvent};
use hzl_core::ids::{DeviceId, EventId, TaskId};
use hzl_core::order::Position;
use hzl_core::time::Timestamp;

use crate::view::{Incremental, View};
use crate::{accepted, commands, legacy, oracle, undone};

/// Where every world's clock starts: 2026-03-01T09:00:00Z.
pub(crate) const START: i64 = 1_772_355_600_000;
const MINUTE: i64 = 60_000;
/// The seen events of a writer fit a `u128`.
const MAX_EVENTS: usize = 126;

/// One step of a schedule: what happens, on which device, and three free choices.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) kind: u8,
    pub(crate) device: u8,
    pub(crate) a: u8,
    pub(crate) b: u8,
    pub(crate) r: u16,
}

/// One line: schedules are long.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Step {
            kind,
            device,
            a,
            b,
            r,
        } = self;
        write!(f, "kind {kind} on {device}, {a} {b} {r}")
    }
}

/// A schedule: a history of HZL 3.2.0 that all devices start from, then what happens.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) devices: u8,
    pub(crate) may_rewind: bool,
    pub(crate) history: Vec<Step>,
    pub(crate) steps: Vec<Step>,
}

/// What really happened when an event was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    seen: u128,
    /// By how much the writer's clock was wrong.
    pub(crate) clock_error: i64,
}

impl Truth {
    pub(crate) fn saw(&self, event: usize) -> bool {
        self.seen >> event & 1 == 1
    }
}

/// A row of the cloud, and a device's copy of it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Row {
    pub(crate) event: usize,
    seq: i64,
    received_at: i64,
    device: Option<DeviceId>,
}

#[derive(Clone, Debug)]
struct Waiting {
    event: usize,
    device: Option<DeviceId>,
    received_at: Option<i64>,
    resent: bool,
}

pub(crate) struct Device {
    id: DeviceId,
    settled: Vec<Row>,
    tail: Vec<Waiting>,
    rewind_points: Vec<i64>,
    clock_error: i64,
    offset: i64,
    largest_ms: i64,
    /// The settled part, folded as pulls brought it.
    folded: Incremental,
}

impl Device {
    fn cursor(&self) -> i64 {
        self.settled.last().map_or(0, |row| row.seq)
    }

    fn log(&self) -> impl Iterator<Item = usize> {
        let tail = self.tail.iter().map(|waiting| waiting.event);
        self.settled.iter().map(|row| row.event).chain(tail)
    }
}

/// How many commands of each kind were decided, refused, and accepted by the fold.
pub(crate) type Tally = std::collections::BTreeMap<&'static str, u32>;

pub(crate) struct World {
    pub(crate) events: Vec<Event>,
    pub(crate) truths: Vec<Truth>,
    pub(crate) devices: Vec<Device>,
    cloud: Vec<Row>,
    cloud_rewind_points: Vec<i64>,
    real_time: i64,
    task_ids: u32,
    may_rewind: bool,
    /// HZL 3.2.0 goes on writing.
    mixed: bool,
    pub(crate) rewound: bool,
    /// Claims that stood on a device as settled: nobody may take them back, except a rewind.
    pub(crate) confirmed: BTreeSet<EventId>,
    pub(crate) tally: Tally,
}

impl World {
    /// Plays a schedule until everything is synced and a fresh device has joined.
    pub(crate) fn play(schedule: &Schedule) -> Self {
        let mut world = World {
            events: vec![],
            truths: vec![],
            devices: vec![],
            cloud: vec![],
            cloud_rewind_points: vec![],
            real_time: START,
            task_ids: 0,
            may_rewind: schedule.may_rewind,
            mixed: !schedule.history.is_empty(),
            rewound: false,
            confirmed: BTreeSet::new(),
            tally: Tally::new(),
        };
        world.add_device();
        for step in &schedule.history {
            world.real_time += 1 + i64::from(step.r % 7) * MINUTE;
            legacy::work(&mut world, 0, *step);
        }
        for device in 1..schedule.devices {
            world.add_device();
            let history = world.devices[0].tail.clone();
            let largest_ms = world.devices[0].largest_ms;
            world.devices[usize::from(device)].tail = history;
            world.devices[usize::from(device)].largest_ms = largest_ms;
        }
        for step in &schedule.steps {
            world.step(*step);
        }
        world.settle_all();
        world
    }

    // ---- what a device sees

    /// The log in the order of the design: settled by sequence, then what a rewind gave back, then the tail.
    pub(crate) fn order(&self, device: usize) -> Vec<PlacedEvent> {
        let settled = self.devices[device]
            .settled
            .iter()
            .map(|row| self.placed(row));
        settled.chain(self.tail(device)).collect()
    }

    fn placed(&self, row: &Row) -> PlacedEvent {
        PlacedEvent {
            event: self.events[row.event].clone(),
            position: Position::settled(row.seq),
            seq: Some(row.seq),
            received_at: Some(Timestamp::from_millis(row.received_at)),
            device: row.device.clone(),
        }
    }

    fn tail(&self, device: usize) -> impl Iterator<Item = PlacedEvent> {
        self.devices[device]
            .tail
            .iter()
            .zip(1..)
            .map(|(waiting, at)| {
                let place = if waiting.resent {
                    Position::resent
                } else {
                    Position::tail
                };
                PlacedEvent {
                    event: self.events[waiting.event].clone(),
                    position: place(at),
                    seq: None,
                    received_at: waiting.received_at.map(Timestamp::from_millis),
                    device: waiting.device.clone(),
                }
            })
    }

    pub(crate) fn view(&self, device: usize) -> View {
        View::of(self.order(device), &self.devices[device].rewind_points)
    }

    pub(crate) fn index_of(&self, id: &EventId) -> usize {
        let found = self.events.iter().position(|event| event.event_id == *id);
        found.expect("every id in a state is an event's")
    }

    /// The indexes of all events in the cloud, in its order.
    pub(crate) fn cloud_order(&self) -> Vec<usize> {
        self.cloud.iter().map(|row| row.event).collect()
    }

    // ---- steps

    fn step(&mut self, step: Step) {
        self.real_time += match step.r % 3 {
            0 => i64::from(step.r % 4),
            1 => 1 + i64::from(step.r % 1_000),
            _ => i64::from(step.r % 40) * MINUTE,
        };
        let device = usize::from(step.device) % self.devices.len();
        match step.kind % 64 {
            0..=38 => self.command(device, step),
            39 if self.mixed => legacy::work(self, device, step),
            39 => {}
            40..=47 => {
                self.pull(device, 1 + usize::from(step.a % 6));
                self.note_confirmed(device);
            }
            48..=57 => self.push(device, 1 + usize::from(step.a % 4), step.b % 5 != 0),
            58..=60 => self.sync(device),
            61 | 62 => {
                let errors = [0, 30_000, -30_000, 3_600_000, -3_600_000, YEAR, -YEAR];
                self.devices[device].clock_error = errors[usize::from(step.b % 7)];
                if step.a % 3 == 0 {
                    self.devices[device].offset = 0;
                }
            }
            _ => self.rewind(usize::from(step.b % 4)),
        }
        let order = self.order(device);
        let rewind_points = self.devices[device].rewind_points.clone();
        let view = View::of(order.clone(), &rewind_points);
        let mut resumed = self.devices[device].folded.clone();
        self.tail(device)
            .for_each(|placed| resumed.apply(&placed, &rewind_points));
        resumed.assert_same(&view);
        oracle::assert_agrees(&order, &rewind_points, &view);
    }

    /// Decides a command on what the device sees, appends it, and checks that the fold accepted it.
    fn command(&mut self, device: usize, step: Step) {
        let before = self.view(device);
        let task_id = TaskId::new(format!("T{:03}", self.task_ids));
        let Some((command, actor)) = commands::choose(&before, step, &task_id) else {
            return;
        };
        let now = Timestamp::from_millis(self.next_ms(device));
        let facts = before.facts(&command, &actor);
        let name = commands::name(&command);
        match decide(&facts, &command, &actor, now) {
            Ok(drafts) if self.events.len() + drafts.len() <= MAX_EVENTS => {
                self.task_ids += 1;
                let first = self.events.len();
                self.append(device, drafts);
                *self.tally.entry(name).or_default() += u32::from(self.events.len() > first);
                let after = self.view(device);
                accepted::assert_done(&before, &after, &command, &actor, &self.events[first..]);
                if step.r % 4 == 2 {
                    self.take_back(device, &before, &after, first, &actor);
                }
            }
            Ok(_) => {}
            Err(_) => *self.tally.entry("refused").or_default() += 1,
        }
    }

    /// Takes back what was done from `first` on, and checks that it is as it was.
    fn take_back(
        &mut self,
        device: usize,
        before: &View,
        after: &View,
        first: usize,
        actor: &Actor,
    ) {
        let undo = Command::Undo { events: vec![] };
        let facts = undone::facts(before, after, &undo, actor, &self.events[first..]);
        let now = Timestamp::from_millis(self.next_ms(device));
        let Ok(drafts) = decide(&facts, &undo, actor, now) else {
            *self.tally.entry("undo refused").or_default() += 1;
            return;
        };
        if self.events.len() + drafts.len() <= MAX_EVENTS {
            let from = self.events.len();
            self.append(device, drafts);
            *self.tally.entry("undo").or_default() += 1;
            let undone = &self.events[from..];
            undone::assert_undone(before, after, &self.view(device), undone);
        }
    }

    fn next_ms(&self, device: usize) -> i64 {
        let device = &self.devices[device];
        (self.real_time + device.clock_error + device.offset).max(device.largest_ms + 1)
    }

    fn append(&mut self, device: usize, drafts: Vec<Draft>) {
        let mut command_id = None;
        for draft in drafts {
            let ms = self.next_ms(device);
            let epoch = u32::try_from(self.devices[device].rewind_points.len()).ok();
            let event_id = self.new_id(ms);
            let event = Event {
                event_id: event_id.clone(),
                task_id: draft.task_id,
                payload: through_text(&draft.payload),
                author: draft.author,
                agent_id: draft.agent_id,
                session_id: None,
                correlation_id: None,
                causation_id: Some(command_id.get_or_insert(event_id).to_string()),
                timestamp: Timestamp::from_millis(ms),
                basis_seq: self.devices[device].cursor(),
                epoch,
            };
            self.write(device, event);
        }
    }

    /// An event of HZL 3.2.0, by the bare local clock.
    pub(crate) fn append_legacy(
        &mut self,
        device: usize,
        task_id: Option<TaskId>,
        payload: &Payload,
        actor: &Actor,
    ) {
        if self.events.len() >= MAX_EVENTS {
            return;
        }
        let ms = self.real_time + self.devices[device].clock_error;
        let event = Event {
            event_id: self.new_id(ms),
            task_id,
            payload: through_text(payload),
            author: actor.author.clone(),
            agent_id: actor.agent_id.clone(),
            session_id: None,
            correlation_id: None,
            causation_id: None,
            timestamp: Timestamp::from_millis(ms),
            basis_seq: 0,
            epoch: None,
        };
        self.write(device, event);
    }

    pub(crate) fn new_task_id(&mut self) -> TaskId {
        self.task_ids += 1;
        TaskId::new(format!("T{:03}", self.task_ids - 1))
    }

    /// As a ULID: the time, then bits that differ from event to event and do not ascend.
    fn new_id(&self, ms: i64) -> EventId {
        let bits = (self.events.len() + 1) * 7_919 % 1_009;
        EventId::new(format!("{ms:014}{bits:04}"))
    }

    fn write(&mut self, at: usize, event: Event) {
        let device = &mut self.devices[at];
        let clock_error = event.timestamp.millis() - self.real_time;
        let seen = device.log().fold(0, |bits, event| bits | 1 << event);
        device.largest_ms = device.largest_ms.max(event.timestamp.millis());
        let waiting = Waiting {
            event: self.events.len(),
            device: (!event.is_legacy()).then(|| device.id.clone()),
            received_at: None,
            resent: false,
        };
        device.tail.push(waiting);
        self.truths.push(Truth { seen, clock_error });
        self.events.push(event);
    }
}

const YEAR: i64 = 365 * 24 * 60 * MINUTE;

/// What is folded is what was stored: every payload goes through its text.
fn through_text(payload: &Payload) -> Payload {
    let decoded = Payload::decode(
        payload.kind(),
        hzl_core::event::SCHEMA_VERSION,
        &payload.encode(),
    );
    assert_eq!(decoded, *payload, "a payload survives its text");
    decoded
}
