//! The ledger that a command has opened.

use std::mem;
use std::ops::Deref;
use std::ops::DerefMut;

use hzl_store::ledger::Ledger;

use crate::context::Purpose;

/// An open ledger. It is not taken apart at the end of a command that ends the process: the kernel does that sooner, and
/// what was committed is on the disk.
pub(crate) struct Opened {
    ledger: Option<Ledger>,
    /// Something else may be done to the files afterwards.
    is_closed: bool,
}

impl Opened {
    /// Holds a ledger that was opened for this.
    pub(crate) fn new(ledger: Ledger, purpose: Purpose) -> Self {
        let is_closed = match purpose {
            Purpose::Read | Purpose::Write | Purpose::Claim => false,
            Purpose::Fill | Purpose::Maintain | Purpose::Inspect => true,
        };
        Self {
            ledger: Some(ledger),
            is_closed,
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if !self.is_closed {
            mem::forget(self.ledger.take());
        }
    }
}

impl Deref for Opened {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        self.ledger.as_ref().expect("only drop takes it")
    }
}

impl DerefMut for Opened {
    fn deref_mut(&mut self) -> &mut Ledger {
        self.ledger.as_mut().expect("only drop takes it")
    }
}
