//! Control-group hierarchies that this host does not have, as trees of files.

use std::path::Path;

use hostread::Tape;
use producer::{Producer, Sweeper};
use schemas::{RawRead, container::Reader};
use tempfile::TempDir;

use crate::{
    children::*,
    fixture::{stat, tree, write},
};

const POD: &str =
    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a1b2c3d_0000_4000_8000_0123456789ab.slice";

/// A host with one process, pid 17, in the given groups.
struct Host {
    proc: TempDir,
    cgroup: TempDir,
}

impl Host {
    fn with(memberships: &str, files: &[(&str, &str)]) -> Host {
        let proc = tree();
        let cgroup = TempDir::new().unwrap();
        write(proc.path(), "17/stat", &stat(17, b"api", 0, 0));
        write(proc.path(), "17/cgroup", memberships.as_bytes());
        let host = Host { proc, cgroup };
        host.change(files);
        host
    }

    fn with_environ(self, environ: &str) -> Host {
        write(self.proc.path(), "17/environ", environ.as_bytes());
        self
    }

    fn change(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            write(self.cgroup.path(), name.trim_start_matches('/'), text.as_bytes());
        }
    }

    fn producer(&self) -> Producer {
        let mut producer = producer();
        producer.sweep.proc = self.proc.path().to_owned();
        producer.sweep.cgroup = self.cgroup.path().to_owned();
        producer
    }

    fn sweeper(&self) -> Sweeper {
        Sweeper::new(self.producer()).unwrap()
    }
}

fn id() -> String {
    "0123456789abcdef".repeat(4)
}

fn group(snapshot: &schemas::GraphSnapshot, path: &str) -> usize {
    let id = format!("c:{path}");
    snapshot.nodes.iter().position(|node| node.id == id).unwrap_or_else(|| panic!("no {id}"))
}

/// Lets time pass between two reads, so that rates have a length to be divided by.
fn let_time_pass() {
    std::thread::sleep(std::time::Duration::from_millis(20));
}

