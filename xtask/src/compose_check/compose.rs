//! Runs `docker` and `docker compose`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::{http::free_address, repository::root};

/// Differs from the project name in `docker-compose.yml`, so that services which a person runs
/// under that name, and their data, are left alone.
const PROJECT: &str = "local-detective-check";

/// Runs a command and returns its standard output.
///
/// # Errors
/// If it cannot be run or fails; the error quotes its standard error.
pub fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let command_line = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command_line}"))?;
    if !output.status.success() {
        bail!("{command_line} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{command_line} must print UTF-8"))
}

/// The versions of the engine and of Compose.
///
/// # Errors
/// If either is missing.
pub fn engine() -> anyhow::Result<String> {
    let docker = |args: &[&str]| {
        let output = output_of(Command::new("docker").args(args));
        output.context("this check needs a running Docker engine and its plugin Compose v2")
    };
    let engine = docker(&["version", "--format", "{{.Server.Version}}"])?;
    let plugin = docker(&["compose", "version", "--short"])?;
    Ok(format!("Docker {}, Compose {}", engine.trim(), plugin.trim()))
}

/// What an image adds to its base, and its whole size, in MB.
///
/// # Errors
/// If there is no such image.
pub fn image_size_mb(image: &str) -> anyhow::Result<(f64, f64)> {
    let total = output_of(Command::new("docker").args(["image", "inspect", "--format", "{{.Size}}", image]))?;
    // Layers that were built here have a comment of BuildKit; those of a base image do not.
    let layers = ["history", "--human=false", "--no-trunc", "--format", "{{.Size}} {{.Comment}}", image];
    let layers = output_of(Command::new("docker").args(layers))?;
    let built_here = layers.lines().filter_map(|layer| layer.split_once(' '));
    let built_here = built_here.filter(|(_, comment)| comment.starts_with("buildkit."));
    let added: f64 = built_here.filter_map(|(size, _)| size.parse::<f64>().ok()).sum();
    Ok((megabytes(added), megabytes(total.trim().parse().context("docker printed no size")?)))
}

fn megabytes(bytes: f64) -> f64 {
    (bytes / 1e5).round() / 10.0
}

/// `docker compose` with a project and ports of its own.
pub struct Compose {
    port: u16,
    kafka_port: u16,
}

impl Compose {
    /// Chooses free ports, so that other services can run beside it.
    ///
    /// # Errors
    /// If no port is free.
    pub fn on_free_ports() -> anyhow::Result<Compose> {
        Ok(Compose { port: free_address()?.port(), kafka_port: free_address()?.port() })
    }

    /// The address of the scorer's API.
    pub fn api(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// A `docker compose` command.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        self.add_args(&mut command, args);
        command
    }

    fn add_args(&self, command: &mut Command, args: &[&str]) {
        command.args(["compose", "--project-name", PROJECT]).args(args).current_dir(root()).stdin(Stdio::null());
        command.env("DETECTIVE_PORT", self.port.to_string()).env("DETECTIVE_KAFKA_PORT", self.kafka_port.to_string());
    }

    /// Runs a command to its end, with its output on standard error.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, args: &[&str]) -> anyhow::Result<()> {
        let status = self.command(args).stdout(std::io::stderr()).status().context("cannot run `docker`")?;
        ensure!(status.success(), "`docker compose {}` ended with {status}", args.join(" "));
        Ok(())
    }
}

/// A shell that ends the services and removes their data when this value is used or dropped, or
/// this process dies: it waits for the end of a pipe.
pub struct Teardown(Child);

impl Teardown {
    /// Starts the shell. Call it before the services are started.
    ///
    /// # Errors
    /// If there is no shell.
    pub fn prepare(compose: &Compose) -> anyhow::Result<Teardown> {
        // `docker compose down` leaves containers of `docker compose run`.
        let of_project = format!("label=com.docker.compose.project={PROJECT}");
        let script = format!(
            "cat >/dev/null; docker ps --all --quiet --filter {of_project} | xargs -r docker rm --force >/dev/null; \
             exec docker \"$@\""
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "teardown"]);
        compose.add_args(&mut shell, &["--profile", "tools", "down", "--volumes", "--timeout", "5"]);
        // A process group of its own, so that Ctrl-C does not end it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(std::io::stderr());
        Ok(Teardown(shell.spawn().context("cannot run `sh`")?))
    }

    /// Ends the services and waits until that is done.
    ///
    /// # Errors
    /// If something is left.
    pub fn run(mut self) -> anyhow::Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        ensure!(status.success(), "`docker compose down` ended with {status}\nhint: see `docker ps`");
        Ok(())
    }
}
