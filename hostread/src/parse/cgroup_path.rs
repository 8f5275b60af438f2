//! Containers, pods and systemd units in the paths of control groups, for all common container
//! managers.

/// The innermost container in the path of a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerPath<'p> {
    /// Id of the container.
    pub id: &'p str,
    /// The path below the container's own group. Empty if the path is that of the group itself.
    pub below: &'p str,
}

/// Finds the innermost container in the path of a control group.
pub fn find_container(path: &str) -> Option<ContainerPath<'_>> {
    let mut found = None;
    let mut before = "";
    let mut end = 0;
    for part in path.split('/') {
        end += part.len();
        if let Some(id) = container_id(before, part) {
            found = Some(ContainerPath { id, below: path.get(end..).unwrap_or_default() });
        }
        before = part;
        end += "/".len();
    }
    found
}

/// Name of the innermost container, if that is one of LXC, whose ids are names.
pub fn find_lxc_name(path: &str) -> Option<&str> {
    let inside = find_container(path)?;
    let parts = path.split('/').zip(path.split('/').skip(1));
    parts.filter_map(|(before, part)| lxc_name(before, part)).last().filter(|name| *name == inside.id)
}

/// UID of the Kubernetes pod that a group is in, with dashes.
pub fn find_pod_uid(path: &str) -> Option<String> {
    path.rsplit('/').find_map(pod_uid_in)
}

/// UID of the Kubernetes pod whose own group this is.
pub fn pod_uid(path: &str) -> Option<String> {
    path.rsplit('/').next().and_then(pod_uid_in)
}

/// Name of the systemd unit whose own group this is.
pub fn unit_name(path: &str) -> Option<&str> {
    const KINDS: [&str; 6] = [".service", ".scope", ".slice", ".socket", ".mount", ".swap"];
    let last = path.rsplit('/').next()?;
    KINDS.iter().any(|kind| last.len() > kind.len() && last.ends_with(kind)).then_some(last)
}

/// Id of the container whose own group a part of a path is. `before` is the part before it.
fn container_id<'p>(before: &str, part: &'p str) -> Option<&'p str> {
    let name = part.strip_suffix(".scope").unwrap_or(part);
    // The monitor process of a container is beside it, not in it.
    if name.contains("conmon-") || name.starts_with("lxc.monitor") {
        return None;
    }
    // docker-<id>, cri-containerd-<id>, crio-<id>, libpod-<id>, nerdctl-<id>,
    // <slice>:cri-containerd:<id>, or the bare id.
    let last = name.rsplit(['-', ':']).next().filter(|id| is_hex(id, 64));
    let ecs_task = || {
        let (task, number) = name.rsplit_once('-')?;
        (is_hex(task, 32) && super::number(number.as_bytes()).is_some()).then_some(name)
    };
    let garden = || (is_grouped(name, &[8, 4, 4, 4, 4]) || (before == "garden" && is_uuid(name))).then_some(name);
    last.or_else(ecs_task).or_else(garden).or_else(|| lxc_name(before, name))
}

fn lxc_name<'p>(before: &str, part: &'p str) -> Option<&'p str> {
    let is_below = matches!(before, "lxc" | "lxc.payload");
    let name = part.strip_prefix("lxc.payload.").or_else(|| is_below.then_some(part))?;
    (!name.is_empty()).then_some(name)
}

/// UID in `kubepods-burstable-pod<uid>.slice`, which has underscores, or `pod<uid>`. That of a
/// static pod is a hash.
fn pod_uid_in(part: &str) -> Option<String> {
    let slice = part.split(".slice").next()?;
    let (before, uid) = slice.rsplit_once("pod")?;
    let uid = uid.replace('_', "-");
    ((before.is_empty() || before.ends_with('-')) && (is_uuid(&uid) || is_hex(&uid, 32))).then_some(uid)
}

fn is_uuid(text: &str) -> bool {
    is_grouped(text, &[8, 4, 4, 4, 12])
}

