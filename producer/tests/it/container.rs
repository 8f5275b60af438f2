//! The host as a producer in a container sees it: the host's files are reachable only through the
//! root directory of process 1.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use producer::Sweeper;
use schemas::GraphSnapshot;
use tempfile::TempDir;

use crate::{children::*, fixture};

/// A tree with a process that has a file open on the host's `/data`.
struct Host {
    root: TempDir,
    sweeper: Sweeper,
}

impl Host {
    fn new() -> Host {
        let root = fixture::tree();
        fixture::write(root.path(), "17/stat", &fixture::stat(17, b"real", 0, 0));
        let data = root.path().join("1/root/data");
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("log"), "").unwrap();
        fs::create_dir_all(root.path().join("17/fd")).unwrap();
        std::os::unix::fs::symlink(data.join("log"), root.path().join("17/fd/3")).unwrap();
        let mut producer = producer();
        producer.sweep.proc = root.path().to_owned();
        let host = Host { sweeper: Sweeper::new(producer).unwrap(), root };
        host.mounts("rw");
        host
    }

    /// Mounts the tree's own filesystem at `/data`.
    fn mounts(&self, filesystem: &str) {
        let device = fs::metadata(self.root.path()).unwrap().dev();
        let major = rustix::fs::major(device);
        let minor = rustix::fs::minor(device);
        let kind = if major == 0 { "tmpfs" } else { "ext4" };
        let text = format!(
            "1 0 0:9 / / rw - nfs4 server:/ rw\n2 1 {major}:{minor} / /data rw shared:1 - {kind} /dev/x {filesystem}\n3 1 250:7 / /gone rw - ext4 /dev/y rw\n"
        );
        self.write("1/mountinfo", &text);
    }

    fn write(&self, name: &str, text: &str) {
        fixture::write(self.root.path(), name, text.as_bytes());
    }

    fn sweep(&mut self) -> GraphSnapshot {
        self.sweeper.sweep().unwrap()
    }
}

fn missing_count(snapshot: &GraphSnapshot, signal: &str, reason: &str) -> Option<i64> {
    let gap = snapshot.coverage.iter().find(|gap| gap.signal == signal && gap.reason == reason);
    gap.map(|gap| gap.count)
}

fn system(snapshot: &GraphSnapshot, id: &str) -> usize {
    snapshot.nodes.iter().position(|node| node.id == id).unwrap()
}

#[test]
fn a_filesystem_is_reached_below_the_host_s_root_directory() {
    let mut host = Host::new();
    let snapshot = host.sweep();
    let at = node_with_path(&snapshot, "/data").unwrap();
    assert_eq!((node(&snapshot, at).name.as_str(), node(&snapshot, at).role.as_str()), ("/data", "filesystem /data"));
    assert!(value(&snapshot, "space_free", at).unwrap() > 0.0);
    assert!(edge(&snapshot, process(&snapshot, 17).unwrap(), "opens", at).is_some());
    // It is listed, but does not exist.
    assert_eq!(node_with_path(&snapshot, "/gone"), None);
    assert_eq!(
        (missing_count(&snapshot, "filesystem", "gone"), missing_count(&snapshot, "filesystems", "gone")),
        (Some(1), None)
    );
}

#[test]
fn filesystems_below_an_unreachable_root_directory_are_missing() {
    let mut host = Host::new();
    fs::rename(host.root.path().join("1/root"), host.root.path().join("elsewhere")).unwrap();
    let fd = host.root.path().join("17/fd/3");
    fs::remove_file(&fd).unwrap();
    std::os::unix::fs::symlink(host.root.path().join("elsewhere/data/log"), fd).unwrap();
    let snapshot = host.sweep();
    let at = node_with_path(&snapshot, "/data").unwrap();
    assert_eq!(
        (value(&snapshot, "space_used_pct", at), missing(&snapshot, "space_used_pct", at)),
        (None, Some("gone"))
    );
    assert_eq!(missing_count(&snapshot, "filesystems", "gone"), Some(1));
}

#[test]
fn unreadable_mounts_are_reported_in_every_sweep() {
    let mut host = Host::new();
    fs::remove_file(host.root.path().join("1/mountinfo")).unwrap();
    for _ in 0..3 {
        let snapshot = host.sweep();
        assert_eq!(missing_count(&snapshot, "filesystems", "gone"), Some(1));
        assert_eq!(missing_count(&snapshot, "filesystems-elsewhere", "unsupported"), Some(1));
    }
}

#[test]
fn a_filesystem_that_becomes_read_only_is_soon_shown_as_read_only() {
    let mut host = Host::new();
    let snapshot = host.sweep();
    assert_eq!(value(&snapshot, "read_only", node_with_path(&snapshot, "/data").unwrap()), Some(0.0));
    host.mounts("ro");
    let found = (0..10).find_map(|_| {
        let snapshot = host.sweep();
        let at = node_with_path(&snapshot, "/data")?;
        (value(&snapshot, "read_only", at)? == 1.0).then_some((snapshot, at))
    });
    let (snapshot, at) = found.unwrap();
    let proof = snapshot.evidence.iter().find(|evidence| evidence.nodes.contains(&(at as i32))).unwrap();
    assert!(proof.source.ends_with("/1/mountinfo") && proof.text.ends_with(" ro"), "{proof:?}");
}

