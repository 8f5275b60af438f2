//! In which order a plan is played, by a seed.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};

use super::plan::{Changes, Plan};
use crate::cases::LeftOut;

/// What there is to play: a fault or a harmless change of this program.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is called.
    pub name: String,
    /// The family that it belongs to.
    pub family: String,
    /// Whether nothing is wrong with it.
    pub is_harmless: bool,
    /// Why it cannot be played here, if so.
    pub missing: Option<String>,
}

/// One act of a play.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// All is well for so long.
    Healthy(Duration),
    /// A change, harmless or not.
    Change(Change),
}

/// The acts after what is learned: the harmless changes with health between them, then the faults, each kind in an order that the seed
/// decides. What cannot be played is left out.
///
/// # Errors
/// If the plan names a change that there is not.
pub fn order(plan: &Plan, there_are: &[Change], seed: u64) -> anyhow::Result<Vec<Act>> {
    let mut random = SmallRng::seed_from_u64(seed);
    let harmless = chosen(&plan.harmless, there_are, true, &mut random)?;
    let stretch = plan.healthy.judged / u32::try_from(harmless.len() + 1).unwrap_or(u32::MAX);
    let mut acts = vec![Act::Healthy(stretch)];
    for change in harmless {
        acts.extend([Act::Change(change), Act::Healthy(stretch)]);
    }
    acts.retain(|act| !matches!(act, Act::Healthy(Duration::ZERO)));
    acts.extend(chosen(&plan.faults, there_are, false, &mut random)?.into_iter().map(Act::Change));
    Ok(acts)
}

/// What the plan wants and cannot be played here, with the reason.
pub fn left_out(plan: &Plan, there_are: &[Change]) -> Vec<LeftOut> {
    let is_wanted = |change: &&Change| {
        let changes = if change.is_harmless { &plan.harmless } else { &plan.faults };
        changes.repeats > 0 && (changes.only.is_empty() || changes.only.contains(&change.name))
    };
    let wanted = there_are.iter().filter(is_wanted);
    wanted.filter_map(|change| Some(LeftOut { fault: change.name.clone(), reason: change.missing.clone()? })).collect()
}

fn chosen(
    changes: &Changes,
    there_are: &[Change],
    is_harmless: bool,
    random: &mut SmallRng,
) -> anyhow::Result<Vec<Change>> {
    let of_kind = || there_are.iter().filter(|change| change.is_harmless == is_harmless);
    if let Some(unknown) = changes.only.iter().find(|only| of_kind().all(|change| change.name != **only)) {
        let known: Vec<&str> = of_kind().map(|change| change.name.as_str()).collect();
        let kind = if is_harmless { "harmless change" } else { "fault" };
        anyhow::bail!("no {kind} is called `{unknown}`; there are {}", known.join(", "));
    }
    let is_wanted = |change: &&Change| changes.only.is_empty() || changes.only.contains(&change.name);
    let playable = of_kind().filter(is_wanted).filter(|change| change.missing.is_none());
    let mut chosen = Vec::new();
    // Each once before any of them twice, so that a play that is broken off has most of them.
    for _ in 0..changes.repeats {
        let mut once: Vec<Change> = playable.clone().cloned().collect();
        once.shuffle(random);
        chosen.append(&mut once);
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::plan::{Healthy, Workload};

    fn plan(harmless: Changes, faults: Changes) -> Plan {
        let workload = Workload { start: vec![], stop: vec![], latencies: None, settles: Duration::ZERO };
        let healthy = Healthy { learn: Duration::from_secs(60), judged: Duration::from_secs(30) };
        Plan { system: "shop".into(), workload, healthy, harmless, faults }
    }

    fn change(name: &str, is_harmless: bool, missing: Option<&str>) -> Change {
        let missing = missing.map(str::to_owned);
        Change { name: name.into(), family: "f".into(), is_harmless, missing }
    }

    fn all() -> Vec<Change> {
        let mut all: Vec<Change> = ["a", "b", "c", "d"].iter().map(|name| change(name, false, None)).collect();
        all.extend([change("e", false, Some("needs root")), change("deploy", true, None), change("cron", true, None)]);
        all
    }

    fn names(acts: &[Act]) -> Vec<&str> {
        acts.iter().map(|act| if let Act::Change(change) = act { change.name.as_str() } else { "-" }).collect()
    }

    #[test]
    fn health_is_spread_around_harmless_changes_and_every_fault_comes_once_before_any_comes_twice() {
        let twice = Changes { repeats: 2, ..Changes::default() };
        let plan = plan(Changes::default(), twice);
        let acts = order(&plan, &all(), 1).unwrap();
        assert_eq!(left_out(&plan, &all()), [LeftOut { fault: "e".into(), reason: "needs root".into() }]);
        let names = names(&acts);
        assert_eq!((names[0], names[2], names[4], names.len()), ("-", "-", "-", 5 + 8));
        assert!(names[1..4].contains(&"deploy") && names[1..4].contains(&"cron"));
        assert!(acts.contains(&Act::Healthy(Duration::from_secs(10))));
        for half in [&names[5..9], &names[9..]] {
            let mut half = half.to_vec();
            half.sort_unstable();
            assert_eq!(half, ["a", "b", "c", "d"], "what is missing something is left out");
        }
    }

    #[test]
    fn the_seed_decides_the_order_and_nothing_else_does() {
        let plan = plan(Changes { repeats: 0, ..Changes::default() }, Changes::default());
        let order = |seed| order(&plan, &all(), seed).unwrap();
        assert_eq!(order(7), order(7));
        assert!((0..20).any(|seed| order(seed) != order(7)));
    }

    #[test]
    fn a_name_that_there_is_not_is_refused() {
        let only = Changes { only: vec!["flok".into()], ..Changes::default() };
        let error = order(&plan(Changes::default(), only), &all(), 1).unwrap_err().to_string();
        assert_eq!(error, "no fault is called `flok`; there are a, b, c, d, e");
    }
}
