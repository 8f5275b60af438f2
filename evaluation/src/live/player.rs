//! All of a plan, act by act, into a directory of cases.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use faults::{catalogue, fault::Fault, shop::Shop};
use producer::Producer;
use schemas::Timestamp;
use serde_json::{Value, json};
use service::Hint;
use tokio_util::sync::CancellationToken;

use super::{
    acts::{self, Act, Change},
    hurt::{self, Hurt},
    plan::{Changes, Plan},
    recorder::Recorder,
    trouble::{Trouble, Truth},
    workload::Workload,
};
use crate::cases::{LEFT_OUT, LIST, LeftOut};

/// The case that all others are learned from.
const HEALTHY: &str = "healthy";
/// What happens in a stretch of health.
const NOTHING: &str = "nothing";
/// A request that has no answer for so long never gets one, as far as its client is concerned.
const ANSWERED_WITHIN: Duration = Duration::from_secs(4);

/// Plays a plan into an empty folder: its workload is started, recorded, troubled and stopped.
///
/// After each act `cases.json` is whole again, so a play that is broken off can be judged as far as it came.
///
/// # Errors
/// If the folder is not empty, there would be too little to learn from, or anything can't be started or written. A fault that does not begin,
/// or is not recorded, is told and left out.
pub async fn play(
    plan: &Plan,
    seed: u64,
    folder: &Path,
    producer: Producer,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    // A name that there is not is told before anything is started; what is here is known once the workload is.
    acts::order(plan, &there_are()?, seed)?;
    plan.check_learned(producer.sweep.interval)?;
    make_empty(folder)?;
    say("starting the workload");
    let workload = Workload::start(&plan.workload, &shutdown).await?;
    let there_are = there_are()?;
    let (acts, left_out) = (acts::order(plan, &there_are, seed)?, acts::left_out(plan, &there_are));
    say(&format!("playing {} acts: about {}", acts.len(), how_long(plan, &acts)));
    let recorder = Recorder::start(producer)?;
    let mut player = Player { plan, seed, folder, workload, recorder, shutdown, cases: Vec::new(), left_out };
    let played = player.play(&acts).await;
    player.recorder.end();
    played
}

/// What this program can do to this host as it is now.
fn there_are() -> anyhow::Result<Vec<Change>> {
    let shop = Shop::find()?;
    let change = |fault: &Fault| Change {
        name: fault.name.to_owned(),
        family: fault.family.name().to_owned(),
        is_harmless: fault.is_harmless(),
        missing: fault.needs.iter().find(|need| !need.is_here(shop.as_ref())).map(|need| format!("needs {need}")),
    };
    Ok(catalogue::all().map(change).collect())
}

fn make_empty(folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot use the folder `{}`", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    if std::fs::read_dir(folder).with_context(cannot)?.next().is_some() {
        return Err(anyhow::anyhow!("the folder `{}` is not empty", folder.display()))
            .hint("name a new one to play into, or leave `--plan` out to judge what is there");
    }
    Ok(())
}

fn how_long(plan: &Plan, acts: &[Act]) -> humantime::FormattedDuration {
    let of_change = |changes: &Changes| changes.before + changes.lasts + changes.after;
    let of_act = |act: &Act| match act {
        Act::Healthy(time) => *time,
        Act::Change(change) => of_change(changes(plan, change)),
    };
    let all = plan.workload.settles + plan.healthy.learn + acts.iter().map(of_act).sum::<Duration>();
    humantime::format_duration(Duration::from_secs(all.as_secs()))
}

fn changes<'a>(plan: &'a Plan, change: &Change) -> &'a Changes {
    if change.is_harmless { &plan.harmless } else { &plan.faults }
}

struct Player<'a> {
    plan: &'a Plan,
    seed: u64,
    folder: &'a Path,
    workload: Workload,
    recorder: Recorder,
    shutdown: CancellationToken,
    cases: Vec<Value>,
    left_out: Vec<LeftOut>,
}

