//! Finds circles in a directed graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Circles of at least `least` nodes, the shortest first, no two of which share an edge.
pub fn find(edges: &BTreeSet<(String, String)>, least: usize) -> Vec<Vec<String>> {
    let mut circles = shortest_circles(edges, least);
    circles.sort_by_key(Vec::len);
    let mut used = BTreeSet::new();
    circles.retain(|circle| {
        let next = circle.iter().skip(1).chain(circle.first());
        let edges: Vec<(String, String)> = circle.iter().cloned().zip(next.cloned()).collect();
        let is_new = edges.iter().all(|edge| !used.contains(edge));
        if is_new {
            used.extend(edges);
        }
        is_new
    });
    circles
}

/// The shortest circle through each edge, from its first node.
fn shortest_circles(edges: &BTreeSet<(String, String)>, least: usize) -> Vec<Vec<String>> {
    let mut circles = BTreeSet::new();
    for (from, to) in edges {
        // A circle of two is the edge and its reverse; without the reverse a longer one is found.
        let is_allowed = |edge: &(&String, &String)| least <= 2 || *edge != (to, from);
        if let Some(mut circle) = path(edges, to, from, is_allowed) {
            let first = circle.iter().enumerate().min_by_key(|(_, node)| *node).map_or(0, |(at, _)| at);
            circle.rotate_left(first);
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

/// The nodes of the shortest path, both ends included.
fn path(
    edges: &BTreeSet<(String, String)>,
    start: &String,
    end: &String,
    is_allowed: impl Fn(&(&String, &String)) -> bool,
) -> Option<Vec<String>> {
    let mut before: BTreeMap<&String, &String> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        if node == end {
            break;
        }
        for (from, to) in edges.iter().filter(|(from, _)| from == node) {
            if to != start && is_allowed(&(from, to)) && !before.contains_key(to) {
                before.insert(to, from);
                queue.push_back(to);
            }
        }
    }
    let mut nodes = vec![end.clone()];
    let mut node = end;
    while node != start {
        node = before.get(node)?;
        nodes.push(node.clone());
    }
    nodes.reverse();
    Some(nodes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::find;

    fn circles(edges: &str, least: usize) -> Vec<String> {
        let edges: BTreeSet<(String, String)> =
            edges.split(' ').map(|edge| (edge[..1].to_owned(), edge[1..].to_owned())).collect();
        find(&edges, least).into_iter().map(|circle| circle.concat()).collect()
    }

    #[test]
    fn circles_are_found_by_their_least_length() {
        assert_eq!(circles("ab ba bc", 2), ["ab"]);
        assert_eq!(circles("ab ba bc cb", 3), [""; 0]);
        assert_eq!(circles("ab bc ca cb", 3), ["abc"]);
        assert_eq!(circles("ab bc ca ad db", 3), ["abc"]);
        assert_eq!(circles("ab bc cd", 2), [""; 0]);
    }
}
