//! What a process is, whatever it does.

use hostread::{BlockingReader, Seen, cgroups::ProcessCgroups, parse, process::OpenProcess};

use crate::collect::{
    container::{self, Container},
    measure::{IntoMeasured, Reason},
    process_arguments::ArgumentSummary,
    role,
};

/// Of a command line no more than this is looked at.
pub const LONGEST_ARGUMENTS: usize = 16 << 10;

/// What changes little and late, and is therefore read once or a few times.
#[derive(Clone, Debug, Default)]
pub struct ProcessInfo {
    /// The name that the process gave itself.
    pub comm: String,
    /// Path of the executable.
    pub executable: Option<String>,
    /// Its control groups.
    pub groups: ProcessCgroups,
    /// The container that it is in.
    pub container: Option<Container>,
    /// What outlives restarts.
    pub role: String,
    /// The network namespace's number.
    pub network: Option<u64>,
    /// Whether an argument says `fault`: what `detective fault` starts is trouble like any other.
    pub is_fault_helper: bool,
    /// The command line without its secrets, where it is to be shown.
    pub command: Option<String>,
    /// Whether the arguments did not come in time, so that what is made from them is missing.
    pub late: bool,
    /// What of this could not be read, as signals, and why.
    pub unseen: Vec<(&'static str, Reason)>,
}

impl ProcessInfo {
    /// Reads what changes little. The command line is kept if it is to be shown.
    pub fn read(
        process: &OpenProcess,
        blocking_reader: &mut BlockingReader,
        containers: &container::LabelCache,
        keeps_command: bool,
        buffer: &mut Vec<u8>,
    ) -> ProcessInfo {
        let OpenProcess { key, comm, directory, .. } = process;
        let mut unseen = Vec::new();
        let executable = noted("executable", directory.read_link("exe", buffer), &mut unseen).map(parse::text);
        let executable = executable.map(|path| path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned());
        let groups = groups(process, buffer);
        let container = containers.container(&groups, *key, directory, blocking_reader, buffer);
        let network = noted("network-namespace", directory.read_link("ns/net", buffer), &mut unseen);
        let network = network.and_then(|link| parse::process::parse_link_number(link, b"net"));
        let summarize =
            |arguments: &[&[u8]]| ArgumentSummary::new(executable.as_deref(), comm, arguments, keeps_command);
        // The script's name comes early; what follows may be megabytes.
        let keep = |text: &[u8]| summarize(&parse::process::parse_arguments(text)).to_bytes();
        let read = blocking_reader.read_file(directory, (*key, "cmdline"), LONGEST_ARGUMENTS, buffer, keep);
        let unnamed = container.as_ref().is_some_and(|container| matches!(container.label, Seen::Late));
        let late = unnamed || matches!(read, Seen::Late);
        let ArgumentSummary { name, is_fault_helper, command } =
            read.here().and_then(ArgumentSummary::from_bytes).unwrap_or_else(|| summarize(&[]));
        let role = role::process_role(container.as_ref().map(Container::role), executable.as_deref(), &name);
        let comm = comm.clone();
        ProcessInfo { comm, executable, groups, container, role, network, is_fault_helper, command, late, unseen }
    }

    /// Whether the process is of Local Detective itself, which is never shown: by the names of the program and of its file, which are the
    /// same in a container.
    pub fn is_own_program(&self) -> bool {
        // The kernel cuts a name after 15 bytes.
        const PROGRAMS: [&str; 4] = ["detective", "detective-producer", "detective-scorer", "detective-trainer"];
        let named = |program: &&str| program.get(..15).unwrap_or(program) == self.comm;
        let runs = |program: &str| self.executable.as_deref().is_none_or(|path| role::base_name(path) == program);
        !self.is_fault_helper && PROGRAMS.iter().filter(|program| named(program)).any(|program| runs(program))
    }
}

/// Reads the control groups of a process, which it is often moved into shortly after it began.
pub fn groups(process: &OpenProcess, buffer: &mut Vec<u8>) -> ProcessCgroups {
    ProcessCgroups::parse(process.directory.read_at_once("cgroup", buffer).here().unwrap_or_default())
}

/// Whether a process is still in these control groups.
pub fn has_same_cgroups(process: &OpenProcess, groups: &ProcessCgroups, buffer: &mut Vec<u8>) -> bool {
    groups.is_from(process.directory.read_at_once("cgroup", buffer).here().unwrap_or_default())
}

/// The answer, if it is one. What is gone is no gap: a zombie has no executable any more.
fn noted<'b>(signal: &'static str, seen: Seen<&'b [u8]>, unseen: &mut Vec<(&'static str, Reason)>) -> Option<&'b [u8]> {
    match seen.measured() {
        Ok(bytes) => return Some(bytes),
        Err(Reason::Gone) => {}
        Err(reason) => unseen.push((signal, reason)),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(comm: &str, executable: Option<&str>) -> ProcessInfo {
        let executable = executable.map(str::to_owned);
        let comm = comm.to_owned();
        ProcessInfo { comm, executable, ..ProcessInfo::default() }
    }

    #[test]
    fn only_our_own_programs_are_own() {
        let own = |comm, executable| info(comm, executable).is_own_program();
        assert!(own("detective", Some("/opt/detective")));
        assert!(own("detective-produ", Some("/opt/detective-producer")));
        assert!(own("detective-produ", None));
        assert!(!own("detective", Some("/usr/bin/python3")));
        assert!(!own("detective-agency", Some("/opt/detective-agency")));
        assert!(!own("anything", None));
        let fault = ProcessInfo { is_fault_helper: true, ..info("detective", Some("/opt/detective")) };
        assert!(!fault.is_own_program());
    }
}
