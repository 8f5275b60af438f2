//! The producer's tests on another kernel: that of Debian 12, in an emulated machine that has control groups of version 2 alone.
//!
//! That is what most hosts have, and what a container or a machine of continuous integration often has not: there, tests of control groups
//! find version 1. In the machine they are run as root, those that take it included. It takes some three minutes, and another for the first time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::repository::{root, target};

/// What Debian's smallest system lacks: a kernel, and what the tests run.
const PACKAGES: &str = "linux-image-cloud-amd64,e2fsprogs,iproute2,iptables,procps,python3";
const TOOLS: [(&str, &str); 4] = [
    ("debootstrap", "debootstrap"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mke2fs", "e2fsprogs"),
    ("strip", "binutils"),
];
/// In seconds. What hangs is ended.
const PATIENCE: &str = "900";
/// The machine's last word if no test failed.
const ALL_PASSED: &str = "all passed";

/// The first process of the machine. What it says on its second serial line is what is printed here.
const INIT: &str = r#"#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CARGO_MANIFEST_DIR=PRODUCER
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs run /run; mount -t tmpfs tmp /tmp; mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up; modprobe loop; modprobe fuse
mkdir -p /sys/fs/cgroup/system.slice/tests.service; echo $$ >/sys/fs/cgroup/system.slice/tests.service/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control; done
exec >/dev/ttyS1 2>&1
cd "$CARGO_MANIFEST_DIR"; uname -sr; failed=0
for test in TESTS; do "$test" --include-ignored --test-threads=2 || failed=1; done
[ $failed = 0 ] && echo ALL_PASSED
sync; echo o >/proc/sysrq-trigger; sleep 60
"#;

/// Makes the machine, runs the tests in it, and prints what they say.
///
/// # Errors
/// If a tool is missing, anything cannot be made, or a test fails.
pub fn run() -> anyhow::Result<()> {
    ensure!(cfg!(target_arch = "x86_64"), "the machine is one of x86-64, and its programs are built here");
    check_tools()?;
    let folder = target().join("vm");
    let tree = folder.join("debian");
    if !tree.exists() {
        install(&folder, &tree)?;
    }
    let tests = put_programs(&tree)?;
    let tests = tests.iter().map(|test| test.display().to_string()).collect::<Vec<_>>().join(" ");
    let init = INIT.replace("PRODUCER", &producer().display().to_string()).replace("TESTS", &tests);
    let init = init.replace("ALL_PASSED", ALL_PASSED);
    let first = tree.join("init.sh");
    fs::write(&first, init).context("cannot write the machine's first program")?;
    play(Command::new("chmod").arg("+x").arg(first))?;
    let said = boot(&folder, &tree)?;
    print!("{said}");
    ensure!(said.trim_end().ends_with(ALL_PASSED), "not all tests passed in the machine");
    Ok(())
}

fn check_tools() -> anyhow::Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "`debootstrap` makes a system as root only");
    let is_here = |tool: &str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    };
    let missing: Vec<&str> = TOOLS.iter().filter(|(tool, _)| !is_here(tool)).map(|(_, package)| *package).collect();
    if !missing.is_empty() {
        bail!("not everything is here that makes a machine; hint: apt-get install {}", missing.join(" "));
    }
    Ok(())
}

/// Whole or not at all.
fn install(folder: &Path, tree: &Path) -> anyhow::Result<()> {
    let new = folder.join("debian.new");
    if new.exists() {
        fs::remove_dir_all(&new).with_context(|| format!("cannot remove `{}`", new.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let include = format!("--include={PACKAGES}");
    play(Command::new("debootstrap").args(["--variant=minbase", &include, "bookworm"]).arg(&new))?;
    fs::rename(&new, tree).with_context(|| format!("cannot make `{}`", tree.display()))
}

/// Builds the producer's programs and puts them where the tests expect them; tells which are tests.
fn put_programs(tree: &Path) -> anyhow::Result<Vec<PathBuf>> {
    // The whole workspace, so that nothing is built in another selection of features.
    let mut build = Command::new("cargo");
    build.args(["test", "--workspace", "--locked", "--no-run", "--message-format=json"]).current_dir(root());
    let built = build.stderr(Stdio::inherit()).output().context("cannot run `cargo`")?;
    ensure!(built.status.success(), "the tests cannot be built");
    let mut tests = Vec::new();
    for line in String::from_utf8_lossy(&built.stdout).lines() {
        let message: Value = serde_json::from_str(line).with_context(|| format!("cargo says `{line}`"))?;
        let is_ours = message["package_id"].as_str().is_some_and(|id| id.contains("/producer#"));
        let Some(program) = message["executable"].as_str().filter(|_| is_ours).map(PathBuf::from) else { continue };
        let there = within(tree, &program)?;
        fs::copy(&program, &there).with_context(|| format!("cannot write `{}`", there.display()))?;
        play(Command::new("strip").arg("-g").arg(&there))?;
        if message["profile"]["test"] == true {
            tests.push(program);
        }
    }
    let sources = within(tree, &producer())?;
    play(Command::new("cp").arg("-rT").args([producer(), sources]))?;
    Ok(tests)
}

fn producer() -> PathBuf {
    root().join("producer")
}

/// The same path in the machine, in a folder that is there.
fn within(tree: &Path, path: &Path) -> anyhow::Result<PathBuf> {
    let path = tree.join(path.strip_prefix("/").with_context(|| format!("`{}` is not absolute", path.display()))?);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    Ok(path)
}

/// What is said until the machine is off.
fn boot(folder: &Path, tree: &Path) -> anyhow::Result<String> {
    let [image, said] = ["disk", "said"].map(|name| folder.join(name));
    let _ = fs::remove_file(&image);
    play(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([tree, &image]).arg("4G"))?;
    let of_kernel = |prefix: &str| {
        let files = fs::read_dir(tree.join("boot")).into_iter().flatten().flatten().map(|file| file.path());
        let is_it = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        files.filter(is_it).max().with_context(|| format!("the machine has no `{prefix}*`"))
    };
    // Emulated: not everybody has a machine that can have others, and those that have differ.
    let mut machine = Command::new("timeout");
    machine.args([
        PATIENCE,
        "qemu-system-x86_64",
        "-accel",
        "tcg,thread=multi",
        "-cpu",
        "max",
        "-smp",
        "2",
        "-m",
        "2G",
    ]);
    machine.args(["-nodefaults", "-nographic", "-no-reboot"]);
    machine.arg("-kernel").arg(of_kernel("vmlinuz-")?).arg("-initrd").arg(of_kernel("initrd.img-")?);
    machine.args(["-append", "root=/dev/vda rw console=ttyS0 init=/init.sh panic=1 quiet psi=1"]);
    machine.arg("-drive").arg(format!("file={},if=virtio,format=raw,cache=unsafe", image.display()));
    machine.arg("-serial").arg(format!("file:{}", folder.join("console").display()));
    machine.arg("-serial").arg(format!("file:{}", said.display()));
    play(&mut machine)?;
    let said = fs::read(&said).context("the machine said nothing")?;
    Ok(String::from_utf8_lossy(&said).replace("\r\n", "\n"))
}

fn play(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run `{name}`"))?;
    ensure!(status.success(), "`{name}` ended with {status}");
    Ok(())
}