impl Player<'_> {
    async fn play(&mut self, acts: &[Act]) -> anyhow::Result<()> {
        say(&format!("recording {} of health to learn from", humantime::format_duration(self.plan.healthy.learn)));
        self.recorder.record(&self.file(HEALTHY)).await?;
        self.wait(self.plan.healthy.learn).await;
        self.recorder.pause().await?;
        for (number, act) in (1..).zip(acts) {
            if self.shutdown.is_cancelled() {
                break;
            }
            match act {
                Act::Healthy(time) => self.stay_healthy(number, *time).await?,
                Act::Change(change) => self.change(number, change).await?,
            }
            self.write_cases()?;
        }
        Ok(())
    }

    async fn stay_healthy(&mut self, number: usize, time: Duration) -> anyhow::Result<()> {
        let name = format!("{number:02}-{NOTHING}");
        say(&format!("{name}: {} of health", humantime::format_duration(time)));
        self.recorder.record(&self.file(&name)).await?;
        let begun = now();
        self.wait(time).await;
        let snapshots = match self.recorder.pause().await {
            Ok(snapshots) => snapshots,
            Err(error) => return self.leave_out(&name, NOTHING, &error).await,
        };
        // Broken off before the first sweep.
        if snapshots == 0 {
            return self.forget(&name).await;
        }
        // Behind the last sweep.
        let ended = now();
        self.note(&name, None, &Truth { time: begun * 1000.0, root_cause: vec![], victims: vec![] }, ended, None);
        Ok(())
    }

    async fn change(&mut self, number: usize, change: &Change) -> anyhow::Result<()> {
        let name = format!("{number:02}-{}", change.name);
        let of_kind = changes(self.plan, change);
        self.recorder.record(&self.file(&name)).await?;
        self.wait(of_kind.before).await;
        if self.shutdown.is_cancelled() {
            return self.forget(&name).await;
        }
        let mut trouble = match Trouble::begin(change, of_kind.lasts).await {
            Ok(trouble) => trouble,
            Err(error) => return self.leave_out(&name, &change.name, &error).await,
        };
        let truth = trouble.truth.clone();
        let over = self.shutdown.run_until_cancelled(trouble.over()).await;
        // One that is broken off is undone by this.
        drop(trouble);
        let ended = now().max(truth.time / 1000.0);
        self.wait(of_kind.after.max(ANSWERED_WITHIN)).await;
        let snapshots = self.recorder.pause().await;
        let Some(over) = over else { return self.forget(&name).await };
        let snapshots = match over.and(snapshots) {
            Ok(snapshots) => snapshots,
            Err(error) => return self.leave_out(&name, &change.name, &error).await,
        };
        let hurt = self.hurt(truth.time / 1000.0, ended).unwrap_or_else(|error| {
            tracing::warn!(fault = change.name, reason = format!("{error:#}"), "what clients felt is not known");
            None
        });
        say(&format!(
            "{name}: {snapshots} snapshots{}",
            hurt.map_or(String::new(), |hurt| format!(", {}", felt(&hurt)))
        ));
        self.note(&name, Some(change), &truth, ended, hurt);
        Ok(())
    }

    fn hurt(&self, begun: f64, ended: f64) -> anyhow::Result<Option<Hurt>> {
        let Some(latencies) = &self.workload.latencies else { return Ok(None) };
        let requests = hurt::read(latencies, begun - (ended - begun), ended)?;
        Ok(Some(hurt::hurt(&requests, begun, ended)))
    }

    async fn leave_out(&mut self, name: &str, what: &str, error: &anyhow::Error) -> anyhow::Result<()> {
        let reason = format!("{error:#}");
        tracing::warn!(fault = what, reason, "left out");
        self.left_out.push(LeftOut { fault: what.to_owned(), reason });
        self.forget(name).await
    }

    /// What was recorded of it is no case.
    async fn forget(&mut self, name: &str) -> anyhow::Result<()> {
        self.recorder.pause().await?;
        let file = self.file(name);
        std::fs::remove_file(&file).with_context(|| format!("cannot remove `{}`", file.display()))
    }

    fn note(&mut self, name: &str, change: Option<&Change>, truth: &Truth, ended: f64, hurt: Option<Hurt>) {
        self.cases.push(json!({
            "case": name,
            "system": self.plan.system,
            "fault": change.map(|change| &change.name),
            "family": change.map(|change| &change.family),
            "harmless": change.is_none_or(|change| change.is_harmless),
            "healthy": HEALTHY,
            "t_inject": truth.time / 1000.0,
            "t_end": ended,
            "root_cause": truth.root_cause,
            "victims": truth.victims,
            "hurt": hurt,
            "seed": self.seed,
        }));
    }

    fn write_cases(&self) -> anyhow::Result<()> {
        let lists =
            [(LIST, serde_json::to_vec_pretty(&self.cases)?), (LEFT_OUT, serde_json::to_vec_pretty(&self.left_out)?)];
        for (name, text) in lists {
            let (file, new) = (self.folder.join(name), self.folder.join(format!("{name}.new")));
            std::fs::write(&new, text)
                .and_then(|()| std::fs::rename(&new, &file))
                .with_context(|| format!("cannot write `{}`", file.display()))?;
        }
        Ok(())
    }

    async fn wait(&self, time: Duration) {
        let _ = self.shutdown.run_until_cancelled(tokio::time::sleep(time)).await;
    }

    fn file(&self, case: &str) -> PathBuf {
        self.folder.join(format!("{case}.avro"))
    }
}

fn felt(hurt: &Hurt) -> String {
    let p95 = |felt: &hurt::Felt| felt.p95_ms.map_or("-".to_owned(), |p95| format!("{p95:.0} ms"));
    format!(
        "95th percentile {} then {}, errors {} then {} of {}",
        p95(&hurt.before),
        p95(&hurt.during),
        hurt.before.errors,
        hurt.during.errors,
        hurt.during.requests
    )
}

/// In seconds since 1970.
fn now() -> f64 {
    Timestamp::now().0 as f64 / 1000.0
}

fn say(line: &str) {
    eprintln!("{line}");
}
