//! `/proc/PID/environ`: the variables that name a container and its pod. All other variables, which
//! may be secrets, are dropped.

/// The only variables whose values are used. Kubernetes' examples of the downward API use the
/// prefix `MY_`.
const POD_NAME: [&[u8]; 4] = [b"POD_NAME", b"MY_POD_NAME", b"K8S_POD_NAME", b"KUBERNETES_POD_NAME"];
const POD_NAMESPACE: [&[u8]; 4] = [b"POD_NAMESPACE", b"MY_POD_NAMESPACE", b"K8S_NAMESPACE", b"KUBERNETES_NAMESPACE"];
const HOSTNAME: &[u8] = b"HOSTNAME";
/// Kubernetes sets it in every container. Only its presence is used.
const SERVICE_HOST: &[u8] = b"KUBERNETES_SERVICE_HOST";

/// Names of a container, from the environment of a process in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerNames<'t> {
    /// Host name of the container.
    pub hostname: Option<&'t str>,
    /// Name of the Kubernetes pod.
    pub pod: Option<&'t str>,
    /// Namespace of the Kubernetes pod.
    pub namespace: Option<&'t str>,
    /// Whether the container runs in Kubernetes.
    pub is_kubernetes: bool,
}

/// Finds the names of a container in an environment. Values that are not valid names are dropped.
pub fn parse_container_names(text: &[u8]) -> ContainerNames<'_> {
    let mut names = ContainerNames::default();
    for (key, value) in variables(text) {
        let value = std::str::from_utf8(value).ok().filter(|value| is_name(value));
        if POD_NAME.contains(&key) {
            names.pod = names.pod.or(value);
        } else if POD_NAMESPACE.contains(&key) {
            names.namespace = names.namespace.or(value);
        } else if key == HOSTNAME {
            names.hostname = names.hostname.or(value);
        } else if key == SERVICE_HOST {
            names.is_kubernetes = true;
        }
    }
    names
}

/// Parses a file that holds a single name, such as that of a pod's namespace.
pub fn parse_name(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text.trim_ascii()).ok().filter(|text| is_name(text))
}

/// Reduces an environment to the variables that [`parse_container_names`] uses. Only this may be
/// recorded.
pub fn keep_container_names(text: &[u8]) -> Vec<u8> {
    let names = parse_container_names(text);
    let mut reduced = Vec::new();
    for (key, value) in [(POD_NAME[0], names.pod), (POD_NAMESPACE[0], names.namespace), (HOSTNAME, names.hostname)] {
        if let Some(value) = value {
            reduced.extend([key, b"=", value.as_bytes(), b"\0"].concat());
        }
    }
    if names.is_kubernetes {
        reduced.extend([SERVICE_HOST, b"=\0"].concat());
    }
    reduced
}

fn variables(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.split(|byte| *byte == 0).filter_map(|variable| {
        let mut parts = variable.splitn(2, |byte| *byte == b'=');
        Some((parts.next()?, parts.next()?))
    })
}

/// Whether a value has the form of a host name, pod name or namespace.
fn is_name(value: &str) -> bool {
    const MAX_LENGTH: usize = 253;
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let first = value.bytes().next();
    let last = value.bytes().next_back();
    value.len() <= MAX_LENGTH && is_end(first) && is_end(last) && value.bytes().all(is_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pod_is_named_in_its_environment() {
        let text = b"PATH=/bin\0HOSTNAME=api-0\0KUBERNETES_SERVICE_HOST=10.0.0.1\0MY_POD_NAMESPACE=pay\0TOKEN=hunter2";
        let expected =
            ContainerNames { hostname: Some("api-0"), pod: None, namespace: Some("pay"), is_kubernetes: true };
        assert_eq!(parse_container_names(text), expected);
        assert_eq!(keep_container_names(text), b"POD_NAMESPACE=pay\0HOSTNAME=api-0\0KUBERNETES_SERVICE_HOST=\0");
    }

    #[test]
    fn invalid_names_are_dropped() {
        assert_eq!(
            parse_container_names(b"HOSTNAME=a b\0POD_NAME=user:hunter2\0POD_NAMESPACE=\0"),
            ContainerNames::default()
        );
        assert_eq!(parse_container_names(b"POD_NAME\0=x\0\0HOSTNAMES=x\0XPOD_NAME=x"), ContainerNames::default());
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let kept = keep_container_names(&text);
            prop_assert_eq!(parse_container_names(&kept), parse_container_names(&text));
        }

        #[test]
        fn other_variables_are_dropped(
            others in prop::collection::vec(("[A-Z_]{0,12}|HOSTNAME_[A-Z]|POD_NAME2|AWS_SECRET", "secret[ -~]{0,12}"), 0..8),
            hostname in prop::option::of("[a-z]{1,3}|secret [a-z]{1,9}"),
            at in any::<prop::sample::Index>(),
        ) {
            let is_other = |key: &str| ![&POD_NAME[..], &POD_NAMESPACE[..], &[HOSTNAME]].concat().contains(&key.as_bytes());
            let others = others.into_iter().filter(|(key, _)| is_other(key));
            let mut variables: Vec<_> = others.map(|(key, value)| format!("{key}={value}")).collect();
            if let Some(hostname) = &hostname {
                variables.insert(at.index(variables.len() + 1), format!("HOSTNAME={hostname}"));
            }
            let kept = String::from_utf8_lossy(&keep_container_names(variables.join("\0").as_bytes())).into_owned();
            prop_assert!(!kept.contains("secret"), "{}", kept);
            let chosen = hostname.filter(|hostname| !hostname.contains(' '));
            prop_assert_eq!(parse_container_names(kept.as_bytes()).hostname, chosen.as_deref());
        }
    }
}
