//! All faults there are.

use super::{
    benign, cpu, disk, hung, locks, logs, memory, need::Need, network, process, safety::Takes, stage::Stage,
    truth::Deed,
};

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

    /// Its faults.
    pub fn faults(self) -> &'static [Fault] {
        match self {
            Family::Cpu => &cpu::FAULTS,
            Family::Memory => &memory::FAULTS,
            Family::Locks => &locks::FAULTS,
            Family::Hung => &hung::FAULTS,
            Family::Disk => &disk::FAULTS,
            Family::Network => &network::FAULTS,
            Family::Process => &process::FAULTS,
            Family::Logs => &logs::FAULTS,
            Family::Benign => &benign::FAULTS,
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

/// All faults, by family.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    Family::ALL.into_iter().flat_map(|family| family.faults())
}

/// The fault of a name.
pub fn named(name: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_told_apart_and_families_are_kept() {
        let names: BTreeSet<&str> = all().map(|fault| fault.name).collect();
        assert_eq!(names.len(), all().count());
        for family in Family::ALL {
            assert!(family.faults().iter().all(|fault| fault.family == family), "{}", family.name());
        }
        assert!(all().filter(|fault| !fault.is_harmless()).count() >= 24);
    }

    #[test]
    fn a_file_of_ones_choice_is_for_those_that_play_with_one() {
        let names: Vec<&str> = all().filter(|fault| fault.takes_path).map(|fault| fault.name).collect();
        assert_eq!(names, ["flock", "forked-holder", "posix-lock", "fsync-hog"]);
    }

    #[test]
    fn somebody_is_to_blame_for_all_that_harms() {
        for fault in all() {
            assert_eq!(fault.blame.is_empty(), fault.is_harmless(), "{}", fault.name);
            assert_eq!(fault.suffers.is_empty(), fault.is_harmless(), "{}", fault.name);
            assert!(!fault.does.ends_with('.') && !fault.undone.is_empty(), "{}", fault.name);
        }
    }
}
