//! Steps that several faults share: web workers of the shop, or helpers in their place.

use super::Injector;
use crate::{
    ground_truth::{GroundTruth, Suspect},
    helper::{Helper, Leak},
};

impl Injector {
    /// Waits until the fault is due, and returns the affected processes: the shop's web workers, or
    /// `n` helpers if no shop runs.
    ///
    /// # Errors
    /// If the helpers cannot be started, or a process exits.
    pub fn web_workers_or(&mut self, helper: &Helper, n: usize) -> anyhow::Result<Vec<Suspect>> {
        if self.shop.is_some() {
            self.wait_before_fault()?;
            return Ok(self.current_shop()?.suspects(&["web"]));
        }
        let helpers = (0..n).map(|_| Ok(Suspect::process(self.start(helper)?))).collect::<anyhow::Result<_>>()?;
        self.wait_before_fault()?;
        Ok(helpers)
    }

    /// Switches on a bug of a web worker. The root cause is its process or its endpoint.
    ///
    /// # Errors
    /// If the shop does not run, or refuses the bug.
    pub fn inject_web_bug(&mut self, bug: &str) -> anyhow::Result<GroundTruth> {
        self.wait_before_fault()?;
        let shop = self.current_shop()?;
        let worker = shop.pick("web")?;
        let root_cause = worker.suspects();
        self.start_bug(worker, bug)?;
        Ok(GroundTruth { root_cause, affected: shop.suspects(&["front"]) })
    }

    /// Switches on a bug of a web worker; without the shop, starts a helper with a leak instead.
    ///
    /// # Errors
    /// If the helper cannot be started, or the shop refuses the bug.
    pub fn inject_web_bug_or_leak(&mut self, bug: &str, leak: Leak) -> anyhow::Result<GroundTruth> {
        if self.shop.is_some() {
            return self.inject_web_bug(bug);
        }
        self.wait_before_fault()?;
        let server = self.start(&Helper::SessionServer(leak))?;
        Ok(GroundTruth { root_cause: vec![Suspect::process(server)], affected: Vec::new() })
    }
}
