//! Names and roles of control groups.
//!
//! Neither is used as a path again, so a backslash is shown as it is: systemd has one in the name
//! of each unit with a dash that separates nothing.

use hostread::parse::{
    cgroup_path as path,
    container_label::{Label, UNNAMED},
    names::fold_digits,
};

const ESCAPED_BACKSLASH: &str = "\\\\";

/// Role of a control group: the name of its container or pod, its systemd unit, or its path with
/// digits folded.
pub fn role(path: &str, label: Option<&Label>) -> String {
    let named = label.map_or(UNNAMED, |label| &label.role);
    match path::find_container(path) {
        Some(inside) => format!("[{named}]{}", fold_parts(inside.below)),
        None if path::pod_uid(path).is_some() => format!("[{}] pod", label.map_or("pod", |label| &label.role)),
        None => fold_parts(path::unit_name(path).unwrap_or(path)),
    }
    .replace(ESCAPED_BACKSLASH, "\\")
}

/// Name of a control group, as shown to people.
pub fn name(path: &str, label: Option<&Label>) -> String {
    let named = || label.map(|label| label.name.clone());
    match (path::find_container(path), path::pod_uid(path)) {
        (Some(inside), _) => {
            let short = || inside.id.get(..12).unwrap_or(inside.id).to_owned();
            format!("{}{}", named().unwrap_or_else(short), inside.below)
        }
        (None, Some(pod)) => format!("pod {}", named().unwrap_or(pod)),
        (None, None) => path::unit_name(path).unwrap_or(path).to_owned(),
    }
    .replace(ESCAPED_BACKSLASH, "\\")
}

/// Folds what changes between restarts: digits, and the random names of transient systemd units.
fn fold_parts(path: &str) -> String {
    let fold = |part: &str| match part.strip_prefix("run-r").and_then(|rest| rest.split_once('.')) {
        Some((drawn, kind)) if drawn.len() == 32 && drawn.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            format!("run-#.{kind}")
        }
        _ => fold_digits(part),
    };
    path.split('/').map(fold).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-0000-4000-8000-0123456789ab";

    fn check(path: &str, label: Option<(&str, &str)>, expected_role: &str, expected_name: &str) {
        let label = label.map(|(role, name)| Label { role: role.to_owned(), name: name.to_owned() });
        assert_eq!(
            (role(path, label.as_ref()).as_str(), name(path, label.as_ref()).as_str()),
            (expected_role, expected_name)
        );
    }

    #[test]
    fn a_unit_is_what_a_person_calls_it() {
        check("/system.slice/nginx.service", None, "nginx.service", "nginx.service");
        check("/user.slice/user-1000.slice/session-3.scope", None, "session-#.scope", "session-3.scope");
        let drawn = format!("/system.slice/run-r{}.scope", "0f9a".repeat(8));
        assert_eq!(role(&drawn, None), "run-#.scope");
        let dashes = "/system.slice/system-modprobe.slice/dev-disk-by\\\\x2duuid-a.swap";
        check(dashes, None, "dev-disk-by\\x#duuid-a.swap", "dev-disk-by\\x2duuid-a.swap");
    }

    #[test]
    fn a_container_is_what_it_is_called_and_not_its_id() {
        let id = "0123456789abcdef".repeat(4);
        let docker = format!("/system.slice/docker-{id}.scope");
        let label = Some(("orders-#", "orders-2"));
        check(&docker, label, "[orders-#]", "orders-2");
        check(&docker, None, "[container]", "0123456789ab");
        check(
            &format!("{docker}/system.slice/a1.service"),
            label,
            "[orders-#]/system.slice/a#.service",
            "orders-2/system.slice/a1.service",
        );
    }

    #[test]
    fn a_build_step_has_the_role_of_all_build_steps() {
        for step in ["ox0yl8pyrfdgjb3j6ez6xlsmb", "k3v9d0a1q7w8e2r5t4y6u1i0p"] {
            check(&format!("/docker/buildkit/{step}"), None, "[container]", &step[..12]);
        }
    }

    #[test]
    fn a_unit_in_a_container_of_systemd_is_not_the_unit_of_the_host() {
        let unit = "/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service";
        check(unit, Some(("web", "web")), "[web]/system.slice/nginx.service", "web/system.slice/nginx.service");
        let scope = "/machine.slice/machine-web.scope/system.slice/nginx.service";
        check(scope, Some(("web", "web")), "[web]/system.slice/nginx.service", "web/system.slice/nginx.service");
    }

    #[test]
    fn a_pod_is_its_owner() {
        let slice = format!("/kubepods.slice/kubepods-pod{}.slice", UID.replace('-', "_"));
        check(&slice, Some(("pay/api", "pay/api-0")), "[pay/api] pod", "pod pay/api-0");
        check(&slice, None, "[pod] pod", &format!("pod {UID}"));
        check("/kubepods/burstable", None, "/kubepods/burstable", "/kubepods/burstable");
    }
}
