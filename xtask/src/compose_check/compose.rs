//! `docker` and `docker compose`, as far as the check needs them.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::repository::root;

/// Not the project of `docker-compose.yml`: what a person runs under that name, with its data, is left alone.
const PROJECT: &str = "local-detective-check";

/// What a command prints.
///
/// # Errors
/// If it cannot be run or fails; with what it says about it.
pub fn text(command: &mut Command) -> anyhow::Result<String> {
    let told = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {told}"))?;
    if !output.status.success() {
        bail!("{told} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{told} must print UTF-8"))
}

/// What the engine and its plugin call themselves.
///
/// # Errors
/// If there is none.
pub fn engine() -> anyhow::Result<String> {
    let ask = |args: &[&str]| {
        let answer = text(Command::new("docker").args(args));
        answer.context("this check needs a Docker engine that runs, and its plugin Compose v2")
    };
    let engine = ask(&["version", "--format", "{{.Server.Version}}"])?;
    let plugin = ask(&["compose", "version", "--short"])?;
    Ok(format!("Docker {}, Compose {}", engine.trim(), plugin.trim()))
}

/// What an image adds to its base, and all of it, in MB.
///
/// # Errors
/// If there is no such image.
pub fn image_size(image: &str) -> anyhow::Result<(f64, f64)> {
    let all = text(Command::new("docker").args(["image", "inspect", "--format", "{{.Size}}", image]))?;
    // The layers that were made here say so; those of a base that was pulled say something else, or nothing.
    let layers = ["history", "--human=false", "--no-trunc", "--format", "{{.Size}} {{.Comment}}", image];
    let layers = text(Command::new("docker").args(layers))?;
    let made_here =
        layers.lines().filter_map(|layer| layer.split_once(' ')).filter(|(_, by)| by.starts_with("buildkit."));
    let added: f64 = made_here.filter_map(|(size, _)| size.parse::<f64>().ok()).sum();
    Ok((megabytes(added), megabytes(all.trim().parse().context("docker tells no size")?)))
}

fn megabytes(bytes: f64) -> f64 {
    (bytes / 1e5).round() / 10.0
}

/// `docker compose` for the check, with ports of its own.
pub struct Compose {
    port: u16,
    kafka_port: u16,
}

impl Compose {
    /// Beside one that is in use.
    ///
    /// # Errors
    /// If no port is free.
    pub fn on_free_ports() -> anyhow::Result<Compose> {
        let any = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free");
        let (api, kafka) = (any()?, any()?);
        Ok(Compose { port: api.local_addr()?.port(), kafka_port: kafka.local_addr()?.port() })
    }

    /// Where the scorer answers.
    pub fn api(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// A command, to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        self.complete(&mut command, args);
        command
    }

    fn complete(&self, command: &mut Command, args: &[&str]) {
        command.args(["compose", "--project-name", PROJECT]).args(args).current_dir(root()).stdin(Stdio::null());
        command.env("DETECTIVE_PORT", self.port.to_string()).env("DETECTIVE_KAFKA_PORT", self.kafka_port.to_string());
    }

    /// Runs a command to its end, and shows what it says on standard error.
    ///
    /// # Errors
    /// If it fails.
    pub fn stream(&self, args: &[&str]) -> anyhow::Result<()> {
        let status = self.command(args).stdout(std::io::stderr()).status().context("cannot run `docker`")?;
        ensure!(status.success(), "`docker compose {}` ended with {status}", args.join(" "));
        Ok(())
    }
}

/// Takes everything down when this process is gone, however that comes: a pipe ends with it.
pub struct Undo(Child);

impl Undo {
    /// To be called before anything is started.
    ///
    /// # Errors
    /// If there is no shell.
    pub fn prepare(compose: &Compose) -> anyhow::Result<Undo> {
        // `down` leaves out what `run` has started.
        let of_project = format!("label=com.docker.compose.project={PROJECT}");
        let undo = format!(
            "cat >/dev/null; docker ps --all --quiet --filter {of_project} | xargs -r docker rm --force >/dev/null; \
             exec docker \"$@\""
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &undo, "undo"]);
        compose.complete(&mut shell, &["--profile", "tools", "down", "--volumes", "--timeout", "5"]);
        // Ctrl-C ends the process group that this process is in.
        shell.process_group(0).stdin(Stdio::piped()).stdout(std::io::stderr());
        Ok(Undo(shell.spawn().context("cannot run `sh`")?))
    }

    /// Does it and waits for it.
    ///
    /// # Errors
    /// If something is left.
    pub fn now(mut self) -> anyhow::Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        ensure!(status.success(), "`docker compose down` ended with {status}: look at `docker ps`");
        Ok(())
    }
}
