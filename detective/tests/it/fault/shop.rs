//! Every fault on a shop: killed at any time, it leaves the shop and the host as they were.

use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use faults::catalogue;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;

use super::{Fault, is_alive, pid};
use crate::running::{PATIENCE, get};

/// First port of the shop's block.
const PORT: &str = "9400";
const DATABASE_PORT: &str = "9432";
const COMPONENTS: usize = 10;

/// A shop in a folder of its own, stopped when dropped.
struct Shop {
    folder: PathBuf,
}

impl Shop {
    fn start() -> Shop {
        let folder = std::env::temp_dir().join(format!("shop-of-faults-{}", std::process::id()));
        let shop = Shop { folder };
        assert!(shop.run(&["start", "--port", PORT]));
        shop
    }

    fn run(&self, args: &[&str]) -> bool {
        let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/demo/shop");
        Command::new(command).env("DETECTIVE_SHOP", &self.folder).args(args).status().unwrap().success()
    }

    fn components(&self) -> Vec<Value> {
        let state: Value = serde_json::from_slice(&fs::read(self.folder.join("shop.json")).unwrap()).unwrap();
        state["components"].as_array().unwrap().clone()
    }

    /// Problems of the shop: all components must run, and each of several requests must succeed.
    fn problems(&self) -> Vec<String> {
        let components = self.components();
        let is_healthy = |component: &Value| {
            is_alive(pid(component)) && !is_stopped(pid(component)) && accepts_connections(component)
        };
        let unhealthy = components.iter().filter(|component| !is_healthy(component));
        let unhealthy = unhealthy.map(|component| format!("{component} is unhealthy"));
        let address = format!("127.0.0.1:{PORT}").parse().unwrap();
        let responses = (0..9).map(|_| get(address, "/product?item=1"));
        let failed = responses.filter(|response| response.as_ref().is_none_or(|(status, _)| *status != 200));
        let failed = failed.map(|response| format!("{response:?}"));
        let names: Vec<String> =
            components.iter().map(|component| format!("{} {}", component["name"], component["pid"])).collect();
        let wrong_count = if components.len() == COMPONENTS { Vec::new() } else { names };
        unhealthy.chain(failed).chain(wrong_count).collect()
    }
}

impl Drop for Shop {
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
fn leftovers(shop: &Shop, injector: u32) -> Vec<String> {
    let groups = ["cpu", "memory", ".", "unified"].map(|root| Path::new("/sys/fs/cgroup").join(root));
    let groups = groups.map(|root| root.join(format!("detective-fault-{injector}")));
    let files = ["backup.part", "spool/thumbnails.cache"].map(|file| shop.folder.join(file));
    let paths = groups.into_iter().chain(files).filter(|path| path.exists()).map(|path| path.display().to_string());
    let rules = String::from_utf8(Command::new("iptables").arg("-S").output().unwrap().stdout).unwrap();
    let rules = rules.lines().filter(|rule| rule.contains(&format!("--dport {DATABASE_PORT}"))).map(str::to_owned);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts =
        mounts.lines().filter(|mount| mount.contains(shop.folder.to_str().unwrap())).skip(1).map(str::to_owned);
    paths.chain(rules).chain(mounts).collect()
}

#[track_caller]
fn wait_until_recovered(shop: &Shop, injector: u32, fault: &str) {
    /// Consecutive checks that must succeed: a component may not yet have read a command that was
    /// sent just before the kill.
    const CHECKS: usize = 5;
    let begun = Instant::now();
    let mut succeeded = 0;
    while succeeded < CHECKS {
        let problems = [leftovers(shop, injector), shop.problems()].concat();
        succeeded = if problems.is_empty() { succeeded + 1 } else { 0 };
        assert!(begun.elapsed() < PATIENCE, "after {fault}: {problems:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn a_kill_at_any_time_leaves_the_shop_and_the_host_as_they_were() {
    let shop = Shop::start();
    let mut random = SmallRng::seed_from_u64(6);
    for fault in catalogue::all() {
        for most in [30, 400, 3000] {
            let mut started = Fault::start_with_shop(&shop.folder, fault.name, &["--after", "0s", "--for", "1m"]);
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..most)));
            assert!(started.process.try_wait().unwrap().is_none(), "{} exited by itself", fault.name);
            started.kill();
            let injector = started.process.id();
            started.check_nothing_is_left();
            wait_until_recovered(&shop, injector, fault.name);
        }
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn every_fault_reports_its_ground_truth_and_is_undone() {
    let shop = Shop::start();
    for fault in catalogue::all() {
        let mut started = Fault::start_with_shop(&shop.folder, fault.name, &["--after", "0s", "--for", "1s"]);
        let truth = started.ground_truth();
        assert_eq!(truth["harmless"], fault.is_benign(), "{}", fault.name);
        assert_eq!(truth["root_cause"].as_array().unwrap().is_empty(), fault.is_benign(), "{truth}");
        assert_eq!(truth["victims"].as_array().unwrap().is_empty(), fault.is_benign(), "{truth}");
        if fault.name.starts_with("stopped-") {
            let stopped = truth["root_cause"].as_array().unwrap().iter().filter(|suspect| suspect["pid"].is_u64());
            // A process that was about to exit when it was stopped has exited.
            stopped.for_each(|suspect| assert!(is_stopped(pid(suspect)) || !is_alive(pid(suspect)), "{suspect}"));
        }
        let injector = started.process.id();
        assert_eq!(started.check_nothing_is_left(), (Some(0), String::new()), "{}", fault.name);
        wait_until_recovered(&shop, injector, fault.name);
    }
}
