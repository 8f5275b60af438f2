//! Compares parsers with the `procfs` crate, `df` and the kernel, on this host.

use hostread::{
    ProcRoot, Seen, Tape, parse,
    sockets::{self, SockDiag},
};
use procfs::{
    FromBufReadSI, FromRead,
    process::{Process, Schedstat, all_processes},
};

fn each_process(mut check: impl FnMut(&Process, u32)) {
    let mut checked = 0;
    for process in all_processes().unwrap().flatten() {
        let Ok(pid) = u32::try_from(process.pid()) else { continue };
        check(&process, pid);
        checked += 1;
    }
    assert!(checked > 0);
}

fn read(pid: u32, name: &str) -> Option<Vec<u8>> {
    std::fs::read(format!("/proc/{pid}/{name}")).ok()
}

#[test]
fn stat_is_parsed_as_by_procfs() {
    each_process(|process, pid| {
        let Some(text) = read(pid, "stat") else { return };
        let Ok(theirs) = procfs::process::Stat::from_read(text.as_slice()) else { return };
        let ours = parse::stat::parse_stat(&text).unwrap();
        assert_eq!(ours.pid, u32::try_from(process.pid()).unwrap());
        assert_eq!(parse::text(ours.comm), parse::text(theirs.comm.as_bytes()));
        assert_eq!(char::from(ours.state), theirs.state);
        assert_eq!(i64::from(ours.parent), i64::from(theirs.ppid));
        assert_eq!((ours.user_ticks, ours.system_ticks), (theirs.utime, theirs.stime));
        assert_eq!(i64::try_from(ours.threads).unwrap(), theirs.num_threads);
        assert_eq!((ours.start_time, ours.major_faults), (theirs.starttime, theirs.majflt));
        assert_eq!((ours.minor_faults, ours.children_faults), (theirs.minflt, theirs.cminflt));
        assert_eq!(i64::try_from(ours.children_ticks).unwrap(), theirs.cutime + theirs.cstime);
        assert_eq!(ours.block_delay_ticks, theirs.delayacct_blkio_ticks);
        assert_eq!(ours.flags, u64::from(theirs.flags));
    });
}

#[test]
fn memory_scheduling_io_and_limits_are_parsed_as_by_procfs() {
    each_process(|process, pid| {
        if let Some(text) = read(pid, "statm") {
            let theirs = procfs::process::StatM::from_read(text.as_slice()).unwrap();
            let ours = parse::process::parse_statm(&text).unwrap();
            assert_eq!((ours.resident, ours.private), (theirs.resident, theirs.resident.saturating_sub(theirs.shared)));
        }
        if let Some(text) = read(pid, "schedstat") {
            let theirs = Schedstat::from_read(text.as_slice()).unwrap();
            let ours = parse::process::parse_schedstat(&text).unwrap();
            let expected = (theirs.sum_exec_runtime, theirs.run_delay, theirs.pcount);
            assert_eq!((ours.cpu_nanos, ours.run_delay_nanos, ours.timeslices), expected);
        }
        if let Some(text) = read(pid, "io") {
            let theirs = procfs::process::Io::from_read(text.as_slice()).unwrap();
            let ours = parse::process::parse_io(&text).unwrap();
            assert_eq!((ours.written_bytes, ours.write_calls), (theirs.wchar, theirs.syscw));
            assert_eq!((ours.storage_read_bytes, ours.storage_written_bytes), (theirs.read_bytes, theirs.write_bytes));
        }
        if let Some(text) = read(pid, "limits") {
            let theirs = procfs::process::Limits::from_read(text.as_slice()).unwrap().max_open_files.soft_limit;
            let ours = parse::process::parse_open_files_limit(&text);
            let root = ProcRoot::open("/proc".as_ref(), Tape::default()).unwrap();
            let by_pid =
                root.directory.open_dir_for_lookup(&pid.to_string()).and_then(|process| process.open_files_limit(pid));
            // The limit by pid may be denied, and a process may have exited.
            assert!(pid != std::process::id() || by_pid.here().is_some());
            assert!(by_pid.here().is_none_or(|by_pid| Some(by_pid) == ours));
            assert!(matches!(theirs, procfs::process::LimitValue::Value(theirs) if ours == Some(theirs)));
        }
        if let (Some(text), Ok(theirs)) = (read(pid, "cmdline"), process.cmdline()) {
            let ours = parse::process::parse_arguments(&text).into_iter();
            let ours = ours.map(|argument| String::from_utf8_lossy(argument).into_owned());
            // The process may have executed another program between the two reads.
            if read(pid, "cmdline").as_ref() != Some(&text) {
                return;
            }
            let theirs: Vec<String> = theirs.into_iter().filter(|argument| !argument.is_empty()).collect();
            assert_eq!(ours.filter(|argument| !argument.is_empty()).collect::<Vec<_>>(), theirs);
        }
    });
}

