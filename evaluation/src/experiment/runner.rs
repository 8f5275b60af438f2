//! Executes the steps of a plan, and records them as a directory of cases.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use faults::{catalogue, fault::Fault};
use producer::Producer;
use schemas::Timestamp;
use serde_json::{Value, json};
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::{
    fault_process::{FaultProcess, FaultTruth},
    plan::Plan,
    recorder::Recorder,
    schedule::{Scenario, Step, schedule_steps, skipped_scenarios},
    workload::Workload,
};
use crate::{
    case_list::{CASES_FILE, SKIPPED_FILE, SkippedScenario},
    client_impact::{ClientImpact, RequestSummary, read_requests},
};

/// Name of the recording that all cases are learned from.
const HEALTHY: &str = "healthy";
/// Name of the cases without a fault.
const NO_FAULT: &str = "no-fault";
/// Clients of a workload abandon a request after this time. Recording goes on for as long after a
/// fault, until its last requests have ended.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(4);

/// Executes a plan: starts its workload, records its steps into an empty folder, and stops it.
///
/// `cases.json` is complete after each step, so that an interrupted experiment can be evaluated.
/// Scenarios that do not begin or cannot be recorded are skipped with a warning.
///
/// # Errors
/// If the folder is not empty, the plan names an unknown scenario or leaves too little time to
/// learn from, or a process or file fails.
pub async fn run_experiment(
    plan: &Plan,
    seed: u64,
    folder: &Path,
    producer: Producer,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    // Unknown names fail before anything starts. Which scenarios are available is known once the
    // workload runs.
    schedule_steps(plan, &scenarios(None), seed)?;
    plan.check_learn_time(producer.sweep.interval)?;
    create_empty(folder)?;
    eprintln!("starting the workload");
    let workload = Workload::start(&plan.workload, &shutdown).await?;
    let scenarios = scenarios(workload.components()?.as_ref());
    let steps = schedule_steps(plan, &scenarios, seed)?;
    let skipped = skipped_scenarios(plan, &scenarios);
    eprintln!("executing {} steps: about {}", steps.len(), estimate(plan, &steps));
    let recorder = Recorder::start(producer)?;
    let mut runner = Runner { plan, seed, folder, workload, recorder, shutdown, cases: Vec::new(), skipped };
    let outcome = runner.run(&steps).await;
    runner.recorder.stop();
    outcome
}

/// All faults and benign changes, and whether each is available on this host now.
fn scenarios(workload: Option<&faults::workload::Workload>) -> Vec<Scenario> {
    let scenario = |fault: &Fault| Scenario {
        name: fault.name.to_owned(),
        family: fault.family.name().to_owned(),
        is_benign: fault.is_benign(),
        unavailable: fault
            .requirements
            .iter()
            .find(|each| !each.is_met(workload))
            .map(|each| format!("requires {each}")),
    };
    catalogue::all().map(scenario).collect()
}

fn create_empty(folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot use the folder `{}`", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    if fs::read_dir(folder).with_context(cannot)?.next().is_some() {
        return Err(anyhow::anyhow!("the folder `{}` is not empty", folder.display()))
            .hint("name a new folder, or omit `--plan` to evaluate this one");
    }
    Ok(())
}

fn estimate(plan: &Plan, steps: &[Step]) -> humantime::FormattedDuration {
    let duration = |step: &Step| match step {
        Step::Healthy(time) => *time,
        Step::Scenario(scenario) => {
            let group = plan.group(scenario.is_benign);
            group.before + group.duration + group.after
        }
    };
    let total = plan.workload.settle + plan.healthy.learn + steps.iter().map(duration).sum::<Duration>();
    humantime::format_duration(Duration::from_secs(total.as_secs()))
}

struct Runner<'a> {
    plan: &'a Plan,
    seed: u64,
    folder: &'a Path,
    workload: Workload,
    recorder: Recorder,
    shutdown: CancellationToken,
    cases: Vec<Value>,
    skipped: Vec<SkippedScenario>,
}

