//! Prints the CPU time of scoring, blame and incidents in sweeps with many abnormal nodes, as JSON.
//!
//! `cargo run --release -p evaluation --example sweep_cost [nodes] [sweeps]`
//!
//! Half of the nodes are abnormal. `cargo xtask measure scorer` compares sizes.

use anyhow::Context;
use hostread::clock::thread_cpu_time;
use rand::{Rng, SeedableRng, rngs::SmallRng};
use schemas::{Column, Edge, GraphSnapshot, Node, Timestamp};
use scorer::{AlarmConfig, blame, host::Host, incident::IncidentTracker, model::Model, score};
use serde_json::{Value, json};
use signals::Signal;
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainingConfig, TrainingJob};

/// Nodes of the healthy snapshots that the model is trained on.
const HEALTHY_NODES: usize = 500;
const HEALTHY_SNAPSHOTS: usize = 20;

/// What is wrong with the abnormal nodes.
#[derive(Clone, Copy)]
enum Failure {
    /// They lack CPU time, which one process uses.
    LackOfCpu,
    /// They are stopped, and have roles of their own.
    Stopped,
    /// Each waits for a lock that the one before holds.
    LockChain,
}

const FAILURES: [(Failure, &str); 3] =
    [(Failure::LackOfCpu, "lack-of-cpu"), (Failure::Stopped, "stopped"), (Failure::LockChain, "lock-chain")];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| arguments.get(at).map_or(Ok(default), |text| text.parse::<usize>());
    let nodes = number(0, 1000).context("expected a number of nodes")?.max(2);
    let sweeps = number(1, 5).context("expected a number of sweeps")?.max(3);
    let model = train()?;
    let rows: Vec<Value> = FAILURES
        .iter()
        .map(|(failure, name)| measure(&model, nodes, sweeps, *failure, name))
        .collect::<Result<_, _>>()?;
    println!("{}", json!(rows));
    Ok(())
}

fn train() -> anyhow::Result<Model> {
    let job = TrainingJob {
        cohort: "measured".to_owned(),
        generation: 0,
        profile: graph::Profile::Default,
        created_at: Timestamp(0),
        snapshots: (0..HEALTHY_SNAPSHOTS).map(|sequence| snapshot(HEALTHY_NODES, sequence, None)).collect(),
        earlier_limits: Vec::new(),
    };
    let config = TrainingConfig { epochs: 5, ..TrainingConfig::default() };
    let release = trainer::train(&config, job, &CancellationToken::new(), &Progress::hidden())?;
    Ok(Model::load(release)?)
}

/// The medians over the sweeps, in milliseconds of CPU time.
fn measure(model: &Model, nodes: usize, sweeps: usize, failure: Failure, name: &str) -> anyhow::Result<Value> {
    let mut host = Host::new(IncidentTracker::new(AlarmConfig::default(), []), "measured");
    let mut rounds: [Vec<f64>; 3] = Default::default();
    let mut n_events = 0;
    for sequence in 0..sweeps {
        let snapshot = snapshot(nodes, sequence, Some(failure));
        let (scored, score_ms) = cpu_ms(|| score::score_snapshot(model, snapshot));
        let scored = scored?;
        let (candidates, blame_ms) = cpu_ms(|| blame::find_root_causes(&scored));
        let ((changes, _), incidents_ms) = cpu_ms(|| host.process_with_candidates(scored, candidates));
        n_events += changes.len();
        for (round, milliseconds) in rounds.iter_mut().zip([score_ms, blame_ms, incidents_ms]) {
            round.push(milliseconds);
        }
    }
    let [score_ms, blame_ms, incidents_ms] = rounds.map(median);
    Ok(json!({
        "failure": name,
        "nodes": nodes,
        "events": n_events,
        "score_ms": score_ms,
        "blame_ms": blame_ms,
        "incidents_ms": incidents_ms,
        "us_per_node": (score_ms + blame_ms + incidents_ms) * 1000.0 / nodes as f64,
    }))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn cpu_ms<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let started = thread_cpu_time();
    let result = run();
    (result, (thread_cpu_time() - started).as_secs_f64() * 1e3)
}

/// Processes with values that vary a little. With a failure, the nodes with odd indices have it.
fn snapshot(nodes: usize, sequence: usize, failure: Option<Failure>) -> GraphSnapshot {
    let mut random = SmallRng::seed_from_u64(sequence as u64);
    let is_abnormal = |node: usize| node % 2 == 1;
    let flag = |failed: bool| if failed { 1.0 } else { 0.0 };
    let mut cpu_pct = |node: usize| match failure {
        Some(Failure::LackOfCpu) if node == 0 => 100.0,
        _ => 1.0 + random.random::<f32>(),
    };
    let cpu = column(Signal::CpuPct, nodes, &mut cpu_pct);
    let with = |wanted: fn(Failure) -> bool, value: f32| {
        move |node: usize| if failure.is_some_and(wanted) && is_abnormal(node) { value } else { 0.0 }
    };
    let delay = with(|failure| matches!(failure, Failure::LackOfCpu), 90.0);
    let blocked = with(|failure| matches!(failure, Failure::LockChain), 5000.0);
    let is_stopped = failure.is_some_and(|failure| matches!(failure, Failure::Stopped));
    let time = Timestamp(1_700_000_000_000 + sequence as i64 * 1000);
    let is_chain = failure.is_some_and(|failure| matches!(failure, Failure::LockChain));
    let chain = (1..nodes / 2).filter(|_| is_chain).map(|link| Edge {
        source: (2 * link + 1) as i32,
        target: (2 * link - 1) as i32,
        kind: "waits-for".into(),
        basis: "observed".into(),
        blocked_ms: Some(5000.0),
        ..Edge::default()
    });
    let parents = (1..nodes).map(|node| Edge {
        source: node as i32,
        target: (node / 2) as i32,
        kind: "parent".into(),
        basis: "observed".into(),
        ..Edge::default()
    });
    GraphSnapshot {
        host: "measured".to_owned(),
        cohort: "measured".to_owned(),
        run: "run".to_owned(),
        sequence: sequence as i64,
        started_at: time,
        ended_at: time,
        interval_ms: 1000,
        edges: parents.chain(chain).collect(),
        nodes: (0..nodes).map(node).collect(),
        columns: vec![
            cpu,
            column(Signal::RunDelayPct, nodes, delay),
            column(Signal::BlockedMs, nodes, blocked),
            column(Signal::Stopped, nodes, |node| flag(is_stopped && is_abnormal(node))),
        ],
        ..GraphSnapshot::default()
    }
}

fn node(at: usize) -> Node {
    Node {
        id: format!("p:{at}"),
        kind: "process".into(),
        role: format!("/usr/bin/role-{at}"),
        name: format!("role-{at}"),
        pid: Some(at as i64 + 1),
        ..Node::default()
    }
}

fn column(signal: Signal, nodes: usize, mut value: impl FnMut(usize) -> f32) -> Column {
    let definition = signal.definition();
    Column {
        name: definition.name.to_owned(),
        unit: definition.unit.clone(),
        form: definition.form.clone(),
        nodes: (0..nodes as i32).collect(),
        values: (0..nodes).map(&mut value).collect(),
        missing: Vec::new(),
    }
}