#[test]
fn a_throttled_pod_is_shown_above_its_container_and_both_are_named_after_the_owner() {
    let container = format!("{POD}/cri-containerd-{}.scope", id());
    let pod_file = |name: &str| format!("{POD}/{name}");
    let file = |name: &str| format!("{container}/{name}");
    let host = Host::with(
        &format!("0::{container}\n"),
        &[
            ("cgroup.controllers", "cpu memory"),
            (&pod_file("cpu.max"), "50000 100000\n"),
            (&pod_file("cpu.stat"), "usage_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
            (&file("cpu.max"), "max 100000\n"),
            (&file("cpu.stat"), "usage_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"),
            (&file("memory.current"), "1024\n"),
            (&file("memory.max"), "4096\n"),
            (&file("memory.events"), "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"),
            (&file("pids.current"), "5\n"),
            (&file("pids.max"), "10\n"),
            (&file("cgroup.events"), "populated 1\nfrozen 0\n"),
            (&file("io.stat"), "8:0 rbytes=0 wbytes=0 rios=0 wios=0\n"),
            (
                &file("cpu.pressure"),
                "some avg10=2.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.50 avg60=0.00 avg300=0.00 total=1\n",
            ),
        ],
    );
    let host = host.with_environ("TOKEN=hunter2\0HOSTNAME=api-558bd4d5db-x7xqz\0POD_NAMESPACE=pay\0");
    let mut sweeper = host.sweeper();
    let first = sweeper.sweep().unwrap();
    assert_eq!(missing(&first, "throttled_pct", group(&first, POD)), Some("first-sweep"));
    host.change(&[
        (&pod_file("cpu.stat"), "usage_usec 1000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5000\n"),
        (&file("memory.events"), "low 0\nhigh 3\nmax 4\noom 1\noom_kill 1\n"),
        (&file("io.stat"), "8:0 rbytes=10 wbytes=20 rios=0 wios=0\n"),
    ]);
    let_time_pass();
    let second = sweeper.sweep().unwrap();
    let pod = group(&second, POD);
    let inner = group(&second, &container);
    assert_eq!(value(&second, "throttled_periods_pct", pod), Some(40.0));
    assert!(value(&second, "throttled_pct", pod) > Some(0.0) && value(&second, "cpu_quota_used_pct", pod) > Some(0.0));
    assert_eq!(
        (value(&second, "throttled_pct", inner), value(&second, "cpu_quota_used_pct", inner)),
        (Some(0.0), None)
    );
    assert_eq!(
        (value(&second, "group_memory", inner), value(&second, "memory_limit_used_pct", inner)),
        (Some(1024.0), Some(25.0))
    );
    assert_eq!(
        (value(&second, "pids_limit_used_pct", inner), value(&second, "frozen", inner)),
        (Some(50.0), Some(0.0))
    );
    assert_eq!(
        (value(&second, "group_psi_cpu_some", inner), value(&second, "group_psi_cpu_full", inner)),
        (Some(2.5), Some(1.5))
    );
    for column in ["group_oom_kills", "memory_limit_hits", "group_read_bytes", "group_write_bytes"] {
        assert!(value(&second, column, inner) > Some(0.0), "{column}");
        assert_eq!(missing(&second, column, pod), Some("unsupported"), "{column}");
    }
    let process = process(&second, 17).unwrap();
    assert!(edge(&second, process, "member-of", inner).is_some() && edge(&second, inner, "member-of", pod).is_some());
    assert_eq!(second.nodes.iter().filter(|node| node.kind == "cgroup").count(), 2, "what has no limits is left out");
    let roles = [process, inner, pod].map(|at| node(&second, at).role.as_str());
    assert_eq!(roles, ["[pay/api] - api", "[pay/api]", "[pay/api] pod"]);
    assert_eq!(node(&second, pod).name, "pod pay/api-558bd4d5db-x7xqz");
    assert_eq!([process, inner].map(|at| node(&second, at).container.clone()), [Some(id()), Some(id())]);
    let proof = second.evidence.iter().find(|evidence| evidence.source.ends_with(&pod_file("cpu.stat"))).unwrap();
    assert_eq!(
        (proof.text.as_str(), proof.nodes.as_slice()),
        ("nr_periods 10 nr_throttled 4 throttled_usec 5000", &[pod as i32][..])
    );
    assert!(!format!("{second:?}").contains("hunter2"));
}

#[test]
fn each_v1_controller_is_read_in_its_own_hierarchy() {
    let docker = format!("/docker/{}", id());
    let at = |hierarchy: &str, name: &str| format!("{hierarchy}{docker}/{name}");
    let memberships = format!("4:cpu,cpuacct:{docker}\n3:memory:/other\n2:pids,freezer:/\n1:blkio:{docker}\n");
    let host = Host::with(
        &memberships,
        &[
            ("cpu,cpuacct/cgroup.procs", ""),
            ("memory/cgroup.procs", ""),
            ("pids/cgroup.procs", ""),
            ("freezer/cgroup.procs", ""),
            ("blkio/cgroup.procs", ""),
            (&at("cpu,cpuacct", "cpu.stat"), "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n"),
            (&at("cpu,cpuacct", "cpu.cfs_quota_us"), "25000\n"),
            (&at("cpu,cpuacct", "cpu.cfs_period_us"), "100000\n"),
            (&at("cpu,cpuacct", "cpuacct.usage"), "0\n"),
            (&at("blkio", "blkio.throttle.io_service_bytes"), "8:0 Read 0\n8:0 Write 0\nTotal 0\n"),
            (&at("memory", "memory.usage_in_bytes"), "9\n"),
            ("memory/other/memory.usage_in_bytes", "1024\n"),
            ("memory/other/memory.limit_in_bytes", "4096\n"),
            ("memory/other/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"),
            ("memory/other/memory.failcnt", "0\n"),
        ],
    );
    let mut sweeper = host.sweeper();
    sweeper.sweep().unwrap();
    host.change(&[
        (&at("cpu,cpuacct", "cpu.stat"), "nr_periods 10\nnr_throttled 5\nthrottled_time 5000000\n"),
        (&at("cpu,cpuacct", "cpuacct.usage"), "1000000\n"),
        (&at("blkio", "blkio.throttle.io_service_bytes"), "8:0 Read 10\n8:0 Write 20\nTotal 30\n"),
        ("memory/other/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"),
        ("memory/other/memory.failcnt", "7\n"),
    ]);
    let_time_pass();
    let second = sweeper.sweep().unwrap();
    let docker = group(&second, &docker);
    let other = group(&second, "/other");
    assert_eq!(value(&second, "throttled_periods_pct", docker), Some(50.0));
    for column in ["throttled_pct", "cpu_quota_used_pct", "group_read_bytes", "group_write_bytes"] {
        assert!(value(&second, column, docker) > Some(0.0), "{column}");
    }
    for column in ["group_memory", "memory_limit_used_pct", "frozen", "group_psi_cpu_some"] {
        assert_eq!(missing(&second, column, docker), Some("unsupported"), "{column}");
    }
    assert_eq!(
        (value(&second, "group_memory", other), value(&second, "memory_limit_used_pct", other)),
        (Some(1024.0), Some(25.0))
    );
    assert!(
        value(&second, "group_oom_kills", other) > Some(0.0) && value(&second, "memory_limit_hits", other) > Some(0.0)
    );
    let process = process(&second, 17).unwrap();
    for group in [docker, other] {
        assert!(edge(&second, process, "member-of", group).is_some());
    }
    assert_eq!(
        (node(&second, process).role.as_str(), node(&second, docker).role.as_str()),
        ("[container] - api", "[container]")
    );
}

#[test]
fn beside_v1_controllers_the_unified_hierarchy_provides_the_rest() {
    let unit = "/system.slice/nginx.service";
    let host = Host::with(
        &format!("5:memory:{unit}\n1:name=systemd:{unit}\n0::{unit}\n"),
        &[
            ("memory/cgroup.procs", ""),
            (&format!("memory{unit}/memory.usage_in_bytes"), "1024\n"),
            (&format!("memory{unit}/memory.limit_in_bytes"), "9223372036854771712\n"),
            ("unified/cgroup.controllers", ""),
            (&format!("unified{unit}/memory.current"), "9\n"),
            (&format!("unified{unit}/cgroup.events"), "populated 1\nfrozen 1\n"),
            (&format!("unified{unit}/memory.pressure"), "some avg10=2.50 avg60=0.00 avg300=0.00 total=1\n"),
            ("unified/system.slice/cgroup.events", "populated 1\nfrozen 1\n"),
        ],
    );
    let snapshot = host.sweeper().sweep().unwrap();
    let nginx = group(&snapshot, unit);
    let slice = group(&snapshot, "/system.slice");
    assert_eq!(
        (value(&snapshot, "group_memory", nginx), value(&snapshot, "memory_limit_used_pct", nginx)),
        (Some(1024.0), None)
    );
    assert_eq!(
        (value(&snapshot, "frozen", nginx), value(&snapshot, "group_psi_memory_some", nginx)),
        (Some(1.0), Some(2.5))
    );
    assert!(value(&snapshot, "frozen", slice) == Some(1.0) && edge(&snapshot, nginx, "member-of", slice).is_some());
    assert_eq!(
        (node(&snapshot, nginx).name.as_str(), node(&snapshot, slice).role.as_str()),
        ("nginx.service", "system.slice")
    );
    assert_eq!(node(&snapshot, process(&snapshot, 17).unwrap()).role, "- api");
}

#[test]
fn groups_outside_the_namespace_are_denied_unless_mounted_from_above() {
    let path = format!("/../../system.slice/docker-{}.scope", id());
    let file = format!("system.slice/docker-{}.scope/memory.current", id());
    let host = Host::with(&format!("0::{path}\n"), &[("cgroup.controllers", "memory"), (&file, "1024\n")]);
    let snapshot = host.sweeper().sweep().unwrap();
    assert_eq!(missing(&snapshot, "group_memory", group(&snapshot, &path)), Some("denied"));
    assert!(snapshot.coverage.iter().any(|gap| gap.signal == "cgroup" && gap.reason == "denied"));
    assert_eq!(node(&snapshot, group(&snapshot, &path)).container, Some(id()));
    let mounts = format!("41 31 0:38 /../.. {} rw - cgroup2 cgroup2 rw\n", host.cgroup.path().display());
    write(host.proc.path(), "99999999/mountinfo", mounts.as_bytes());
    let snapshot = host.sweeper().sweep().unwrap();
    assert_eq!(value(&snapshot, "group_memory", group(&snapshot, &path)), Some(1024.0));
}

#[test]
fn a_namespaces_root_group_is_shown_and_the_hosts_is_not() {
    let host = Host::with("0::/\n", &[("cgroup.controllers", "memory"), ("memory.current", "1024\n")]);
    let snapshot = host.sweeper().sweep().unwrap();
    assert!(!snapshot.nodes.iter().any(|node| node.kind == "cgroup"));
    host.change(&[("cgroup.events", "populated 1\nfrozen 0\n")]);
    let snapshot = host.sweeper().sweep().unwrap();
    assert_eq!(value(&snapshot, "group_memory", group(&snapshot, "/")), Some(1024.0));
}

#[test]
fn without_any_mounted_hierarchy_groups_have_no_figures() {
    let host = Host::with("0::/user.slice\n", &[]);
    let snapshot = host.sweeper().sweep().unwrap();
    assert_eq!(missing(&snapshot, "group_memory", group(&snapshot, "/user.slice")), Some("unsupported"));
    assert!(snapshot.coverage.iter().any(|gap| gap.signal == "cgroups"));
}

#[test]
fn a_moved_process_is_shown_in_its_new_group() {
    let host = Host::with("0::/before\n", &[("cgroup.controllers", "")]);
    let mut sweeper = host.sweeper();
    group(&sweeper.sweep().unwrap(), "/before");
    let moved = format!("/libpod_parent/libpod-{}", id());
    write(host.proc.path(), "17/cgroup", format!("0::{moved}\n").as_bytes());
    let snapshot = sweeper.sweep().unwrap();
    let process = process(&snapshot, 17).unwrap();
    assert!(edge(&snapshot, process, "member-of", group(&snapshot, &moved)).is_some());
    assert_eq!(node(&snapshot, process).role, "[container] - api");
}

#[test]
fn a_process_without_environment_gets_its_container_name_from_a_sibling() {
    let path = format!("/docker/{}", id());
    let host =
        Host::with(&format!("0::{path}\n"), &[("cgroup.controllers", "")]).with_environ("api: idle in transaction");
    add_sibling(host.proc.path(), &path);
    let mut sweeper = host.sweeper();
    sweeper.sweep().unwrap();
    let snapshot = sweeper.sweep().unwrap();
    let role = |pid| node(&snapshot, process(&snapshot, pid).unwrap()).role.clone();
    assert_eq!([role(17), role(18)], ["[orders-#] - api", "[orders-#] - main"]);
    assert_eq!(node(&snapshot, group(&snapshot, &path)).name, "orders-2");
}

#[test]
fn a_recording_contains_only_container_names_of_an_environment() {
    let path = format!("/docker/{}", id());
    let host = Host::with(&format!("0::{path}\n"), &[("cgroup.controllers", "")])
        .with_environ("TOKEN=hunter2\0HOSTNAME=api-0\0");
    let file = host.proc.path().join("recording");
    let tape = Tape::record_to(Box::new(std::fs::File::create(&file).unwrap())).unwrap();
    Sweeper::with_tape(host.producer(), tape).unwrap().sweep().unwrap();
    let mut reader = Reader::<RawRead, _>::open(std::fs::File::open(&file).unwrap()).unwrap();
    let mut kept = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        kept.extend(reader.records(&block).map(|record| record.unwrap().1.bytes));
    }
    assert!(kept.contains(&b"HOSTNAME=api-0\0".to_vec()));
    assert!(!kept.iter().any(|bytes| String::from_utf8_lossy(bytes).contains("hunter2")));
}

fn add_sibling(proc: &Path, group: &str) {
    write(proc, "18/stat", &stat(18, b"main", 0, 0));
    write(proc, "18/cgroup", format!("0::{group}\n").as_bytes());
    write(proc, "18/environ", b"HOSTNAME=orders-2\0");
}
