//! The emulated machine: its first process, its disk image and its boot.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use super::command::run_to_end;

/// Seconds until a machine that hangs is ended.
const TIMEOUT: &str = "900";
/// The last line of output if no test failed.
const ALL_PASSED: &str = "all passed";

/// The first process of the machine. It prints to the second serial line.
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

/// Writes the first process, which runs the tests.
///
/// # Errors
/// If the file cannot be written.
pub fn write_init(tree: &Path, producer: &Path, tests: &[PathBuf]) -> anyhow::Result<()> {
    let tests = tests.iter().map(|test| test.display().to_string()).collect::<Vec<_>>().join(" ");
    let init = INIT.replace("PRODUCER", &producer.display().to_string());
    let init = init.replace("TESTS", &tests).replace("ALL_PASSED", ALL_PASSED);
    let path = tree.join("init.sh");
    fs::write(&path, init).context("cannot write the machine's first process")?;
    run_to_end(Command::new("chmod").arg("+x").arg(path))
}

/// Runs the machine until it powers off, and returns the output of the tests.
///
/// # Errors
/// If the image cannot be made, or the emulator fails.
pub fn boot(folder: &Path, tree: &Path) -> anyhow::Result<String> {
    let image = folder.join("disk");
    let output = folder.join("output");
    let _ = fs::remove_file(&image);
    run_to_end(Command::new("mke2fs").args(["-q", "-t", "ext4", "-d"]).args([tree, &image]).arg("4G"))?;
    // Emulated, because nested virtualization is often not available.
    let mut machine = Command::new("timeout");
    machine.args([TIMEOUT, "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max"]);
    machine.args(["-smp", "2", "-m", "2G", "-nodefaults", "-nographic", "-no-reboot"]);
    machine.arg("-kernel").arg(boot_file(tree, "vmlinuz-")?).arg("-initrd").arg(boot_file(tree, "initrd.img-")?);
    machine.args(["-append", "root=/dev/vda rw console=ttyS0 init=/init.sh panic=1 quiet psi=1"]);
    machine.arg("-drive").arg(format!("file={},if=virtio,format=raw,cache=unsafe", image.display()));
    machine.arg("-serial").arg(format!("file:{}", folder.join("console").display()));
    machine.arg("-serial").arg(format!("file:{}", output.display()));
    run_to_end(&mut machine)?;
    let output = fs::read(&output).context("the machine printed nothing")?;
    Ok(String::from_utf8_lossy(&output).replace("\r\n", "\n"))
}

/// Whether the output says that no test failed.
pub fn all_passed(output: &str) -> bool {
    output.trim_end().ends_with(ALL_PASSED)
}

/// The latest file in `/boot` whose name has this prefix.
fn boot_file(tree: &Path, prefix: &str) -> anyhow::Result<PathBuf> {
    let files = fs::read_dir(tree.join("boot")).into_iter().flatten().flatten().map(|file| file.path());
    let has_prefix = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    files.filter(has_prefix).max().with_context(|| format!("the machine has no `/boot/{prefix}*`"))
}
