//! Finds the processes that hold file locks, from `/proc/locks` and the `lock:` lines of
//! `/proc/PID/fdinfo`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hostread::{
    ProcRoot, Seen,
    locks::LockList,
    parse::{
        self, fdinfo,
        locks::{Lock, LockClass},
    },
    process::OpenProcess,
};

use collector::{files::FileKey, process::Process};

/// A raw line that proves a lock, with the processes and the file it refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockEvidence {
    /// File that the line was read from.
    pub source: String,
    /// The line.
    pub text: String,
    /// Indices, in the sweep, of the processes that the line refers to.
    pub processes: Vec<usize>,
    /// The locked file.
    pub file: FileKey,
}

/// One open file descriptor of one process.
#[derive(Clone, Copy, Debug)]
pub struct OpenDescriptor {
    /// Index of the process in the sweep.
    pub process: usize,
    /// The descriptor's number.
    pub fd: u32,
    /// The file.
    pub file: FileKey,
}

/// Open descriptors by inode. The device is not part of the key: the device in `/proc/locks` can
/// differ from the one that `stat` returns.
#[derive(Debug, Default)]
pub struct OpenDescriptors(HashMap<u64, Vec<OpenDescriptor>>);

impl OpenDescriptors {
    /// Indexes the open files of all processes.
    pub fn new(processes: &[Process]) -> OpenDescriptors {
        let mut descriptors = HashMap::<u64, Vec<OpenDescriptor>>::new();
        for (process, seen) in processes.iter().enumerate() {
            let Seen::Here(handles) = &seen.handles else { continue };
            for (fd, file, _) in handles.files() {
                descriptors.entry(file.inode).or_default().push(OpenDescriptor { process, fd, file });
            }
        }
        OpenDescriptors(descriptors)
    }

    /// Returns the descriptors open on that inode, on any device.
    pub fn with_inode(&self, inode: u64) -> &[OpenDescriptor] {
        self.0.get(&inode).map_or(&[], Vec::as_slice)
    }

    /// Returns the file that a lock is on, if the process with index `owner`, which the list of
    /// locks names, has it open.
    ///
    /// If not all descriptors of the named process were read, it is assumed to have the file open.
    /// The file is then one with the same device and inode that another process, for instance a
    /// waiter, has open.
    pub fn locked_file(&self, processes: &[Process], owner: usize, lock: &Lock) -> Option<FileKey> {
        let open = self.with_inode(lock.inode);
        let find = |is_candidate: &dyn Fn(&OpenDescriptor) -> bool| {
            open.iter().find(|descriptor| is_candidate(descriptor)).map(|descriptor| descriptor.file)
        };
        let is_same_device = |descriptor: &OpenDescriptor| descriptor.file.device == lock.device;
        let may_be_left_out = processes.get(owner).is_some_and(Process::has_left_out_descriptors);
        find(&|descriptor| descriptor.process == owner && is_same_device(descriptor))
            .or_else(|| find(&|descriptor| descriptor.process == owner))
            .or_else(|| may_be_left_out.then(|| find(&is_same_device)).flatten())
    }
}

/// A process that holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Index of the process in the sweep.
    pub process: usize,
    /// False for a process that only shares the holder's open file, most likely by inheritance.
    pub is_main: bool,
}

/// A held lock and its holders.
#[derive(Clone, Debug)]
pub struct HeldLock {
    /// The lock.
    pub lock: Lock,
    /// Its numbers in `/proc/locks`; several if shared locks of dead owners look alike, none if the
    /// list hides the lock.
    pub numbers: Vec<u64>,
    /// The file, with the device that `stat` returns.
    pub file: FileKey,
    /// Holders, main ones first; empty if no process with the file open is visible.
    pub holders: Vec<Holder>,
    /// Raw lines that prove the lock.
    pub evidence: Vec<LockEvidence>,
}

struct DescriptorLock {
    descriptor: OpenDescriptor,
    lock: Lock,
    text: String,
}

