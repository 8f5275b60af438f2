//! Proves on a Docker engine that what `docker-compose.yml` starts names the culprit of a fault.

mod compose;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Stdio},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use compose::{Compose, Undo, text};
use serde_json::{Map, Value, json};

/// How to prove it.
#[derive(Args)]
pub struct ComposeCheckArgs {
    /// Take the images as they are instead of building them first.
    #[arg(long)]
    no_build: bool,
    /// Print JSON alone on standard output.
    #[arg(long)]
    json: bool,
}

const IMAGES: [&str; 4] = ["producer", "trainer", "scorer", "detective"];
/// What the producer's image may add to its base, in MB.
const MOST_MB: f64 = 60.0;
/// From all healthy to scoring: a minute of learning, then a training.
const UNTIL_READY: Duration = Duration::from_secs(180);
/// From the moment that the fault is true to the event that names it.
const UNTIL_NAMED: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(500);

/// Builds, starts, breaks something, and waits for the event that says what. Nothing runs afterwards.
///
/// # Errors
/// If there is no engine, or anything is not as it should be.
pub fn run(args: &ComposeCheckArgs) -> anyhow::Result<()> {
    let mut measured = Map::new();
    measured.insert("engine".into(), compose::engine()?.into());
    if !args.no_build {
        let build = Compose::on_free_ports()?;
        measured.insert("build_s".into(), timed(|| build.stream(&["build"]))?);
    }
    measured.insert("images_mb".into(), check_images()?);
    let compose = Compose::on_free_ports()?;
    let undo = Undo::prepare(&compose)?;
    let proof = prove(&compose, &mut measured);
    if proof.is_err() {
        let _ = compose.stream(&["logs", "--no-color", "--tail", "40"]);
    }
    undo.now()?;
    proof?;
    print(&measured, args.json);
    Ok(())
}

/// What each image adds to its base, and in all.
fn check_images() -> anyhow::Result<Value> {
    let mut sizes = Map::new();
    for program in IMAGES {
        let (added, all) = compose::image_size(&format!("local-detective/{program}"))?;
        sizes.insert(program.to_owned(), json!({"over_base": added, "all": all}));
        if program == "producer" {
            ensure!(
                added <= MOST_MB,
                "the producer's image must add at most {MOST_MB} MB to its base, found {added} MB"
            );
        }
    }
    Ok(sizes.into())
}

fn prove(compose: &Compose, measured: &mut Map<String, Value>) -> anyhow::Result<()> {
    measured.insert("healthy_s".into(), timed(|| compose.stream(&["up", "--detach", "--wait"]))?);
    let address = compose.api();
    measured.insert("ready_s".into(), timed(|| wait_until_ready(address))?);
    let fault = Fault::start(compose)?;
    eprintln!("true: {}", fault.truth);
    let (event, seen) = wait_for_event(compose, &fault)?;
    eprintln!("found: {}", event["summary"]);
    let named = event["time"].as_str().context("the event has no time")?;
    let named = humantime::parse_rfc3339(named).with_context(|| format!("`{named}` is no time"))?;
    // An event carries the time of the sweep that it was found in.
    measured.insert("truth_to_event_s".into(), seconds(named.duration_since(fault.since).unwrap_or_default()));
    measured.insert("truth_to_seen_s".into(), seconds(seen));
    measured.insert("truth".into(), fault.truth.clone());
    measured.insert("summary".into(), event["summary"].clone());
    Ok(())
}

fn wait_until_ready(address: SocketAddr) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        match get(address, "/readyz") {
            Ok((200, _)) => return Ok(()),
            answer if begun.elapsed() > UNTIL_READY => {
                bail!("/readyz must say 200 within {UNTIL_READY:?}, found {answer:?}")
            }
            _ => std::thread::park_timeout(PAUSE),
        }
    }
}

/// The status and the body of an answer.
fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    Ok((head.split(' ').nth(1).context("no status")?.parse()?, body.trim().to_owned()))
}

/// A fault that has begun, and what is true of it since.
struct Fault {
    process: Child,
    truth: Value,
    since: SystemTime,
    begun: Instant,
}

impl Fault {
    fn start(compose: &Compose) -> anyhow::Result<Fault> {
        let mut command = compose.command(&["run", "--rm", "-T", "fault", "flock"]);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no standard output")?).read_line(&mut line)?;
        #[expect(clippy::disallowed_methods, reason = "what it is compared with is the time of an event")]
        let since = SystemTime::now();
        let truth =
            serde_json::from_str(&line).with_context(|| format!("the fault must say what is true, found `{line}`"))?;
        Ok(Fault { process, truth, since, begun: Instant::now() })
    }

    fn is_named_by(&self, event: &Value) -> bool {
        ["pid", "path", "name"].iter().all(|key| event["initiating"][key] == self.truth[key])
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first event that names the culprit, and how long after the truth it was seen.
fn wait_for_event(compose: &Compose, fault: &Fault) -> anyhow::Result<(Value, Duration)> {
    loop {
        let alerts = text(&mut compose.command(&["run", "--rm", "-T", "detective", "alerts", "--json"]))?;
        let seen = fault.begun.elapsed();
        let events = alerts.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>();
        let events = events.with_context(|| format!("`alerts --json` must print events, found `{alerts}`"))?;
        if let Some(event) = events.into_iter().find(|event| fault.is_named_by(event)) {
            return Ok((event, seen));
        }
        ensure!(seen < UNTIL_NAMED, "no event names `{}` within {UNTIL_NAMED:?}; all events:\n{alerts}", fault.truth);
        std::thread::park_timeout(PAUSE);
    }
}

fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Value> {
    let begun = Instant::now();
    work()?;
    Ok(seconds(begun.elapsed()))
}

fn seconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 10.0).round() / 10.0)
}

fn print(measured: &Map<String, Value>, json: bool) {
    if json {
        println!("{}", Value::from(measured.clone()));
        return;
    }
    println!("| measured | |\n|---|---|");
    for (what, value) in measured {
        println!("| {what} | {value} |");
    }
}
