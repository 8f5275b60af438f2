//! What each ranker answers to a question. Who ranks is given the question, and nothing that is true.

use std::collections::HashSet;

use anyhow::Context;
use graph::Profile;
use schemas::{GraphSnapshot, Suspect, Timestamp};
use service::Hint;

use super::{
    cases::{Form, Question},
    lesson::{LEARNERS, Learned, School, Watches, days},
    lines::Phase,
    rankers::{Chance, Dependencies, Ranking, Sweep, Watch, from_symptom},
    stream,
};

/// Of a recording, the ranking is that of so long before it is asked for, as `GET /api/suspects` is asked.
const WINDOW_MS: i64 = 12_000;
const TIMES: &str = "a recording begins before its fault and ends behind it, and times are seconds after 1970";

/// All answers to one question.
#[derive(Clone, Debug)]
pub struct Answers {
    /// Who could have been named.
    pub members: Vec<Suspect>,
    /// In the order of [`LEARNERS`], then the one who knows nothing.
    pub of: Vec<Answer>,
}

/// What one ranker answers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its ranking.
    pub ranking: Ranking,
    /// Its ranking if it is told the symptom.
    pub hinted: Option<Ranking>,
    /// What it said of each sweep; none of one who does not look.
    pub sweeps: Option<Vec<Sweep>>,
    /// How much of a day a sweep stands for.
    pub days_per_sweep: f64,
}

/// The rankers, about to look at a host for the first time.
pub fn begin<'a>(school: &School, form: Form, learned: &'a Learned) -> Watches<'a> {
    school.watch(&learned.rankers, window_ms(form))
}

fn window_ms(form: Form) -> i64 {
    if form == Form::Lines { i64::MAX } else { WINDOW_MS }
}

/// Asks all rankers, which may have looked at the host before.
///
/// # Errors
/// If a snapshot cannot be read or judged, there is none at the time in question, or a candidate is in none.
pub fn sit<'a>(question: &'a Question, learned: &'a Learned, watches: &'a mut Watches<'_>) -> anyhow::Result<Answers> {
    let mut room = Room::new(question, learned, watches);
    for seen in stream::open(question.form, &question.folder, &question.file, &question.system, false)? {
        let (phase, snapshot) = seen?;
        if phase == Phase::Faulty {
            let name = || format!("`{}`, snapshot {}", question.file, snapshot.sequence);
            room.take(&snapshot).with_context(name)?;
        }
    }
    if room.days_per_sweep == 0.0 {
        return Err(anyhow::anyhow!("`{}` has no snapshots of the phase `faulty`", question.file))
            .hint("the rankers need something to look at");
    }
    room.finish()
}

/// All rankers over one case.
struct Room<'a, 'b> {
    question: &'a Question,
    learned: &'a Learned,
    window_ms: i64,
    watches: &'a mut Watches<'b>,
    sweeps: [Vec<Sweep>; 3],
    chance: Chance,
    dependencies: Dependencies,
    seen: HashSet<String>,
    days_per_sweep: f64,
    newest: Timestamp,
    /// The rankings and who could be named, once the time has come.
    asked: Option<([Ranking; 3], Vec<Suspect>)>,
}

impl<'a, 'b> Room<'a, 'b> {
    fn new(question: &'a Question, learned: &'a Learned, watches: &'a mut Watches<'b>) -> Room<'a, 'b> {
        let window_ms = window_ms(question.form);
        Room {
            question,
            learned,
            window_ms,
            watches,
            sweeps: Default::default(),
            chance: Chance::new(window_ms),
            dependencies: Dependencies::default(),
            seen: HashSet::new(),
            days_per_sweep: 0.0,
            newest: Timestamp::default(),
            asked: None,
        }
    }

    fn take(&mut self, snapshot: &GraphSnapshot) -> anyhow::Result<()> {
        let is_time = self.question.asked_at.is_some_and(|asked_at| snapshot.ended_at > asked_at);
        if is_time && self.asked.is_none() {
            self.asked = Some(self.ask());
        }
        self.chance.take(snapshot);
        self.dependencies.take(snapshot);
        self.seen.extend(snapshot.nodes.iter().map(|node| node.role.clone()));
        self.days_per_sweep = days(snapshot);
        self.newest = snapshot.ended_at;
        let watched = self.watches.iter_mut().zip(&mut self.sweeps).zip(LEARNERS);
        for (at, ((watch, sweeps), (_, profile))) in watched.enumerate() {
            let mut sweep = take(watch, profile, self.question.form, snapshot)?;
            // Each sweep's suspects are drawn of the first ranker alone, and there is no room for a day of all.
            if at > 0 {
                sweep.suspects = Vec::new();
            }
            sweeps.push(sweep);
        }
        Ok(())
    }

