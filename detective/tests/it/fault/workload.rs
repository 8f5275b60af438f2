//! Every fault on each workload: killed at any time, it leaves the workload and the host as they
//! were.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use faults::{catalogue, fault::Fault};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;

use super::{Fault as StartedFault, is_alive, pid};
use crate::processes::{TIMEOUT, get};

/// A kind of workload.
struct Kind {
    /// The script that starts and stops it, below `deploy`.
    script: &'static str,
    /// First of its ports.
    port: &'static str,
    database_port: &'static str,
    components: usize,
    /// A target that it serves over HTTP, if it does.
    target: Option<&'static str>,
    /// Faults that it cannot have.
    without: &'static [&'static str],
}

const SHOP: Kind = Kind {
    script: "demo/shop",
    port: "9400",
    database_port: "9432",
    components: 10,
    target: Some("/product?item=1"),
    without: &["hung-database", "full-pipe", "full-unix-socket", "zombies"],
};
const WAREHOUSE: Kind = Kind {
    script: "warehouse/warehouse",
    port: "9600",
    database_port: "9600",
    components: 15,
    target: None,
    without: &[
        "row-lock",
        "table-lock",
        "stopped-cache",
        "stuck-thread",
        "connection-flood",
        "leaked-connections",
        "slow-peer",
        "crash-loop",
        "log-flood",
        "deploy",
        "cron",
        "rotate-logs",
        "double-load",
        "backup",
        "new-daemon",
        "scale-out",
    ],
};

/// A workload in a folder of its own, stopped when dropped.
struct Workload {
    kind: Kind,
    folder: PathBuf,
}

impl Workload {
    fn start(kind: Kind) -> Workload {
        let folder = std::env::temp_dir().join(format!("workload-{}-{}", kind.port, std::process::id()));
        let workload = Workload { kind, folder };
        assert!(workload.run(&["start", "--port", workload.kind.port]));
        workload
    }

    fn run(&self, args: &[&str]) -> bool {
        let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(self.kind.script);
        Command::new(command).env("DETECTIVE_WORKLOAD", &self.folder).args(args).status().unwrap().success()
    }

    /// The faults that it can have.
    fn faults(&self) -> impl Iterator<Item = &'static Fault> {
        let workload = faults::workload::Workload::find_in(&self.folder).unwrap();
        let is_available = move |fault: &&Fault| fault.requirements.iter().all(|each| each.is_met(workload.as_ref()));
        let missing = catalogue::all().filter(|fault| !is_available(fault)).map(|fault| fault.name);
        assert_eq!(missing.collect::<Vec<_>>(), self.kind.without);
        catalogue::all().filter(is_available)
    }

    fn components(&self) -> Vec<Value> {
        let state: Value = serde_json::from_slice(&fs::read(self.folder.join("workload.json")).unwrap()).unwrap();
        state["components"].as_array().unwrap().clone()
    }

    /// Problems of the workload: all components must run, and each of several requests must
    /// succeed.
    fn problems(&self) -> Vec<String> {
        let components = self.components();
        let is_healthy = |component: &Value| {
            is_alive(pid(component)) && !is_stopped(pid(component)) && accepts_connections(component)
        };
        let unhealthy = components.iter().filter(|component| !is_healthy(component));
        let unhealthy = unhealthy.map(|component| format!("{component} is unhealthy"));
        let address = format!("127.0.0.1:{}", self.kind.port).parse().unwrap();
        let targets = self.kind.target.into_iter().flat_map(|target| [target; 9]);
        let responses = targets.map(|target| get(address, target));
        let failed = responses.filter(|response| response.as_ref().is_none_or(|(status, _)| *status != 200));
        let failed = failed.map(|response| format!("{response:?}"));
        let names: Vec<String> =
            components.iter().map(|component| format!("{} {}", component["name"], component["pid"])).collect();
        let wrong_count = if components.len() == self.kind.components { Vec::new() } else { names };
        unhealthy.chain(failed).chain(wrong_count).collect()
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.run(&["stop"]);
    }
}

fn accepts_connections(component: &Value) -> bool {
    component["control"].as_str().is_none_or(|control| UnixStream::connect(control).is_ok())
}

