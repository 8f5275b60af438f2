//! `/proc/PID/syscall`: the system call in which a task is blocked.

use super::{number, words};

/// A system call and its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syscall {
    /// Number of the call on this architecture.
    pub number: u64,
    /// Arguments of the call, as passed in registers.
    pub arguments: [u64; 6],
}

/// Parses the system call in which a task is blocked. `None` if the task is running, or blocked
/// outside of a system call.
pub fn parse_syscall(text: &[u8]) -> Option<Syscall> {
    let mut fields = words(text);
    let number = number(fields.next()?)?;
    let mut arguments = [0; 6];
    for argument in &mut arguments {
        *argument = super::hex(fields.next()?.strip_prefix(b"0x")?)?;
    }
    Some(Syscall { number, arguments })
}

/// The system call that takes a file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockFamily {
    /// `flock`: locks a whole file.
    Flock,
    /// `fcntl`: locks a range, for the process or for the open file description.
    Fcntl,
}

/// A blocking call that takes a file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockCall {
    /// The system call.
    pub family: LockFamily,
    /// File descriptor.
    pub fd: u32,
    /// Whether the call takes a read lock. `None` for `fcntl`, whose request is in the memory of
    /// the task.
    pub is_shared: Option<bool>,
}

/// A call that reads from or writes to a file descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferCall {
    /// File descriptor.
    pub fd: u32,
    /// Name of the system call.
    pub name: &'static str,
    /// Whether the call writes.
    pub is_write: bool,
}

