//! What a fault is.

use super::{need::Need, safety::Takes, stage::Stage, truth::Deed};

/// What a fault is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Who has the processors.
    Cpu,
    /// Who has the memory.
    Memory,
    /// Who holds what others wait for.
    Locks,
    /// Who does nothing any more.
    Hung,
    /// Who has the disk, or its space.
    Disk,
    /// What is between two processes.
    Network,
    /// How many there are of something, and whether they last.
    Process,
    /// Who writes too much.
    Logs,
    /// What must raise nothing.
    Benign,
}

impl Family {
    /// All, in the order in which they are listed.
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

    /// What it is called.
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

/// A fault: what it does, what it takes, and how it is begun on what is there.
#[derive(Debug)]
pub struct Fault {
    /// What to call it.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// What happens, as a sentence without a full stop.
    pub does: &'static str,
    /// Who is to blame; empty if nobody is.
    pub blame: &'static str,
    /// Who suffers; empty if nobody does.
    pub suffers: &'static str,
    /// How far it goes at most, beside its time.
    pub bounds: &'static str,
    /// How it is undone.
    pub undone: &'static str,
    /// What it cannot do without.
    pub needs: &'static [Need],
    /// What it takes from its host at most.
    pub takes: Takes,
    /// Whether it plays with a file, which may be one of one's choice.
    pub takes_path: bool,
    /// Waits for as long as all is well, begins it, and says what is true.
    pub play: fn(&mut Stage) -> anyhow::Result<Deed>,
}

impl Fault {
    /// Whether it must raise nothing.
    pub fn is_harmless(&self) -> bool {
        self.family == Family::Benign
    }
}
