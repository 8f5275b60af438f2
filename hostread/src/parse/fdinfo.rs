//! `/proc/PID/fdinfo/FD`: the file locks of a file descriptor.

use super::{lines, locks};

/// The file locks that are held through a file descriptor, each with its line. Waiting requests are
/// left out.
pub fn parse_held_locks(text: &[u8]) -> impl Iterator<Item = (locks::Lock, &[u8])> {
    lines(text)
        .filter(|line| line.starts_with(b"lock:"))
        .filter_map(|line| Some((locks::parse_lock_line(line.strip_prefix(b"lock:")?)?, line)))
        .filter(|(parsed, _)| !parsed.is_waiting)
        .map(|(parsed, line)| (parsed.lock, line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_lock_lines_are_parsed() {
        let text =
            b"pos:\t0\nflags:\t02100000\nmnt_id:\t24\nino:\t9\nlock:\t1: FLOCK  ADVISORY  WRITE 0 fe:00:9 0 EOF\n";
        let found: Vec<_> = parse_held_locks(text).map(|(lock, line)| (lock.pid, lock.inode, line)).collect();
        assert_eq!(found, [(0, 9, b"lock:\t1: FLOCK  ADVISORY  WRITE 0 fe:00:9 0 EOF".as_slice())]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_held_locks(&text).count();
        }
    }
}
