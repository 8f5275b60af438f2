//! What is told where nobody is blamed.

use scorer::blame;

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
