//! Real control groups, created by the test in whichever hierarchy of this host has the controller.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use schemas::GraphSnapshot;

use crate::children::*;

const MOUNTED: &str = "/sys/fs/cgroup";
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// A control group in one hierarchy. It and the processes in it end with the test.
struct Group {
    directory: PathBuf,
    is_old: bool,
}

impl Group {
    /// Creates the group in the controller's v1 hierarchy if there is one, else in the unified
    /// hierarchy.
    fn create(controller: &str, path: &str) -> Group {
        let old = Path::new(MOUNTED).join(controller);
        let is_old = old.join("cgroup.procs").exists();
        if is_old {
            return Group::make(&old, path, true);
        }
        // In the unified hierarchy every group can be frozen; that takes no controller.
        let controllers = if controller == "freezer" { String::new() } else { format!("+{controller}") };
        Group::unified(&controllers, path)
    }

    fn unified(controllers: &str, path: &str) -> Group {
        let beside = Path::new(UNIFIED);
        let top = if beside.exists() { beside } else { Path::new(MOUNTED) };
        if !controllers.is_empty() {
            fs::write(top.join("cgroup.subtree_control"), controllers).unwrap();
        }
        Group::make(top, path, false)
    }

    fn make(top: &Path, path: &str, is_old: bool) -> Group {
        let directory = top.join(path);
        fs::create_dir(&directory).unwrap();
        Group { directory, is_old }
    }

    fn set(&self, old: (&str, &str), unified: (&str, &str)) {
        let (file, text) = if self.is_old { old } else { unified };
        fs::write(self.directory.join(file), text).unwrap();
    }

    fn move_process(&self, child: &ChildGuard) {
        fs::write(self.directory.join("cgroup.procs"), child.pid().to_string()).unwrap();
    }

    fn freeze(&self) -> Frozen<'_> {
        self.set(("freezer.state", "FROZEN"), ("cgroup.freeze", "1"));
        Frozen(self)
    }
}