#[test]
fn network_counters_are_those_of_process_1_and_counters_of_newer_kernels_are_missing() {
    let mut host = Host::new();
    host.write("1/net/snmp", "Tcp: MaxConn RetransSegs\nTcp: -1 50\n");
    host.write("1/net/netstat", "TcpExt: SyncookiesSent ListenDrops\nTcpExt: 1 2\n");
    host.write("sys/net/netfilter/nf_conntrack_count", "5\n");
    host.write("sys/net/netfilter/nf_conntrack_max", "10\n");
    let first = host.sweep();
    let at = system(&first, "s:network");
    assert_eq!(missing(&first, "tcp_retransmits", at), Some("first-sweep"));
    host.write("1/net/snmp", "Tcp: MaxConn RetransSegs\nTcp: -1 60\n");
    let second = host.sweep();
    assert!(value(&second, "tcp_retransmits", at).unwrap() > 10.0);
    assert_eq!(value(&second, "listen_drops", at), Some(0.0));
    assert_eq!(missing(&second, "listen_overflows", at), Some("unsupported"));
    // This is the count of the producer's own namespace, not the host's.
    assert_eq!(missing(&second, "conntrack_pct", at), Some("unsupported"));
}

#[test]
fn disks_and_kernel_counters_have_their_usual_names() {
    let mut host = Host::new();
    let disk = |completed: u32, sectors: u32| {
        format!("8 0 sda {completed} 0 {sectors} 40 0 0 0 0 3 7 0\n8 1 sda1 1 0 0 0 0 0 0 0 0 0 0\n")
    };
    host.write("diskstats", &disk(1, 2));
    host.write("vmstat", "pswpin 1\noom_kill 3\n");
    host.write("stat", "cpu  10 0 5 100 0 0 0 0 0 0\nprocesses 100\nprocs_blocked 4\n");
    let first = host.sweep();
    let at = system(&first, "s:disk:sda");
    assert_eq!(value(&first, "disk_requests_in_flight", at), Some(3.0));
    assert_eq!(missing(&first, "disk_busy_pct", at), Some("first-sweep"));
    assert!(!first.nodes.iter().any(|node| node.id == "s:disk:sda1"));
    host.write("diskstats", &disk(5, 4));
    host.write("vmstat", "pswpin 1\noom_kill 4\n");
    let second = host.sweep();
    assert!(value(&second, "disk_read_bytes", at).unwrap() > 1024.0);
    assert_eq!((value(&second, "disk_busy_pct", at), value(&second, "disk_request_ms", at)), (Some(0.0), Some(0.0)));
    let memory = system(&second, "s:memory");
    assert!(value(&second, "host_oom_kills", memory).unwrap() > 1.0);
    assert_eq!(value(&second, "swap_in_bytes", memory), Some(0.0));
    assert_eq!(missing(&second, "swap_out_bytes", memory), Some("unsupported"));
    let cpu = system(&second, "s:cpu");
    assert_eq!((value(&second, "forks", cpu), value(&second, "tasks_blocked", cpu)), (Some(0.0), Some(4.0)));
    assert_eq!(missing(&second, "host_context_switches", cpu), Some("unsupported"));
    let clock = system(&second, "s:clock");
    assert_eq!(
        (value(&second, "uptime_ms", clock), value(&second, "clock_step_ms", clock)),
        (Some(20_000.0), Some(0.0))
    );
}

/// A disk whose name now belongs to another disk with lower counters.
#[test]
fn a_replaced_disk_has_no_rates_at_first() {
    let mut host = Host::new();
    host.write("diskstats", "8 0 sda 9 0 2 40 0 0 0 0 0 7 0\n");
    host.sweep();
    host.write("diskstats", "8 0 sda 2 0 2 40 0 0 0 0 0 7 0\n");
    let snapshot = host.sweep();
    assert_eq!(missing(&snapshot, "disk_read_bytes", system(&snapshot, "s:disk:sda")), Some("first-sweep"));
}

#[test]
fn a_recording_of_a_host_with_filesystems_plays_back_without_it() {
    let host = Host::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut producer = producer();
    producer.sweep.proc = Path::new(host.root.path()).to_owned();
    let tape = hostread::Tape::record_to(Box::new(file.reopen().unwrap())).unwrap();
    let mut recorded = Sweeper::with_tape(producer.clone(), tape).unwrap();
    let snapshots = [(); 3].map(|()| recorded.sweep().unwrap());
    drop(host);
    let mut played = Sweeper::with_tape(producer, hostread::Tape::open(file.path()).unwrap()).unwrap();
    for snapshot in snapshots {
        assert!(node_with_path(&snapshot, "/data").is_some());
        assert_eq!(played.sweep().unwrap(), snapshot);
    }
}

#[test]
fn a_pods_namespace_is_read_from_its_service_account_file() {
    let root = fixture::tree();
    for (pid, id) in [(17, "a"), (18, "b")] {
        fixture::write(root.path(), &format!("{pid}/stat"), &fixture::stat(pid, b"api", 0, 0));
        let group = format!("0::/kubepods.slice/cri-containerd-{}.scope\n", id.repeat(64));
        fixture::write(root.path(), &format!("{pid}/cgroup"), group.as_bytes());
        let environment = b"KUBERNETES_SERVICE_HOST=10.0.0.1\0HOSTNAME=api-558bd4d5db-x7xqz\0";
        fixture::write(root.path(), &format!("{pid}/environ"), environment);
        // The container's root, not the observer's.
        fs::create_dir_all(root.path().join(format!("{pid}/root/var"))).unwrap();
        std::os::unix::fs::symlink("/run", root.path().join(format!("{pid}/root/var/run"))).unwrap();
    }
    fixture::write(root.path(), "17/root/run/secrets/kubernetes.io/serviceaccount/namespace", b"pay\n");
    let snapshot = fixture::sweeper_of(&root).sweep().unwrap();
    let role = |pid| node(&snapshot, process(&snapshot, pid).unwrap()).role.as_str();
    assert_eq!((role(17), role(18)), ("[pay/api] - api", "[api] - api"));
    assert_eq!(missing_count(&snapshot, "environ", "late"), None);
}