/// Numbers of system calls on one architecture.
struct CallNumbers {
    flock: u64,
    fcntl: u64,
    futex: u64,
    /// Number, name and direction (`true`: writes) of calls whose first argument is a file
    /// descriptor.
    transfers: [(u64, &'static str, bool); 11],
}

#[cfg(target_arch = "x86_64")]
const NUMBERS: Option<CallNumbers> = Some(CallNumbers {
    flock: 73,
    fcntl: 72,
    futex: 202,
    transfers: [
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
const NUMBERS: Option<CallNumbers> = Some(CallNumbers {
    flock: 32,
    fcntl: 25,
    futex: 98,
    transfers: [
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
const NUMBERS: Option<CallNumbers> = None;

/// Whether the numbers of system calls are known for this architecture. If not, calls are not
/// recognised.
pub const IS_SUPPORTED: bool = NUMBERS.is_some();

const LOCK_SH: u64 = 1;
const LOCK_EX: u64 = 2;
const LOCK_NB: u64 = 4;
const F_SETLKW: u64 = 7;
const F_OFD_SETLKW: u64 = 38;

impl Syscall {
    /// The call as one that waits for a file lock. `None` for other calls.
    pub fn lock_call(&self) -> Option<LockCall> {
        let numbers = NUMBERS?;
        let [fd, operation, ..] = self.arguments;
        let fd = u32::try_from(fd & 0xffff_ffff).ok()?;
        if self.number == numbers.flock && operation & LOCK_NB == 0 {
            let is_shared = match operation & 3 {
                LOCK_SH => true,
                LOCK_EX => false,
                _ => return None,
            };
            return Some(LockCall { family: LockFamily::Flock, fd, is_shared: Some(is_shared) });
        }
        let is_blocking = matches!(operation & 0xffff_ffff, F_SETLKW | F_OFD_SETLKW);
        (self.number == numbers.fcntl && is_blocking).then_some(LockCall {
            family: LockFamily::Fcntl,
            fd,
            is_shared: None,
        })
    }

    /// Address of the futex that the call waits for. `None` for other calls. Threads of a process
    /// that wait for the same futex have the same address.
    pub fn futex_wait_address(&self) -> Option<u64> {
        // FUTEX_WAIT, FUTEX_LOCK_PI, FUTEX_WAIT_BITSET, FUTEX_WAIT_REQUEUE_PI, FUTEX_LOCK_PI2.
        const WAIT_OPERATIONS: [u64; 5] = [0, 6, 9, 11, 13];
        const OPERATION_MASK: u64 = 0x7f;
        let [futex, operation, ..] = self.arguments;
        (self.number == NUMBERS?.futex && WAIT_OPERATIONS.contains(&(operation & OPERATION_MASK))).then_some(futex)
    }

    /// The call as one that reads from or writes to a file descriptor. `None` for other calls.
    pub fn transfer_call(&self) -> Option<TransferCall> {
        let transfers = NUMBERS?.transfers;
        let (_, name, is_write) = transfers.into_iter().find(|(number, ..)| *number == self.number)?;
        let fd = u32::try_from(self.arguments[0] & 0xffff_ffff).ok()?;
        Some(TransferCall { fd, name, is_write })
    }
}

impl LockCall {
    /// The call as a line of C, for evidence.
    pub fn describe(&self) -> String {
        match (self.family, self.is_shared) {
            (LockFamily::Flock, Some(true)) => format!("flock({}, LOCK_SH)", self.fd),
            (LockFamily::Flock, _) => format!("flock({}, LOCK_EX)", self.fd),
            (LockFamily::Fcntl, _) => format!("fcntl({}, F_SETLKW)", self.fd),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_running_task_is_in_no_call() {
        assert_eq!(parse_syscall(b"running\n"), None);
        assert_eq!(parse_syscall(b"-1 0x7ffc7b6b6d48 0x7f5d1b5c5d27\n"), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn only_blocking_calls_wait_for_locks() {
        let call = |line: &str| parse_syscall(line.as_bytes()).unwrap().lock_call();
        assert_eq!(
            call("73 0x9 0x2 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a"),
            Some(LockCall { family: LockFamily::Flock, fd: 9, is_shared: Some(false) })
        );
        assert_eq!(
            call("72 0x3 0x7 0x7ffd10 0x0 0x0 0x0 0x7ffd 0x7f3a"),
            Some(LockCall { family: LockFamily::Fcntl, fd: 3, is_shared: None })
        );
        assert_eq!(call("73 0x9 0x6 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(call("73 0x9 0x8 0x0 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(call("72 0x3 0x6 0x7ffd10 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(call("0 0x3 0x7 0x7ffd10 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn reads_and_writes_have_a_descriptor() {
        let call = |line: &str| {
            parse_syscall(line.as_bytes()).unwrap().transfer_call().map(|call| (call.fd, call.name, call.is_write))
        };
        assert_eq!(call("1 0x3 0x7f 0x10 0x0 0x0 0x0 0x7ffd 0x7f3a"), Some((3, "write", true)));
        assert_eq!(call("45 0x4 0x7f 0x10 0x0 0x0 0x0 0x7ffd 0x7f3a"), Some((4, "recvfrom", false)));
        assert_eq!(call("202 0x4 0x7f 0x10 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_thread_that_wakes_others_does_not_wait_for_a_futex() {
        let futex = |line: &str| parse_syscall(line.as_bytes()).unwrap().futex_wait_address();
        assert_eq!(futex("202 0x7f10 0x189 0x0 0x0 0x0 0xffffffff 0x7ffd 0x7f3a"), Some(0x7f10));
        assert_eq!(futex("202 0x7f10 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f3a"), Some(0x7f10));
        assert_eq!(futex("202 0x7f10 0x81 0x1 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
        assert_eq!(futex("1 0x7f10 0x80 0x2 0x0 0x0 0x0 0x7ffd 0x7f3a"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_syscall(&text).map(|call| (call.lock_call(), call.transfer_call(), call.futex_wait_address()));
        }

        #[test]
        fn a_formatted_call_is_parsed_back(number in any::<u64>(), arguments in prop::array::uniform6(any::<u64>())) {
            let [a, b, c, d, e, f] = arguments;
            let line = format!("{number} {a:#x} {b:#x} {c:#x} {d:#x} {e:#x} {f:#x} 0x7ffd 0x7f3a\n");
            prop_assert_eq!(parse_syscall(line.as_bytes()), Some(Syscall { number, arguments }));
        }
    }
}
