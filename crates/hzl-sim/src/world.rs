//! Plays a schedule: devices, processes that die, requests that are lost, and what is learned of it.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use hzl_core::command::{Actor, Command};
use hzl_core::event::Payload;
use hzl_core::ids::TaskId;
use hzl_core::time::Timestamp;
use hzl_remote::error::RemoteError;
use hzl_remote::sync::claim::{Fallback, Told, claim, conclude};
use hzl_remote::sync::run::Limits;
use hzl_remote::sync::{Report, SyncError, SyncOptions, sync};
use hzl_store::intent::Intended;
use hzl_store::interrupt::{self, Died, Interrupt};
use hzl_store::ledger::{self, ExecuteError, Ledger};
use hzl_store::log::{self, StoredEvent};
use hzl_store::source::{SystemClock, SystemIds};

use crate::check;
use crate::cloud::{Cloud, Database, TABLES};
use crate::commands;
use crate::device::{Device, Nature};
use crate::foreign;
use crate::history::{History, Written};
use crate::line::Line;
use crate::random::Random;
use crate::schedule::{Action, Focus, Schedule, Step};
use crate::trace::Trace;
use crate::verdict::{Finding, Violation};

/// Where every clock starts: 2026-03-01T09:00:00Z.
const START_MS: i64 = 1_772_355_600_000;

thread_local! {
    /// A store whose projections are always built from nothing, for comparing with.
    static SCRATCH: Rc<Ledger> = {
        let name = format!("scratch-{:?}", std::thread::current().id());
        let ledger = Ledger::open_in_memory(&name, Box::new(SystemClock), Box::new(SystemIds));
        Rc::new(ledger.expect("there is memory for a store"))
    };
}

/// A simulation under way.
pub struct World {
    pub(crate) nature: Rc<Nature>,
    pub(crate) cloud: Cloud,
    pub(crate) devices: RefCell<Vec<Rc<Device>>>,
    pub(crate) history: RefCell<History>,
    pub(crate) tasks: RefCell<Vec<TaskId>>,
    pub(crate) trace: RefCell<Trace>,
    pub(crate) violation: RefCell<Option<Violation>>,
    /// The cloud lost rows at some time.
    pub(crate) was_rewound: Cell<bool>,
    /// The server's clock has been wrong at some time.
    pub(crate) was_cloud_clock_wrong: Cell<bool>,
    pub(crate) has_old_events: Cell<bool>,
    /// Some device has had a line that hardly let anything through.
    pub(crate) had_narrow_line: Cell<bool>,
    pub(crate) is_poisoned: Cell<bool>,
    pub(crate) set_something_aside: Cell<bool>,
    limits: Limits,
    focus: Focus,
    /// A device for comparing with: its projections are always built from nothing.
    pub(crate) scratch: Rc<Ledger>,
}

impl World {
    /// Sets a simulation up.
    pub(crate) fn new(schedule: &Schedule, database: Box<dyn Database>, trace: Trace) -> Self {
        let nature = Nature::new(schedule.seed, START_MS);
        let scratch = SCRATCH.with(Rc::clone);
        let devices = (0..schedule.devices.max(1)).map(|_| Rc::new(Device::new(&nature)));
        Self {
            devices: RefCell::new(devices.collect()),
            nature,
            cloud: Cloud::new(database),
            history: RefCell::default(),
            tasks: RefCell::default(),
            trace: RefCell::new(trace),
            violation: RefCell::default(),
            was_rewound: Cell::new(false),
            was_cloud_clock_wrong: Cell::new(false),
            has_old_events: Cell::new(false),
            had_narrow_line: Cell::new(false),
            is_poisoned: Cell::new(false),
            set_something_aside: Cell::new(false),
            limits: Limits {
                page_rows: schedule.page_rows,
                chunk_events: schedule.chunk_events,
            },
            focus: schedule.focus,
            scratch,
        }
    }

    /// Every machine makes its inbox and joins; two have met before anything goes wrong.
    pub(crate) fn begin(&self) {
        for at in 0..self.devices.borrow().len() {
            let device = self.device(at);
            device.look(|ledger| {
                ledger
                    .ensure_inbox()
                    .expect("an empty store takes a project")
            });
            self.learn(&device);
            if at < 2 {
                self.sync_well(&device);
            }
        }
    }