#[test]
fn files_of_the_host_are_parsed_as_by_procfs() {
    let text = std::fs::read("/proc/uptime").unwrap();
    let theirs = procfs::Uptime::from_read(text.as_slice()).unwrap();
    let ours = parse::system::parse_uptime_centis(&text).unwrap();
    assert!((ours as f64 / 100.0 - theirs.uptime).abs() < 0.001);
    let text = std::fs::read("/proc/meminfo").unwrap();
    let theirs = procfs::Meminfo::from_read(text.as_slice()).unwrap();
    assert_eq!(parse::system::parse_available_memory(&text), theirs.mem_available);
    let text = std::fs::read("/proc/stat").unwrap();
    let ticks = parse::system::parse_cpu_ticks(&text).unwrap();
    assert!(ticks.busy > 0 && ticks.busy <= ticks.total);
    if let Ok(text) = std::fs::read("/proc/pressure/memory") {
        let theirs = procfs::MemoryPressure::from_read(text.as_slice()).unwrap();
        let ours = parse::system::parse_pressure(&text);
        assert_eq!((ours.some, ours.full), (Some(theirs.some.avg10), Some(theirs.full.avg10)));
    }
}

#[test]
fn disks_counters_and_mounts_are_parsed_as_by_procfs() {
    let text = std::fs::read("/proc/diskstats").unwrap();
    let theirs = procfs::DiskStats::from_read(text.as_slice()).unwrap().0;
    let ours: Vec<_> = parse::lines(&text).filter_map(parse::diskstats::parse_disk_line).collect();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_eq!((parse::text(ours.name), ours.in_flight), (theirs.name, theirs.in_progress));
        let completed = [Some(theirs.reads), Some(theirs.writes), theirs.discards, theirs.flushes];
        assert_eq!(ours.completed, completed.into_iter().flatten().sum::<u64>());
        assert_eq!((ours.read_bytes, ours.written_bytes), (theirs.sectors_read * 512, theirs.sectors_written * 512));
        assert_eq!(u64::from(ours.busy_ms), theirs.time_in_progress);
    }
    let text = std::fs::read("/proc/self/net/snmp").unwrap();
    let theirs = procfs::net::Snmp::from_read(text.as_slice()).unwrap();
    assert_eq!(parse::net_counters::parse_counter(&text, b"Tcp:", b"RetransSegs"), Some(theirs.tcp_retrans_segs));
    assert_eq!(parse::net_counters::parse_counter(&text, b"Udp:", b"InDatagrams"), Some(theirs.udp_in_datagrams));
    let text = std::fs::read("/proc/self/mountinfo").unwrap();
    let theirs = procfs::process::MountInfos::from_read(text.as_slice()).unwrap().0;
    assert_eq!(parse::mounts::parse_mountinfo(&text).count(), theirs.len());
}

