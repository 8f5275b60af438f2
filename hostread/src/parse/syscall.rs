//! `/proc/PID/syscall`: where a task is in the kernel.

use super::{number, words};

/// A system call and its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// The architecture's number of the call.
    pub number: u64,
    /// As passed.
    pub arguments: [u64; 6],
}

/// The call that a task is blocked in; none if it runs or is blocked outside of one.
pub fn parse_syscall(text: &[u8]) -> Option<Syscall> {
    let mut fields = words(text);
    let number = number(fields.next()?)?;
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = super::hex(fields.next()?.strip_prefix(b"0x")?)?;
    }
    Some(Syscall { number, arguments })
}

/// What kind of lock a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockFamily {
    /// `flock`: the whole file.
    Flock,
    /// `fcntl`: a range, owned by the process or by the open file.
    Fcntl,
}

/// A blocking request for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockCall {
    /// Which call.
    pub family: LockFamily,
    /// The file descriptor.
    pub fd: u32,
    /// Whether only a reader's lock is asked for; unknown for `fcntl`, whose request lies in the task's memory.
    pub shared: Option<bool>,
}

/// A blocking call that reads from or writes to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferCall {
    /// The file descriptor.
    pub fd: u32,
    /// What a programmer calls it.
    pub name: &'static str,
    /// Whether it writes.
    pub is_write: bool,
}

struct Numbers {
    flock: u64,
    fcntl: u64,
    futex: u64,
    /// Number, name, and whether it writes, of calls whose first argument is the descriptor.
    channel: [(u64, &'static str, bool); 11],
}

#[cfg(target_arch = "x86_64")]
const NUMBERS: Option<Numbers> = Some(Numbers {
    flock: 73,
    fcntl: 72,
    futex: 202,
    channel: [
        (0, "read", false),
        (1, "write", true),
        (19, "readv", false),
        (20, "writev", true),
        (40, "sendfile", true),
        (44, "sendto", true),
        (45, "recvfrom", false),
        (46, "sendmsg", true),
        (47, "recvmsg", false),
        (299, "recvmmsg", false),
        (307, "sendmmsg", true),
    ],
});
#[cfg(any(target_arch = "aarch64", target_arch = "riscv64", target_arch = "loongarch64"))]
const NUMBERS: Option<Numbers> = Some(Numbers {
    flock: 32,
    fcntl: 25,
    futex: 98,
    channel: [
        (63, "read", false),
        (64, "write", true),
        (65, "readv", false),
        (66, "writev", true),
        (71, "sendfile", true),
        (206, "sendto", true),
        (207, "recvfrom", false),
        (211, "sendmsg", true),
        (212, "recvmsg", false),
        (243, "recvmmsg", false),
        (269, "sendmmsg", true),
    ],
});
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64",
    target_arch = "loongarch64"
)))]
const NUMBERS: Option<Numbers> = None;

/// Whether the numbers of calls are known of this architecture; else no call says what it is.
pub const IS_SUPPORTED: bool = NUMBERS.is_some();

const LOCK_SH: u64 = 1;
const LOCK_EX: u64 = 2;
const LOCK_NB: u64 = 4;
const F_SETLKW: u64 = 7;
const F_OFD_SETLKW: u64 = 38;

impl Syscall {
    /// The lock that the call waits for, if that is what it does.
    pub fn lock_call(&self) -> Option<LockCall> {
        let numbers = NUMBERS?;
        let [fd, operation, ..] = self.arguments;
        let fd = u32::try_from(fd & 0xffff_ffff).ok()?;
        if self.number == numbers.flock && operation & LOCK_NB == 0 {
            let shared = match operation & 3 {
                LOCK_SH => true,
                LOCK_EX => false,
                _ => return None,
            };
            return Some(LockCall { family: LockFamily::Flock, fd, shared: Some(shared) });
        }
        let waits = matches!(operation & 0xffff_ffff, F_SETLKW | F_OFD_SETLKW);
        (self.number == numbers.fcntl && waits).then_some(LockCall { family: LockFamily::Fcntl, fd, shared: None })
    }

