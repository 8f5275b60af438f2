//! The steps of an experiment, in an order that a seed decides.

use std::time::Duration;

use rand::{SeedableRng, rngs::SmallRng, seq::SliceRandom};

use super::plan::{Plan, ScenarioGroup};
use crate::case_list::SkippedScenario;

/// A fault or benign change that this program can inject.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name of the fault or benign change.
    pub name: String,
    /// Family of the fault.
    pub family: String,
    /// Whether it is a benign change.
    pub is_benign: bool,
    /// Why it cannot be injected on this host, if so.
    pub unavailable: Option<String>,
}

/// One step of an experiment.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Healthy operation for this long.
    Healthy(Duration),
    /// A fault or benign change.
    Scenario(Scenario),
}

/// Schedules the steps after the time to learn from: first benign changes with healthy operation
/// around them, then faults. Each kind is in an order that `seed` decides. Scenarios that are not
/// available are skipped.
///
/// # Errors
/// If the plan names a scenario that does not exist.
pub fn schedule_steps(plan: &Plan, scenarios: &[Scenario], seed: u64) -> anyhow::Result<Vec<Step>> {
    let mut random = SmallRng::seed_from_u64(seed);
    let benign = select(&plan.benign, scenarios, true, &mut random)?;
    let healthy = plan.healthy.evaluate / u32::try_from(benign.len() + 1).unwrap_or(u32::MAX);
    let mut steps = vec![Step::Healthy(healthy)];
    for scenario in benign {
        steps.extend([Step::Scenario(scenario), Step::Healthy(healthy)]);
    }
    steps.retain(|step| !matches!(step, Step::Healthy(Duration::ZERO)));
    steps.extend(select(&plan.faults, scenarios, false, &mut random)?.into_iter().map(Step::Scenario));
    Ok(steps)
}

/// The scenarios of a plan that are not available on this host.
pub fn skipped_scenarios(plan: &Plan, scenarios: &[Scenario]) -> Vec<SkippedScenario> {
    let is_wanted = |scenario: &&Scenario| {
        let group = plan.group(scenario.is_benign);
        group.repeats > 0 && group.includes(&scenario.name)
    };
    let wanted = scenarios.iter().filter(is_wanted);
    wanted
        .filter_map(|scenario| {
            let reason = scenario.unavailable.clone()?;
            Some(SkippedScenario { fault: scenario.name.clone(), reason })
        })
        .collect()
}

fn select(
    group: &ScenarioGroup,
    scenarios: &[Scenario],
    is_benign: bool,
    random: &mut SmallRng,
) -> anyhow::Result<Vec<Scenario>> {
    let of_kind = || scenarios.iter().filter(|scenario| scenario.is_benign == is_benign);
    if let Some(unknown) = group.only.iter().find(|only| of_kind().all(|scenario| scenario.name != **only)) {
        let known: Vec<&str> = of_kind().map(|scenario| scenario.name.as_str()).collect();
        let kind = if is_benign { "benign changes" } else { "faults" };
        anyhow::bail!("expected one of the {kind} {}, found `{unknown}`", known.join(", "));
    }
    let available: Vec<&Scenario> =
        of_kind().filter(|scenario| group.includes(&scenario.name) && scenario.unavailable.is_none()).collect();
    let mut selected = Vec::new();
    // Each scenario once before any of them twice, so that an interrupted experiment has most of
    // them.
    for _ in 0..group.repeats {
        let mut round: Vec<Scenario> = available.iter().map(|scenario| (*scenario).clone()).collect();
        round.shuffle(random);
        selected.append(&mut round);
    }
    Ok(selected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::plan::{Healthy, Workload};

    fn plan(benign: ScenarioGroup, faults: ScenarioGroup) -> Plan {
        let workload = Workload { start: vec![], stop: vec![], folder: None, latencies: None, settle: Duration::ZERO };
        let healthy = Healthy { learn: Duration::from_secs(60), evaluate: Duration::from_secs(30) };
        Plan { system: "shop".into(), workload, healthy, benign, faults }
    }

    fn scenario(name: &str, is_benign: bool, unavailable: Option<&str>) -> Scenario {
        let unavailable = unavailable.map(str::to_owned);
        Scenario { name: name.into(), family: "f".into(), is_benign, unavailable }
    }

    fn scenarios() -> Vec<Scenario> {
        let mut all: Vec<Scenario> = ["a", "b", "c", "d"].iter().map(|name| scenario(name, false, None)).collect();
        all.push(scenario("e", false, Some("needs root")));
        all.extend([scenario("deploy", true, None), scenario("cron", true, None)]);
        all
    }

    fn names(steps: &[Step]) -> Vec<&str> {
        steps
            .iter()
            .map(|step| if let Step::Scenario(scenario) = step { scenario.name.as_str() } else { "-" })
            .collect()
    }

    #[test]
    fn healthy_steps_surround_benign_changes_and_every_fault_comes_once_before_any_comes_twice() {
        let twice = ScenarioGroup { repeats: 2, ..ScenarioGroup::default() };
        let plan = plan(ScenarioGroup::default(), twice);
        let steps = schedule_steps(&plan, &scenarios(), 1).unwrap();
        let skipped = [SkippedScenario { fault: "e".into(), reason: "needs root".into() }];
        assert_eq!(skipped_scenarios(&plan, &scenarios()), skipped);
        let names = names(&steps);
        assert_eq!((names[0], names[2], names[4], names.len()), ("-", "-", "-", 5 + 8));
        assert!(names[1..4].contains(&"deploy") && names[1..4].contains(&"cron"));
        assert!(steps.contains(&Step::Healthy(Duration::from_secs(10))));
        for half in [&names[5..9], &names[9..]] {
            let mut half = half.to_vec();
            half.sort_unstable();
            assert_eq!(half, ["a", "b", "c", "d"], "unavailable faults are skipped");
        }
    }

    #[test]
    fn only_the_seed_decides_the_order() {
        let plan = plan(ScenarioGroup { repeats: 0, ..ScenarioGroup::default() }, ScenarioGroup::default());
        let order = |seed| schedule_steps(&plan, &scenarios(), seed).unwrap();
        assert_eq!(order(7), order(7));
        assert!((0..20).any(|seed| order(seed) != order(7)));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let only = ScenarioGroup { only: vec!["flok".into()], ..ScenarioGroup::default() };
        let error = schedule_steps(&plan(ScenarioGroup::default(), only), &scenarios(), 1).unwrap_err().to_string();
        assert_eq!(error, "expected one of the faults a, b, c, d, e, found `flok`");
    }
}
