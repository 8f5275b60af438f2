//! `/proc/PID/stat`: state and counters of a process.

use super::{number, signed, words};

/// The fields of `stat` that a sweep uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat<'t> {
    /// Process id.
    pub pid: u32,
    /// Name of the process, at most 15 bytes; kernel threads may have longer ones. Any bytes but
    /// NUL, including parentheses, spaces and line ends.
    pub comm: &'t [u8],
    /// State letter, such as `R` or `D`.
    pub state: u8,
    /// Process id of the parent. 0 if the parent has no pid in this PID namespace.
    pub parent: u32,
    /// The `PF_` flags of the kernel.
    pub flags: u64,
    /// Page faults without I/O.
    pub minor_faults: u64,
    /// Page faults without I/O of children that have exited and were waited for.
    pub children_faults: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
    /// CPU time in user mode, in clock ticks.
    pub user_ticks: u64,
    /// CPU time in kernel mode, in clock ticks.
    pub system_ticks: u64,
    /// CPU time of children that have exited and were waited for, in clock ticks.
    pub children_ticks: u64,
    /// Number of threads.
    pub threads: u64,
    /// Time from boot to the start of the process, in clock ticks.
    pub start_time: u64,
    /// Time for which the main thread waited for block I/O, in clock ticks. `None` on older
    /// kernels.
    pub block_delay_ticks: Option<u64>,
}

impl Stat<'_> {
    /// Whether the process is a kernel thread.
    pub fn is_kernel_thread(&self) -> bool {
        const PF_KTHREAD: u64 = 0x0020_0000;
        // Children of process 2 are not always kernel threads: in a container, it is a normal
        // process.
        self.flags & PF_KTHREAD != 0
    }
}

/// Parses the line of `stat`.
pub fn parse_stat(line: &[u8]) -> Option<Stat<'_>> {
    // The name can contain `) R 1`, so only the last parenthesis ends it.
    let open = line.iter().position(|byte| *byte == b'(')?;
    let close = line.iter().rposition(|byte| *byte == b')')?;
    let pid = number(line.get(..open)?.trim_ascii())?.try_into().ok()?;
    let comm = line.get(open + 1..close)?;
    // Fields are numbered as in proc(5): the state is field 3.
    let mut fields = words(line.get(close + 1..)?);
    let mut field = 2;
    let mut at = |wanted: usize| {
        let skip = wanted - field - 1;
        field = wanted;
        fields.nth(skip)
    };
    let state = match at(3)? {
        [state] => *state,
        _ => return None,
    };
    Some(Stat {
        pid,
        comm,
        state,
        parent: u32::try_from(signed(at(4)?)?).unwrap_or(0),
        flags: number(at(9)?)?,
        minor_faults: number(at(10)?)?,
        children_faults: number(at(11)?)?,
        major_faults: number(at(12)?)?,
        user_ticks: number(at(14)?)?,
        system_ticks: number(at(15)?)?,
        // These two are signed numbers.
        children_ticks: number(at(16)?).unwrap_or(0).saturating_add(number(at(17)?).unwrap_or(0)),
        threads: number(at(20)?)?,
        start_time: number(at(22)?)?,
        block_delay_ticks: at(42).and_then(number),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_looks_like_the_rest_of_the_line_is_parsed() {
        let line =
            b"17 (a) Z 1 (b\n) S 4 17 17 0 -1 4194304 100 0 3 0 7 8 0 0 20 0 2 0 555 1000 20 18446744073709551615";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.pid, stat.comm, stat.state, stat.parent), (17, b"a) Z 1 (b\n".as_slice(), b'S', 4));
        assert_eq!((stat.major_faults, stat.user_ticks, stat.system_ticks), (3, 7, 8));
        assert_eq!((stat.threads, stat.start_time, stat.is_kernel_thread()), (2, 555, false));
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_stat(&line);
        }

        #[test]
        fn a_formatted_line_with_any_name_is_parsed_back(
            pid in any::<u32>(),
            comm in prop::collection::vec(any::<u8>(), 0..16),
            parent in any::<u32>(),
            numbers in prop::array::uniform9(any::<u64>()),
            children in prop::array::uniform2(0_u64..1 << 62),
        ) {
            let [flags, minor_faults, children_faults, major_faults, user_ticks, system_ticks, threads, start_time, delay] =
                numbers;
            let mut line = format!("{pid} (").into_bytes();
            line.extend_from_slice(&comm);
            line.extend_from_slice(
                format!(
                    ") t {parent} 1 1 0 -1 {flags} {minor_faults} {children_faults} {major_faults} 0 {user_ticks} {system_ticks} \
                     {} {} 20 -19 {threads} 0 {start_time} 9 9",
                    children[0], children[1],
                )
                .as_bytes(),
            );
            let children_ticks = children[0] + children[1];
            let expected = Stat {
                pid, comm: &comm, state: b't', parent, flags, minor_faults, children_faults, major_faults, user_ticks, system_ticks,
                children_ticks, threads, start_time, block_delay_ticks: None,
            };
            prop_assert_eq!(parse_stat(&line), Some(expected));
            let rest = (25..42).map(|field| format!(" {field}")).collect::<String>();
            line.extend_from_slice(format!("{rest} {delay} 0 0\n").as_bytes());
            prop_assert_eq!(parse_stat(&line), Some(Stat { block_delay_ticks: Some(delay), ..expected }));
        }
    }
}
