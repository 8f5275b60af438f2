//! Every fault there is on a shop of its own: killed at any moment, it leaves the shop and the host as they were.

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

/// The first of a block.
const PORT: &str = "9400";
/// The database's.
const DATABASE: &str = "9432";
const PARTS: usize = 10;

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

    /// Why it is not well: all parts are to be there and go on, and all of several requests to be answered well.
    fn troubles(&self) -> Vec<String> {
        let parts = self.parts();
        let well = |part: &Value| is_alive(pid(part)) && !is_stopped(pid(part)) && takes_orders(part);
        let ill = parts.iter().filter(|part| !well(part)).map(|part| format!("{part} is not well"));
        let address = format!("127.0.0.1:{PORT}").parse().unwrap();
        let answers = (0..9).map(|_| get(address, "/product?item=1"));
        let bad = answers.filter(|answer| answer.as_ref().is_none_or(|(status, _)| *status != 200));
        let names = parts.iter().map(|part| format!("{} {}", part["name"], part["pid"])).collect();
        let few = (parts.len() != PARTS).then_some(names).into_iter().flat_map(|names: Vec<String>| names);
        ill.chain(bad.map(|answer| format!("{answer:?}"))).chain(few).collect()
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

/// What is left of a fault beside processes of its own: the group that is named after who started it, files, a rule, a mount.
fn left(shop: &Shop, starter: u32) -> Vec<String> {
    let groups = ["cpu", "memory", ".", "unified"].map(|root| Path::new("/sys/fs/cgroup").join(root));
    let groups = groups.map(|root| root.join(format!("detective-fault-{starter}")));
    let files = ["backup.part", "spool/thumbnails.cache"].map(|file| shop.folder.join(file));
    let paths = groups.into_iter().chain(files).filter(|path| path.exists()).map(|path| path.display().to_string());
    let rules = String::from_utf8(Command::new("iptables").arg("-S").output().unwrap().stdout).unwrap();
    let rules = rules.lines().filter(|rule| rule.contains(&format!("--dport {DATABASE}"))).map(str::to_owned);
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounts =
        mounts.lines().filter(|mount| mount.contains(shop.folder.to_str().unwrap())).skip(1).map(str::to_owned);
    paths.chain(rules).chain(mounts).collect()
}

#[track_caller]
fn wait_until_as_before(shop: &Shop, starter: u32, fault: &str) {
    /// For so many looks: an order that was sent just before the kill may not have been read yet.
    const LOOKS: usize = 5;
    let (begun, mut well) = (Instant::now(), 0);
    while well < LOOKS {
        let wrong = [left(shop, starter), shop.troubles()].concat();
        well = if wrong.is_empty() { well + 1 } else { 0 };
        assert!(begun.elapsed() < PATIENCE, "after {fault}: {wrong:?}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn a_kill_at_any_moment_leaves_the_shop_and_the_host_as_they_were() {
    let shop = Shop::open();
    let mut random = SmallRng::seed_from_u64(6);
    for fault in catalogue::all() {
        for most in [30, 400, 3000] {
            let mut started = Fault::start_beside(&shop.folder, fault.name, &["--after", "0s", "--for", "1m"]);
            std::thread::park_timeout(Duration::from_millis(random.random_range(0..most)));
            assert!(started.process.try_wait().unwrap().is_none(), "{} ended by itself", fault.name);
            started.kill();
            let starter = started.process.id();
            started.check_nothing_is_left();
            wait_until_as_before(&shop, starter, fault.name);
        }
    }
}

#[test]
#[ignore = "needs root and the Debian packages of deploy/demo"]
fn who_is_to_blame_is_there_when_a_fault_has_begun() {
    let shop = Shop::open();
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
        let starter = started.process.id();
        assert_eq!(started.check_nothing_is_left(), (Some(0), String::new()), "{}", fault.name);
        wait_until_as_before(&shop, starter, fault.name);
    }
}