    /// The rankings as they are now, and who could be named.
    fn ask(&self) -> ([Ranking; 3], Vec<Suspect>) {
        let rankings = self.watches.each_ref().map(|watch| watch.ranking(self.window_ms));
        (rankings, self.chance.everyone(self.window_ms))
    }

    fn finish(mut self) -> anyhow::Result<Answers> {
        let late_ms = self.question.asked_at.map_or(0, |asked_at| asked_at.millis_since(self.newest));
        if late_ms > WINDOW_MS {
            let late = late_ms / 1000;
            return Err(anyhow::anyhow!("`{}` ends {late} s before `t_end`", self.question.file)).hint(TIMES);
        }
        let asked = self.asked.take();
        let (rankings, everyone) = asked.unwrap_or_else(|| self.ask());
        if everyone.is_empty() {
            return Err(anyhow::anyhow!("`{}` shows nobody who may be suspected before `t_end`", self.question.file))
                .hint(TIMES);
        }
        let members = if self.question.candidates.is_empty() { everyone } else { self.candidates()? };
        let reached = self.reached()?;
        let answer = |ranking: Ranking, sweeps| Answer {
            hinted: reached.as_ref().map(|reached| from_symptom(&with_unranked(&ranking, &members), reached)),
            ranking,
            sweeps,
            days_per_sweep: self.days_per_sweep,
        };
        let learners = rankings.into_iter().zip(self.sweeps).map(|(ranking, sweeps)| {
            let ranking = of_candidates(ranking, &self.question.candidates);
            answer(ranking, Some(sweeps))
        });
        let mut of: Vec<Answer> = learners.collect();
        of.push(answer(vec![members.clone()], None));
        Ok(Answers { members, of })
    }

    /// The roles of what the symptom depends on, and its own.
    fn reached(&self) -> anyhow::Result<Option<HashSet<String>>> {
        let Some(symptom) = &self.question.symptom else { return Ok(None) };
        self.check_seen(symptom, "symptom")?;
        Ok(Some(self.dependencies.reached_from(symptom)))
    }

    fn check_seen(&self, role: &String, what: &str) -> anyhow::Result<()> {
        if self.seen.contains(role) || self.learned.roles.contains(role) {
            return Ok(());
        }
        Err(anyhow::anyhow!("`{}`: the {what} `{role}` is in no snapshot", self.question.file))
            .hint(format!("a {what} is the id of a node"))
    }

    fn candidates(&self) -> anyhow::Result<Vec<Suspect>> {
        let candidates = &self.question.candidates;
        candidates.iter().try_for_each(|role| self.check_seen(role, "candidate"))?;
        Ok(candidates.iter().map(|role| Suspect::unjudged("".into(), role, role)).collect())
    }
}

fn take(watch: &mut Watch, profile: Profile, form: Form, snapshot: &GraphSnapshot) -> anyhow::Result<Sweep> {
    Ok(watch.take(stream::as_seen_by(profile, form, snapshot.clone()))?)
}

fn of_candidates(ranking: Ranking, candidates: &[String]) -> Ranking {
    if candidates.is_empty() {
        return ranking;
    }
    let is_candidate = |suspect: &Suspect| candidates.contains(&suspect.role);
    let groups = ranking.into_iter().map(|group| group.into_iter().filter(is_candidate).collect::<Vec<_>>());
    groups.filter(|group| !group.is_empty()).collect()
}

/// Whoever was not ranked stands behind all who were, also for one who is told the symptom.
fn with_unranked(ranking: &Ranking, members: &[Suspect]) -> Ranking {
    let ranked: HashSet<&str> = ranking.iter().flatten().map(|suspect| suspect.role.as_str()).collect();
    let unranked = members.iter().filter(|member| !ranked.contains(member.role.as_str())).cloned();
    ranking.iter().cloned().chain([unranked.collect()]).collect()
}
