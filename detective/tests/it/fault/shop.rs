//! Every fault there is on a shop of its own: killed at any moment, it leaves the shop and the host as they were.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use detective::fault::catalogue;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;

use super::{Fault, is_alive, pid};
use crate::running::{PATIENCE, get};

const PORT: &str = "9400";

/// A shop in a folder of its own, closed when dropped.
struct Shop {
    folder: PathBuf,
}

impl Shop {
    fn open() -> Shop {
        let folder = std::env::temp_dir().join(format!("shop-of-faults-{}", std::process::id()));
        let shop = Shop { folder };
        assert!(shop.run(&["start", "--port", PORT]));
        shop
    }

    fn run(&self, args: &[&str]) -> bool {
        let command = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/demo/shop");
        Command::new(command).env("DETECTIVE_SHOP", &self.folder).args(args).status().unwrap().success()
    }

    fn parts(&self) -> Vec<Value> {
        let state: Value = serde_json::from_slice(&fs::read(self.folder.join("shop.json")).unwrap()).unwrap();
        state["parts"].as_array().unwrap().clone()
    }

    /// Whether all is there, all goes on, and each of several requests is answered well.
    fn is_well(&self) -> bool {
        let parts = self.parts();
        let address = format!("127.0.0.1:{PORT}").parse().unwrap();
        parts.len() == 10
            && parts.iter().all(|part| is_alive(pid(part)) && !is_stopped(pid(part)) && takes_orders(part))
            && (0..9).all(|_| get(address, "/product?item=1").is_some_and(|(status, _)| status == 200))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.run(&["stop"]);
    }
}

fn takes_orders(part: &Value) -> bool {
    part["control"].as_str().is_none_or(|control| UnixStream::connect(control).is_ok())
}

fn is_stopped(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

/// What a fault may change beside processes of its own: rules that lose packets, the shop's mounts, groups of its own. Others may change
/// theirs meanwhile.
fn host(shop: &Shop) -> BTreeSet<String> {
    let rules = Command::new("iptables").arg("-S").output().unwrap().stdout;
    let rules = String::from_utf8(rules).unwrap();
    let rules = rules.lines().filter(|rule| rule.contains("statistic"));
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts = mounts.lines().filter(|mount| mount.contains(shop.folder.to_str().unwrap()));
    let groups = ["cpu", "memory", ".", "unified"].map(|root| Path::new("/sys/fs/cgroup").join(root));
    let groups = groups.iter().filter_map(|root| root.read_dir().ok()).flatten();
    let groups = groups.map(|entry| entry.unwrap().path().display().to_string());
    let groups: BTreeSet<String> = groups.filter(|group| group.contains("detective-fault")).collect();
    rules.chain(mounts).map(str::to_owned).chain(groups).collect()
}

/// The files that a fault may have made in the shop's folder.
fn files(shop: &Shop) -> Vec<PathBuf> {
    let made = ["backup.part", "spool/thumbnails.cache"].map(|file| shop.folder.join(file));
    made.into_iter().filter(|file| file.exists()).collect()
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn a_kill_at_any_moment_leaves_the_shop_and_the_host_as_they_were() {
    let shop = Shop::open();
    let before = host(&shop);
    let mut random = SmallRng::seed_from_u64(6);
    for fault in catalogue::all() {
        for most in [30, 400, 3000] {
            let started = Fault::start_beside(&shop.folder, fault.name, &["--after", "0s", "--for", "1m"]);
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..most)));
            started.kill();
            started.check_nothing_is_left();
            wait_until_as_before(&shop, &before, fault.name);
        }
    }
}

#[track_caller]
fn wait_until_as_before(shop: &Shop, before: &BTreeSet<String>, fault: &str) {
    let begun = Instant::now();
    while !(host(shop) == *before && files(shop).is_empty() && shop.is_well()) {
        let changed: Vec<String> = host(shop).symmetric_difference(before).cloned().collect();
        assert!(begun.elapsed() < PATIENCE, "after {fault}: {changed:?} {:?} {:?}", files(shop), shop.parts());
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn who_is_to_blame_is_there_when_a_fault_has_begun() {
    let shop = Shop::open();
    let before = host(&shop);
    for fault in catalogue::all() {
        let mut started = Fault::start_beside(&shop.folder, fault.name, &["--after", "0s", "--for", "1s"]);
        let truth = started.truth();
        assert_eq!(truth["harmless"], fault.is_harmless(), "{}", fault.name);
        assert_eq!(truth["root_cause"].as_array().unwrap().is_empty(), fault.is_harmless(), "{truth}");
        assert_eq!(truth["victims"].as_array().unwrap().is_empty(), fault.is_harmless(), "{truth}");
        if fault.name.starts_with("stopped-") {
            let stopped = truth["root_cause"].as_array().unwrap().iter().filter(|suspect| suspect["pid"].is_u64());
            // One that was about to end when it was stopped ends.
            stopped.for_each(|suspect| assert!(is_stopped(pid(suspect)) || !is_alive(pid(suspect)), "{suspect}"));
        }
        assert_eq!(started.check_nothing_is_left(), (Some(0), String::new()), "{}", fault.name);
        wait_until_as_before(&shop, &before, fault.name);
    }
}
