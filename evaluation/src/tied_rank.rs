//! Accuracy and rank of a ranking with ties.
//!
//! Suspects that a ranker does not distinguish may come in any order. Each figure is its exact
//! expected value over all these orders, so that neither the order in which nodes are listed nor
//! the labels can influence it.

use std::collections::HashSet;

use schemas::Suspect;

use crate::{case::NodeLabel, rankers::Ranking};

/// Suspects with equal scores, counted by what the ground truth says about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TieGroup {
    /// Number of suspects.
    pub size: usize,
    /// Number of right answers, for each root cause.
    pub right: Vec<usize>,
    /// Number of suspects that are only affected.
    pub affected: usize,
}

/// A ranking as groups of tied suspects. Of each group it keeps how many suspects the ground truth
/// calls root causes, affected and neither.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TiedRanking {
    /// Groups of ties, the most suspect first. None is empty.
    pub groups: Vec<TieGroup>,
}

impl TiedRanking {
    /// Counts a ranking by the ground truth. Candidates that were not ranked share a last group,
    /// and so do root causes that were never seen.
    pub fn new(
        ranking: &Ranking,
        candidates: &[Suspect],
        root_causes: &[Vec<NodeLabel>],
        affected: &[NodeLabel],
    ) -> TiedRanking {
        let is_right = |suspect: &Suspect, cause: &[NodeLabel]| cause.iter().any(|label| label.matches(suspect));
        let is_only_affected = |suspect: &Suspect| {
            affected.iter().any(|label| label.matches(suspect))
                && !root_causes.iter().any(|cause| is_right(suspect, cause))
        };
        let count = |suspects: &[Suspect]| TieGroup {
            size: suspects.len(),
            right: root_causes
                .iter()
                .map(|cause| suspects.iter().filter(|suspect| is_right(suspect, cause)).count())
                .collect(),
            affected: suspects.iter().filter(|suspect| is_only_affected(suspect)).count(),
        };
        let mut groups: Vec<TieGroup> = ranking.iter().map(|suspects| count(suspects)).collect();
        let ranked: HashSet<Identity> = ranking.iter().flatten().map(identity).collect();
        let unranked = candidates.iter().filter(|candidate| !ranked.contains(&identity(candidate)));
        let unranked: Vec<Suspect> = unranked.cloned().collect();
        let last = count(&unranked).with_unseen(&groups);
        if last.size > 0 {
            groups.push(last);
        }
        TiedRanking { groups }
    }

    /// AC@k: the expected share of root causes among the first `k` suspects, relative to the lesser
    /// of `k` and their number (Pham et al., RCAEval, WWW 2025).
    pub fn accuracy(&self, k: usize) -> f64 {
        let causes = self.groups.first().map_or(0, |group| group.right.len());
        let found: f64 = (0..causes).map(|cause| self.first(|group| group.right[cause]).within(k)).sum();
        found / causes.min(k).max(1) as f64
    }

    /// Expected reciprocal rank of the first right answer.
    pub fn reciprocal_rank(&self) -> f64 {
        let first = self.first(TieGroup::right_answers);
        (1..=first.group_size).map(|position| first.exactly(position) / (first.before + position) as f64).sum()
    }

    /// Expected rank of the first right answer.
    pub fn rank(&self) -> f64 {
        let first = self.first(TieGroup::right_answers);
        first.before as f64 + (first.group_size + 1) as f64 / (first.wanted + 1) as f64
    }

    /// Probability that a right answer is among the first `k` suspects and before every suspect
    /// that is only affected.
    pub fn strict_accuracy(&self, k: usize) -> f64 {
        let right_or_affected = |group: &TieGroup| group.right_answers() + group.affected;
        let first = self.first(right_or_affected);
        let group = self.groups.iter().find(|group| right_or_affected(group) > 0);
        // Each of them is equally likely to be the first of its group.
        let right_share = group.map_or(0.0, |group| group.right_answers() as f64 / right_or_affected(group) as f64);
        first.within(k) * right_share
    }

    fn first(&self, wanted: impl Fn(&TieGroup) -> usize) -> FirstWanted {
        let mut before = 0;
        for group in &self.groups {
            if wanted(group) > 0 {
                return FirstWanted { before, group_size: group.size, wanted: wanted(group) };
            }
            before += group.size;
        }
        FirstWanted { before, group_size: 0, wanted: 0 }
    }
}

impl TieGroup {
    /// Number of right answers of any root cause. A suspect may be right for several of them, but
    /// there are no more right answers than suspects.
    fn right_answers(&self) -> usize {
        self.right.iter().sum::<usize>().min(self.size - self.affected.min(self.size))
    }

    /// Adds one suspect for each root cause that is in no group.
    fn with_unseen(mut self, groups: &[TieGroup]) -> TieGroup {
        for cause in 0..self.right.len() {
            if self.right[cause] == 0 && groups.iter().all(|group| group.right[cause] == 0) {
                self.right[cause] = 1;
                self.size += 1;
            }
        }
        self
    }
}

/// Pid and start time, path, endpoint, and role or kind: the same in all sweeps, even if the name
/// of a process changes. A node of a foreign graph has its role alone.
type Identity<'a> = (Option<(i64, Option<i64>)>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn identity(suspect: &Suspect) -> Identity<'_> {
    match (suspect.pid, suspect.path.as_deref(), suspect.endpoint.as_deref()) {
        (Some(pid), ..) => (Some((pid, suspect.start_time)), None, None, None),
        (None, None, None) => (None, None, None, Some(suspect.role.as_str())),
        (None, path, endpoint) => (None, path, endpoint, Some(suspect.kind.as_str())),
    }
}

/// The first of `wanted` suspects in a group of `group_size` ties, with `before` suspects in the
/// groups before it.
struct FirstWanted {
    before: usize,
    group_size: usize,
    wanted: usize,
}

impl FirstWanted {
    /// Probability that it is among the first `k` of the ranking.
    fn within(&self, k: usize) -> f64 {
        let positions = k.saturating_sub(self.before).min(self.group_size);
        1.0 - self.missed(positions)
    }

    /// Probability that it is at `position` of its group, from 1.
    fn exactly(&self, position: usize) -> f64 {
        self.missed(position - 1) - self.missed(position)
    }

    /// Probability that none of the wanted is at the first `positions` of the group.
    fn missed(&self, positions: usize) -> f64 {
        let later = |placed: usize| {
            (self.group_size - placed).saturating_sub(positions) as f64 / (self.group_size - placed) as f64
        };
        (0..self.wanted).map(later).product()
    }
}

#[cfg(test)]
mod tests;
