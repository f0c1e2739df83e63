//! A process's line to the cloud: what goes wrong on it, and who acts while a request is under way.

use std::rc::Rc;

use hzl_remote::error::RemoteError;
use hzl_remote::hrana::{Outcome, Statement};
use hzl_remote::sync::remote::Remote;
use hzl_store::interrupt;

use crate::check;
use crate::cloud::Fault;
use crate::device::Device;
use crate::schedule::Step;
use crate::verdict::Finding;
use crate::world::World;

/// A process's connection to the cloud.
pub(crate) struct Line<'a> {
    world: &'a World,
    device: &'a Rc<Device>,
    faults: std::slice::Iter<'a, Fault>,
    meanwhile: std::slice::Iter<'a, Step>,
    requests: u64,
}

impl<'a> Line<'a> {
    /// A line on which happens what the step says.
    pub(crate) fn new(world: &'a World, device: &'a Rc<Device>, step: &'a Step) -> Self {
        Self {
            world,
            device,
            faults: step.faults.iter(),
            meanwhile: step.meanwhile.iter(),
            requests: 0,
        }
    }

    fn nested(&self, step: Option<&Step>) {
        if let Some(step) = step {
            self.world.step(step);
        }
    }
}

impl Remote for Line<'_> {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        self.requests += 1;
        let world = self.world;
        let interrupt = interrupt::arm(None);
        if self.requests > check::MOST_REQUESTS {
            let detail = format!("{} in one sync", self.requests);
            world.report(Finding::TooManyRequests, detail);
            interrupt::arm(interrupt);
            return Err(crate::cloud::lost());
        }
        // What a sync writes itself is in the log before it is sent.
        world.learn(self.device);
        let fault = self.faults.next().copied().unwrap_or(Fault::None);
        if fault == Fault::TooLarge {
            world.set_something_aside.set(true);
        }
        let meanwhile = self.meanwhile.next();
        // Somebody may be faster than the request, or faster than the reply.
        let before = meanwhile.filter(|step| step.salt.is_multiple_of(2));
        let after = meanwhile.filter(|step| step.salt % 2 == 1);
        self.nested(before);
        let reply = world.cloud.request(statements, fault, world.now_ms());
        self.nested(after);
        interrupt::arm(interrupt);
        world.nature.now_ms.set(world.now_ms() + 3);
        reply
    }

    fn requests(&self) -> u64 {
        self.requests
    }

    fn pause(&mut self, duration: std::time::Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(0);
        self.world.nature.now_ms.set(self.world.now_ms() + millis);
    }
}
