//! All faults.

use super::{
    benign, cpu, disk,
    fault::{Family, Fault},
    hung, locks, logs, memory, network, process,
};

/// All faults, by family.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    Family::ALL.into_iter().flat_map(in_family)
}

/// The faults of a family.
pub fn in_family(family: Family) -> &'static [Fault] {
    match family {
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

/// The fault with this name.
pub fn find(name: &str) -> Option<&'static Fault> {
    all().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_each_fault_is_listed_in_its_family() {
        let names: BTreeSet<&str> = all().map(|fault| fault.name).collect();
        assert_eq!(names.len(), all().count());
        for family in Family::ALL {
            assert!(in_family(family).iter().all(|fault| fault.family == family), "{}", family.name());
        }
        assert!(all().filter(|fault| !fault.is_benign()).count() >= 24);
    }

    #[test]
    fn only_faults_that_use_a_file_accept_a_path() {
        let names: Vec<&str> = all().filter(|fault| fault.accepts_path).map(|fault| fault.name).collect();
        assert_eq!(names, ["flock", "forked-holder", "posix-lock", "fsync-hog"]);
    }

    #[test]
    fn every_fault_but_benign_changes_has_a_root_cause_and_affected_nodes() {
        for fault in all() {
            assert_eq!(fault.root_cause.is_empty(), fault.is_benign(), "{}", fault.name);
            assert_eq!(fault.affected.is_empty(), fault.is_benign(), "{}", fault.name);
            assert!(!fault.description.ends_with('.') && !fault.undo.is_empty(), "{}", fault.name);
        }
    }
}
