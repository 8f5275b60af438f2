//! Runs the producer's tests on another kernel: Debian 12's, in an emulated machine that has
//! control groups of version 2 only.
//!
//! Most hosts have version 2 only; containers and machines of continuous integration often have
//! version 1, which the tests then find. In the machine the tests run as root, including those that
//! need root. A run takes about three minutes, the first one about a minute more.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::repository::{root, target};
use command::run_to_end;

mod command;
mod machine;

/// Packages beyond Debian's minimal system: a kernel, and the tools that the tests run.
const PACKAGES: &str = "linux-image-cloud-amd64,e2fsprogs,iproute2,iptables,procps,python3";
/// Programs that this task runs, and the packages that have them.
const TOOLS: [(&str, &str); 4] = [
    ("debootstrap", "debootstrap"),
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("mke2fs", "e2fsprogs"),
    ("strip", "binutils"),
];

/// Builds the machine, runs the tests in it, and prints their output.
///
/// # Errors
/// If a tool is missing, the machine cannot be built, or a test fails.
pub fn run() -> anyhow::Result<()> {
    ensure!(cfg!(target_arch = "x86_64"), "the emulated machine runs x86-64 programs that are built here");
    check_tools()?;
    let folder = target().join("vm");
    let tree = folder.join("debian");
    if !tree.exists() {
        install_system(&folder, &tree)?;
    }
    let tests = copy_programs(&tree)?;
    machine::write_init(&tree, &producer_folder(), &tests)?;
    let output = machine::boot(&folder, &tree)?;
    print!("{output}");
    ensure!(machine::all_passed(&output), "a test failed in the machine");
    Ok(())
}

fn check_tools() -> anyhow::Result<()> {
    ensure!(rustix::process::geteuid().is_root(), "`debootstrap` needs root");
    let is_installed = |tool: &str| {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).stdout(Stdio::null()).status();
        found.is_ok_and(|status| status.success())
    };
    let missing = TOOLS.iter().filter(|(tool, _)| !is_installed(tool)).map(|(_, package)| *package);
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        let missing = missing.join(" ");
        bail!("packages are missing: {missing}\nhint: apt-get install {missing}");
    }
    Ok(())
}

/// Installs Debian in a new folder and renames it once it is complete.
fn install_system(folder: &Path, tree: &Path) -> anyhow::Result<()> {
    let new = folder.join("debian.new");
    if new.exists() {
        fs::remove_dir_all(&new).with_context(|| format!("cannot remove `{}`", new.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let include = format!("--include={PACKAGES}");
    run_to_end(Command::new("debootstrap").args(["--variant=minbase", &include, "bookworm"]).arg(&new))?;
    fs::rename(&new, tree).with_context(|| format!("cannot create `{}`", tree.display()))
}

/// Builds the producer's programs, copies them and its sources to the same paths in the machine,
/// and returns the paths of the tests.
fn copy_programs(tree: &Path) -> anyhow::Result<Vec<PathBuf>> {
    // The whole workspace, so that the features are those of the other builds.
    let mut build = Command::new("cargo");
    build.args(["test", "--workspace", "--locked", "--no-run", "--message-format=json"]).current_dir(root());
    let build = build.stderr(Stdio::inherit()).output().context("cannot run `cargo`")?;
    ensure!(build.status.success(), "the tests do not build");
    let mut tests = Vec::new();
    for line in String::from_utf8_lossy(&build.stdout).lines() {
        let message: Value =
            serde_json::from_str(line).with_context(|| format!("expected JSON of cargo, found `{line}`"))?;
        let is_tested = |id: &str| ["/hostread#", "/collector#", "/producer#"].iter().any(|name| id.contains(name));
        let is_tested = message["package_id"].as_str().is_some_and(is_tested);
        let program = message["executable"].as_str().filter(|_| is_tested).map(PathBuf::from);
        let Some(program) = program else { continue };
        let copy = path_in_tree(tree, &program)?;
        fs::copy(&program, &copy).with_context(|| format!("cannot write `{}`", copy.display()))?;
        run_to_end(Command::new("strip").arg("-g").arg(&copy))?;
        if message["profile"]["test"] == true {
            tests.push(program);
        }
    }
    for sources in [producer_folder(), root().join("collector")] {
        let copy = path_in_tree(tree, &sources)?;
        run_to_end(Command::new("cp").arg("-rT").args([sources, copy]))?;
    }
    Ok(tests)
}

fn producer_folder() -> PathBuf {
    root().join("producer")
}

/// An absolute path inside the machine's tree. Creates its folder.
fn path_in_tree(tree: &Path, path: &Path) -> anyhow::Result<PathBuf> {
    let path = path.strip_prefix("/").with_context(|| format!("`{}` is not absolute", path.display()))?;
    let path = tree.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    Ok(path)
}
