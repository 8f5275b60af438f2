//! A trial on this very host: is the culprit of a fault named, and named first?
//!
//! A small workload is started, watched and learned; two minutes of its health are counted; then each fault befalls it once, in an
//! order that the seed decides. A fault that is not found stays in the table. Who is right is what the scene says, not what
//! the detective finds; the ranking is that of the last 12 seconds at the end of the fault. Other programs of this host are
//! watched too, and their load is told beside the figures.

use std::time::{Duration, Instant};

use clap::Args;
use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};
use serde_json::{Value, json};

use super::{machine, release, rounding::to_tenth as rounded, scratch};
use crate::time::pause as wait;
use scenes::{FAULTS, Fault, Trouble};
use watched::Watched;
use workload::Workload;

mod ground;
mod scenes;
mod table;
mod undo;
mod verdict;
mod watched;
mod workload;

/// What to play.
#[derive(Args)]
pub struct FaultsArgs {
    /// Play these alone, by name.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How many snapshots to learn from.
    #[arg(long, default_value_t = 60)]
    learn: u32,
    /// Decides the order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds of health to count alarms in, before the faults.
    #[arg(long, default_value_t = 120)]
    healthy: u64,
}

/// How long a fault goes on.
const LASTS: Duration = Duration::from_secs(16);
/// How long the host is given to become quiet after one.
const QUIET: Duration = Duration::from_secs(30);
/// From the end of a fault, and from the start of the workload, to anything else.
const SETTLES: Duration = Duration::from_secs(4);

/// Plays and prints.
///
/// # Errors
/// If the workload or `detective up` cannot be started, or ends.
pub fn run(args: &FaultsArgs, json: bool) -> anyhow::Result<()> {
    let faults = chosen(args)?;
    let program = release::build(&[])?.join("detective");
    let folder = scratch::create("measure-faults")?;
    let mut workload = Workload::start(&folder)?;
    wait(SETTLES);
    let mut watched = Watched::start(&program, &folder, args.learn)?;
    eprintln!("learning from {} snapshots", args.learn);
    watched.await_ready(Duration::from_secs(args.learn.into()))?;
    let healthy = watch_health(&mut watched, &workload, args.healthy);
    let (rows, not_run) = play_all(&faults, &mut watched, &mut workload)?;
    let totals = verdict::totals(&rows);
    let mut answer = json!({"machine": machine::describe(), "seed": args.seed, "healthy": healthy, "totals": totals});
    (answer["faults"], answer["not_run"]) = (json!(rows), json!(not_run));
    std::fs::write(folder.join("answer.json"), serde_json::to_vec_pretty(&answer)?)?;
    if json {
        println!("{answer}");
    } else {
        table::print(&answer);
    }
    Ok(())
}

/// What came of each fault, and why others were not played.
fn play_all(
    faults: &[&Fault],
    watched: &mut Watched,
    workload: &mut Workload,
) -> anyhow::Result<(Vec<Value>, Vec<Value>)> {
    let (mut rows, mut not_run) = (Vec::new(), Vec::new());
    for fault in faults {
        if let Some(reason) = fault.missing(workload) {
            not_run.push(json!({"fault": fault.name, "reason": reason}));
            continue;
        }
        let row = play(fault, watched, workload)?;
        eprintln!("{}: rank {}", fault.name, row["rank"]);
        rows.push(row);
        let ended = workload.ended()?;
        anyhow::ensure!(ended.is_empty(), "of the workload ended, after `{}`: {}", fault.name, ended.join(", "));
    }
    Ok((rows, not_run))
}

fn chosen(args: &FaultsArgs) -> anyhow::Result<Vec<&'static Fault>> {
    if let Some(unknown) = args.only.iter().find(|only| FAULTS.iter().all(|fault| fault.name != **only)) {
        let known: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        anyhow::bail!("no fault is called `{unknown}`; there are {}", known.join(", "));
    }
    let mut faults: Vec<&Fault> = FAULTS.iter().collect();
    faults.shuffle(&mut SmallRng::seed_from_u64(args.seed));
    faults.retain(|fault| args.only.is_empty() || args.only.iter().any(|only| only == fault.name));
    Ok(faults)
}

fn watch_health(watched: &mut Watched, workload: &Workload, seconds: u64) -> Value {
    eprintln!("counting alarms in {seconds} s of health");
    let (begun, load_before) = (Instant::now(), load());
    wait(Duration::from_secs(seconds));
    let events = watched.events_since(begun);
    let opened = events.iter().filter(|(_, event)| event["event"] == "opened");
    let named: Vec<String> = opened.map(|(_, event)| verdict::describe(&event["initiating"], workload)).collect();
    json!({"seconds": seconds, "opened": named.len(), "named": named, "load": [load_before, load()]})
}

fn play(fault: &Fault, watched: &mut Watched, workload: &Workload) -> anyhow::Result<Value> {
    let is_quiet = watched.await_quiet(QUIET)?;
    let begun = Instant::now();
    let trouble = (fault.begin)(workload)?;
    wait(LASTS.saturating_sub(begun.elapsed()));
    let answer = watched.ask("/api/suspects?window=12s")?;
    let graph = watched.ask("/api/graph")?;
    let events = watched.events_since(begun);
    let mut row = judge(fault, &trouble, &answer, &events, workload);
    (row["quiet_before"], row["load"]) = (json!(is_quiet), json!(load()));
    let kept = json!({"row": row, "suspects": answer, "events": events, "graph": graph});
    std::fs::write(workload.folder.join(format!("{}.json", fault.name)), serde_json::to_vec(&kept)?)?;
    drop(trouble);
    wait(SETTLES);
    Ok(row)
}

fn judge(fault: &Fault, trouble: &Trouble, answer: &Value, events: &[(f64, Value)], workload: &Workload) -> Value {
    let ranking = answer["suspects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rank = verdict::rank(ranking, &trouble.culprits);
    let above = ranking.iter().take(rank.map_or(3, |rank| rank - 1).min(5));
    let is_right = |event: &Value| verdict::is_any(&trouble.culprits, &event["initiating"]);
    let opened = events.iter().find(|(_, event)| event["event"] == "opened");
    let told = |(_, event): &&(f64, Value)| event["event"] == "opened" || event["event"] == "updated";
    let named = events.iter().filter(told).find(|(_, event)| is_right(event));
    json!({
        "fault": fault.name,
        "culprit": fault.culprit,
        "named_first": rank == Some(1),
        "rank": rank,
        "second_best_rank": verdict::rank(ranking, &trouble.second_best),
        "alarm": answer["alarm"],
        "opened_s": opened.map(|(after, _)| rounded(*after)),
        "first_incident_names": opened.map(|(_, event)| verdict::describe(&event["initiating"], workload)),
        "first_incident_is_right": opened.is_some_and(|(_, event)| is_right(event)),
        "named_s": named.map(|(after, _)| rounded(*after)),
        "ranked_above": above.map(|suspect| verdict::describe(suspect, workload)).collect::<Vec<_>>(),
    })
}

/// Tasks that run or want to, on average of the last minute.
fn load() -> Option<f64> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}
