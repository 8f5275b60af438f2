//! At which place the right answer stands, where several may stand together.
//!
//! Suspects that a ranker does not tell apart may come in any order, each as likely: figures are what is expected of a random one,
//! reckoned and not drawn. So neither the order in which nodes happen to be listed nor the labels can help.

use std::collections::HashSet;

use schemas::Suspect;

use super::{cases::Label, rankers::Ranking};

/// Who stands together, by what is true of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// How many they are.
    pub size: usize,
    /// How many of them are right answers, for each cause.
    pub right: Vec<usize>,
    /// How many of them only suffer.
    pub victims: usize,
}

/// A ranking by what is true of it, the most suspect first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    /// Groups that each hold somebody.
    pub groups: Vec<Group>,
}

impl Places {
    /// Sorts a ranking's groups by what is true. Whoever it does not rank stands behind all it does; a cause that was nowhere to be
    /// seen stands there too.
    pub fn of(ranking: &Ranking, members: &[Suspect], causes: &[Vec<Label>], victims: &[Label]) -> Places {
        let is_right = |suspect: &Suspect, cause: &[Label]| cause.iter().any(|label| label.is(suspect));
        let is_victim = |suspect: &Suspect| {
            victims.iter().any(|label| label.is(suspect)) && !causes.iter().any(|cause| is_right(suspect, cause))
        };
        let group = |suspects: &[Suspect]| Group {
            size: suspects.len(),
            right: causes
                .iter()
                .map(|cause| suspects.iter().filter(|suspect| is_right(suspect, cause)).count())
                .collect(),
            victims: suspects.iter().filter(|suspect| is_victim(suspect)).count(),
        };
        let mut groups: Vec<Group> = ranking.iter().map(|suspects| group(suspects)).collect();
        let ranked: HashSet<Identity> = ranking.iter().flatten().map(identity).collect();
        let unranked: Vec<Suspect> =
            members.iter().filter(|member| !ranked.contains(&identity(member))).cloned().collect();
        let unranked = group(&unranked).with_unseen(&groups);
        if unranked.size > 0 {
            groups.push(unranked);
        }
        Places { groups }
    }

    /// How much of what is right is expected among the first `k`: of each cause whether it is there, in the mean over as many as can
    /// be (AC@k of Pham et al., RCAEval, WWW 2025).
    pub fn accuracy(&self, k: usize) -> f64 {
        let causes = self.groups.first().map_or(0, |group| group.right.len());
        let found: f64 = (0..causes).map(|cause| self.first(|group| group.right[cause]).within(k)).sum();
        found / causes.min(k).max(1) as f64
    }

    /// The reciprocal of the first right answer's place.
    pub fn reciprocal(&self) -> f64 {
        let first = self.first(Group::any_right);
        (1..=first.group_size).map(|at| first.exactly(at) / (first.before + at) as f64).sum()
    }

    /// The place of the first right answer.
    pub fn rank(&self) -> f64 {
        let first = self.first(Group::any_right);
        first.before as f64 + (first.group_size + 1) as f64 / (first.wanted + 1) as f64
    }

    /// Whether a right answer is among the first `k` and before every one who only suffers.
    pub fn before_victims(&self, k: usize) -> f64 {
        let first = self.first(|group| group.any_right() + group.victims);
        let group = self.groups.iter().find(|group| group.any_right() + group.victims > 0);
        // The first of all of these is right as often as a part of them is.
        let right = group.map_or(0.0, |group| group.any_right() as f64 / (group.any_right() + group.victims) as f64);
        first.within(k) * right
    }

    fn first(&self, wanted: impl Fn(&Group) -> usize) -> First {
        let mut before = 0;
        for group in &self.groups {
            if wanted(group) > 0 {
                return First { before, group_size: group.size, wanted: wanted(group) };
            }
            before += group.size;
        }
        First { before, group_size: 0, wanted: 0 }
    }
}

impl Group {
    /// Right answers of any cause. One that is right twice is counted once at most as often as there are places.
    fn any_right(&self) -> usize {
        self.right.iter().sum::<usize>().min(self.size - self.victims.min(self.size))
    }

    /// A cause that is in no group is taken for one more who was not ranked.
    fn with_unseen(mut self, groups: &[Group]) -> Group {
        for cause in 0..self.right.len() {
            if self.right[cause] == 0 && groups.iter().all(|group| group.right[cause] == 0) {
                self.right[cause] = 1;
                self.size += 1;
            }
        }
        self
    }
}

/// What is the same of a node in all sweeps, whatever it is called. In a foreign graph that is its role alone.
type Identity<'a> = (Option<(i64, Option<i64>)>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn identity(suspect: &Suspect) -> Identity<'_> {
    match (suspect.pid, suspect.path.as_deref(), suspect.endpoint.as_deref()) {
        (Some(pid), ..) => (Some((pid, suspect.start_time)), None, None, None),
        (None, None, None) => (None, None, None, Some(suspect.role.as_str())),
        (None, path, endpoint) => (None, path, endpoint, Some(suspect.kind.as_str())),
    }
}

/// The first of those who are wanted: within one group, in random order, behind others.
struct First {
    before: usize,
    group_size: usize,
    wanted: usize,
}

impl First {
    /// How likely it is among the first `k`.
    fn within(&self, k: usize) -> f64 {
        let looked_at = k.saturating_sub(self.before).min(self.group_size);
        1.0 - self.missed(looked_at)
    }

    /// How likely it is at that place of its group, from 1.
    fn exactly(&self, at: usize) -> f64 {
        self.missed(at - 1) - self.missed(at)
    }

    /// How likely none of the wanted is among the first so many of the group.
    fn missed(&self, looked_at: usize) -> f64 {
        let left = |at: usize| (self.group_size - at).saturating_sub(looked_at) as f64 / (self.group_size - at) as f64;
        (0..self.wanted).map(left).product()
    }
}

#[cfg(test)]
mod tests;