    /// Does one step, unless something is wrong already.
    pub(crate) fn step(&self, step: &Step) {
        if self.violation.borrow().is_some() {
            return;
        }
        self.nature.now_ms.set(self.now_ms() + step.wait_ms);
        let device = self.device(step.device);
        self.note(&|| format!("{} {:?}", self.index_of(&device), step.action));
        // What died before may have left something behind.
        self.learn(&device);
        match step.action {
            Action::Write => self.write(&device, step),
            Action::Claim => self.claim(&device, step),
            Action::Sync => self.sync(&device, step),
            Action::LoseCache => device.lose_cache(),
            Action::Copy => {
                if self.devices.borrow().len() < 6 {
                    let twin = Rc::new(device.copy());
                    self.learn(&twin);
                    self.devices.borrow_mut().push(twin);
                }
            }
            Action::BackUp => device.back_up(),
            Action::Restore => self.restore(&device, step),
            Action::Rewind => self.rewind(step),
            Action::Wipe => self.wipe(),
            Action::TurnClock => self.turn_clock(&device, step),
            Action::TurnCloudClock => {
                let jump = i64::from(Random::new(step.salt).below(600_000)) - 300_000;
                self.cloud.clock_error_ms.set(jump);
                self.was_cloud_clock_wrong.set(true);
            }
            Action::Poison => self.poison(),
            Action::ChangeToken => self.cloud.read_only.set(!self.cloud.read_only.get()),
            Action::WriteAsOldHzl => foreign::write_as_old_hzl(self, &device, step.salt),
            Action::WriteAsNewHzl => foreign::write_as_new_hzl(self, &device, step.salt),
            Action::PlantJunk => foreign::plant_junk(self, step.salt),
        }
        self.learn(&device);
        if matches!(step.action, Action::Sync | Action::Claim) {
            check::commands_whole(self, &device);
        }
        check::after_step(self, &device);
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.nature.now_ms.get()
    }

    pub(crate) fn device(&self, at: usize) -> Rc<Device> {
        let devices = self.devices.borrow();
        Rc::clone(&devices[at % devices.len()])
    }

    fn index_of(&self, device: &Rc<Device>) -> usize {
        let devices = self.devices.borrow();
        devices
            .iter()
            .position(|one| Rc::ptr_eq(one, device))
            .unwrap_or(usize::MAX)
    }

    pub(crate) fn report(&self, finding: Finding, detail: String) {
        self.note(&|| format!("VIOLATION {finding:?}: {detail}"));
        self.violation
            .borrow_mut()
            .get_or_insert(Violation { finding, detail });
    }

    pub(crate) fn note(&self, line: &dyn Fn() -> String) {
        self.trace.borrow_mut().add(line);
    }

    // ---- processes

