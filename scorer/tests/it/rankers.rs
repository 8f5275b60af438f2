//! What other rankers share with the one at work.

use std::collections::HashSet;

use scorer::{
    blame,
    rankers::{Chance, Dependencies, Ranking, from_symptom},
};

use crate::fixture::judged;

const SHOP: &str = "process web cpu_pct=2
                    process shop cpu_pct=3
                    process db
                    system host cpu_pct=9
                    web > shop calls
                    shop > db calls
                    db > shop calls";

#[test]
fn without_blame_each_alarming_node_is_a_case_of_its_own() {
    let judged = judged(0, SHOP);
    let cases = blame::without_blame(&judged);
    let roots: Vec<&str> = cases.iter().map(|case| judged.graph.nodes()[case.root].name.as_str()).collect();
    assert_eq!(roots, ["shop", "web"]);
    assert!(cases.iter().all(|case| case.victims.is_empty() && case.alarming == [case.root]));
}

#[test]
fn what_a_symptom_depends_on_is_found_however_far_away_and_through_rings() {
    let mut dependencies = Dependencies::default();
    dependencies.take(judged(0, SHOP).graph.snapshot());
    let reached = |role: &str| {
        let mut reached: Vec<String> = dependencies.reached_from(role).into_iter().collect();
        reached.sort();
        reached.join(" ")
    };
    assert_eq!([reached("web"), reached("db"), reached("host")], ["db shop web", "db shop", "host"]);
}

#[test]
fn who_is_told_the_symptom_keeps_the_order_and_the_ties_within_each_part() {
    let mut chance = Chance::new(0);
    chance.take(judged(0, SHOP).graph.snapshot());
    let everyone = chance.everyone(0);
    let named = |name: &str| everyone.iter().find(|suspect| suspect.name == name).unwrap().clone();
    let names = |ranking: &Ranking| {
        let group =
            |group: &Vec<schemas::Suspect>| group.iter().map(|it| it.name.clone()).collect::<Vec<_>>().join("=");
        ranking.iter().map(group).collect::<Vec<_>>().join(" > ")
    };
    assert_eq!(names(&vec![everyone.clone()]), "db=shop=web", "the host itself is no suspect");
    let reached = HashSet::from(["db".to_owned(), "shop".to_owned()]);
    let told = from_symptom(&vec![vec![named("web"), named("shop")], vec![named("db")]], &reached);
    assert_eq!(names(&told), "shop > db > web");
}
