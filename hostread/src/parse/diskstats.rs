//! `/proc/diskstats`: counters of block devices.

use super::{number, words};

/// Counters of a block device since it was attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskStats<'t> {
    /// Major and minor number of the device.
    pub device: (u32, u32),
    /// Name of the device below `/dev`.
    pub name: &'t [u8],
    /// Number of completed requests: reads, writes and, on newer kernels, discards and flushes.
    pub completed: u64,
    /// Total duration of the completed requests, in milliseconds. Wraps around at 32 bits.
    pub request_ms: u32,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Number of requests in flight.
    pub in_flight: u64,
    /// Time with requests in flight, in milliseconds. Wraps around at 32 bits.
    pub busy_ms: u32,
}

/// Unit of the kernel's counters, in bytes, whatever the sector size of the device.
const SECTOR: u64 = 512;

/// Parses one line. It has 14 fields, 18 since Linux 4.18 (discards), 20 since 5.5 (flushes).
/// Shorter lines, which old kernels wrote for partitions, give `None`.
pub fn parse_disk_line(line: &[u8]) -> Option<DiskStats<'_>> {
    let mut fields = words(line);
    let mut device = || u32::try_from(number(fields.next()?)?).ok();
    let device = (device()?, device()?);
    let name = fields.next()?;
    let mut amounts = [0; 17];
    let mut found = 0;
    for (amount, field) in amounts.iter_mut().zip(fields) {
        *amount = number(field)?;
        found += 1;
    }
    if found < 11 {
        return None;
    }
    let [
        reads,
        _,
        sectors_read,
        read_ms,
        writes,
        _,
        sectors_written,
        write_ms,
        in_flight,
        busy_ms,
        _,
        discards,
        _,
        _,
        discard_ms,
        flushes,
        flush_ms,
    ] = amounts;
    Some(DiskStats {
        device,
        name,
        completed: [reads, writes, discards, flushes].into_iter().fold(0, u64::saturating_add),
        request_ms: [read_ms, write_ms, discard_ms, flush_ms].map(low_half).into_iter().fold(0, u32::wrapping_add),
        read_bytes: sectors_read.saturating_mul(SECTOR),
        written_bytes: sectors_written.saturating_mul(SECTOR),
        in_flight,
        busy_ms: low_half(busy_ms),
    })
}

fn low_half(number: u64) -> u32 {
    (number & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_all_kernel_versions_are_parsed() {
        let old = b"   8       0 sda 10 1 20 300 4 2 50 600 7 800 900\n";
        let disk = parse_disk_line(old).unwrap();
        assert_eq!((disk.device, disk.name, disk.completed, disk.request_ms), ((8, 0), b"sda".as_slice(), 14, 900));
        assert_eq!((disk.read_bytes, disk.written_bytes, disk.in_flight, disk.busy_ms), (10240, 25600, 7, 800));
        let with_discards = parse_disk_line(b" 259 0 nvme0n1 10 1 20 300 4 2 50 600 7 800 900 5 0 8 40").unwrap();
        assert_eq!((with_discards.completed, with_discards.request_ms), (19, 940));
        let with_flushes = parse_disk_line(b" 254 0 vda 10 1 20 300 4 2 50 600 7 800 900 5 0 8 40 6 60").unwrap();
        assert_eq!((with_flushes.completed, with_flushes.request_ms), (25, 1000));
        assert_eq!(parse_disk_line(b"   8       1 sda1 35 92 0 0"), None);
    }

    #[test]
    fn times_wrap_around_at_32_bits() {
        let disk = parse_disk_line(b"8 0 sda 1 0 0 4294967295 1 0 0 2 0 4294967296 0").unwrap();
        assert_eq!((disk.request_ms, disk.busy_ms), (1, 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_disk_line(&line);
        }

        #[test]
        fn numbers_of_any_size_are_accepted(name in "[a-z]{1,9}", numbers in prop::collection::vec(any::<u64>(), 0..20)) {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            let line = format!("8 0 {name} {}", numbers.join(" "));
            prop_assert_eq!(parse_disk_line(line.as_bytes()).is_some(), numbers.len() >= 11);
        }

        #[test]
        fn a_formatted_line_is_parsed_back(device in any::<(u32, u32)>(), name in "[a-z][a-z0-9-]{0,9}", n in prop::array::uniform8(any::<u32>())) {
            let [reads, sectors_read, read_ms, writes, sectors_written, write_ms, in_flight, busy_ms] = n;
            let (major, minor) = device;
            let line = format!(
                "{major:4} {minor:7} {name} {reads} 1 {sectors_read} {read_ms} {writes} 1 {sectors_written} {write_ms} {in_flight} {busy_ms} 9 0 0 0 0 0 0\n"
            );
            let expected = DiskStats {
                device,
                name: name.as_bytes(),
                completed: u64::from(reads) + u64::from(writes),
                request_ms: read_ms.wrapping_add(write_ms),
                read_bytes: u64::from(sectors_read) * 512,
                written_bytes: u64::from(sectors_written) * 512,
                in_flight: in_flight.into(),
                busy_ms,
            };
            prop_assert_eq!(parse_disk_line(line.as_bytes()), Some(expected));
        }
    }
}
