//! A device: a store in memory, a clock that may be wrong, and processes that open the store.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hzl_core::time::Timestamp;
use hzl_store::digest::StateSum;
use hzl_store::ledger::Ledger;
use hzl_store::source::{Clock, IdSource};
use hzl_store::state::SyncState;
use ulid::Ulid;

use crate::disk::Disk;
use crate::random::Random;

/// What time it is, and who draws ids: shared by all devices of one simulation.
#[derive(Debug)]
pub struct Nature {
    /// True time, milliseconds since 1970.
    pub now_ms: Cell<i64>,
    seed: u64,
    next: Cell<u64>,
}

impl Nature {
    pub(crate) fn new(seed: u64, now_ms: i64) -> Rc<Self> {
        Rc::new(Self {
            now_ms: Cell::new(now_ms),
            seed,
            next: Cell::new(0),
        })
    }

    /// A number that was not drawn before.
    fn number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }
}

struct SimulatedClock {
    nature: Rc<Nature>,
    error_ms: Rc<Cell<i64>>,
}

impl Clock for SimulatedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.nature.now_ms.get() + self.error_ms.get())
    }
}

struct SimulatedIds(Random);

impl IdSource for SimulatedIds {
    fn new_id(&mut self, at: Timestamp) -> String {
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        let random = u128::from(self.0.number()) << 64 | u128::from(self.0.number());
        Ulid::from_parts(millis, random).to_string()
    }
}

/// Which events of the history are in a log, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known(Vec<u64>);

impl Known {
    /// Adds an event.
    pub fn insert(&mut self, event: usize) {
        if self.0.len() <= event / 64 {
            self.0.resize(event / 64 + 1, 0);
        }
        self.0[event / 64] |= 1 << (event % 64);
    }

    /// Tells whether the event is among them.
    #[must_use]
    pub fn contains(&self, event: usize) -> bool {
        self.0
            .get(event / 64)
            .is_some_and(|word| word >> (event % 64) & 1 == 1)
    }
}

/// One machine.
pub struct Device {
    nature: Rc<Nature>,
    disk: RefCell<Disk>,
    backup: RefCell<Option<Disk>>,
    /// Local time minus true time.
    pub(crate) clock_error_ms: Rc<Cell<i64>>,
    /// What its log holds, up to a row.
    pub(crate) known: RefCell<Known>,
    pub(crate) scanned: Cell<i64>,
    /// Where its log and projections stood when they were last compared.
    pub(crate) checked: RefCell<Option<(StateSum, SyncState, i64)>>,
    /// Its disk was copied or put back at some time.
    pub(crate) was_copied: Cell<bool>,
}

impl Device {
    /// A machine with an empty store.
    pub(crate) fn new(nature: &Rc<Nature>) -> Self {
        let error = Rc::new(Cell::new(0));
        let disk = new_disk(nature, &error);
        Self::with(nature, disk, error)
    }

    fn with(nature: &Rc<Nature>, disk: Disk, clock_error_ms: Rc<Cell<i64>>) -> Self {
        Self {
            nature: Rc::clone(nature),
            disk: RefCell::new(disk),
            backup: RefCell::new(None),
            clock_error_ms,
            known: RefCell::default(),
            scanned: Cell::new(0),
            checked: RefCell::new(None),
            was_copied: Cell::new(false),
        }
    }

    /// Another machine with a copy of this disk.
    pub(crate) fn copy(&self) -> Self {
        let error = Rc::new(Cell::new(self.clock_error_ms.get()));
        let disk = self.copy_disk(&error);
        let twin = Self::with(&self.nature, disk, error);
        twin.was_copied.set(true);
        self.was_copied.set(true);
        twin
    }

    /// Keeps a copy of the disk.
    pub(crate) fn back_up(&self) {
        let kept = self.copy_disk(&self.clock_error_ms);
        self.backup.replace(Some(kept));
    }

    /// Puts the copy back, if there is one; with or without its projections.
    pub(crate) fn restore(&self, with_cache: bool) -> bool {
        let Some(kept) = self.backup.take() else {
            return false;
        };
        // Where only the log was backed up, the projections are those of the lost log.
        let disk = {
            let old = self.disk.borrow();
            let cache = if with_cache { &kept } else { &*old };
            self.new_copy(&self.clock_error_ms, &kept, Some(cache))
        };
        self.replace_disk(disk);
        self.was_copied.set(true);
        true
    }

    /// Loses the projections.
    pub(crate) fn lose_cache(&self) {
        let disk = self.new_copy(&self.clock_error_ms, &self.disk.borrow(), None);
        self.replace_disk(disk);
    }

    fn copy_disk(&self, clock_error_ms: &Rc<Cell<i64>>) -> Disk {
        let disk = self.disk.borrow();
        self.new_copy(clock_error_ms, &disk, Some(&disk))
    }

    fn new_copy(&self, clock_error_ms: &Rc<Cell<i64>>, log: &Disk, cache: Option<&Disk>) -> Disk {
        let (clock, ids) = senses(&self.nature, clock_error_ms);
        let mut copied = Disk::copy_of(log, cache);
        copied.start(clock, ids);
        copied
    }

    fn replace_disk(&self, disk: Disk) {
        self.disk.replace(disk);
        self.known.replace(Known::default());
        self.scanned.set(0);
        self.checked.replace(None);
    }

    /// A process with the store open: one that did nothing, or a new one.
    pub(crate) fn process(&self) -> Ledger {
        let mut disk = self.disk.borrow_mut();
        let idle = disk.idle.pop();
        idle.unwrap_or_else(|| {
            let (clock, ids) = senses(&self.nature, &self.clock_error_ms);
            disk.open(clock, ids)
        })
    }

    /// Lets a process rest.
    pub(crate) fn give_back(&self, ledger: Ledger) {
        self.disk.borrow_mut().idle.push(ledger);
    }

    /// Clears up after a process that died. Its transactions are rolled back, which is all that the
    /// end of a process does to a database; now and then the store is opened anew all the same.
    pub(crate) fn bury(&self, ledger: Ledger, opens_anew: bool) {
        let files = ledger.files();
        let clean = files.events.is_autocommit() && files.cache.is_autocommit();
        if clean && !opens_anew {
            return self.give_back(ledger);
        }
        drop(ledger);
        let (clock, ids) = senses(&self.nature, &self.clock_error_ms);
        self.disk.borrow_mut().start_new(clock, ids);
    }

    /// Looks at the disk with a process that never dies.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut process = self.process();
        let seen = at(&mut process);
        self.give_back(process);
        seen
    }
}

/// What a new process knows the time from, and the next ids.
fn senses(nature: &Rc<Nature>, error_ms: &Rc<Cell<i64>>) -> (Box<dyn Clock>, Box<dyn IdSource>) {
    let clock = SimulatedClock {
        nature: Rc::clone(nature),
        error_ms: Rc::clone(error_ms),
    };
    let stream = nature.number().wrapping_mul(0xA076_1D64_78BD_642F);
    let ids = SimulatedIds(Random::new(nature.seed ^ stream));
    (Box::new(clock), Box::new(ids))
}

fn new_disk(nature: &Rc<Nature>, error_ms: &Rc<Cell<i64>>) -> Disk {
    let (clock, ids) = senses(nature, error_ms);
    Disk::new(clock, ids)
}
