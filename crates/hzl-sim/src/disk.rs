//! Disks: stores in memory, used for one simulation after another.
//!
//! What a simulation leaves behind goes back to a pool of its thread: connections, prepared statements
//! and all. The next one finds an empty store.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use hzl_store::ledger::Ledger;
use hzl_store::memory::Memory;
use hzl_store::open::Birth;
use hzl_store::source::{Clock, IdSource};

thread_local! {
    static POOL: RefCell<Vec<Store>> = const { RefCell::new(vec![]) };
}

/// More than one simulation needs.
const POOLED: usize = 32;

/// A store, and connections to it that no process uses.
struct Store {
    memory: Memory,
    spare: Vec<Ledger>,
}

impl Store {
    fn take() -> Self {
        POOL.with_borrow_mut(Vec::pop).unwrap_or_else(Self::new)
    }

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("disk-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let birth = Birth {
            new_id: &mut String::new,
            now_ms: 0,
        };
        let memory = Memory::new(name, birth).expect("there is memory for a store");
        Self {
            memory,
            spare: vec![],
        }
    }
}

/// A store, with the processes that have it open and do nothing.
pub(crate) struct Disk {
    /// `None`: it has gone back to the pool.
    store: Option<Store>,
    pub(crate) idle: Vec<Ledger>,
}

impl Disk {
    /// A new store, and a process that has made it.
    pub(crate) fn new(clock: Box<dyn Clock>, mut ids: Box<dyn IdSource>) -> Self {
        let store = Store::take();
        let now = clock.now();
        let mut birth = Birth {
            new_id: &mut || ids.new_id(now),
            now_ms: now.millis(),
        };
        store
            .memory
            .empty(&mut birth)
            .expect("a store in memory can be emptied");
        let mut disk = Self::on(store);
        disk.start(clock, ids);
        disk
    }

    /// A copy of a log, with the projections of some store or without any.
    pub(crate) fn copy_of(log: &Self, cache: Option<&Self>) -> Self {
        let mut store = Store::take();
        store
            .memory
            .copy_from(log.memory(), cache.map(Self::memory))
            .expect("a store in memory can be copied");
        Self::on(store)
    }

    fn on(store: Store) -> Self {
        Self {
            store: Some(store),
            idle: vec![],
        }
    }

    fn memory(&self) -> &Memory {
        let store = self.store.as_ref();
        &store.expect("only a dropped disk has no store").memory
    }

    /// Begins a process.
    pub(crate) fn open(&mut self, clock: Box<dyn Clock>, ids: Box<dyn IdSource>) -> Ledger {
        let spare = self.store.as_mut().and_then(|store| store.spare.pop());
        match spare {
            Some(spare) => spare.restart(clock, ids),
            None => self.open_anew(clock, ids),
        }
    }

    fn open_anew(&self, clock: Box<dyn Clock>, ids: Box<dyn IdSource>) -> Ledger {
        Ledger::open_in_memory(self.memory().name(), clock, ids)
            .expect("a store in memory can be opened")
    }

    /// Begins a process that does nothing yet.
    pub(crate) fn start(&mut self, clock: Box<dyn Clock>, ids: Box<dyn IdSource>) {
        let process = self.open(clock, ids);
        self.idle.push(process);
    }

    /// The same, on connections of its own.
    pub(crate) fn start_new(&mut self, clock: Box<dyn Clock>, ids: Box<dyn IdSource>) {
        let process = self.open_anew(clock, ids);
        self.idle.push(process);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let Some(mut store) = self.store.take() else {
            return;
        };
        store.spare.append(&mut self.idle);
        // A simulation that panicked may have left anything behind.
        store
            .spare
            .retain(|ledger| ledger.files().is_shared_and_idle());
        // At the end of a thread there may be no pool any more.
        let _ = POOL.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < POOLED {
                pool.push(store);
            }
        });
    }
}