/// Whether a text consists of groups of hexadecimal digits of these lengths, with dashes between.
fn is_grouped(text: &str, lengths: &[usize]) -> bool {
    text.split('-').count() == lengths.len()
        && text.split('-').zip(lengths).all(|(group, length)| is_hex(group, *length))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UID: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";

    fn id() -> String {
        "0123456789abcdef".repeat(4)
    }

    #[test]
    fn containers_of_every_manager_are_found() {
        let id = id();
        let slice = UID.replace('-', "_");
        for path in [
            format!("/docker/{id}"),
            format!("/system.slice/docker-{id}.scope"),
            format!("/../docker-{id}.scope"),
            format!("/../../docker/{id}"),
            format!("/docker/{}/docker/{id}", "f".repeat(64)),
            format!(
                "/docker/{}/kubelet.slice/kubelet-kubepods-pod{slice}.slice/cri-containerd-{id}.scope",
                "f".repeat(64)
            ),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{slice}.slice/cri-containerd-{id}.scope"
            ),
            format!("/kubepods.slice/kubepods-pod{slice}.slice/crio-{id}.scope"),
            format!("/kubepods/burstable/pod{UID}/crio-{id}"),
            format!("/kubepods/pod{UID}/{id}"),
            format!("/system.slice/containerd.service/kubepods-burstable-pod{slice}.slice:cri-containerd:{id}"),
            format!("/machine.slice/libpod-{id}.scope"),
            format!("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope"),
            format!("/libpod_parent/libpod-{id}"),
            format!("/system.slice/nerdctl-{id}.scope"),
            format!("/default/{id}"),
            format!("/ecs/{}/{id}", "a".repeat(32)),
            format!("/ecstasks.slice/ecstasks-{}.slice/docker-{id}.scope", "a".repeat(32)),
        ] {
            assert_eq!(find_container(&path), Some(ContainerPath { id: &id, below: "" }), "{path}");
            let below = format!("{path}/init.scope");
            assert_eq!(find_container(&below), Some(ContainerPath { id: &id, below: "/init.scope" }), "{below}");
        }
    }

    #[test]
    fn ids_of_ecs_garden_and_lxc_are_found() {
        let task = format!("{}-3054012820", "0f".repeat(16));
        for (path, id) in [
            (format!("/ecs/{}/{task}", "0f".repeat(16)), task.as_str()),
            (
                "/system.slice/garden.service/garden/6f265890-5165-7fab-6b52-18d1".to_owned(),
                "6f265890-5165-7fab-6b52-18d1",
            ),
            (format!("/garden/{UID}"), UID),
            ("/lxc.payload.web-1/system.slice/nginx.service".to_owned(), "web-1"),
            ("/lxc/101/ns".to_owned(), "101"),
        ] {
            assert_eq!(find_container(&path).map(|inside| inside.id), Some(id), "{path}");
        }
        assert_eq!((find_lxc_name("/lxc.payload.web-1/a"), find_lxc_name("/lxc/101/ns")), (Some("web-1"), Some("101")));
        assert_eq!(find_lxc_name(&format!("/lxc/101/docker/{}", id())), None);
    }

    #[test]
    fn the_monitor_of_a_container_is_not_in_it() {
        for path in [
            format!("/machine.slice/libpod-conmon-{}.scope", id()),
            format!("/kubepods.slice/crio-conmon-{}.scope", id()),
            format!("/machine.slice/machine-libpod_pod_{}.slice", id()),
            "/lxc.monitor.web".to_owned(),
            "/user.slice/user-1000.slice".to_owned(),
            "/".to_owned(),
        ] {
            assert_eq!(find_container(&path), None, "{path}");
        }
    }

    #[test]
    fn pods_are_found_with_both_cgroup_drivers() {
        let id = id();
        let slice = UID.replace('-', "_");
        let pod_slice = format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice");
        assert_eq!(pod_uid(&pod_slice).as_deref(), Some(UID));
        for path in [
            format!("{pod_slice}/crio-{id}.scope/container"),
            format!("/kubepods/pod{UID}/{id}"),
            format!("/system.slice/containerd.service/kubepods-pod{slice}.slice:cri-containerd:{id}"),
        ] {
            assert_eq!(
                (find_pod_uid(&path).as_deref(), pod_uid(&path).filter(|_| !path.contains(':'))),
                (Some(UID), None),
                "{path}"
            );
        }
        let hash = "0f".repeat(16);
        assert_eq!(find_pod_uid(&format!("/kubepods/burstable/pod{hash}/{id}")), Some(hash));
        assert_eq!(
            (find_pod_uid("/kubepods/burstable"), find_pod_uid("/tripod12"), find_pod_uid("/podman.service")),
            (None, None, None)
        );
    }

    #[test]
    fn a_unit_is_the_last_part_of_the_path() {
        assert_eq!(unit_name("/system.slice/nginx.service"), Some("nginx.service"));
        assert_eq!(
            (unit_name("/user.slice"), unit_name("/docker/x"), unit_name("/a/.slice")),
            (Some("user.slice"), None, None)
        );
    }

    proptest! {
        #[test]
        fn any_path_is_accepted(path in "[a-f0-9./:é_-]{0,90}|(/(lxc|garden|pod|docker-|\\.\\.)?[0-9a-f-]{0,66}(\\.scope)?){0,4}") {
            let _ = (find_container(&path), find_lxc_name(&path), find_pod_uid(&path), pod_uid(&path), unit_name(&path));
        }
    }
}
