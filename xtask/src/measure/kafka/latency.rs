//! From the end of a sweep to the moment when its event can be read.
//!
//! Several producers, each a host of its own, sweep this machine once a second, evenly spread over the second; they share a
//! model. A lock that three processes want is taken and given back again and again, and one quiet sweep is enough to resolve an
//! incident, so that each host's incidents are opened and resolved every few seconds. `detective alerts --follow --json` reads
//! the topic, as anybody would. An event carries the time at which the sweep ended that it was found in; what is measured
//! is from then to the arrival of the event's line here, by the same clock. In between are: the encoding of the snapshot, its way
//! to Kafka with all acknowledgements, its reading, its scoring, the transaction with the event and the scorer's position, the
//! reading of what was committed, and the printing of it.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::ChildStdout,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{programs::Programs, trouble::Writers};
use crate::{
    kafka::Kafka,
    measure::{crowd::Crowd, rounded, wait},
};

/// So few that two cores, which carry Kafka too, are not busy.
const HOSTS: u32 = 4;
const INTERVAL: Duration = Duration::from_secs(1);
/// Long enough that every host sees it in two sweeps at least, which open an incident.
const TROUBLE: Duration = Duration::from_millis(3500);
/// How long a cycle's events may stay away, before it is an error.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures until there were so many events.
///
/// # Errors
/// If there are not as many, or anything cannot be started.
pub fn measure(release: &Path, processes: usize, learn: u32, events: usize) -> anyhow::Result<Value> {
    let _crowd = Crowd::start(processes)?;
    let kafka = Kafka::start()?;
    let mut programs = Programs::prepare(release, &kafka, "latency", learn * HOSTS)?;
    programs.set("COHORT", "measured");
    programs.set("ALARM__QUIET_SWEEPS", "1");
    let arrivals = arrivals(programs.follow_alerts()?);
    let writers = Writers::start(&programs.folder().join("app.log"))?;
    programs.start("detective-scorer")?;
    programs.start("detective-trainer")?;
    for host in 0..HOSTS {
        programs.set("HOST", &format!("host-{host}"));
        programs.start("detective-producer")?;
        wait(INTERVAL / HOSTS);
    }
    eprintln!("events of {HOSTS} hosts: learning from {learn} snapshots of each");
    programs.await_ready(INTERVAL * learn)?;
    eprintln!("events of {HOSTS} hosts: waiting for {events}");
    let late = collect(&mut programs, &writers, &arrivals, events)?;
    drop(writers);
    let nodes = programs.nodes(Some("host-0"))?;
    programs.end()?;
    Ok(json!({
        "p50": rounded(percentile(&late, 50)),
        "p99": rounded(percentile(&late, 99)),
        "n": late.len(),
        "hosts": HOSTS,
        "processes": processes,
        "nodes": nodes,
    }))
}

/// Makes trouble and lets it be, until there were so many events; how late each was, in milliseconds, ascending.
fn collect(
    programs: &mut Programs,
    writers: &Writers,
    arrivals: &Receiver<anyhow::Result<f64>>,
    events: usize,
) -> anyhow::Result<Vec<f64>> {
    let mut late = Vec::with_capacity(events);
    let mut newest = Instant::now();
    while late.len() < events {
        programs.check()?;
        let before = late.len();
        writers.block()?;
        take(arrivals, &mut late)?;
        writers.unblock()?;
        take(arrivals, &mut late)?;
        if late.len() > before {
            newest = Instant::now();
        }
        ensure!(newest.elapsed() < PATIENCE, "no event within {PATIENCE:?}, after {} of {events}", late.len());
    }
    late.sort_unstable_by(f64::total_cmp);
    Ok(late)
}

/// What arrives while the trouble lasts, or is over.
fn take(arrivals: &Receiver<anyhow::Result<f64>>, late: &mut Vec<f64>) -> anyhow::Result<()> {
    let until = Instant::now() + TROUBLE;
    loop {
        match arrivals.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(arrival) => late.push(arrival?),
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("`alerts --follow` ended"),
        }
    }
}

/// How late each event is, as it arrives.
fn arrivals(events: ChildStdout) -> Receiver<anyhow::Result<f64>> {
    let (sender, arrivals) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(events).lines() {
            #[expect(clippy::disallowed_methods, reason = "what it is compared with is the time of an event")]
            let now = SystemTime::now();
            let late = line.map_err(Into::into).and_then(|line| lateness(&line, now));
            if let Some(late) = late.transpose()
                && sender.send(late).is_err()
            {
                return;
            }
        }
    });
    arrivals
}

/// In milliseconds; none of an event that no sweep gave rise to.
fn lateness(line: &str, now: SystemTime) -> anyhow::Result<Option<f64>> {
    let event: Value = serde_json::from_str(line).with_context(|| format!("`{line}` is no event"))?;
    if event["event"] == "stale" {
        return Ok(None);
    }
    let swept = event["time"].as_str().context("the event has no time")?;
    let swept = humantime::parse_rfc3339(swept).with_context(|| format!("`{swept}` is no time"))?;
    let late = now.duration_since(swept).with_context(|| format!("the clock was set back: `{line}`"))?;
    Ok(Some(late.as_secs_f64() * 1e3))
}

/// The smallest value that so many percent do not exceed.
fn percentile(ascending: &[f64], percent: usize) -> f64 {
    let rank = (ascending.len() * percent).div_ceil(100).max(1);
    ascending.get(rank - 1).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{lateness, percentile};

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let values: Vec<f64> = (1..=200).map(f64::from).collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 99)), (100.0, 198.0));
        assert_eq!((percentile(&[7.0], 50), percentile(&[7.0], 99)), (7.0, 7.0));
    }

    #[test]
    fn lateness_counts_from_the_end_of_the_sweep() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let event = r#"{"event": "opened", "time": "2023-11-14T22:13:20.200Z"}"#;
        assert_eq!(lateness(event, now).expect("an event"), Some(50.0));
        assert_eq!(lateness(&event.replace("opened", "stale"), now).expect("an event"), None);
        assert!(lateness(&event.replace(".200", ".300"), now).is_err());
        assert!(lateness("no event", now).is_err());
    }
}
