//! Steps that several faults share: bugs and workers of the workload, or helpers in their place.

use super::Injector;
use crate::{
    ground_truth::{GroundTruth, Suspect},
    helper::{Helper, Leak},
};

impl Injector {
    /// Waits until the fault is due, and returns the affected processes: the workload's workers, or
    /// `n` helpers if no workload runs.
    ///
    /// # Errors
    /// If the helpers cannot be started, or a process exits.
    pub fn workers_or(&mut self, helper: &Helper, n: usize) -> anyhow::Result<Vec<Suspect>> {
        if self.workload.is_some() {
            self.wait_before_fault()?;
            return Ok(self.current_workload()?.suspects(&["worker"]));
        }
        let helpers = (0..n).map(|_| Ok(Suspect::process(self.start(helper)?))).collect::<anyhow::Result<_>>()?;
        self.wait_before_fault()?;
        Ok(helpers)
    }

    /// Switches on a bug of a component that has it. The root cause is its process or its endpoint.
    ///
    /// # Errors
    /// If no workload runs, or no component accepts the bug.
    pub fn inject_bug(&mut self, bug: &str) -> anyhow::Result<GroundTruth> {
        self.wait_before_fault()?;
        let workload = self.current_workload()?;
        let component = workload.pick_for(bug)?;
        let root_cause = component.suspects();
        self.start_bug(component, bug)?;
        Ok(GroundTruth { root_cause, affected: workload.suspects(&component.clients) })
    }

    /// Switches on a bug of a component that has it; without a workload, starts a helper with a
    /// leak instead.
    ///
    /// # Errors
    /// If the helper cannot be started, or the workload refuses the bug.
    pub fn inject_bug_or_leak(&mut self, bug: &str, leak: Leak) -> anyhow::Result<GroundTruth> {
        if self.workload.is_some() {
            return self.inject_bug(bug);
        }
        self.wait_before_fault()?;
        let server = self.start(&Helper::SessionServer(leak))?;
        Ok(GroundTruth { root_cause: vec![Suspect::process(server)], affected: Vec::new() })
    }
}
