//! What a container is called, whenever it is made anew: the owner of its pod, or the host name that somebody chose.

use hostread::parse::{cgroup_path as path, environ::ContainerNames};

use crate::collect::role::fold_digits;

/// What a container of which nobody says more is called in roles.
pub const UNNAMED: &str = "container";

/// The name of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What of it outlives the container.
    pub role: String,
    /// As it is told.
    pub name: String,
}

/// The name of the container with that id on the host of that name, from what its environment says.
pub fn from_environment(names: &ContainerNames<'_>, id: &str, host: &str) -> Option<Label> {
    let pod_label = |name: &str| {
        let full = |name: &str| names.namespace.map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
        Label { role: full(&owner(name)), name: full(name) }
    };
    // The first twelve digits of the id are its manager's choice; on the host's own network it is the host's name.
    let is_from_id = |hostname: &str| hostname.len() >= 12 && id.starts_with(hostname);
    let chosen = names.hostname.filter(|hostname| !is_from_id(hostname) && *hostname != host);
    let label = match names.pod.or(chosen.filter(|_| names.kubernetes)) {
        Some(pod) => pod_label(pod),
        None => plain_label(chosen?),
    };
    if_meaningful(label)
}

/// The name of a container of LXC, which has no other.
pub fn from_lxc_path(group: &str) -> Option<Label> {
    path::find_lxc_name(group).map(plain_label).and_then(if_meaningful)
}

fn plain_label(name: &str) -> Label {
    Label { role: fold_digits(name), name: name.to_owned() }
}

/// A name of which folding leaves nothing is a number or was drawn by lot.
fn if_meaningful(label: Label) -> Option<Label> {
    label.role.contains(|character: char| character.is_ascii_alphabetic()).then_some(label)
}

/// Whose pod it is: without what Kubernetes adds to the names of those that a Deployment, ReplicaSet, DaemonSet, Job or CronJob
/// owns, and with digits folded, as those at the end of a StatefulSet's.
fn owner(pod: &str) -> String {
    let Some(rest) = without_end(pod, is_random) else { return fold_digits(pod) };
    fold_digits(without_end(rest, |end| is_template_hash(end) || is_schedule(end)).unwrap_or(rest))
}

fn without_end(name: &str, is_added: impl FnOnce(&str) -> bool) -> Option<&str> {
    let (rest, end) = name.rsplit_once('-')?;
    (!rest.is_empty() && is_added(end)).then_some(rest)
}

/// Five letters and digits of those that Kubernetes draws from: no vowels, nor what looks like one.
fn is_random(end: &str) -> bool {
    const DRAWN: &str = "bcdfghjklmnpqrstvwxz2456789";
    end.len() == 5 && end.chars().all(|character| DRAWN.contains(character))
}

/// A number of 32 bits, whose decimal digits Kubernetes writes as ten of the same letters and digits.
fn is_template_hash(end: &str) -> bool {
    const DIGITS: &str = "456789bcdf";
    (6..=10).contains(&end.len()) && end.chars().all(|character| DIGITS.contains(character))
}

/// The time that a CronJob's job is of, in minutes or seconds.
fn is_schedule(end: &str) -> bool {
    (8..=10).contains(&end.len()) && end.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn role(names: ContainerNames<'_>) -> Option<String> {
        from_environment(&names, ID, "node-1").map(|label| label.role)
    }

    #[test]
    fn the_owner_of_a_pod_outlives_it() {
        for (pod, expected) in [
            ("coredns-558bd4d5db-x7xqz", "coredns"),
            ("web-v2-7d9f8c6b5f-2xk4t", "web-v#"),
            ("kube-proxy-lw8rk", "kube-proxy"),
            ("backup-28431360-z9xct", "backup"),
            ("migrate-0-hq5wn", "migrate-#"),
            ("orders-db-12", "orders-db-#"),
            ("etcd-node3", "etcd-node#"),
            ("my-redis", "my-redis"),
            ("x7xqz", "x#xqz"),
        ] {
            assert_eq!(owner(pod), expected, "{pod}");
        }
    }

    #[test]
    fn a_pod_is_told_with_its_namespace_where_both_are_known() {
        let names =
            ContainerNames { hostname: Some("api-558bd4d5db-x7xqz"), kubernetes: true, ..ContainerNames::default() };
        assert_eq!(role(names).as_deref(), Some("api"));
        let told = ContainerNames { namespace: Some("pay"), ..names };
        let label = Label { role: "pay/api".into(), name: "pay/api-558bd4d5db-x7xqz".into() };
        assert_eq!(from_environment(&told, ID, "node-1"), Some(label));
        let on_the_hosts_network = ContainerNames { hostname: Some("node-1"), ..told };
        assert_eq!(role(on_the_hosts_network), None);
        assert_eq!(
            role(ContainerNames { pod: Some("proxy-0"), ..on_the_hosts_network }).as_deref(),
            Some("pay/proxy-#")
        );
    }

    #[test]
    fn a_host_name_counts_if_somebody_chose_it() {
        let role = |hostname| role(ContainerNames { hostname: Some(hostname), ..ContainerNames::default() });
        assert_eq!(role("orders-2").as_deref(), Some("orders-#"));
        assert_eq!(role("web-x7xqz").as_deref(), Some("web-x#xqz"), "outside Kubernetes an end was chosen too");
        assert_eq!([role("0123456789ab"), role("node-1"), role("fe54d9c1a2b3"), role("101")], [None, None, None, None]);
    }

    #[test]
    fn a_container_of_lxc_has_its_name() {
        assert_eq!(from_lxc_path("/lxc.payload.web-1/init.scope").map(|label| label.role).as_deref(), Some("web-#"));
        assert_eq!((from_lxc_path("/lxc/101/ns"), from_lxc_path(&format!("/docker/{ID}"))), (None, None));
    }
}
