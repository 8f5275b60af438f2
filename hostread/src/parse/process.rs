//! Short files in `/proc/PID`: `statm`, `schedstat`, `status`, `io`, `limits`, `cgroup`, `cmdline`,
//! and the targets of links.

use super::{lines, number, value_of, words};

/// Memory of a process, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPages {
    /// Resident pages.
    pub resident: u64,
    /// Resident pages that are not shared.
    pub private: u64,
}

/// Memory of a process, from `statm`.
pub fn parse_statm(text: &[u8]) -> Option<MemoryPages> {
    let mut fields = words(text).skip(1);
    let resident = number(fields.next()?)?;
    let shared = number(fields.next()?)?;
    Some(MemoryPages { resident, private: resident.saturating_sub(shared) })
}

/// Scheduling counters of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedstat {
    /// Time on a CPU, in nanoseconds.
    pub cpu_nanos: u64,
    /// Time spent runnable but not running, in nanoseconds.
    pub run_delay_nanos: u64,
    /// Number of times that the task got a CPU. It does not change while the task stays in one
    /// wait.
    pub timeslices: u64,
}

/// Scheduling counters, from `schedstat`. `None` if the kernel does not count them and writes
/// zeros.
pub fn parse_schedstat(text: &[u8]) -> Option<Schedstat> {
    let mut fields = words(text).map(number);
    let schedule =
        Schedstat { cpu_nanos: fields.next()??, run_delay_nanos: fields.next()??, timeslices: fields.next()?? };
    (schedule != Schedstat { cpu_nanos: 0, run_delay_nanos: 0, timeslices: 0 }).then_some(schedule)
}

/// Number of times that a task gave up the CPU voluntarily, from `status`.
pub fn parse_voluntary_switches(text: &[u8]) -> Option<u64> {
    number(value_of(text, b"voluntary_ctxt_switches:")?)
}

/// Number of nested PID namespaces in which a process has a pid, from `NSpid` in `status`: from
/// that of the `/proc` filesystem to its own. `None` before Linux 4.1.
pub fn parse_pid_namespace_depth(text: &[u8]) -> Option<usize> {
    Some(words(value_of(text, b"NSpid:")?).count())
}

/// I/O counters of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// Bytes written by system calls, to files, pipes or sockets (`wchar`).
    pub written_bytes: u64,
    /// Number of system calls that write (`syscw`).
    pub write_calls: u64,
    /// Bytes read from storage (`read_bytes`).
    pub storage_read_bytes: u64,
    /// Bytes written to storage (`write_bytes`).
    pub storage_written_bytes: u64,
}

/// I/O counters, from `io`.
pub fn parse_io(text: &[u8]) -> Option<IoCounters> {
    let value = |key: &[u8]| number(value_of(text, key)?);
    Some(IoCounters {
        written_bytes: value(b"wchar:")?,
        write_calls: value(b"syscw:")?,
        storage_read_bytes: value(b"read_bytes:")?,
        storage_written_bytes: value(b"write_bytes:")?,
    })
}

/// Soft limit of open files, from `limits`. `None`: unlimited.
pub fn parse_open_files_limit(text: &[u8]) -> Option<u64> {
    number(words(value_of(text, b"Max open files")?).next()?)
}

/// The most specific path in `cgroup`: that of version 2, or, if that is the root, that of the
/// version 1 controllers memory, cpu, pids or of systemd.
pub fn parse_main_cgroup(text: &[u8]) -> Option<&[u8]> {
    const PREFERRED: [&[u8]; 5] = [b"", b"memory", b"cpu", b"pids", b"name=systemd"];
    let path_in = |wanted: &[u8]| {
        lines(text).find_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':');
            let controllers = fields.nth(1)?;
            let path = fields.next()?;
            let is_listed = controllers.split(|byte| *byte == b',').any(|controller| controller == wanted);
            (is_listed && path.starts_with(b"/")).then_some(path.strip_suffix(b" (deleted)").unwrap_or(path))
        })
    };
    let mut paths = PREFERRED.into_iter().filter_map(path_in).peekable();
    let first = paths.peek().copied();
    paths.find(|path| *path != b"/").or(first)
}

