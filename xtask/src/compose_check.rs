//! Checks on a Docker engine that the programs of `docker-compose.yml` find the root cause of a
//! fault.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::http;
use compose::{Compose, Teardown, output_of};
use fault::Fault;

mod compose;
mod fault;

/// How to check.
#[derive(Args)]
pub struct ComposeCheckArgs {
    /// Use the images as they are instead of building them first.
    #[arg(long)]
    no_build: bool,
    /// Print only JSON on standard output.
    #[arg(long)]
    json: bool,
}

const IMAGES: [&str; 4] = ["producer", "trainer", "scorer", "detective"];
/// Largest size of the producer's container image without its base image.
const MOST_PRODUCER_MB: f64 = 60.0;
/// From all services healthy to scoring: a minute of learning, then training.
const READY_TIMEOUT: Duration = Duration::from_secs(180);
/// From the start of the fault to the event that names its root cause.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Builds the images, starts the services, injects a fault, and waits for the event that names its
/// root cause. Ends the services and removes their data.
///
/// # Errors
/// If there is no Docker engine, or a step fails or takes too long.
pub fn run(args: &ComposeCheckArgs) -> anyhow::Result<()> {
    let mut measured = Map::new();
    measured.insert("engine".into(), compose::engine()?.into());
    if !args.no_build {
        let build = Compose::on_free_ports()?;
        measured.insert("build_s".into(), timed(|| build.run(&["build"]))?);
    }
    measured.insert("images_mb".into(), check_image_sizes()?);
    let compose = Compose::on_free_ports()?;
    let teardown = Teardown::prepare(&compose)?;
    let checked = check_services(&compose, &mut measured);
    if checked.is_err() {
        let _ = compose.run(&["logs", "--no-color", "--tail", "40"]);
    }
    teardown.run()?;
    checked?;
    print(&measured, args.json);
    Ok(())
}

/// The size of each image and what it adds to its base, in MB.
fn check_image_sizes() -> anyhow::Result<Value> {
    let mut sizes = Map::new();
    for program in IMAGES {
        let (added, total) = compose::image_size_mb(&format!("local-detective/{program}"))?;
        sizes.insert(program.to_owned(), json!({"over_base": added, "all": total}));
        if program == "producer" {
            ensure!(
                added <= MOST_PRODUCER_MB,
                "the producer's image must add at most {MOST_PRODUCER_MB} MB to its base, found {added} MB"
            );
        }
    }
    Ok(sizes.into())
}

fn check_services(compose: &Compose, measured: &mut Map<String, Value>) -> anyhow::Result<()> {
    measured.insert("healthy_s".into(), timed(|| compose.run(&["up", "--detach", "--wait"]))?);
    let api = compose.api();
    measured.insert("ready_s".into(), timed(|| wait_until_ready(api))?);
    let fault = Fault::start(compose)?;
    eprintln!("ground truth: {}", fault.ground_truth);
    let (event, seen_after) = wait_for_event(compose, &fault)?;
    eprintln!("found: {}", event["summary"]);
    let time = event["time"].as_str().context("the event has no time")?;
    let time = humantime::parse_rfc3339(time).with_context(|| format!("`{time}` is not a time"))?;
    // The time of an event is that of its sweep.
    measured.insert("truth_to_event_s".into(), seconds(time.duration_since(fault.started_at).unwrap_or_default()));
    measured.insert("truth_to_seen_s".into(), seconds(seen_after));
    measured.insert("truth".into(), fault.ground_truth.clone());
    measured.insert("summary".into(), event["summary"].clone());
    Ok(())
}

fn wait_until_ready(api: SocketAddr) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        match http::get(api, "/readyz") {
            Ok((200, _)) => return Ok(()),
            response if start.elapsed() > READY_TIMEOUT => {
                bail!("expected status 200 of /readyz within {READY_TIMEOUT:?}, found {response:?}")
            }
            _ => std::thread::park_timeout(POLL_INTERVAL),
        }
    }
}

/// The first event that names the root cause, and the time from the start of the fault until it was
/// read.
fn wait_for_event(compose: &Compose, fault: &Fault) -> anyhow::Result<(Value, Duration)> {
    loop {
        let alerts = output_of(&mut compose.command(&["run", "--rm", "-T", "detective", "alerts", "--json"]))?;
        let seen_after = fault.elapsed();
        let events = alerts.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        let events = events.with_context(|| format!("expected events of `alerts --json`, found `{alerts}`"))?;
        if let Some(event) = events.into_iter().find(|event| fault.is_root_cause_of(event)) {
            return Ok((event, seen_after));
        }
        let truth = &fault.ground_truth;
        ensure!(seen_after < EVENT_TIMEOUT, "no event names `{truth}` within {EVENT_TIMEOUT:?}; events:\n{alerts}");
        std::thread::park_timeout(POLL_INTERVAL);
    }
}

fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Value> {
    let start = Instant::now();
    work()?;
    Ok(seconds(start.elapsed()))
}

/// Seconds to one decimal.
fn seconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 10.0).round() / 10.0)
}

fn print(measured: &Map<String, Value>, json: bool) {
    if json {
        println!("{}", Value::from(measured.clone()));
        return;
    }
    println!("| measured | |\n|---|---|");
    for (name, value) in measured {
        println!("| {name} | {value} |");
    }
}
