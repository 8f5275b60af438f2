//! Reads the same files with the `procfs` crate, as its users do.

use std::hint::black_box;

use procfs::{
    CpuPressure, Current, CurrentSI, IoPressure, KernelStats, Meminfo, MemoryPressure, Uptime,
    process::{Process, all_processes},
};

use crate::questions::Files;

type OfProcess = fn(&Process);
type OfHost = fn();

macro_rules! asks {
    ($process:ident: $answer:expr) => {
        |$process| drop(black_box($answer))
    };
    ($answer:expr) => {
        || drop(black_box($answer))
    };
}

const OF_PROCESS: [(&str, OfProcess); 13] = [
    ("statm", asks!(process: process.statm())),
    ("schedstat", asks!(process: process.schedstat())),
    ("io", asks!(process: process.io())),
    ("syscall", asks!(process: process.syscall())),
    ("status", asks!(process: process.status())),
    ("wchan", asks!(process: process.wchan())),
    ("limits", asks!(process: process.limits())),
    ("oom_score", asks!(process: process.oom_score())),
    ("cgroup", asks!(process: process.cgroups())),
    ("exe", asks!(process: process.exe())),
    ("cmdline", asks!(process: process.cmdline())),
    // The crate reads all namespaces or none, which is more than was read.
    ("ns/net", asks!(process: std::fs::read_link(format!("/proc/{}/ns/net", process.pid)))),
    ("fd", |process| {
        for fd in process.fd().into_iter().flatten() {
            drop(black_box(fd));
        }
    }),
];

const OF_HOST: [(&str, OfHost); 12] = [
    ("uptime", asks!(Uptime::current())),
    ("stat", asks!(KernelStats::current())),
    ("meminfo", asks!(Meminfo::current())),
    ("pressure/cpu", asks!(CpuPressure::current())),
    ("pressure/memory", asks!(MemoryPressure::current())),
    ("pressure/io", asks!(IoPressure::current())),
    ("locks", asks!(procfs::locks())),
    ("vmstat", asks!(procfs::vmstat())),
    ("diskstats", asks!(procfs::diskstats())),
    ("mounts", asks!(procfs::mounts())),
    ("self/mountinfo", asks!(Process::myself().and_then(|process| process.mountinfo()))),
    ("self/net", || {
        black_box((procfs::net::tcp().is_ok(), procfs::net::tcp6().is_ok(), procfs::net::unix().is_ok()));
    }),
];

/// The crate's readers for these files.
pub struct Theirs {
    of_process: Vec<OfProcess>,
    of_host: Vec<OfHost>,
    /// Files without a reader in the crate; they cost it nothing here.
    pub without: Vec<String>,
}

impl Theirs {
    /// Selects the readers.
    pub fn new(files: &Files) -> Theirs {
        let mut theirs = Theirs { of_process: Vec::new(), of_host: Vec::new(), without: Vec::new() };
        // The sweep's first file is read for every process, including kernel threads.
        for file in files.of_processes.iter().filter(|file| !["", "stat"].contains(&file.as_str())) {
            match OF_PROCESS.iter().find(|(name, _)| name == file) {
                Some((_, reader)) => theirs.of_process.push(*reader),
                None => theirs.without.push(format!("PID/{file}")),
            }
        }
        for file in files.of_host.iter().filter(|file| !file.bytes().all(|digit| digit.is_ascii_digit())) {
            match OF_HOST.iter().find(|(name, _)| name == file) {
                Some((_, reader)) => theirs.of_host.push(*reader),
                None => theirs.without.push(file.clone()),
            }
        }
        theirs
    }

    /// Reads everything once.
    pub fn sweep(&self) {
        for process in all_processes().into_iter().flatten().flatten() {
            let Ok(stat) = process.stat() else { continue };
            if stat.flags & procfs::process::StatFlags::PF_KTHREAD.bits() != 0 {
                continue;
            }
            black_box(&stat);
            self.of_process.iter().for_each(|reader| reader(&process));
        }
        self.of_host.iter().for_each(|reader| reader());
    }
}