/// Finds the holders of all listed locks, and of the locks on `inodes` that the list hides. Only
/// for these inodes, every process that shares the open file is found.
///
/// The owner in `/proc/locks` can be a process that has exited since, after taking the lock on an
/// open file that others share. In a PID namespace, the list omits such locks altogether. `fdinfo`
/// still shows them.
pub fn holders(
    root: &ProcRoot,
    processes: &[Process],
    descriptors: &OpenDescriptors,
    listed: &LockList,
    inodes: &BTreeSet<u64>,
    buffer: &mut Vec<u8>,
) -> Vec<HeldLock> {
    let claims = inodes.iter().flat_map(|inode| descriptors.with_inode(*inode));
    let claims = claims.flat_map(|descriptor| descriptor_locks(root, processes, descriptor, buffer));
    let mut found = BTreeMap::<Lock, Vec<DescriptorLock>>::new();
    for claim in claims {
        found.entry(claim.lock).or_default().push(claim);
    }
    let mut numbers = BTreeMap::<Lock, Vec<(u64, &str)>>::new();
    for (line, text) in listed.lines.iter().filter(|(line, _)| !line.is_waiting) {
        numbers.entry(line.lock).or_default().push((line.number, text));
    }
    let locks: BTreeSet<Lock> = found.keys().chain(numbers.keys()).copied().collect();
    let list = root.path.join("locks").display().to_string();
    locks
        .into_iter()
        .filter_map(|lock| {
            let claims = found.remove(&lock).unwrap_or_default();
            let named = named_owner(processes, descriptors, &lock);
            let file = claims.first().map(|claim| claim.descriptor.file).or(named.map(|(_, file)| file))?;
            let holders = choose_holders(processes, &lock, &claims, named);
            let lines = numbers.remove(&lock).unwrap_or_default();
            let mains: Vec<usize> =
                holders.iter().filter(|holder| holder.is_main).map(|holder| holder.process).collect();
            let mut evidence: Vec<LockEvidence> =
                claims.iter().map(|claim| evidence_of(root, processes, claim)).collect();
            evidence.extend(lines.iter().map(|(_, text)| LockEvidence {
                source: list.clone(),
                text: (*text).to_owned(),
                processes: mains.clone(),
                file,
            }));
            Some(HeldLock { lock, numbers: lines.iter().map(|(number, _)| *number).collect(), file, holders, evidence })
        })
        .collect()
}

/// Inodes of listed locks whose owner is not visible with the file open.
pub fn inodes_without_owner(processes: &[Process], descriptors: &OpenDescriptors, listed: &LockList) -> BTreeSet<u64> {
    let held = listed.lines.iter().filter(|(line, _)| !line.is_waiting).map(|(line, _)| line.lock);
    held.filter(|lock| named_owner(processes, descriptors, lock).is_none()).map(|lock| lock.inode).collect()
}

fn descriptor_locks(
    root: &ProcRoot,
    processes: &[Process],
    descriptor: &OpenDescriptor,
    buffer: &mut Vec<u8>,
) -> Vec<DescriptorLock> {
    let Some(process) = processes.get(descriptor.process) else { return Vec::new() };
    let Seen::Here(directory) = OpenProcess::reopen(root, process.key, buffer) else { return Vec::new() };
    let Seen::Here(text) = directory.read(&format!("fdinfo/{}", descriptor.fd), buffer) else { return Vec::new() };
    fdinfo::parse_held_locks(text)
        .map(|(lock, line)| DescriptorLock { descriptor: *descriptor, lock, text: with_spaces(line) })
        .collect()
}

/// The text of a line, with a space for the tab after its key, which would be shown as `\x09`.
fn with_spaces(line: &[u8]) -> String {
    let spaced: Vec<u8> = line.iter().map(|byte| if *byte == b'\t' { b' ' } else { *byte }).collect();
    parse::text(&spaced)
}

/// The process that the lock names, if it is alive and has the file open, and the file.
fn named_owner(processes: &[Process], descriptors: &OpenDescriptors, lock: &Lock) -> Option<(usize, FileKey)> {
    let pid = u32::try_from(lock.pid).ok().filter(|pid| *pid > 0)?;
    // Processes are sorted by pid.
    let owner = processes.binary_search_by_key(&pid, |process| process.key.pid).ok()?;
    Some((owner, descriptors.locked_file(processes, owner, lock)?))
}

fn choose_holders(
    processes: &[Process],
    lock: &Lock,
    claims: &[DescriptorLock],
    named: Option<(usize, FileKey)>,
) -> Vec<Holder> {
    let claimants: BTreeSet<usize> = claims.iter().map(|claim| claim.descriptor.process).collect();
    // Without the rights to read `fdinfo`, the owner in the list is the best answer.
    let named = named.map(|(owner, _)| owner).filter(|named| claimants.is_empty() || claimants.contains(named));
    let age = |process: &usize| processes.get(*process).map(|process| process.key.start_time);
    let oldest = claimants.iter().copied().min_by_key(|process| (age(process), *process));
    let is_main = named.or(oldest);
    // Each reader holds a shared lock of its own. Without pids in the list they are
    // indistinguishable.
    let all_main = lock.is_shared && lock.class != LockClass::Posix && lock.pid <= 0;
    let mut holders: Vec<Holder> = claimants
        .iter()
        .copied()
        .chain(named.filter(|named| !claimants.contains(named)))
        .map(|process| Holder { process, is_main: all_main || Some(process) == is_main })
        .collect();
    holders.sort_by_key(|holder| !holder.is_main);
    holders
}

fn evidence_of(root: &ProcRoot, processes: &[Process], claim: &DescriptorLock) -> LockEvidence {
    let pid = processes.get(claim.descriptor.process).map_or(0, |process| process.key.pid);
    LockEvidence {
        source: root.path.join(format!("{pid}/fdinfo/{}", claim.descriptor.fd)).display().to_string(),
        text: claim.text.clone(),
        processes: vec![claim.descriptor.process],
        file: claim.descriptor.file,
    }
}
