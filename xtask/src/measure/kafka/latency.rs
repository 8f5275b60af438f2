//! Latency from the end of a sweep to the moment when a consumer has its event.
//!
//! Several producers, each with a host id of its own, sweep this machine once a second, evenly
//! spread over the second; they share a model. Three processes compete for a file lock that this
//! process holds and releases in turn, and one quiet sweep resolves an incident, so that each
//! host's incident opens and resolves every few seconds. `detective alerts --follow --json` reads
//! the topic like any consumer.
//!
//! An event carries the time at which its sweep ended. The latency is from then until the event's
//! line arrives here, by the same clock. It includes the encoding of the snapshot, its acknowledged
//! delivery to Kafka, its consumption and scoring, the transaction with the event and the scorer's
//! position, and the reading and printing of the committed event.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::ChildStdout,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{log_writers::LogWriters, programs::Programs};
use crate::{
    kafka::Kafka,
    measure::{idle_processes::IdleProcesses, rounding::to_tenth},
    time::pause,
};

/// Few enough that two cores, which Kafka shares, are not busy.
const HOSTS: u32 = 4;
const INTERVAL: Duration = Duration::from_secs(1);
/// Time between locking and unlocking. Each host sees the contention in at least two sweeps, which
/// is what opens an incident.
const HALF_CYCLE: Duration = Duration::from_millis(3500);
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// Measures the latency of this many events.
///
/// # Errors
/// If Kafka or a program cannot be started, or no events arrive for [`EVENT_TIMEOUT`].
pub fn measure(release: &Path, processes: usize, learn: u32, events: usize) -> anyhow::Result<Value> {
    let _idle = IdleProcesses::start(processes)?;
    let kafka = Kafka::start()?;
    let mut programs = Programs::prepare(release, &kafka, "latency", learn * HOSTS)?;
    programs.set("COHORT", "measured");
    programs.set("ALARM__QUIET_SWEEPS", "1");
    let arrivals = receive_latencies(programs.follow_alerts()?);
    let writers = LogWriters::start(&programs.folder().join("app.log"))?;
    programs.start("detective-scorer")?;
    programs.start("detective-trainer")?;
    for host in 0..HOSTS {
        programs.set("HOST", &format!("host-{host}"));
        programs.start("detective-producer")?;
        pause(INTERVAL / HOSTS);
    }
    eprintln!("events of {HOSTS} hosts: learning from {learn} snapshots of each");
    programs.wait_until_ready(INTERVAL * learn)?;
    eprintln!("events of {HOSTS} hosts: waiting for {events}");
    let latencies = collect(&mut programs, &writers, &arrivals, events)?;
    drop(writers);
    let nodes = programs.node_count(Some("host-0"))?;
    programs.end()?;
    Ok(json!({
        "p50": to_tenth(percentile(&latencies, 50)),
        "p99": to_tenth(percentile(&latencies, 99)),
        "n": latencies.len(),
        "hosts": HOSTS,
        "processes": processes,
        "nodes": nodes,
    }))
}

/// Holds and releases the lock until enough events have arrived. Returns their latencies in
/// milliseconds, sorted.
fn collect(
    programs: &mut Programs,
    writers: &LogWriters,
    arrivals: &Receiver<anyhow::Result<f64>>,
    events: usize,
) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::with_capacity(events);
    let mut last_arrival = Instant::now();
    while latencies.len() < events {
        programs.check_all_run()?;
        let before = latencies.len();
        writers.block()?;
        collect_half_cycle(arrivals, &mut latencies)?;
        writers.unblock()?;
        collect_half_cycle(arrivals, &mut latencies)?;
        if latencies.len() > before {
            last_arrival = Instant::now();
        }
        let is_in_time = last_arrival.elapsed() < EVENT_TIMEOUT;
        ensure!(is_in_time, "no event within {EVENT_TIMEOUT:?}, after {} of {events}", latencies.len());
    }
    latencies.sort_unstable_by(f64::total_cmp);
    Ok(latencies)
}

fn collect_half_cycle(arrivals: &Receiver<anyhow::Result<f64>>, latencies: &mut Vec<f64>) -> anyhow::Result<()> {
    let end = Instant::now() + HALF_CYCLE;
    loop {
        match arrivals.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(latency) => latencies.push(latency?),
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("`detective alerts --follow` ended"),
        }
    }
}

/// Reads events on a thread and sends the latency of each, in milliseconds.
fn receive_latencies(events: ChildStdout) -> Receiver<anyhow::Result<f64>> {
    let (sender, arrivals) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(events).lines() {
            #[expect(clippy::disallowed_methods, reason = "an event carries the time of day")]
            let now = SystemTime::now();
            let latency = line.map_err(Into::into).and_then(|line| latency_ms(&line, now));
            if let Some(latency) = latency.transpose()
                && sender.send(latency).is_err()
            {
                return;
            }
        }
    });
    arrivals
}

/// `None` for a stale event, which no sweep caused.
fn latency_ms(line: &str, now: SystemTime) -> anyhow::Result<Option<f64>> {
    let event: Value = serde_json::from_str(line).with_context(|| format!("expected an event, found `{line}`"))?;
    if event["event"] == "stale" {
        return Ok(None);
    }
    let sweep_end = event["time"].as_str().context("the event has no time")?;
    let sweep_end = humantime::parse_rfc3339(sweep_end).with_context(|| format!("`{sweep_end}` is not a time"))?;
    let latency = now.duration_since(sweep_end).with_context(|| format!("the clock was set back: `{line}`"))?;
    Ok(Some(latency.as_secs_f64() * 1e3))
}

/// The smallest value that at least so many percent of the values do not exceed.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{latency_ms, percentile};

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (100.0, 198.0));
        assert_eq!((percentile(&[7.0], 50), percentile(&[7.0], 99)), (7.0, 7.0));
    }

    #[test]
    fn latency_counts_from_the_end_of_the_sweep() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let event = r#"{"event": "opened", "time": "2023-11-14T22:13:20.200Z"}"#;
        assert_eq!(latency_ms(event, now).expect("an event"), Some(50.0));
        assert_eq!(latency_ms(&event.replace("opened", "stale"), now).expect("an event"), None);
        assert!(latency_ms(&event.replace(".200", ".300"), now).is_err());
        assert!(latency_ms("no event", now).is_err());
    }
}
