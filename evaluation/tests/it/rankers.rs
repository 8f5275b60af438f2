//! What other rankers share with the one at work.

use std::collections::HashSet;

use evaluation::rankers::{Chance, Dependencies, Ranking, from_symptom};
use schemas::{Edge, GraphSnapshot, Node};

/// A web server that calls a shop, which calls a database and is called by it, on a host.
fn shop() -> GraphSnapshot {
    let node = |kind: &str, name: &str| Node {
        id: format!("{kind}:{name}"),
        kind: kind.into(),
        role: name.to_owned(),
        name: name.to_owned(),
        ..Node::default()
    };
    let calls = |source, target| Edge { source, target, kind: "calls".into(), ..Edge::default() };
    GraphSnapshot {
        nodes: vec![node("process", "web"), node("process", "shop"), node("process", "db"), node("system", "host")],
        edges: vec![calls(0, 1), calls(1, 2), calls(2, 1)],
        ..GraphSnapshot::default()
    }
}

#[test]
fn what_a_symptom_depends_on_is_found_however_far_away_and_through_rings() {
    let mut dependencies = Dependencies::default();
    dependencies.take(&shop());
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
    chance.take(&shop());
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
