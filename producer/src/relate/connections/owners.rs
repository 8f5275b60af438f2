//! Processes that have a socket open.

use std::collections::{HashMap, HashSet};

use hostread::Seen;

use collector::process::Process;

/// Processes that have each socket open, oldest first.
pub(super) struct Owners {
    by_socket: HashMap<u64, Vec<usize>>,
    // Parent pid of each pid.
    parents: HashMap<u32, u32>,
}

impl Owners {
    pub(super) fn new(processes: &[Process]) -> Owners {
        let mut owners = HashMap::<u64, Vec<usize>>::new();
        for (at, process) in processes.iter().enumerate() {
            let Seen::Here(handles) = &process.handles else { continue };
            for inode in handles.sockets() {
                let owners = owners.entry(inode).or_default();
                if owners.last() != Some(&at) {
                    owners.push(at);
                }
            }
        }
        let age = |at: &usize| processes.get(*at).map(|process| process.key.start_time);
        for owners in owners.values_mut() {
            owners.sort_by_key(|at| (age(at), *at));
            owners.dedup();
        }
        let parents = processes.iter().map(|process| (process.key.pid, process.parent)).collect();
        Owners { by_socket: owners, parents }
    }

    pub(super) fn of_socket(&self, inode: u64) -> &[usize] {
        self.by_socket.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// Owners of a listener that accept its connections. An owner with a descendant that has the
    /// listener open too only keeps it for that one, as a service manager or a pre-forking parent
    /// does.
    pub(super) fn accepting(&self, processes: &[Process], inode: u64) -> Vec<usize> {
        let owners = self.of_socket(inode);
        if owners.len() < 2 {
            return owners.to_vec();
        }
        let pid = |at: &usize| processes.get(*at).map(|process| process.key.pid);
        let above = |at: &usize| ancestors(&self.parents, pid(at).unwrap_or(0));
        let ancestors_of_owners: HashSet<u32> = owners.iter().flat_map(above).collect();
        owners.iter().copied().filter(|at| pid(at).is_some_and(|pid| !ancestors_of_owners.contains(&pid))).collect()
    }

    pub(super) fn role(&self, processes: &[Process], inode: u64) -> String {
        let oldest = self.of_socket(inode).first().and_then(|at| processes.get(*at));
        oldest.map_or("-".to_owned(), |process| process.info.role.clone())
    }
}

/// Ancestors of a process. The loop guards against a cycle: parents are read one after another, so
/// they can form one.
fn ancestors(parents: &HashMap<u32, u32>, pid: u32) -> HashSet<u32> {
    let mut above = HashSet::new();
    let mut at = pid;
    while let Some(parent) = parents.get(&at)
        && *parent != pid
        && above.insert(*parent)
    {
        at = *parent;
    }
    above
}