/// Thaws the group when dropped: frozen processes can't be killed.
struct Frozen<'g>(&'g Group);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let (file, text) = if self.0.is_old { ("freezer.state", "THAWED") } else { ("cgroup.freeze", "0") };
        let _ = fs::write(self.0.directory.join(file), text);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for _ in 0..100 {
            let members = fs::read_to_string(self.directory.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
                let _ = kill_process(pid, Signal::KILL);
            }
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A name that no other test uses.
fn unique(name: &str) -> String {
    format!("detective-test-{name}-{}", std::process::id())
}

fn group(snapshot: &GraphSnapshot, path: &str) -> Option<usize> {
    let id = format!("c:/{path}");
    snapshot.nodes.iter().position(|node| node.id == id)
}

fn busy() -> ChildGuard {
    ChildGuard::start(Command::new("sh").args(["-c", "while :; do :; done"]))
}

#[test]
#[ignore = "needs root"]
fn a_busy_child_is_throttled_by_the_group_around_its_own() {
    let name = unique("throttled");
    let inner_name = format!("{name}/inner");
    let outer = Group::create("cpu", &name);
    outer.set(("cpu.cfs_quota_us", "10000"), ("cpu.max", "10000 100000"));
    // If CPU use is counted in a hierarchy of its own, create the group there too, as container
    // managers do.
    let counting =
        (outer.is_old && !outer.directory.join("cpuacct.usage").exists()).then(|| Group::create("cpuacct", &name));
    let inner = Group::make(outer.directory.parent().unwrap(), &inner_name, outer.is_old);
    let child = busy();
    inner.move_process(&child);
    let counted =
        counting.as_ref().map(|counting| Group::make(counting.directory.parent().unwrap(), &inner_name, true));
    counted.iter().for_each(|counted| counted.move_process(&child));
    let mut sweeper = sweeper();
    let (snapshot, outer_at) = sweep_until(&mut sweeper, |snapshot| {
        let at = group(snapshot, &name)?;
        (value(snapshot, "throttled_pct", at)? > 10.0).then_some(at)
    });
    assert!(value(&snapshot, "throttled_periods_pct", outer_at) > Some(0.0));
    let process = process(&snapshot, child.pid()).unwrap();
    let inner_at = group(&snapshot, &inner_name).unwrap();
    assert_eq!(edge(&snapshot, process, "member-of", inner_at).unwrap().basis, "observed");
    assert!(edge(&snapshot, inner_at, "member-of", outer_at).is_some());
    assert_eq!(value(&snapshot, "cpu_quota_used_pct", inner_at), None, "it has no quota of its own");
    let is_proof = |text: &str| text.contains("nr_throttled");
    assert!(snapshot.evidence.iter().any(|proof| proof.nodes == [outer_at as i32] && is_proof(&proof.text)));
    std::thread::sleep(Duration::from_millis(1000));
    let snapshot = sweeper.sweep().unwrap();
    let used = value(&snapshot, "cpu_quota_used_pct", group(&snapshot, &name).unwrap()).unwrap();
    assert!((30.0..160.0).contains(&used), "{used}");
}

fn a_frozen_child_is_reported_in(group_of_test: &Group, name: &str) {
    let child = ChildGuard::start(Command::new("sleep").arg("60"));
    group_of_test.move_process(&child);
    let mut sweeper = sweeper();
    let frozen_is = |wanted: f32| {
        move |snapshot: &GraphSnapshot| {
            let at = group(snapshot, name)?;
            (value(snapshot, "frozen", at) == Some(wanted)).then_some(at)
        }
    };
    sweep_until(&mut sweeper, frozen_is(0.0));
    let frozen = group_of_test.freeze();
    let (snapshot, at) = sweep_until(&mut sweeper, frozen_is(1.0));
    drop(frozen);
    assert!(edge(&snapshot, process(&snapshot, child.pid()).unwrap(), "member-of", at).is_some());
    assert!(snapshot.evidence.iter().any(|proof| proof.nodes == [at as i32]));
    sweep_until(&mut sweeper, frozen_is(0.0));
}

#[test]
#[ignore = "needs root"]
fn a_group_is_shown_as_frozen_until_it_thaws() {
    let name = unique("frozen");
    let group = Group::create("freezer", &name);
    a_frozen_child_is_reported_in(&group, &name);
}

#[test]
#[ignore = "needs root"]
fn a_group_frozen_by_the_unified_hierarchy_is_shown_as_frozen() {
    let name = unique("frozen-unified");
    let group = Group::unified("", &name);
    a_frozen_child_is_reported_in(&group, &name);
}

#[test]
#[ignore = "needs root"]
fn memory_use_is_reported_in_percent_of_the_limit() {
    let name = unique("memory");
    let limited = Group::create("memory", &name);
    limited.set(("memory.limit_in_bytes", "67108864"), ("memory.max", "67108864"));
    let hold = "echo ready; read line; { head -c 33554432 /dev/zero; exec sleep 60; } | tail -c 33554432";
    let (child, mut input) = ChildGuard::ready(hold);
    limited.move_process(&child);
    send_line(&mut input);
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = group(snapshot, &name)?;
        // The shell, and its children once they are no longer new.
        (value(snapshot, "memory_limit_used_pct", at)? > 45.0 && value(snapshot, "processes", at)? > 2.0).then_some(at)
    });
    let used = value(&snapshot, "memory_limit_used_pct", at).unwrap();
    let bytes = value(&snapshot, "group_memory", at).unwrap();
    assert!(used <= 100.0 && (bytes / 67_108_864.0 * 100.0 - used).abs() < 0.1, "{used} {bytes}");
}

#[test]
#[ignore = "needs root"]
fn an_oom_kill_by_a_groups_limit_is_counted() {
    let name = unique("oom");
    let limited = Group::create("memory", &name);
    limited.set(("memory.limit_in_bytes", "33554432"), ("memory.max", "33554432"));
    let (child, mut input) = ChildGuard::ready("echo ready; read line; tail /dev/zero; read line");
    limited.move_process(&child);
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    assert_eq!(missing(&before, "group_oom_kills", group(&before, &name).unwrap()), Some("first-sweep"));
    send_line(&mut input);
    let (snapshot, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = group(snapshot, &name)?;
        (value(snapshot, "group_oom_kills", at)? > 0.0).then_some(at)
    });
    let is_proof = |text: &str| text == "oom_kill 1";
    assert!(snapshot.evidence.iter().any(|proof| proof.nodes == [at as i32] && is_proof(&proof.text)));
    assert!(process(&snapshot, child.pid()).is_some(), "the shell that waits is small");
}