/// The arguments in `cmdline`, starting with the name of the program.
pub fn parse_arguments(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() { Vec::new() } else { text.split(|byte| *byte == 0).collect() }
}

/// The inode number in the target of a link such as `socket:[123]` or `net:[4026531840]`.
pub fn parse_link_number(link: &[u8], kind: &[u8]) -> Option<u64> {
    number(link.strip_prefix(kind)?.strip_prefix(b":[")?.strip_suffix(b"]")?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_group_of_version_2_comes_first_unless_it_is_the_root() {
        let unified = b"1:name=systemd:/old\n0::/system.slice/a.service\n";
        assert_eq!(parse_main_cgroup(unified), Some(b"/system.slice/a.service".as_slice()));
        let hybrid = b"4:memory:/docker/x:y\n2:cpu,cpuacct:/z\n0::/\n";
        assert_eq!(parse_main_cgroup(hybrid), Some(b"/docker/x:y".as_slice()));
        assert_eq!(parse_main_cgroup(b"0::/\n"), Some(b"/".as_slice()));
        assert_eq!(parse_main_cgroup(b"nonsense"), None);
    }

    #[test]
    fn an_empty_command_line_has_no_arguments_and_empty_arguments_are_kept() {
        assert_eq!(parse_arguments(b""), Vec::<&[u8]>::new());
        assert_eq!(parse_arguments(b"a\0\0b\0"), [b"a".as_slice(), b"", b"b"]);
    }

    #[test]
    fn a_process_has_a_pid_in_each_namespace_down_to_its_own() {
        assert_eq!(parse_pid_namespace_depth(b"Pid:\t17\nNSpid:\t17\t1\n"), Some(2));
        assert_eq!(parse_pid_namespace_depth(b"NSpid:\t17\n"), Some(1));
        assert_eq!(parse_pid_namespace_depth(b"Pid:\t17\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (parse_statm(&text), parse_schedstat(&text), parse_io(&text), parse_open_files_limit(&text), parse_voluntary_switches(&text));
            let _ = (parse_pid_namespace_depth(&text), parse_main_cgroup(&text), parse_arguments(&text), parse_link_number(&text, b"pipe"));
        }

        #[test]
        fn formatted_numbers_are_parsed_back(resident in any::<u32>(), shared in any::<u32>(), n in any::<u64>(), m in any::<u64>()) {
            let resident = u64::from(resident);
            let shared = u64::from(shared);
            let text = format!("9 {resident} {shared} 1 0 2 0\n");
            let private = resident.saturating_sub(shared);
            prop_assert_eq!(parse_statm(text.as_bytes()), Some(MemoryPages { resident, private }));
            prop_assert_eq!(parse_schedstat(format!("{m} {n} 3\n").as_bytes()), Some(Schedstat { cpu_nanos: m, run_delay_nanos: n, timeslices: 3 }));
            let text = format!(
                "rchar: 1\nwchar: {resident}\nsyscr: 2\nsyscw: {shared}\nread_bytes: {n}\nwrite_bytes: {m}\n\
                 cancelled_write_bytes: 0\n"
            );
            let expected = IoCounters { written_bytes: resident, write_calls: shared, storage_read_bytes: n, storage_written_bytes: m };
            prop_assert_eq!(parse_io(text.as_bytes()), Some(expected));
            let limits = format!("Limit  Soft Limit  Hard Limit  Units\nMax open files            {n}   {m}   files\n");
            prop_assert_eq!(parse_open_files_limit(limits.as_bytes()), Some(n));
            prop_assert_eq!(parse_link_number(format!("socket:[{n}]").as_bytes(), b"socket"), Some(n));
        }
    }
}