fn is_stopped(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

/// What a fault left behind beside its processes: a control group with the pid of the injecting
/// process in its name, files, a firewall rule, a mount.
fn leftovers(workload: &Workload, injector: u32) -> Vec<String> {
    let groups = ["cpu", "memory", "freezer", ".", "unified"].map(|root| Path::new("/sys/fs/cgroup").join(root));
    let groups = groups.map(|root| root.join(format!("detective-fault-{injector}")));
    let files = ["archive.dat", "backup.part", "spool/thumbnails.cache"].map(|file| workload.folder.join(file));
    let paths = groups.into_iter().chain(files).filter(|path| path.exists()).map(|path| path.display().to_string());
    let rules = String::from_utf8(Command::new("iptables").arg("-S").output().unwrap().stdout).unwrap();
    let rules = rules
        .lines()
        .filter(|rule| rule.contains(&format!("--dport {}", workload.kind.database_port)))
        .map(str::to_owned);
    // A mount point can be any bytes.
    let mounts = String::from_utf8_lossy(&fs::read("/proc/self/mounts").unwrap()).into_owned();
    let mounts =
        mounts.lines().filter(|mount| mount.contains(workload.folder.to_str().unwrap())).skip(1).map(str::to_owned);
    paths.chain(rules).chain(mounts).collect()
}

#[track_caller]
fn wait_until_recovered(workload: &Workload, injector: u32, fault: &str) {
    /// Consecutive checks that must succeed: a component may not yet have read a command that was
    /// sent just before the kill.
    const CHECKS: usize = 5;
    let begun = Instant::now();
    let mut succeeded = 0;
    while succeeded < CHECKS {
        let problems = [leftovers(workload, injector), workload.problems()].concat();
        succeeded = if problems.is_empty() { succeeded + 1 } else { 0 };
        assert!(begun.elapsed() < TIMEOUT, "after {fault}: {problems:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn a_kill_at_any_time_leaves_the_shop_and_the_host_as_they_were() {
    check_kills(&Workload::start(SHOP));
}

#[test]
#[ignore = "needs root"]
fn a_kill_at_any_time_leaves_the_warehouse_and_the_host_as_they_were() {
    check_kills(&Workload::start(WAREHOUSE));
}

fn check_kills(workload: &Workload) {
    let mut random = SmallRng::seed_from_u64(6);
    for fault in workload.faults() {
        for most in [30, 400, 3000] {
            let mut started =
                StartedFault::start_with_workload(&workload.folder, fault.name, &["--after", "0s", "--for", "1m"]);
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..most)));
            assert!(started.process.try_wait().unwrap().is_none(), "{} exited by itself", fault.name);
            started.kill();
            let injector = started.process.id();
            started.check_nothing_is_left();
            wait_until_recovered(workload, injector, fault.name);
        }
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn every_fault_of_the_shop_reports_its_ground_truth_and_is_undone() {
    check_ground_truth(&Workload::start(SHOP));
}

#[test]
#[ignore = "needs root"]
fn every_fault_of_the_warehouse_reports_its_ground_truth_and_is_undone() {
    check_ground_truth(&Workload::start(WAREHOUSE));
}

fn check_ground_truth(workload: &Workload) {
    for fault in workload.faults() {
        let mut started =
            StartedFault::start_with_workload(&workload.folder, fault.name, &["--after", "0s", "--for", "1s"]);
        let truth = started.ground_truth();
        assert_eq!(truth["harmless"], fault.is_benign(), "{}", fault.name);
        assert_eq!(truth["root_cause"].as_array().unwrap().is_empty(), fault.is_benign(), "{truth}");
        let has_victims = !fault.is_benign() && fault.name != "zombies";
        assert_eq!(truth["victims"].as_array().unwrap().is_empty(), !has_victims, "{truth}");
        if fault.name.starts_with("stopped-") {
            let stopped = truth["root_cause"].as_array().unwrap().iter().filter(|suspect| suspect["pid"].is_u64());
            // A process that was about to exit when it was stopped has exited.
            stopped.for_each(|suspect| assert!(is_stopped(pid(suspect)) || !is_alive(pid(suspect)), "{suspect}"));
        }
        let injector = started.process.id();
        assert_eq!(started.check_nothing_is_left(), (Some(0), String::new()), "{}", fault.name);
        wait_until_recovered(workload, injector, fault.name);
    }
}