impl Runner<'_> {
    async fn run(&mut self, steps: &[Step]) -> anyhow::Result<()> {
        eprintln!("recording {} to learn from", humantime::format_duration(self.plan.healthy.learn));
        self.recorder.start_file(&self.file(HEALTHY)).await?;
        self.wait(self.plan.healthy.learn).await;
        self.recorder.end_file().await?;
        for (number, step) in (1..).zip(steps) {
            if self.shutdown.is_cancelled() {
                break;
            }
            match step {
                Step::Healthy(time) => self.record_healthy(number, *time).await?,
                Step::Scenario(scenario) => self.record_scenario(number, scenario).await?,
            }
            self.write_lists()?;
        }
        Ok(())
    }

    async fn record_healthy(&mut self, number: usize, time: Duration) -> anyhow::Result<()> {
        let name = format!("{number:02}-{NO_FAULT}");
        eprintln!("{name}: {} without a fault", humantime::format_duration(time));
        self.recorder.start_file(&self.file(&name)).await?;
        let begin = now();
        self.wait(time).await;
        let snapshots = match self.recorder.end_file().await {
            Ok(snapshots) => snapshots,
            Err(error) => return self.skip(&name, NO_FAULT, &error).await,
        };
        // Interrupted before the first sweep.
        if snapshots == 0 {
            return self.discard(&name).await;
        }
        // Later than the last sweep.
        let end = now();
        let truth = FaultTruth { time: begin * 1000.0, root_cause: vec![], victims: vec![] };
        self.add_case(&name, None, &truth, end, None);
        Ok(())
    }

    async fn record_scenario(&mut self, number: usize, scenario: &Scenario) -> anyhow::Result<()> {
        let name = format!("{number:02}-{}", scenario.name);
        let group = self.plan.group(scenario.is_benign);
        self.recorder.start_file(&self.file(&name)).await?;
        self.wait(group.before).await;
        if self.shutdown.is_cancelled() {
            return self.discard(&name).await;
        }
        let mut fault = match FaultProcess::start(&scenario.name, group.duration, self.workload.folder.as_deref()).await
        {
            Ok(fault) => fault,
            Err(error) => return self.skip(&name, &scenario.name, &error).await,
        };
        let truth = fault.truth.clone();
        let outcome = self.shutdown.run_until_cancelled(fault.wait()).await;
        // Undoes the fault if it was interrupted.
        drop(fault);
        let begin = truth.time / 1000.0;
        let end = now().max(begin);
        self.wait(group.after.max(CLIENT_TIMEOUT)).await;
        let snapshots = self.recorder.end_file().await;
        let Some(outcome) = outcome else { return self.discard(&name).await };
        let snapshots = match outcome.and(snapshots) {
            Ok(snapshots) => snapshots,
            Err(error) => return self.skip(&name, &scenario.name, &error).await,
        };
        let impact = self.client_impact(begin, end).unwrap_or_else(|error| {
            tracing::warn!(fault = scenario.name, error = format!("{error:#}"), "client impact unknown");
            None
        });
        let described = impact.map_or(String::new(), |impact| format!(", {}", describe_impact(&impact)));
        eprintln!("{name}: {snapshots} snapshots{described}");
        self.add_case(&name, Some(scenario), &truth, end, impact);
        Ok(())
    }

    fn client_impact(&self, begin: f64, end: f64) -> anyhow::Result<Option<ClientImpact>> {
        let Some(latencies) = &self.workload.latencies else { return Ok(None) };
        let requests = read_requests(latencies, begin - (end - begin), end)?;
        Ok(Some(ClientImpact::from_requests(&requests, begin, end)))
    }

    async fn skip(&mut self, name: &str, fault: &str, error: &anyhow::Error) -> anyhow::Result<()> {
        let reason = format!("{error:#}");
        tracing::warn!(fault, reason, "scenario skipped");
        self.skipped.push(SkippedScenario { fault: fault.to_owned(), reason });
        self.discard(name).await
    }

    /// Deletes the recording of a step.
    async fn discard(&mut self, name: &str) -> anyhow::Result<()> {
        self.recorder.end_file().await?;
        let file = self.file(name);
        fs::remove_file(&file).with_context(|| format!("cannot remove `{}`", file.display()))
    }

    fn add_case(
        &mut self,
        name: &str,
        scenario: Option<&Scenario>,
        truth: &FaultTruth,
        end: f64,
        client_impact: Option<ClientImpact>,
    ) {
        self.cases.push(json!({
            "case": name,
            "system": self.plan.system,
            "fault": scenario.map(|scenario| &scenario.name),
            "family": scenario.map(|scenario| &scenario.family),
            "harmless": scenario.is_none_or(|scenario| scenario.is_benign),
            "healthy": HEALTHY,
            "t_inject": truth.time / 1000.0,
            "t_end": end,
            "root_cause": truth.root_cause,
            "victims": truth.victims,
            "client_impact": client_impact,
            "seed": self.seed,
        }));
    }

    fn write_lists(&self) -> anyhow::Result<()> {
        self.write_list(CASES_FILE, serde_json::to_vec_pretty(&self.cases)?)?;
        self.write_list(SKIPPED_FILE, serde_json::to_vec_pretty(&self.skipped)?)
    }

    /// Replaces a file at once, so that it is complete at any time.
    fn write_list(&self, name: &str, text: Vec<u8>) -> anyhow::Result<()> {
        let file = self.folder.join(name);
        let new = self.folder.join(format!("{name}.new"));
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, &file))
            .with_context(|| format!("cannot write `{}`", file.display()))
    }

    async fn wait(&self, time: Duration) {
        let _ = self.shutdown.run_until_cancelled(tokio::time::sleep(time)).await;
    }

    fn file(&self, case: &str) -> PathBuf {
        self.folder.join(format!("{case}.avro"))
    }
}

fn describe_impact(impact: &ClientImpact) -> String {
    let p95 = |summary: &RequestSummary| summary.p95_ms.map_or("-".to_owned(), |p95| format!("{p95:.0} ms"));
    format!(
        "95th percentile {} then {}, errors {} then {} of {}",
        p95(&impact.before),
        p95(&impact.during),
        impact.before.errors,
        impact.during.errors,
        impact.during.requests
    )
}

/// Seconds since 1970.
fn now() -> f64 {
    Timestamp::now().0 as f64 / 1000.0
}