    /// The address of the futex that the call waits at, if that is what it does. Threads of one process see the same at it.
    pub fn futex_wait_address(&self) -> Option<u64> {
        // Of their operations: FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2.
        const WAITS: [u64; 5] = [0, 6, 9, 11, 13];
        const OPERATION: u64 = 0x7f;
        let [futex, operation, ..] = self.arguments;
        (self.number == NUMBERS?.futex && WAITS.contains(&(operation & OPERATION))).then_some(futex)
    }

    /// The read or write that the call is, if it is one.
    pub fn transfer_call(&self) -> Option<TransferCall> {
        let channel = NUMBERS?.channel;
        let (_, name, writes) = channel.into_iter().find(|(number, ..)| *number == self.number)?;
        let fd = u32::try_from(self.arguments[0] & 0xffff_ffff).ok()?;
        Some(TransferCall { fd, name, is_write: writes })
    }
}

impl LockCall {
    /// The call as a programmer writes it.
    pub fn describe(&self) -> String {
        match (self.family, self.shared) {
            (LockFamily::Flock, Some(true)) => format!("flock({}, LOCK_SH)", self.fd),
            (LockFamily::Flock, _) => format!("flock({}, LOCK_EX)", self.fd),
            (LockFamily::Fcntl, _) => format!("fcntl({}, F_SETLKW)", self.fd),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_task_that_runs_or_is_outside_of_a_call_is_in_none() {
        assert_eq!(parse_syscall(b"running\n"), None);
        assert_eq!(parse_syscall(b"-1 0x7ffc7b6b6d48 0x7f5d1b5c5d27\n"), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn only_calls_that_wait_are_waits() {
        let call = |line: &str| parse_syscall(line.as_bytes()).unwrap().lock_call();
        assert_eq!(
            call("73 0x9 0x2 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a"),
            Some(LockCall { family: LockFamily::Flock, fd: 9, shared: Some(false) })
        );
        assert_eq!(
            call("72 0x3 0x7 0x7ffd10 0x0 0x0 0x0 0x7ffd 0x7f3a"),
            Some(LockCall { family: LockFamily::Fcntl, fd: 3, shared: None })
        );
        assert_eq!(call("73 0x9 0x6 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(call("73 0x9 0x8 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(call("72 0x3 0x6 0x7ffd10 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(call("0 0x3 0x7 0x7ffd10 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn reads_and_writes_name_their_descriptor() {
        let call = |line: &str| {
            parse_syscall(line.as_bytes()).unwrap().transfer_call().map(|call| (call.fd, call.name, call.is_write))
        };
        assert_eq!(call("1 0x3 0x7f 0x10 0x0 0x0 0x0 0x7ffd 0x7f3a"), Some((3, "write", true)));
        assert_eq!(call("45 0x4 0x7f 0x10 0x0 0x0 0x0 0x7ffd 0x7f3a"), Some((4, "recvfrom", false)));
        assert_eq!(call("202 0x4 0x7f 0x10 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_thread_that_wakes_others_waits_at_no_futex() {
        let futex = |line: &str| parse_syscall(line.as_bytes()).unwrap().futex_wait_address();
        assert_eq!(futex("202 0x7f10 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f3a"), Some(0x7f10));
        assert_eq!(futex("202 0x7f10 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f3a"), Some(0x7f10));
        assert_eq!(futex("202 0x7f10 0x81 0x1 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(futex("1 0x7f10 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_syscall(&text).map(|call| (call.lock_call(), call.transfer_call(), call.futex_wait_address()));
        }

        #[test]
        fn a_written_call_reads_back(number in any::<u64>(), arguments in prop::array::uniform6(any::<u64>())) {
            let [a, b, c, d, e, f] = arguments;
            let line = format!("{number} {a:#x} {b:#x} {c:#x} {d:#x} {e:#x} {f:#x} 0x7ffd 0x7f3a\n");
            prop_assert_eq!(parse_syscall(line.as_bytes()), Some(Syscall { number, arguments }));
        }
    }
}
