//! The short files below `/proc/PID`: `statm`, `schedstat`, `io`, `limits`, `cgroup`, `cmdline`, and links.

use super::{lines, number, value_of, words};

/// Memory of a process, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPages {
    /// In use.
    pub resident: u64,
    /// Of that, its own alone.
    pub private: u64,
}

/// Memory from `statm`.
pub fn parse_statm(text: &[u8]) -> Option<MemoryPages> {
    let mut fields = words(text).skip(1);
    let resident = number(fields.next()?)?;
    let shared = number(fields.next()?)?;
    Some(MemoryPages { resident, private: resident.saturating_sub(shared) })
}

/// How a task was scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedstat {
    /// Nanoseconds on a CPU.
    pub cpu_nanos: u64,
    /// Nanoseconds that it waited for a CPU.
    pub run_delay_nanos: u64,
    /// How often it was given one. A task that has stayed in one wait has the same number still.
    pub timeslices: u64,
}

/// How a task was scheduled, from its `schedstat`; none where the kernel does not count it, and writes zeros.
pub fn parse_schedstat(text: &[u8]) -> Option<Schedstat> {
    let mut fields = words(text).map(number);
    let schedule =
        Schedstat { cpu_nanos: fields.next()??, run_delay_nanos: fields.next()??, timeslices: fields.next()?? };
    (schedule != Schedstat { cpu_nanos: 0, run_delay_nanos: 0, timeslices: 0 }).then_some(schedule)
}

/// How often a task gave up the CPU by itself, from `status`.
pub fn parse_voluntary_switches(text: &[u8]) -> Option<u64> {
    number(value_of(text, b"voluntary_ctxt_switches:")?)
}

/// How many numbers a process has, from its `status`: one in the PID namespace that the file is read through, and one more in each that is
/// further in, down to its own. None from kernels before 4.1.
pub fn parse_pid_namespace_depth(text: &[u8]) -> Option<usize> {
    Some(words(value_of(text, b"NSpid:")?).count())
}

/// What a process read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// Bytes written by calls, to whatever.
    pub written_bytes: u64,
    /// Calls that write.
    pub write_calls: u64,
    /// Bytes fetched from storage.
    pub storage_read_bytes: u64,
    /// Bytes sent to storage.
    pub storage_written_bytes: u64,
}

/// What a process read and wrote, from `io`.
pub fn parse_io(text: &[u8]) -> Option<IoCounters> {
    let value = |key: &[u8]| number(value_of(text, key)?);
    Some(IoCounters {
        written_bytes: value(b"wchar:")?,
        write_calls: value(b"syscw:")?,
        storage_read_bytes: value(b"read_bytes:")?,
        storage_written_bytes: value(b"write_bytes:")?,
    })
}

/// How many files a process may have open, from `limits`; none if there is no limit.
pub fn parse_open_files_limit(text: &[u8]) -> Option<u64> {
    number(words(value_of(text, b"Max open files")?).next()?)
}

/// The path in `cgroup` that says most: the unified hierarchy's, or where that is the root, of the old hierarchies
/// that of memory, CPU, pids or systemd.
pub fn parse_main_cgroup(text: &[u8]) -> Option<&[u8]> {
    const PREFERRED: [&[u8]; 5] = [b"", b"memory", b"cpu", b"pids", b"name=systemd"];
    let path_of = |wanted: &[u8]| {
        lines(text).find_map(|line| {
            let mut fields = line.splitn(3, |byte| *byte == b':');
            let controllers = fields.nth(1)?;
            let path = fields.next()?;
            let named = controllers.split(|byte| *byte == b',').any(|controller| controller == wanted);
            (named && path.starts_with(b"/")).then_some(path.strip_suffix(b" (deleted)").unwrap_or(path))
        })
    };
    let mut paths = PREFERRED.into_iter().filter_map(path_of).peekable();
    let first = paths.peek().copied();
    paths.find(|path| *path != b"/").or(first)
}

/// The arguments in `cmdline`, the program's own name first.
pub fn parse_arguments(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    if text.is_empty() { Vec::new() } else { text.split(|byte| *byte == 0).collect() }
}

/// The number in a link such as `socket:[123]` or `net:[4026531840]`.
pub fn parse_link_number(link: &[u8], kind: &[u8]) -> Option<u64> {
    number(link.strip_prefix(kind)?.strip_prefix(b":[")?.strip_suffix(b"]")?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_unified_cgroup_comes_before_the_old_ones_unless_it_is_the_root() {
        let unified = b"1:name=systemd:/old\n0::/system.slice/a.service\n";
        assert_eq!(parse_main_cgroup(unified), Some(b"/system.slice/a.service".as_slice()));
        let hybrid = b"4:memory:/docker/x:y\n2:cpu,cpuacct:/z\n0::/\n";
        assert_eq!(parse_main_cgroup(hybrid), Some(b"/docker/x:y".as_slice()));
        assert_eq!(parse_main_cgroup(b"0::/\n"), Some(b"/".as_slice()));
        assert_eq!(parse_main_cgroup(b"nonsense"), None);
    }

    #[test]
    fn an_empty_command_line_has_no_arguments_and_empty_arguments_count() {
        assert_eq!(parse_arguments(b""), Vec::<&[u8]>::new());
        assert_eq!(parse_arguments(b"a\0\0b\0"), [b"a".as_slice(), b"", b"b"]);
    }

    #[test]
    fn a_process_has_a_number_in_each_namespace_down_to_its_own() {
        assert_eq!(parse_pid_namespace_depth(b"Pid:\t17\nNSpid:\t17\t1\n"), Some(2));
        assert_eq!(parse_pid_namespace_depth(b"NSpid:\t17\n"), Some(1));
        assert_eq!(parse_pid_namespace_depth(b"Pid:\t17\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (parse_statm(&text), parse_schedstat(&text), parse_io(&text), parse_open_files_limit(&text), parse_voluntary_switches(&text));
            let _ = (parse_pid_namespace_depth(&text), parse_main_cgroup(&text), parse_arguments(&text), parse_link_number(&text, b"pipe"));
        }

        #[test]
        fn written_numbers_read_back(resident in any::<u32>(), shared in any::<u32>(), n in any::<u64>(), m in any::<u64>()) {
            let (resident, shared) = (u64::from(resident), u64::from(shared));
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