    /// Runs a process on a device; `None`: it died.
    fn run<T>(
        &self,
        device: &Device,
        interrupt: Option<(u32, Interrupt)>,
        work: impl FnOnce(&mut Ledger) -> T,
    ) -> Option<T> {
        let mut ledger = device.process();
        let outer = interrupt::arm(interrupt);
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut ledger)));
        interrupt::arm(outer);
        match done {
            Ok(value) => {
                device.give_back(ledger);
                Some(value)
            }
            Err(payload) if payload.is::<Died>() => {
                self.note(&|| "died".to_owned());
                device.bury(ledger, interrupt.is_some_and(|(points, _)| points == 0));
                None
            }
            Err(payload) => {
                let text = payload.downcast_ref::<String>().cloned();
                let text = text.or_else(|| {
                    payload
                        .downcast_ref::<&str>()
                        .map(|text| (*text).to_owned())
                });
                self.report(Finding::Panic, text.unwrap_or_default());
                None
            }
        }
    }

    fn actor(&self, device: &Rc<Device>, random: &mut Random) -> Actor {
        let name = format!("agent{}-{}", self.index_of(device), random.below(2));
        Actor {
            author: Some(name),
            ..Actor::default()
        }
    }

    // ---- commands

    fn write(&self, device: &Rc<Device>, step: &Step) {
        let mut random = Random::new(step.salt);
        let actor = self.actor(device, &mut random);
        let done = self.run(device, step.interrupt, |ledger| {
            let new_id = ledger.new_task_id();
            let command = commands::draw(
                &mut random,
                self.focus,
                &self.tasks.borrow(),
                new_id,
                ledger.now(),
            );
            let done = ledger.execute(&command, &actor);
            (command, done)
        });
        let written = self.learn(device);
        let Some((command, done)) = done else { return };
        self.note(&|| format!("{command:?}"));
        match done {
            Ok(outcome) => {
                if let (Command::AddTask(add), false) = (&command, outcome.events.is_empty()) {
                    self.tasks.borrow_mut().push(add.task_id.clone());
                }
                self.acknowledge_all(&outcome);
            }
            Err(ExecuteError::Rejected(reason)) => {
                self.note(&|| format!("refused: {reason:?}"));
                self.must_be_unwritten(&written, "a refused command");
            }
            Err(ExecuteError::Store(error)) => {
                self.note(&|| format!("failed: {error}"));
                if !matches!(error, hzl_store::Error::CommitUnknown { .. }) {
                    self.must_be_unwritten(&written, "a failed command");
                }
                if step.interrupt.is_none() {
                    self.report(Finding::LocalWriteFailed, error.to_string());
                }
            }
        }
    }

    fn must_be_unwritten(&self, written: &[usize], who: &str) {
        if !written.is_empty() {
            self.report(
                Finding::WroteAndFailed,
                format!("{who} wrote {} events", written.len()),
            );
        }
    }

    fn acknowledge_all(&self, outcome: &ledger::Outcome) {
        for (_, event) in &outcome.events {
            self.acknowledge(event.event_id.as_str());
        }
    }

    /// Whoever wrote this event was told that it is safe.
    pub(crate) fn acknowledge(&self, event_id: &str) {
        let at = self.history.borrow().find(event_id);
        match at {
            Some(at) => self.history.borrow_mut().events[at].is_acknowledged = true,
            None => self.report(Finding::AcknowledgedAndAbsent, event_id.to_owned()),
        }
    }

    /// Claims as a command does with `sync.claims: auto` or `strict`.
    fn claim(&self, device: &Rc<Device>, step: &Step) {
        let mut random = Random::new(step.salt);
        let actor = self.actor(device, &mut random);
        let fallback = if random.chance(3) {
            Fallback::Nothing
        } else {
            Fallback::Here
        };
        let command = commands::draw_claim(&mut random, self.focus, &self.tasks.borrow());
        let saw = device.known.borrow().clone();
        let told = self.run(device, step.interrupt, |ledger| {
            let intent = match ledger.intend_claim(&command, &actor) {
                Ok(Intended::Claim(intent)) => intent,
                Ok(Intended::Nothing(_)) | Err(_) => return Ok(None),
            };
            let joined = joined(ledger);
            self.expect_event(&intent.outgoing.event, saw, joined, device);
            let asked = claim(
                ledger,
                &mut Line::new(self, device, step),
                &intent.outgoing,
                &self.options(false),
            );
            Ok(match conclude(ledger, &intent, asked, fallback)? {
                Told::Confirmed(outcome) => Some((outcome, true)),
                Told::Provisional(outcome) => Some((outcome, false)),
                Told::Unanswered(_) => None,
                Told::TooLate => {
                    let mut history = self.history.borrow_mut();
                    let at = history.find(intent.outgoing.event.event_id.as_str());
                    history.refused.extend(at);
                    None
                }
            })
        });
        self.learn(device);
        let told: Option<Result<_, hzl_store::Error>> = told;
        match told {
            Some(Ok(Some((outcome, is_confirmed)))) => {
                self.note(&|| format!("claimed, confirmed: {is_confirmed}"));
                self.acknowledge_all(&outcome);
                let mut history = self.history.borrow_mut();
                let event_id = outcome
                    .events
                    .first()
                    .map(|(_, event)| event.event_id.to_string());
                let at = event_id.and_then(|id| history.find(&id));
                if let (Some(at), true) = (at, is_confirmed) {
                    history.confirmed.push(at);
                }
            }
            Some(Err(error)) if step.interrupt.is_none() => {
                self.report(Finding::LocalWriteFailed, error.to_string());
            }
            Some(Err(_) | Ok(None)) | None => {}
        }
    }

    // ---- sync

    fn sync(&self, device: &Rc<Device>, step: &Step) {
        let may_reset = self.was_rewound.get() && step.salt.is_multiple_of(2);
        let may_copy = device.was_copied.get();
        let done = self.run(device, step.interrupt, |ledger| {
            sync(
                ledger,
                &mut Line::new(self, device, step),
                &self.options(may_reset),
                &mut |_| {},
            )
        });
        self.judge_sync(done, step, may_copy);
    }

    fn judge_sync(&self, done: Option<Result<Report, SyncError>>, step: &Step, may_copy: bool) {
        match done {
            None => {}
            Some(Ok(report)) => {
                self.note(&|| {
                    format!(
                        "{} requests, cursor {}, {}",
                        report.requests, report.cursor, report.state_hash
                    )
                });
                if report.became_clone && !may_copy {
                    self.report(Finding::FalseClone, "nothing was copied".to_owned());
                }
            }
            Some(Err(error)) => {
                self.note(&|| format!("sync failed: {error}"));
                let disturbed = !step.faults.is_empty()
                    || step.interrupt.is_some()
                    || !step.meanwhile.is_empty();
                let changed = self.was_rewound.get() && matches!(error, SyncError::CloudChanged(_));
                let forbidden = self.cloud.read_only.get()
                    && matches!(
                        error,
                        SyncError::EmptyAndReadOnly
                            | SyncError::Remote(RemoteError::Forbidden { .. })
                    );
                if !disturbed && !changed && !forbidden {
                    self.report(Finding::SyncFailed, error.to_string());
                }
            }
        }
    }

    fn options(&self, reset: bool) -> SyncOptions {
        SyncOptions {
            reset,
            merge: true,
            limits: self.limits,
            ..SyncOptions::default()
        }
    }

    /// A sync without faults.
    pub(crate) fn sync_well(&self, device: &Rc<Device>) -> Option<Report> {
        let may_copy = device.was_copied.get();
        let options = self.options(self.was_rewound.get());
        let quiet = Step {
            faults: vec![],
            interrupt: None,
            meanwhile: vec![],
            ..Step::quiet()
        };
        let mut line = Line::new(self, device, &quiet);
        let done = self.run(device, None, |ledger| {
            sync(ledger, &mut line, &options, &mut |_| {})
        });
        let report = done.as_ref().and_then(|done| done.as_ref().ok()).cloned();
        self.judge_sync(done, &quiet, may_copy);
        self.learn(device);
        report
    }

    // ---- what happens to machines and clouds

    fn restore(&self, device: &Rc<Device>, step: &Step) {
        let lost = device.known.borrow().clone();
        if !device.restore(step.salt.is_multiple_of(2)) {
            return;
        }
        self.learn(device);
        self.forgive(|at, _| lost.contains(at));
    }

    /// Of these events, which a disk or the cloud has lost, the ones that were nowhere else are gone; nobody can help
    /// that.
    fn forgive(&self, is_lost: impl Fn(usize, &str) -> bool) {
        let (cloud, devices) = (self.cloud_event_ids(), self.devices.borrow());
        let mut history = self.history.borrow_mut();
        for (at, written) in history.events.iter_mut().enumerate() {
            let id = written.event.event_id.as_str();
            let is_somewhere = cloud.binary_search_by(|one| one.as_str().cmp(id)).is_ok()
                || devices.iter().any(|one| one.known.borrow().contains(at));
            if !is_somewhere && is_lost(at, id) {
                written.is_acknowledged = false;
            }
        }
    }

    /// Lets the cloud lose rows.
    fn lose(&self, lose: impl FnOnce()) {
        if self.cloud_is_empty() {
            return;
        }
        let before = self.cloud_event_ids();
        lose();
        self.was_rewound.set(true);
        self.forgive(|_, id| before.binary_search_by(|one| one.as_str().cmp(id)).is_ok());
    }

    /// The cloud loses its last rows, or all that came after a backup; or such a backup is made.
    fn rewind(&self, step: &Step) {
        let mut random = Random::new(step.salt);
        let count = random.below(8);
        match random.below(4) {
            0 => self.cloud.back_up(self.now_ms()),
            1 => self.lose(|| {
                // The backup is older than what makes the cloud refuse things.
                self.end_poison();
                if !self.cloud.restore(self.now_ms()) {
                    self.cloud.rewind(count, self.now_ms());
                }
            }),
            _ => self.lose(|| self.cloud.rewind(count, self.now_ms())),
        }
    }

    fn wipe(&self) {
        self.lose(|| {
            for table in TABLES {
                let drop = format!("drop table if exists {table}");
                self.cloud.tamper(&drop, vec![], self.now_ms());
            }
            self.is_poisoned.set(false);
        });
    }

    fn poison(&self) {
        if self.cloud_is_empty() {
            return;
        }
        let sql = if self.is_poisoned.get() {
            "drop trigger if exists poison"
        } else {
            "create trigger poison before insert on hzl_events when new.data like '%poison%' or new.data like '%\"to\":\"in_progress\"%'
             begin select raise(abort, 'refused'); end"
        };
        self.cloud.tamper(sql, vec![], self.now_ms());
        self.is_poisoned.set(!self.is_poisoned.get());
        self.set_something_aside.set(true);
    }

    fn end_poison(&self) {
        if self.is_poisoned.get() {
            self.poison();
        }
    }

    fn turn_clock(&self, device: &Rc<Device>, step: &Step) {
        const YEAR_MS: i64 = 365 * 24 * 3_600_000;
        let mut random = Random::new(step.salt);
        let small = i64::from(random.below(600_000)) - 300_000;
        let jump = [small, small, YEAR_MS, -YEAR_MS, 0][random.index(5)];
        device.clock_error_ms.set(jump);
    }

    /// Everything that made trouble ends.
    pub(crate) fn end_faults(&self) {
        self.cloud.deliver_late(self.now_ms());
        self.cloud.read_only.set(false);
        self.end_poison();
    }

    pub(crate) fn cloud_is_empty(&self) -> bool {
        !self.cloud.has_table("hzl_events", self.now_ms())
    }

    /// The ids of all events in the cloud, sorted.
    pub(crate) fn cloud_event_ids(&self) -> Vec<String> {
        if self.cloud_is_empty() {
            return vec![];
        }
        let rows = self.cloud.tamper(
            "select event_id from hzl_events order by event_id",
            vec![],
            self.now_ms(),
        );
        let id = |row: Vec<hzl_remote::hrana::Value>| match row.into_iter().next() {
            Some(hzl_remote::hrana::Value::Text(id)) => Some(id),
            _ => None,
        };
        rows.rows.into_iter().filter_map(id).collect()
    }

    // ---- the truth

    fn expect_event(
        &self,
        event: &StoredEvent,
        saw: crate::device::Known,
        ledger: Option<String>,
        device: &Device,
    ) {
        self.history.borrow_mut().add(Written {
            payload: Payload::decode(&event.kind, event.schema_version, &event.data),
            event: event.clone(),
            saw,
            ledger,
            is_acknowledged: false,
            clock_error_ms: device.clock_error_ms.get(),
            at_ms: self.now_ms(),
            is_foreign: false,
        });
    }

    /// Notes an event that somebody writes who is none of the devices.
    pub(crate) fn expect_foreign(&self, event: &StoredEvent) {
        self.history.borrow_mut().add(Written {
            payload: Payload::decode(&event.kind, event.schema_version, &event.data),
            event: StoredEvent {
                basis_seq: Some(0),
                epoch: Some(0),
                ..event.clone()
            },
            saw: crate::device::Known::default(),
            ledger: None,
            is_acknowledged: false,
            clock_error_ms: 0,
            at_ms: self.now_ms(),
            is_foreign: true,
        });
    }

    /// Whether events may stand in the cloud in another order than they were written.
    pub(crate) fn had_troubled_order(&self) -> bool {
        self.set_something_aside.get() || self.was_copied()
    }

    /// Whether there was ever a copy of a disk.
    pub(crate) fn was_copied(&self) -> bool {
        let devices = self.devices.borrow();
        devices.iter().any(|device| device.was_copied.get())
    }

    /// Reads what is new in a log. Returns the events that its own processes have written.
    pub(crate) fn learn(&self, device: &Device) -> Vec<usize> {
        let (rows, settled, joined) = device.look(|ledger| {
            let log = &ledger.files().events;
            let rows =
                log::list_stored_after(log, device.scanned.get(), None).expect("a log can be read");
            let settled = check::settled_after(log, device.scanned.get());
            let joined = if rows.is_empty() {
                None
            } else {
                joined(ledger)
            };
            (rows, settled, joined)
        });
        let mut own = vec![];
        for row in rows {
            device.scanned.set(row.rowid);
            let known = self.history.borrow().find(row.event_id.as_str());
            let at = known.unwrap_or_else(|| {
                if settled.contains(&row.rowid) {
                    self.report(Finding::NobodyWroteIt, row.event_id.to_string());
                }
                // Whoever wrote a row had the rows before it.
                let saw = device.known.borrow().clone();
                self.expect_event(&row, saw, joined.clone(), device);
                let at = self.history.borrow().events.len() - 1;
                own.push(at);
                at
            });
            let same = self.history.borrow().events[at].event.is_same_as(&row);
            if !same {
                self.report(Finding::Changed, row.event_id.to_string());
            }
            device.known.borrow_mut().insert(at);
        }
        own
    }

    /// The time as a perfect clock would tell it.
    pub(crate) fn true_time(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms())
    }
}

/// The cloud ledger that was joined.
pub(crate) fn joined(ledger: &Ledger) -> Option<String> {
    let membership = ledger.membership();
    membership.expect("the sync state can be read").joined
}