#[test]
#[ignore = "needs root"]
fn two_children_on_one_cpu_are_under_pressure() {
    let name = unique("pressure");
    let group_of_test = Group::unified("", &name);
    let children = [(); 2]
        .map(|()| ChildGuard::start(Command::new("taskset").args(["-c", "0", "sh", "-c", "while :; do :; done"])));
    children.iter().for_each(|child| group_of_test.move_process(child));
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = group(snapshot, &name)?;
        (value(snapshot, "group_psi_cpu_some", at)? > 1.0).then_some(at)
    });
    assert_eq!(value(&snapshot, "group_psi_memory_full", at), Some(0.0));
}

#[test]
#[ignore = "needs root"]
fn a_container_is_named_by_its_host_name_and_nothing_else_is_sent() {
    let name = unique("container");
    let id = "0123456789abcdef".repeat(4);
    let outer = Group::create("pids", &name);
    let container = Group::make(outer.directory.parent().unwrap(), &format!("{name}/docker-{id}.scope"), outer.is_old);
    let mut command = Command::new("sh");
    command.args(["-c", "kill -STOP $$; exec sleep 60"]).env("HOSTNAME", "orders-2").env("API_KEY", "hunter2");
    let child = ChildGuard::start(&mut command);
    container.move_process(&child);
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = process(snapshot, child.pid())?;
        node(snapshot, at).role.starts_with("[orders-#] /").then_some(at)
    });
    assert_eq!(node(&snapshot, at).container.as_deref(), Some(id.as_str()));
    let container = group(&snapshot, &format!("{name}/docker-{id}.scope")).unwrap();
    assert_eq!(
        (node(&snapshot, container).role.as_str(), node(&snapshot, container).name.as_str()),
        ("[orders-#]", "orders-2")
    );
    assert!(!format!("{snapshot:?}").contains("hunter2"));
}

/// Environment variable that names, inside the cgroup namespace, another process's group and one
/// beside this process's own.
const INSIDE: &str = "PRODUCER_TEST_IN_A_CGROUP_NAMESPACE";

#[test]
#[ignore = "needs root"]
fn in_a_cgroup_namespace_groups_are_found_from_the_mounts_root() {
    if let Some(elsewhere) = std::env::var_os(INSIDE) {
        let snapshot = sweeper().sweep().unwrap();
        let at = group(&snapshot, &format!("../../{}", elsewhere.to_str().unwrap())).unwrap();
        assert_eq!(value(&snapshot, "frozen", at), Some(0.0));
        // The name of the group above both is not known inside the namespace.
        let beside = group(&snapshot, "../beside").unwrap();
        assert_eq!(missing(&snapshot, "frozen", beside), Some("denied"));
        return;
    }
    let name = unique("namespace");
    let elsewhere_name = unique("elsewhere");
    let outer = Group::unified("", &name);
    let elsewhere = Group::unified("", &elsewhere_name);
    let within = |inner: &str| Group::make(outer.directory.parent().unwrap(), &format!("{name}/{inner}"), false);
    let own = within("own");
    let beside = within("beside");
    let children = [&elsewhere, &beside].map(|group| {
        let child = ChildGuard::start(Command::new("sleep").arg("60"));
        group.move_process(&child);
        child
    });
    let test = "cgroup::in_a_cgroup_namespace_groups_are_found_from_the_mounts_root";
    let script = format!("echo $$ > {}; exec unshare --cgroup \"$@\"", own.directory.join("cgroup.procs").display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(std::env::current_exe().unwrap()).args([test, "--exact", "--ignored"]);
    assert!(shell.env(INSIDE, &elsewhere_name).status().unwrap().success());
    drop(children);
}
