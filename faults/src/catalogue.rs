//! All faults there are.

use super::{
    benign, cpu, disk,
    fault::{Family, Fault},
    hung, locks, logs, memory, network, process,
};

/// All faults, by family.
pub fn all() -> impl Iterator<Item = &'static Fault> {
    Family::ALL.into_iter().flat_map(of_family)
}

/// The faults of a family.
pub fn of_family(family: Family) -> &'static [Fault] {
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
            assert!(of_family(family).iter().all(|fault| fault.family == family), "{}", family.name());
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