#[test]
fn counters_of_the_kernel_are_parsed_as_by_procfs() {
    let text = std::fs::read("/proc/stat").unwrap();
    let theirs = procfs::KernelStats::from_buf_read(text.as_slice(), procfs::current_system_info()).unwrap();
    let ours = parse::system::parse_activity(&text);
    assert_eq!((ours.context_switches, ours.forks), (Some(theirs.ctxt), Some(theirs.processes)));
    let level = |level: Option<u64>| level.map(|level| u32::try_from(level).unwrap());
    assert_eq!((level(ours.running), level(ours.blocked)), (theirs.procs_running, theirs.procs_blocked));
    // Read twice, but these counters hardly ever change.
    let theirs = procfs::vmstat().unwrap();
    let text = std::fs::read("/proc/vmstat").unwrap();
    let ours = parse::system::parse_paging(&text);
    let their = |name: &str| theirs.get(name).map(|value| value.cast_unsigned());
    assert_eq!((ours.oom_kills, ours.swapped_out), (their("oom_kill"), their("pswpout")));
}

#[test]
fn the_space_of_a_filesystem_is_that_of_df() {
    let directory = tempfile::TempDir::new().unwrap();
    // On tmpfs, a directory occupies no blocks.
    std::fs::write(directory.path().join("file"), "some").unwrap();
    let root = ProcRoot::open("/proc".as_ref(), Tape::default()).unwrap();
    let top = root.directory.open_dir("self/root").here().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let device = std::os::unix::fs::MetadataExt::dev(&path.metadata().unwrap());
    let device = (rustix::fs::major(device), rustix::fs::minor(device));
    let below = path.to_str().unwrap().trim_start_matches('/');
    let ours = top.filesystem_space(below, Some(device)).here().unwrap();
    let output = std::process::Command::new("df").args(["-B1", "--output=size,itotal"]).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let theirs: Vec<u64> =
        text.lines().nth(1).unwrap().split_whitespace().map(|field| field.parse().unwrap()).collect();
    assert_eq!(theirs, [ours.blocks * ours.block_size, ours.inodes]);
    assert!(
        ours.available_blocks <= ours.free_blocks && ours.free_blocks < ours.blocks && ours.free_inodes <= ours.inodes
    );
    assert_eq!(top.filesystem_space(below, Some((device.0, device.1 + 1))), Seen::Gone);
}

#[test]
fn a_held_lock_is_parsed_as_by_procfs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&file.as_file().metadata().unwrap());
    let text = std::fs::read("/proc/locks").unwrap();
    let ours =
        parse::lines(&text).filter_map(parse::locks::parse_lock_line).find(|line| line.lock.inode == inode).unwrap();
    let theirs = procfs::Locks::from_read(text.as_slice()).unwrap().0;
    let theirs = theirs.into_iter().find(|lock| lock.inode == inode).unwrap();
    assert_eq!(Some(ours.lock.pid), theirs.pid.map(i64::from));
    assert_eq!(ours.lock.device, (theirs.devmaj, theirs.devmin));
    assert_eq!(ours.lock.range, (theirs.offset_first, theirs.offset_last));
    assert!(!ours.lock.is_shared && !ours.is_waiting);
}

#[test]
fn sock_diag_and_proc_list_the_same_sockets() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("s.sock");
    let _unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let root = ProcRoot::open("/proc".as_ref(), Tape::default()).unwrap();
    let net = || root.directory.open_dir("self/net");
    let mut buffer = Vec::new();
    let mut list =
        |mut connection| sockets::list_sockets(&mut connection, net, &root.tape, &mut buffer).here().unwrap();
    let listed = list(SockDiag::open().unwrap());
    let fallback = list(SockDiag::for_playback());
    for listing in [&listed, &fallback] {
        let tcp = listing.sockets.tcp.iter().find(|socket| socket.local.port() == port && socket.is_listening).unwrap();
        assert!(tcp.inode > 0);
        let unix = listing.sockets.unix.iter().find(|socket| socket.name.as_deref() == path.to_str()).unwrap();
        assert!(unix.is_listening && unix.inode > 0);
    }
    assert!(fallback.is_fallback);
}
