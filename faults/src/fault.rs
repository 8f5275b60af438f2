//! The description of a fault.

use super::{ground_truth::GroundTruth, injector::Injector, requirement::Requirement, safety::ResourceUse};

/// What kind of failure a fault causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// CPU contention.
    Cpu,
    /// Memory exhaustion.
    Memory,
    /// Locks that are held for too long.
    Locks,
    /// Processes that do not respond.
    Hung,
    /// Disk contention or a full filesystem.
    Disk,
    /// Network failures between two processes.
    Network,
    /// Too many processes, threads or descriptors, and crashes.
    Process,
    /// Programs that write too many log lines.
    Logs,
    /// Benign changes, which must not open an incident.
    Benign,
}

impl Family {
    /// All families, in listing order.
    pub const ALL: [Family; 9] = [
        Family::Cpu,
        Family::Memory,
        Family::Locks,
        Family::Hung,
        Family::Disk,
        Family::Network,
        Family::Process,
        Family::Logs,
        Family::Benign,
    ];

    /// The family's name in listings and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Family::Cpu => "cpu",
            Family::Memory => "memory",
            Family::Locks => "locks",
            Family::Hung => "hung",
            Family::Disk => "disk",
            Family::Network => "network",
            Family::Process => "process",
            Family::Logs => "logs",
            Family::Benign => "benign",
        }
    }
}

/// A fault of the catalogue: its description, its limits, and the function that injects it.
#[derive(Debug)]
pub struct Fault {
    /// Name on the command line.
    pub name: &'static str,
    /// Family it is listed in.
    pub family: Family,
    /// What happens, as a sentence without a full stop.
    pub description: &'static str,
    /// The root cause in words; empty for a benign change.
    pub root_cause: &'static str,
    /// The affected nodes in words; empty for a benign change.
    pub affected: &'static str,
    /// Upper bounds in words, beside the duration.
    pub limits: &'static str,
    /// How it is undone, in words.
    pub undo: &'static str,
    /// What must exist on the host.
    pub requirements: &'static [Requirement],
    /// Upper bound of the memory and disk space that it uses.
    pub uses: ResourceUse,
    /// Whether `--path` can name the file that it uses.
    pub accepts_path: bool,
    /// Waits until the fault is due, injects it, and returns the ground truth.
    pub inject: fn(&mut Injector) -> anyhow::Result<GroundTruth>,
}

impl Fault {
    /// Whether it is a benign change, which must not open an incident.
    pub fn is_benign(&self) -> bool {
        self.family == Family::Benign
    }
}
