//! What the rankers besides the detective have in common.

use std::collections::HashSet;

use evaluation::rankers::{Dependencies, RandomRanker, Ranking, prefer_reachable};
use schemas::{Edge, GraphSnapshot, Node, Suspect};

/// A web server that calls a shop, which calls a database and is called back by it, on a host.
fn snapshot() -> GraphSnapshot {
    let node = |kind: &str, name: &str| Node {
        id: format!("{kind}:{name}"),
        kind: kind.into(),
        role: name.to_owned(),
        name: name.to_owned(),
        ..Node::default()
    };
    let call = |source, target| Edge { source, target, kind: "calls".into(), ..Edge::default() };
    GraphSnapshot {
        nodes: vec![node("process", "web"), node("process", "shop"), node("process", "db"), node("system", "host")],
        edges: vec![call(0, 1), call(1, 2), call(2, 1)],
        ..GraphSnapshot::default()
    }
}

#[test]
fn dependencies_are_transitive_and_may_be_circular() {
    let mut dependencies = Dependencies::default();
    dependencies.push(&snapshot());
    let reachable = |role: &str| {
        let mut reachable: Vec<String> = dependencies.reachable_from(role).into_iter().collect();
        reachable.sort();
        reachable.join(" ")
    };
    assert_eq!([reachable("web"), reachable("db"), reachable("host")], ["db shop web", "db shop", "host"]);
}

#[test]
fn reachable_suspects_come_first_and_order_and_ties_stay() {
    let mut random = RandomRanker::new(0);
    random.push(&snapshot());
    let suspects = random.suspects(0);
    let named = |name: &str| suspects.iter().find(|suspect| suspect.name == name).unwrap().clone();
    let names = |ranking: &Ranking| {
        let group = |group: &Vec<Suspect>| group.iter().map(|it| it.name.clone()).collect::<Vec<_>>().join("=");
        ranking.iter().map(group).collect::<Vec<_>>().join(" > ")
    };
    assert_eq!(names(&vec![suspects.clone()]), "db=shop=web", "the host itself is not a suspect");
    let reachable = HashSet::from(["db".to_owned(), "shop".to_owned()]);
    let ranking = vec![vec![named("web"), named("shop")], vec![named("db")]];
    assert_eq!(names(&prefer_reachable(&ranking, &reachable)), "shop > db > web");
}
