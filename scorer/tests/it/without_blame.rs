//! Root causes without blame.

use scorer::blame;

use crate::fixture::scored_graph;

const SHOP: &str = "process web cpu_pct=2
                    process shop cpu_pct=3
                    process db
                    system host cpu_pct=9
                    web > shop calls
                    shop > db calls
                    db > shop calls";

#[test]
fn without_blame_each_alarming_node_is_a_root_cause() {
    let scored = scored_graph(0, SHOP);
    let candidates = blame::without_blame(&scored);
    let roots: Vec<&str> = candidates.iter().map(|it| scored.graph.nodes()[it.root].name.as_str()).collect();
    assert_eq!(roots, ["shop", "web"]);
    assert!(candidates.iter().all(|it| it.affected.is_empty() && it.alarming == [it.root]));
}
