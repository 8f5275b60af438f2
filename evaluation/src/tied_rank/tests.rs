use super::*;

/// A ranking as text: groups are separated by `|`; `r` and `s` are right answers of two root
/// causes, `v` is only affected, `.` is any other suspect.
fn ranking(text: &str) -> TiedRanking {
    let has_second = text.contains('s');
    let count = |group: &str, wanted: char| group.chars().filter(|letter| *letter == wanted).count();
    let group = |group: &str| TieGroup {
        size: group.len(),
        right: if has_second { vec![count(group, 'r'), count(group, 's')] } else { vec![count(group, 'r')] },
        affected: count(group, 'v'),
    };
    TiedRanking { groups: text.split('|').map(group).collect() }
}

/// All orders of the letters within each group, with duplicates.
fn orders(text: &str) -> Vec<Vec<char>> {
    let mut orders = vec![Vec::new()];
    for group in text.split('|') {
        let permuted = permutations(&group.chars().collect::<Vec<_>>());
        orders =
            orders.iter().flat_map(|before: &Vec<char>| permuted.iter().map(|it| [&before[..], it].concat())).collect();
    }
    orders
}

fn permutations(letters: &[char]) -> Vec<Vec<char>> {
    if letters.is_empty() {
        return vec![Vec::new()];
    }
    let with_first = |at: usize| {
        let rest = [&letters[..at], &letters[at + 1..]].concat();
        permutations(&rest).into_iter().map(move |rest| [&[letters[at]], &rest[..]].concat())
    };
    (0..letters.len()).flat_map(with_first).collect()
}

#[track_caller]
fn check_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-12, "{what}: found {found}, expected {expected}");
}

/// Compares every figure with its mean over all orders of the ties.
#[track_caller]
fn check(text: &str) {
    let ranking = ranking(text);
    let orders = orders(text);
    let mean = |figure: &dyn Fn(&[char]) -> f64| orders.iter().map(|it| figure(it)).sum::<f64>() / orders.len() as f64;
    let is_right = |letter: &char| "rs".contains(*letter);
    let first = |order: &[char]| order.iter().position(is_right).unwrap() + 1;
    let causes = if text.contains('s') { "rs" } else { "r" };
    for k in 1..=6 {
        let accuracy = mean(&|order| {
            let among = &order[..k.min(order.len())];
            causes.chars().filter(|cause| among.contains(cause)).count() as f64 / causes.len().min(k) as f64
        });
        check_close(ranking.accuracy(k), accuracy, &format!("AC@{k} of {text}"));
        let strict = mean(&|order| {
            let special = order.iter().position(|letter| is_right(letter) || *letter == 'v').unwrap();
            if is_right(&order[special]) && special < k { 1.0 } else { 0.0 }
        });
        check_close(ranking.strict_accuracy(k), strict, &format!("strict@{k} of {text}"));
    }
    check_close(ranking.reciprocal_rank(), mean(&|order| 1.0 / first(order) as f64), &format!("reciprocal of {text}"));
    check_close(ranking.rank(), mean(&|order| first(order) as f64), &format!("rank of {text}"));
}

#[test]
fn figures_are_the_mean_over_all_orders_of_ties() {
    let rankings = [
        "r", ".|r", "r|v", "v|r", ".r", "..r.", ".|.r.v|.", "rv", "rvv", "r.|v", ".v|r", "......|r", "..|....r", "r|s",
        "rs", ".r|.s", ".rs.", "s|.|v|r", ".|s.v|r.", "rr..", ".rr|v",
    ];
    rankings.into_iter().for_each(check);
}

#[test]
fn a_ranking_of_ties_alone_has_the_expected_values_of_a_random_order() {
    let all_tied = ranking("r.........");
    assert!((1..=5).all(|k| (all_tied.accuracy(k) - k as f64 / 10.0).abs() < 1e-12));
    check_close(all_tied.rank(), 5.5, "rank");
}

#[test]
fn accuracy_grows_with_k_and_figures_stay_between_0_and_1() {
    // Every ranking of up to five suspects with one right answer and at most one affected node.
    for length in 1..=5_usize {
        for right in 0..length {
            for borders in 0..1_usize << (length - 1) {
                let mut text = String::new();
                for at in 0..length {
                    text.push(if at == right {
                        'r'
                    } else if at == (right + 2) % length {
                        'v'
                    } else {
                        '.'
                    });
                    if borders >> at & 1 == 1 && at + 1 < length {
                        text.push('|');
                    }
                }
                let ranking = ranking(&text);
                let accuracy: Vec<f64> = (1..=5).map(|k| ranking.accuracy(k)).collect();
                assert!(accuracy.windows(2).all(|pair| pair[0] <= pair[1] + 1e-12), "{text}: {accuracy:?}");
                assert!(accuracy.iter().all(|it| (0.0..=1.0 + 1e-12).contains(it)), "{text}: {accuracy:?}");
                let reciprocal = ranking.reciprocal_rank();
                assert!(accuracy[0] <= reciprocal + 1e-12 && reciprocal <= 1.0 + 1e-12, "{text}: {reciprocal}");
                assert!(1.0 / ranking.rank() <= reciprocal + 1e-12, "{text}: by Jensen's inequality");
                assert!(ranking.strict_accuracy(5) <= ranking.accuracy(5) + 1e-12, "{text}");
            }
        }
    }
}

fn suspect(role: &str, score: f64) -> Suspect {
    Suspect { score, ..Suspect::unscored("pod".into(), role, role) }
}

#[test]
fn unranked_candidates_tie_behind_all_that_are_ranked() {
    let candidates: Vec<Suspect> = ["a", "b", "c", "d"].map(|role| suspect(role, 0.0)).into();
    let ranking = vec![vec![suspect("a", 2.0)], vec![suspect("b", 1.0)]];
    let rank =
        |cause: &str| TiedRanking::new(&ranking, &candidates, &[vec![NodeLabel::Id(cause.to_owned())]], &[]).rank();
    assert_eq!([rank("a"), rank("b"), rank("c"), rank("d")], [1.0, 2.0, 3.5, 3.5]);
    assert_eq!(rank("unseen"), 4.0, "ties with c and d");
}

#[test]
fn a_renamed_process_is_not_ranked_twice() {
    let worker = |name: &str| Suspect { pid: Some(7), start_time: Some(1), ..suspect(name, 1.0) };
    let ranking = vec![vec![worker("python3")], vec![suspect("b", 0.5)]];
    let candidates = [worker("web"), suspect("b", 0.0)];
    let ranking = TiedRanking::new(&ranking, &candidates, &[vec![NodeLabel::Id("web".to_owned())]], &[]);
    assert_eq!(ranking.groups.iter().map(|group| group.size).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(ranking.rank(), 3.0, "it was ranked under its earlier name");
}

#[test]
fn an_affected_node_that_is_a_right_answer_is_not_only_affected() {
    let candidates = [suspect("a", 0.0), suspect("b", 0.0)];
    let label = |role: &str| NodeLabel::Id(role.to_owned());
    let ranking = vec![vec![suspect("a", 2.0)], vec![suspect("b", 1.0)]];
    let ranking = TiedRanking::new(&ranking, &candidates, &[vec![label("a")]], &[label("a"), label("b")]);
    assert_eq!(ranking.groups.iter().map(|group| group.affected).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(ranking.strict_accuracy(5), 1.0);
}
