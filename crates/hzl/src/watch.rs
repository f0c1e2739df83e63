//! Staying close to the cloud: for commands that run until something happens.
//!
//! One question a second, or at once when something was written here; less often while nobody answers. It
//! syncs only while no other process of this store does.

use std::time::Duration;
use std::time::Instant;

use hzl_remote::http::Timeouts;
use hzl_remote::sync::Report;
use hzl_remote::sync::Session;
use hzl_remote::sync::SyncError;
use hzl_remote::sync::Target;
use hzl_remote::sync::policy;
use hzl_store::ledger::Ledger;
use hzl_store::lock::SyncLock;

use crate::cloud;
use crate::error::CommandError;

/// How often the cloud is asked.
const INTERVAL: Duration = Duration::from_secs(1);
/// How seldom it is asked at the least, while it does not answer.
const MAX_PAUSE_MS: u64 = 30_000;
/// How often somebody who watches looks at the store.
pub(crate) const LOOK: Duration = Duration::from_millis(200);

/// Syncs whenever it is time.
pub(crate) struct Watcher {
    target: Target,
    next: Instant,
    failures: u32,
}

impl Watcher {
    /// Begins to watch; the first look is due at once.
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            next: Instant::now(),
            failures: 0,
        }
    }

    /// Syncs if it is time; `None`: it is not, or another process is at it.
    ///
    /// # Errors
    ///
    /// The store cannot be locked. That the cloud does not answer is in the result.
    pub(crate) fn tick(
        &mut self,
        ledger: &mut Ledger,
    ) -> Result<Option<Result<Report, SyncError>>, CommandError> {
        let has_rested = Instant::now() >= self.next;
        let is_due = has_rested || (self.failures == 0 && ledger.has_outgoing()?);
        if !is_due {
            return Ok(None);
        }
        let lock = ledger.files().paths.sync_lock();
        let Some(held) = SyncLock::try_acquire(&lock, Duration::ZERO)? else {
            self.next = Instant::now() + INTERVAL;
            return Ok(None);
        };
        let result = Session::new(ledger, &self.target, Timeouts::BACKGROUND)
            .and_then(|mut session| session.sync(ledger, &cloud::usual(), &mut |_| {}));
        drop(held);
        let pause = match &result {
            Ok(_) => {
                self.failures = 0;
                INTERVAL
            }
            Err(_) => {
                self.failures += 1;
                let random = u64::from(std::process::id()) * 7_919;
                let millis = policy::backoff_ms(self.failures, MAX_PAUSE_MS, random);
                INTERVAL.max(Duration::from_millis(millis))
            }
        };
        self.next = Instant::now() + pause;
        Ok(Some(result))
    }
}
