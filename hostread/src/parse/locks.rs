//! Lines of `/proc/locks`, and `lock:` lines of `/proc/PID/fdinfo/FD`, which have the same form.

use super::{hex, number, signed, syscall::LockFamily, words};

/// The kind of a file lock: its owner, and which locks it conflicts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockClass {
    /// `flock`: on a whole file, owned by the open file description.
    Flock,
    /// `fcntl(F_SETLK)`: on a range, owned by the process.
    Posix,
    /// `fcntl(F_OFD_SETLK)`: on a range, owned by the open file description.
    OpenFile,
    /// A lease or a delegation. No lock call waits for it.
    Lease,
}

impl LockClass {
    /// The system call that takes such a lock. `None` for leases.
    pub fn family(self) -> Option<LockFamily> {
        match self {
            LockClass::Flock => Some(LockFamily::Flock),
            LockClass::Posix | LockClass::OpenFile => Some(LockFamily::Fcntl),
            LockClass::Lease => None,
        }
    }
}

/// A file lock, or a request for one. Has no lock number: the kernel numbers locks afresh at every
/// read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    /// Kind of the lock.
    pub class: LockClass,
    /// Whether it is a read lock, which others can share.
    pub is_shared: bool,
    /// Pid of the process that took it, which may have exited since. -1 for open-file-description
    /// locks. 0 if the process has no pid in this PID namespace.
    pub pid: i64,
    /// Major and minor device number of the filesystem. They can differ from those of `stat`.
    pub device: (u32, u32),
    /// Inode number of the file.
    pub inode: u64,
    /// First and last byte that it covers. `None`: up to the end of the file.
    pub range: (u64, Option<u64>),
}

/// A line of `/proc/locks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockLine {
    /// Number of the lock. A waiting request has that of the lock that it waits for.
    pub number: u64,
    /// Whether it is a waiting request (`->`), not a lock that is held.
    pub is_waiting: bool,
    /// The lock, or the waiting request.
    pub lock: Lock,
}

/// Parses one line, such as `7: -> FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`.
pub fn parse_lock_line(line: &[u8]) -> Option<LockLine> {
    let mut fields = words(line).peekable();
    let number = number(fields.next()?.strip_suffix(b":")?)?;
    let waits = fields.next_if_eq(&b"->".as_slice()).is_some();
    let class = match fields.next()? {
        b"FLOCK" => LockClass::Flock,
        b"POSIX" | b"ACCESS" => LockClass::Posix,
        b"OFDLCK" => LockClass::OpenFile,
        b"LEASE" | b"DELEG" => LockClass::Lease,
        _ => return None,
    };
    // Advisory or mandatory; for a lease, whether it is being broken.
    fields.next()?;
    let shared = match fields.next()? {
        b"READ" => true,
        b"WRITE" | b"RW" => false,
        // A lease that is being removed.
        b"UNLCK" | b"NONE" => true,
        _ => return None,
    };
    let pid = signed(fields.next()?)?;
    let (device, inode) = file(fields.next()?)?;
    let start = super::number(fields.next()?)?;
    let end = match fields.next()? {
        b"EOF" => None,
        end => Some(super::number(end)?),
    };
    Some(LockLine {
        number,
        is_waiting: waits,
        lock: Lock { class, is_shared: shared, pid, device, inode, range: (start, end) },
    })
}

fn file(field: &[u8]) -> Option<((u32, u32), u64)> {
    let mut parts = field.split(|byte| *byte == b':');
    let major = u32::try_from(hex(parts.next()?)?).ok()?;
    let minor = u32::try_from(hex(parts.next()?)?).ok()?;
    Some(((major, minor), number(parts.next()?)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_behind_another_request_has_the_number_of_the_lock() {
        let line = parse_lock_line(b"3:   -> FLOCK  ADVISORY  WRITE 4711 fe:00:99 0 EOF").unwrap();
        assert_eq!((line.number, line.is_waiting, line.lock.pid), (3, true, 4711));
        assert_eq!((line.lock.device, line.lock.inode, line.lock.range), ((0xfe, 0), 99, (0, None)));
    }

    #[test]
    fn open_file_description_locks_and_leases_differ() {
        let ofd = parse_lock_line(b"1: OFDLCK ADVISORY  READ  -1 00:2e:7 10 19").unwrap().lock;
        assert_eq!((ofd.class, ofd.is_shared, ofd.pid, ofd.range), (LockClass::OpenFile, true, -1, (10, Some(19))));
        let lease = parse_lock_line(b"2: LEASE  BREAKING  READ 12 08:01:5 0 EOF").unwrap().lock;
        assert_eq!((lease.class, lease.class.family()), (LockClass::Lease, None));
        assert_eq!(parse_lock_line(b"4: POSIX  ADVISORY  WRITE 12 <none>:0 0 EOF"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(line in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = parse_lock_line(&line);
        }

        #[test]
        fn malformed_lines_are_accepted(line in "[0-9]{1,3}:( ->)? (FLOCK|POSIX|OFDLCK) +[A-Z]+ +[A-Z]+ -?[0-9]* [0-9a-f:]* [0-9]* (EOF)?") {
            let _ = parse_lock_line(line.as_bytes());
        }

        #[test]
        fn a_formatted_line_is_parsed_back(
            number in any::<u64>(), waits in any::<bool>(), shared in any::<bool>(), pid in -1_i64..=4_194_304,
            device in any::<(u32, u32)>(), inode in any::<u64>(), range in any::<(u64, Option<u64>)>(),
            class in prop::sample::select(vec![LockClass::Flock, LockClass::Posix, LockClass::OpenFile]),
        ) {
            let name = match class { LockClass::Flock => "FLOCK ", LockClass::Posix => "POSIX ", _ => "OFDLCK" };
            let line = format!(
                "{number}:{} {name} ADVISORY  {} {pid} {:02x}:{:02x}:{inode} {} {}",
                if waits { " ->" } else { "" },
                if shared { "READ " } else { "WRITE" },
                device.0, device.1, range.0,
                range.1.map_or("EOF".to_owned(), |end| end.to_string()),
            );
            let lock = Lock { class, is_shared: shared, pid, device, inode, range };
            prop_assert_eq!(parse_lock_line(line.as_bytes()), Some(LockLine { number, is_waiting: waits, lock }));
        }
    }
}
