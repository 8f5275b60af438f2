//! `/proc/PID/environ`: the few variables that say what a container is called, and never anything else.

/// Whose values may leave this file. `MY_` is how Kubernetes' own examples name what the downward API tells.
const POD: [&[u8]; 4] = [b"POD_NAME", b"MY_POD_NAME", b"K8S_POD_NAME", b"KUBERNETES_POD_NAME"];
const NAMESPACE: [&[u8]; 4] = [b"POD_NAMESPACE", b"MY_POD_NAMESPACE", b"K8S_NAMESPACE", b"KUBERNETES_NAMESPACE"];
const HOSTNAME: &[u8] = b"HOSTNAME";
/// Kubernetes sets it in every container; of it no more is taken than that it is there.
const SERVICE_HOST: &[u8] = b"KUBERNETES_SERVICE_HOST";

/// What an environment says of its container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerNames<'t> {
    /// The host name that it was started with.
    pub hostname: Option<&'t str>,
    /// The pod's name.
    pub pod: Option<&'t str>,
    /// The pod's namespace.
    pub namespace: Option<&'t str>,
    /// Whether it is Kubernetes'.
    pub kubernetes: bool,
}

/// The names in an environment. A value that is no name of a host or a pod is not taken.
pub fn parse_container_names(text: &[u8]) -> ContainerNames<'_> {
    let mut names = ContainerNames::default();
    for (key, value) in variables(text) {
        let value = std::str::from_utf8(value).ok().filter(|value| is_name(value));
        if POD.contains(&key) {
            names.pod = names.pod.or(value);
        } else if NAMESPACE.contains(&key) {
            names.namespace = names.namespace.or(value);
        } else if key == HOSTNAME {
            names.hostname = names.hostname.or(value);
        } else if key == SERVICE_HOST {
            names.kubernetes = true;
        }
    }
    names
}

/// The name that is all of a text, if it is one.
pub fn parse_name(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text.trim_ascii()).ok().filter(|text| is_name(text))
}

/// An environment with these names alone: what may be kept, recordings included.
pub fn without_secrets(text: &[u8]) -> Vec<u8> {
    let names = parse_container_names(text);
    let mut kept = Vec::new();
    for (key, value) in [(POD[0], names.pod), (NAMESPACE[0], names.namespace), (HOSTNAME, names.hostname)] {
        if let Some(value) = value {
            kept.extend([key, b"=", value.as_bytes(), b"\0"].concat());
        }
    }
    if names.kubernetes {
        kept.extend([SERVICE_HOST, b"=\0"].concat());
    }
    kept
}

fn variables(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == 0).filter_map(|variable| {
        let mut parts = variable.splitn(2, |byte| *byte == b'=');
        Some((parts.next()?, parts.next()?))
    })
}

/// As names of hosts, pods and namespaces are made.
fn is_name(value: &str) -> bool {
    const LONGEST: usize = 253;
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let (first, last) = (value.bytes().next(), value.bytes().next_back());
    value.len() <= LONGEST && is_end(first) && is_end(last) && value.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pod_is_named_by_its_environment() {
        let text = b"PATH=/bin\0HOSTNAME=api-0\0KUBERNETES_SERVICE_HOST=10.0.0.1\0MY_POD_NAMESPACE=pay\0TOKEN=hunter2";
        let expected = ContainerNames { hostname: Some("api-0"), pod: None, namespace: Some("pay"), kubernetes: true };
        assert_eq!(parse_container_names(text), expected);
        assert_eq!(without_secrets(text), b"POD_NAMESPACE=pay\0HOSTNAME=api-0\0KUBERNETES_SERVICE_HOST=\0");
    }

    #[test]
    fn what_is_no_name_is_not_taken() {
        assert_eq!(
            parse_container_names(b"HOSTNAME=a b\0POD_NAME=user:hunter2\0POD_NAMESPACE=\0"),
            ContainerNames::default()
        );
        assert_eq!(parse_container_names(b"POD_NAME\0=x\0\0HOSTNAMES=x\0XPOD_NAME=x"), ContainerNames::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let kept = without_secrets(&text);
            prop_assert_eq!(parse_container_names(&kept), parse_container_names(&text));
        }

        #[test]
        fn nothing_else_of_an_environment_gets_out(
            others in prop::collection::vec(("[A-Z_]{0,12}|HOSTNAME_[A-Z]|POD_NAME2|AWS_SECRET", "secret[ -~]{0,12}"), 0..8),
            hostname in prop::option::of("[a-z]{1,3}|secret [a-z]{1,9}"),
            at in any::<prop::sample::Index>(),
        ) {
            let is_other = |key: &str| ![&POD[..], &NAMESPACE[..], &[HOSTNAME]].concat().contains(&key.as_bytes());
            let others = others.into_iter().filter(|(key, _)| is_other(key));
            let mut variables: Vec<_> = others.map(|(key, value)| format!("{key}={value}")).collect();
            if let Some(hostname) = &hostname {
                variables.insert(at.index(variables.len() + 1), format!("HOSTNAME={hostname}"));
            }
            let kept = String::from_utf8_lossy(&without_secrets(variables.join("\0").as_bytes())).into_owned();
            prop_assert!(!kept.contains("secret"), "{}", kept);
            let chosen = hostname.filter(|hostname| !hostname.contains(' '));
            prop_assert_eq!(parse_container_names(kept.as_bytes()).hostname, chosen.as_deref());
        }
    }
}
