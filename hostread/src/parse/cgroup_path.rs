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
    parts(path).filter_map(|part| Some(ContainerPath { id: container_id(part)?, below: part.below })).last()
}

/// Name of the innermost container, if its id is a name that an operator chose: for LXC and
/// systemd-nspawn.
pub fn find_container_name(path: &str) -> Option<String> {
    let inside = find_container(path)?;
    let name = parts(path)
        .filter_map(|part| lxc_name(part, part.name).or_else(|| machine_name(part)))
        .last()
        .filter(|name| *name == inside.id)?;
    // systemd escapes dashes in names of units. The path is escaped text itself.
    Some(name.replace("\\\\x2d", "-"))
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

/// A part of a path.
#[derive(Clone, Copy)]
struct PathPart<'p> {
    name: &'p str,
    /// The part before it, and the one before that. Empty if there is none.
    before: &'p str,
    before_that: &'p str,
    /// The path below it.
    below: &'p str,
}

fn parts(path: &str) -> impl Iterator<Item = PathPart<'_>> {
    let (mut before, mut before_that, mut end) = ("", "", 0);
    path.split('/').map(move |name| {
        end += name.len();
        let part = PathPart { name, before, before_that, below: path.get(end..).unwrap_or_default() };
        (before, before_that) = (name, before);
        end += "/".len();
        part
    })
}

/// Id of the container whose own group a part of a path is.
fn container_id(part: PathPart<'_>) -> Option<&str> {
    let before = part.before;
    let name = part.name.strip_suffix(".scope").unwrap_or(part.name);
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
    let build = || buildkit_id(before, name);
    last.or_else(ecs_task)
        .or_else(garden)
        .or_else(build)
        .or_else(|| lxc_name(part, name))
        .or_else(|| machine_name(part))
}

/// Random id of a build step of BuildKit: `buildkit/<id>` or, with systemd, `<prefix>-<id>.scope`,
/// where the prefix is usually `docker` or `buildkit`.
fn buildkit_id<'p>(before: &str, name: &'p str) -> Option<&'p str> {
    const LENGTH: usize = 25;
    let is_random = |id: &str| {
        id.len() == LENGTH
            && id.bytes().all(|digit| digit.is_ascii_digit() || digit.is_ascii_lowercase())
            && id.bytes().any(|digit| digit.is_ascii_digit())
    };
    let id =
        if before == "buildkit" { Some(name) } else { name.strip_prefix("docker-").or(name.strip_prefix("buildkit-")) };
    id.filter(|id| is_random(id))
}

/// Name of a container of systemd-nspawn, in the paths `systemd-nspawn@<name>.service/payload` and
/// `machine.slice/machine-<name>.scope`, with or without `payload`. The supervisor of a container
/// is beside it, and a virtual machine has no processes of the host in it.
fn machine_name(part: PathPart<'_>) -> Option<&str> {
    let PathPart { name, before, before_that, .. } = part;
    let of_service = || before.strip_prefix("systemd-nspawn@")?.strip_suffix(".service");
    // In another slice, a scope can have any name.
    let name = match (before_that, before, name) {
        ("machine.slice", scope, "payload") | (_, "machine.slice", scope) if scope.starts_with("machine-") => {
            scope.strip_prefix("machine-")?.strip_suffix(".scope")
        }
        (_, _, "payload") => of_service(),
        _ => None,
    };
    name.filter(|name| !name.is_empty() && !name.starts_with("qemu"))
}

/// Name of a container of LXC, from the `name` of a part without `.scope`.
fn lxc_name<'p>(part: PathPart<'p>, name: &'p str) -> Option<&'p str> {
    let is_below = matches!(part.before, "lxc" | "lxc.payload");
    let name = name.strip_prefix("lxc.payload.").or_else(|| is_below.then_some(name))?;
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
        let name = |path| find_container_name(path);
        assert_eq!((name("/lxc.payload.web-1/a"), name("/lxc/101/ns")), (Some("web-1".into()), Some("101".into())));
        assert_eq!(find_container_name(&format!("/lxc/101/docker/{}", id())), None);
    }

    #[test]
    fn build_steps_and_containers_of_systemd_are_found() {
        const STEP: &str = "ox0yl8pyrfdgjb3j6ez6xlsmb";
        for (path, expected) in [
            (format!("/docker/buildkit/{STEP}"), Some((STEP, ""))),
            (format!("/buildkit/{STEP}"), Some((STEP, ""))),
            (format!("/docker/{}/buildkit/{STEP}", id()), Some((STEP, ""))),
            (format!("/system.slice/docker-{STEP}.scope"), Some((STEP, ""))),
            ("/system.slice/docker-registry.scope".to_owned(), None),
            ("/docker/buildkit".to_owned(), None),
            (
                "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service".to_owned(),
                Some(("web", "/system.slice/nginx.service")),
            ),
            ("/machine.slice/systemd-nspawn@web.service/supervisor".to_owned(), None),
            ("/machine.slice/systemd-nspawn@web.service".to_owned(), None),
            ("/machine.slice/machine-web.scope/payload/init.scope".to_owned(), Some(("web", "/init.scope"))),
            (
                "/machine.slice/machine-web.scope/system.slice/nginx.service".to_owned(),
                Some(("web", "/system.slice/nginx.service")),
            ),
            ("/system.slice/machine-learning.scope".to_owned(), None),
            ("/user.slice/machine-learning.scope/payload/init.scope".to_owned(), None),
            ("/machine.slice/machine-qemu\\\\x2d1\\\\x2dvm.scope/libvirt/emulator".to_owned(), None),
        ] {
            let found = find_container(&path).map(|inside| (inside.id, inside.below));
            assert_eq!(found, expected, "{path}");
        }
        let unit = "/machine.slice/systemd-nspawn@my\\\\x2dweb.service/payload/init.scope";
        assert_eq!(find_container_name(unit).as_deref(), Some("my-web"));
        assert_eq!(find_container_name(&format!("/buildkit/{STEP}")), None);
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
        fn any_path_is_accepted(path in "[a-f0-9./:é_-]{0,90}|(/(lxc|garden|buildkit|payload|machine-|pod|docker-|\\.\\.)?[0-9a-f-]{0,66}(\\.scope)?){0,4}") {
            let _ = (find_container(&path), find_container_name(&path), find_pod_uid(&path), pod_uid(&path), unit_name(&path));
        }
    }
}
