//! Name of a container that survives its recreation: the owner of its pod, or a host name that an
//! operator chose.

use super::{cgroup_path as path, environ::ContainerNames, names::fold_digits};

/// Name in roles of a container whose name is unknown.
pub const UNNAMED: &str = "container";

/// Name of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Part of the name that survives recreation of the container.
    pub role: String,
    /// Full name.
    pub name: String,
}

/// Returns the name of container `id` from its environment, on the host named `host`.
pub fn from_environment(names: &ContainerNames<'_>, id: &str, host: &str) -> Option<Label> {
    let pod_label = |name: &str| {
        let full = |name: &str| names.namespace.map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"));
        Label { role: full(&owner(name)), name: full(name) }
    };
    // The default host name is the first twelve digits of the id; with host networking it is the
    // name of the host. Neither was chosen by an operator.
    let is_from_id = |hostname: &str| hostname.len() >= 12 && id.starts_with(hostname);
    let chosen = names.hostname.filter(|hostname| !is_from_id(hostname) && *hostname != host);
    let label = match names.pod.or(chosen.filter(|_| names.is_kubernetes)) {
        Some(pod) => pod_label(pod),
        None => plain_label(chosen?),
    };
    if_meaningful(label)
}

/// Returns the name of a container of LXC or systemd-nspawn, from the path of its control group.
pub fn from_path(group: &str) -> Option<Label> {
    path::find_container_name(group).as_deref().map(plain_label).and_then(if_meaningful)
}

fn plain_label(name: &str) -> Label {
    Label { role: fold_digits(name), name: name.to_owned() }
}

/// Returns `None` if folding leaves no letter: such a name is a number or random.
fn if_meaningful(label: Label) -> Option<Label> {
    label.role.contains(|character: char| character.is_ascii_alphabetic()).then_some(label)
}

/// Returns the owner of a pod: the name without the suffixes that Kubernetes appends for a
/// Deployment, ReplicaSet, DaemonSet, Job or CronJob, and with digits folded, such as the ordinal
/// of a StatefulSet.
fn owner(pod: &str) -> String {
    let Some(rest) = strip_suffix_if(pod, is_random) else { return fold_digits(pod) };
    fold_digits(strip_suffix_if(rest, |suffix| is_template_hash(suffix) || is_schedule(suffix)).unwrap_or(rest))
}

fn strip_suffix_if(name: &str, is_added: impl FnOnce(&str) -> bool) -> Option<&str> {
    let (rest, end) = name.rsplit_once('-')?;
    (!rest.is_empty() && is_added(end)).then_some(rest)
}

/// Returns whether this is a random suffix of Kubernetes: five characters of an alphabet without
/// vowels and similar-looking digits.
fn is_random(end: &str) -> bool {
    const DRAWN: &str = "bcdfghjklmnpqrstvwxz2456789";
    end.len() == 5 && end.chars().all(|character| DRAWN.contains(character))
}

/// Returns whether this is a hash of a pod template: a decimal 32-bit number whose digits
/// Kubernetes maps to ten characters of the same alphabet.
fn is_template_hash(end: &str) -> bool {
    const DIGITS: &str = "456789bcdf";
    (6..=10).contains(&end.len()) && end.chars().all(|character| DIGITS.contains(character))
}

/// Returns whether this is the scheduled time of a CronJob, in minutes or seconds.
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
    fn the_owner_of_a_pod_is_its_role() {
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
    fn the_name_of_a_pod_includes_its_namespace_if_known() {
        let names =
            ContainerNames { hostname: Some("api-558bd4d5db-x7xqz"), is_kubernetes: true, ..ContainerNames::default() };
        assert_eq!(role(names).as_deref(), Some("api"));
        let with_namespace = ContainerNames { namespace: Some("pay"), ..names };
        let label = Label { role: "pay/api".into(), name: "pay/api-558bd4d5db-x7xqz".into() };
        assert_eq!(from_environment(&with_namespace, ID, "node-1"), Some(label));
        let on_the_hosts_network = ContainerNames { hostname: Some("node-1"), ..with_namespace };
        assert_eq!(role(on_the_hosts_network), None);
        assert_eq!(
            role(ContainerNames { pod: Some("proxy-0"), ..on_the_hosts_network }).as_deref(),
            Some("pay/proxy-#")
        );
    }

    #[test]
    fn only_a_chosen_host_name_counts() {
        let role = |hostname| role(ContainerNames { hostname: Some(hostname), ..ContainerNames::default() });
        assert_eq!(role("orders-2").as_deref(), Some("orders-#"));
        assert_eq!(role("web-x7xqz").as_deref(), Some("web-x#xqz"), "outside Kubernetes the suffix was chosen too");
        assert_eq!([role("0123456789ab"), role("node-1"), role("fe54d9c1a2b3"), role("101")], [None, None, None, None]);
    }

    #[test]
    fn a_container_of_lxc_or_systemd_has_its_name() {
        assert_eq!(from_path("/lxc.payload.web-1/init.scope").map(|label| label.role).as_deref(), Some("web-#"));
        let nspawn = "/machine.slice/systemd-nspawn@web\\\\x2d1.service/payload/init.scope";
        assert_eq!(from_path(nspawn), Some(Label { role: "web-#".into(), name: "web-1".into() }));
        assert_eq!((from_path("/lxc/101/ns"), from_path(&format!("/docker/{ID}"))), (None, None));
    }
}
