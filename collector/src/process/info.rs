//! Identity of a process: what it is, independent of what it does.

use hostread::{BlockingReader, Seen, cgroups::ProcessCgroups, parse, process::OpenProcess};

use crate::{
    container::{self, Container},
    files::FileKey,
    measure::{IntoMeasured, Reason},
    process_arguments::ArgumentSummary,
    role,
};

/// Maximum bytes of a command line that are read.
pub const MAX_ARGUMENT_BYTES: usize = 16 << 10;

/// Identity of a process. It changes rarely, and is read once or a few times.
#[derive(Clone, Debug, Default)]
pub struct ProcessInfo {
    /// Name that the process gave itself.
    pub comm: String,
    /// Path of the executable, as text.
    pub executable: Option<String>,
    /// The file of the executable. `None` if it cannot be read.
    pub executable_file: Option<FileKey>,
    /// Control groups.
    pub groups: ProcessCgroups,
    /// Container of the process.
    pub container: Option<Container>,
    /// Role: the part of its identity that survives restarts.
    pub role: String,
    /// Inode of its network namespace.
    pub network: Option<u64>,
    /// Whether it is a helper of `detective fault`, which is shown like any other process.
    pub is_fault_helper: bool,
    /// Command line without secrets, if the settings ask for it.
    pub command: Option<String>,
    /// Why the arguments could not be read this time: late or exhausted. `None` if they were read,
    /// are denied, or the process has exited.
    pub unread_arguments: Option<Reason>,
    /// Whether the executable could not be read this time.
    pub is_executable_unread: bool,
    /// Whether the control groups could not be read this time. Then `groups` is empty.
    pub are_groups_unread: bool,
    /// Whether the executable, the control groups, the arguments or the environment could not be
    /// read this time, so that what depends on them is missing. The next sweep reads them again.
    pub is_incomplete: bool,
    /// Unreadable facts, as signal and reason.
    pub unreadable: Vec<(&'static str, Reason)>,
}

impl ProcessInfo {
    /// Reads the identity of a process. The command line is kept if `keeps_command`.
    pub fn read(
        process: &OpenProcess,
        blocking_reader: &mut BlockingReader,
        containers: &container::LabelCache,
        keeps_command: bool,
        buffer: &mut Vec<u8>,
    ) -> ProcessInfo {
        let OpenProcess { key, comm, directory, .. } = process;
        let mut unreadable = Vec::new();
        let executable = directory.read_link("exe", buffer);
        let executable_file = directory.target_info("exe");
        let is_executable_unread = executable.is_temporary() || executable_file.is_temporary();
        let executable = value_or_note("executable", executable, &mut unreadable).map(parse::text);
        let executable = executable.map(|path| path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned());
        let executable_file = executable_file.here().map(|file| FileKey::from(&file));
        let groups = process.directory.read_at_once("cgroup", buffer);
        let are_groups_unread = groups.is_temporary();
        let groups = ProcessCgroups::parse(groups.here().unwrap_or_default());
        let container = containers.container(&groups, *key, directory, blocking_reader, buffer);
        let network = value_or_note("network-namespace", directory.read_link("ns/net", buffer), &mut unreadable);
        let network = network.and_then(|link| parse::process::parse_link_number(link, b"net"));
        let summarize =
            |arguments: &[&[u8]]| ArgumentSummary::new(executable.as_deref(), comm, arguments, keeps_command);
        // The name of the script comes early; the rest can be megabytes.
        let keep = |text: &[u8]| summarize(&parse::process::parse_arguments(text)).to_bytes();
        let read = blocking_reader.read_file(directory, (*key, "cmdline"), MAX_ARGUMENT_BYTES, buffer, keep);
        let is_temporary = |reason: &Reason| matches!(reason, Reason::Late | Reason::Exhausted);
        let unread_arguments = read.measured().err().filter(is_temporary);
        let label = container.as_ref().and_then(|container| container.label.as_ref().measured().err());
        let mut reasons = unread_arguments.iter().chain(&label).chain(unreadable.iter().map(|(_, reason)| reason));
        let is_incomplete = is_executable_unread || are_groups_unread || reasons.any(is_temporary);
        let ArgumentSummary { name, is_fault_helper, command } =
            read.here().and_then(ArgumentSummary::from_bytes).unwrap_or_else(|| summarize(&[]));
        let role = role::process_role(container.as_ref().map(Container::role), executable.as_deref(), &name);
        ProcessInfo {
            comm: comm.clone(),
            executable,
            executable_file,
            groups,
            container,
            role,
            network,
            is_fault_helper,
            command,
            unread_arguments,
            is_executable_unread,
            are_groups_unread,
            is_incomplete,
            unreadable,
        }
    }
}

/// Returns whether a process is still in these control groups, as far as is known. A process is
/// often moved shortly after its start.
pub fn has_same_cgroups(process: &OpenProcess, groups: &ProcessCgroups, buffer: &mut Vec<u8>) -> bool {
    let text = process.directory.read_at_once("cgroup", buffer);
    text.is_temporary() || groups.is_from(text.here().unwrap_or_default())
}

/// Returns the value, or adds the reason to `unreadable`. A missing file is no gap: a zombie has no
/// executable.
fn value_or_note<'b>(
    signal: &'static str,
    seen: Seen<&'b [u8]>,
    unreadable: &mut Vec<(&'static str, Reason)>,
) -> Option<&'b [u8]> {
    match seen.measured() {
        Ok(bytes) => return Some(bytes),
        Err(Reason::Gone) => {}
        Err(reason) => unreadable.push((signal, reason)),
    }
    None
}
