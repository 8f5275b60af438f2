//! Disks: utilization, request latency and throughput.

use std::collections::{BTreeMap, BTreeSet};

use hostread::parse::{
    self,
    diskstats::{self, DiskStats},
};
use signals::Signal;

use super::resources::{HostInputs, Resource};
use crate::measure::{Measured, Reason};

/// Counters of each disk in the previous sweep.
#[derive(Debug, Default)]
pub struct History {
    known: BTreeMap<String, DiskCounters>,
}

#[derive(Clone, Copy, Debug)]
struct DiskCounters {
    completed: u64,
    waited_ms: u32,
    read_bytes: u64,
    written_bytes: u64,
    busy_ms: u32,
}

impl History {
    /// Reads the disks, `elapsed` seconds after the previous sweep.
    pub fn read(&mut self, inputs: &HostInputs<'_>, elapsed: Option<f64>, buffer: &mut Vec<u8>) -> Vec<Resource> {
        let text = inputs.root.directory.read("diskstats", buffer).here().unwrap_or_default();
        let known = std::mem::take(&mut self.known);
        let disks = shown(text, inputs.mounted);
        let resource = |disk: DiskStats<'_>| {
            let name = parse::text(disk.name);
            let now = DiskCounters::new(&disk);
            // Lower counters than before mean that another disk has the name now.
            let before = known.get(&name).filter(|before| before.completed <= now.completed);
            let figures = figures(&now, before.zip(elapsed), disk.in_flight);
            self.known.insert(name.clone(), now);
            Resource { id: format!("s:disk:{name}"), role: "disk".to_owned(), name, figures }
        };
        disks.into_values().map(resource).collect()
    }
}

impl DiskCounters {
    fn new(disk: &DiskStats<'_>) -> DiskCounters {
        let DiskStats { completed, request_ms: waited_ms, read_bytes, written_bytes, busy_ms, .. } = *disk;
        DiskCounters { completed, waited_ms, read_bytes, written_bytes, busy_ms }
    }
}

fn figures(now: &DiskCounters, before: Option<(&DiskCounters, f64)>, in_flight: u64) -> Vec<(Signal, Measured)> {
    let rate = |amount: fn(&DiskCounters, &DiskCounters) -> f64| {
        let (before, elapsed) = before.ok_or(Reason::FirstSweep)?;
        Ok(amount(now, before) / elapsed)
    };
    let busy = rate(|now, before| f64::from(now.busy_ms.wrapping_sub(before.busy_ms)));
    vec![
        (Signal::DiskBusyPct, busy.map(|millis| (millis / 10.0).min(100.0))),
        (Signal::DiskRequestMs, before.ok_or(Reason::FirstSweep).map(|(before, _)| request_ms(now, before, in_flight))),
        (Signal::DiskReadBytes, rate(|now, before| now.read_bytes.saturating_sub(before.read_bytes) as f64)),
        (Signal::DiskWriteBytes, rate(|now, before| now.written_bytes.saturating_sub(before.written_bytes) as f64)),
        (Signal::DiskRequestsInFlight, Ok(in_flight as f64)),
    ]
}

/// Returns the mean latency of requests completed since the previous sweep.
fn request_ms(now: &DiskCounters, before: &DiskCounters, in_flight: u64) -> f64 {
    match now.completed.saturating_sub(before.completed) {
        // No request has completed: those in flight have taken at least this long.
        0 if in_flight > 0 => f64::from(now.busy_ms.wrapping_sub(before.busy_ms)),
        0 => 0.0,
        completed => f64::from(now.waited_ms.wrapping_sub(before.waited_ms)) / completed as f64,
    }
}

/// Returns the disks by name, without partitions, devices that are no disks, and devices that are
/// neither mounted nor used: drivers create many numbered devices in advance.
fn shown<'t>(text: &'t [u8], mounted: &BTreeSet<(u32, u32)>) -> BTreeMap<&'t [u8], DiskStats<'t>> {
    let disks: BTreeMap<&[u8], DiskStats<'_>> =
        parse::lines(text).filter_map(diskstats::parse_disk_line).map(|disk| (disk.name, disk)).collect();
    let is_shown = |disk: &DiskStats<'_>| {
        let is_mounted = mounted.contains(&disk.device);
        match kind(disk.name) {
            b"ram" | b"zram" | b"sr" | b"fd" => false,
            b"loop" => is_mounted,
            _ => is_mounted || disk.completed > 0 || disk.in_flight > 0,
        }
    };
    let is_whole = |name: &[u8]| whole(name).is_none_or(|whole| !disks.contains_key(whole));
    disks.iter().filter(|(name, disk)| is_whole(name) && is_shown(disk)).map(|(name, disk)| (*name, *disk)).collect()
}

/// Returns the name of a device without its number.
fn kind(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    name.get(..name.len() - digits).unwrap_or(name)
}

/// Returns the disk that a device of this name would be a partition of: `sda` for `sda1`, `nvme0n1`
/// for `nvme0n1p1`.
fn whole(name: &[u8]) -> Option<&[u8]> {
    let stem = kind(name);
    if stem.len() == name.len() {
        return None;
    }
    match stem.strip_suffix(b"p") {
        Some(disk) if disk.last().is_some_and(u8::is_ascii_digit) => Some(disk),
        _ => Some(stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, mounted: &[(u32, u32)]) -> Vec<String> {
        let mounted = mounted.iter().copied().collect();
        shown(text.as_bytes(), &mounted).into_keys().map(parse::text).collect()
    }

    #[test]
    fn disks_are_shown_and_partitions_are_hidden() {
        let used = "1 0 0 0 0 0 0 0 0 0 0";
        let names_used =
            ["sda", "sda1", "sdb", "nvme0n1", "nvme0n1p1", "mmcblk0", "mmcblk0p2", "md127", "dm-1", "dm-10"];
        let text: String = names_used.iter().map(|name| format!("8 0 {name} {used}\n")).collect();
        assert_eq!(names(&text, &[]), ["dm-1", "dm-10", "md127", "mmcblk0", "nvme0n1", "sda", "sdb"]);
        // Some hypervisors attach a partition without its disk.
        assert_eq!(names(&format!("202 1 xvda1 {used}\n"), &[]), ["xvda1"]);
    }

    #[test]
    fn unused_devices_and_devices_that_are_no_disks_are_hidden() {
        let used = "1 0 0 0 0 0 0 0 0 0 0";
        let unused = "0 0 0 0 0 0 0 0 0 0 0";
        let text = format!(
            "1 0 ram0 {used}\n253 0 zram0 {used}\n11 0 sr0 {used}\n7 0 loop0 {used}\n7 1 loop1 {unused}\n43 0 nbd0 {unused}\n43 1 nbd1 {used}\n"
        );
        assert_eq!(names(&text, &[(7, 1)]), ["loop1", "nbd1"]);
    }

    #[test]
    fn the_latency_of_a_disk_that_completes_no_request_is_its_busy_time() {
        let before =
            DiskCounters { completed: 5, waited_ms: u32::MAX, read_bytes: 0, written_bytes: 0, busy_ms: u32::MAX - 9 };
        let hung = DiskCounters { busy_ms: 990, ..before };
        assert_eq!(request_ms(&hung, &before, 1), 1000.0);
        assert_eq!(request_ms(&hung, &before, 0), 0.0);
        let done = DiskCounters { completed: 7, waited_ms: 19, ..before };
        assert_eq!(request_ms(&done, &before, 1), 10.0);
    }
}
