//! The form of the values in a state file. Its author may have fewer permissions than its reader.

use std::{
    net::SocketAddr,
    path::{Component as PathPart, Path},
};

use anyhow::ensure;

use super::{Component, Postgres, Workload};

/// Checks each value: names are words, paths are below the workload's folder, endpoints are on
/// loopback, and names in a database are plain identifiers.
pub fn check(workload: &Workload) -> anyhow::Result<()> {
    check_pid(workload.pid)?;
    let paths = [&workload.log.path, &workload.ledger.path, &workload.spool.path].into_iter();
    let paths = paths.chain(workload.components.iter().filter_map(|component| component.control.as_ref()));
    paths.into_iter().try_for_each(|path| check_path(path, &workload.folder))?;
    let users = [&workload.log.users, &workload.ledger.users, &workload.spool.users, &workload.disk_users];
    users.into_iter().try_for_each(check_words)?;
    workload.components.iter().try_for_each(check_component)?;
    workload.postgres.iter().try_for_each(check_database)
}

fn check_component(component: &Component) -> anyhow::Result<()> {
    check_pid(component.pid)?;
    check_words([&component.name, &component.role])?;
    check_words(&component.commands)?;
    check_words(&component.clients)?;
    component.endpoint.into_iter().try_for_each(check_endpoint)
}

fn check_database(database: &Postgres) -> anyhow::Result<()> {
    check_endpoint(database.endpoint)?;
    [&database.name, &database.user, &database.table].into_iter().try_for_each(|name| check_identifier(name))
}

/// The kernel and init have the pids 0 and 1.
fn check_pid(pid: u32) -> anyhow::Result<()> {
    ensure!(pid > 1 && i32::try_from(pid).is_ok(), "expected the pid of a component, found {pid}");
    Ok(())
}

fn check_path(path: &Path, folder: &Path) -> anyhow::Result<()> {
    let inner = path.strip_prefix(folder).ok();
    let is_below = inner.is_some_and(|inner| inner.components().all(|part| matches!(part, PathPart::Normal(_))));
    let is_plain = path.to_str().is_some_and(|path| !path.contains(char::is_control));
    ensure!(is_below && is_plain, "expected a path below `{}`, found {path:?}", folder.display());
    Ok(())
}

fn check_endpoint(endpoint: SocketAddr) -> anyhow::Result<()> {
    ensure!(endpoint.ip().is_loopback(), "expected an endpoint on loopback, found `{endpoint}`");
    Ok(())
}

fn check_words<'w>(words: impl IntoIterator<Item = &'w String>) -> anyhow::Result<()> {
    words.into_iter().try_for_each(|word| {
        let is_word = is_short(word) && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        ensure!(is_word, "expected a name of letters, digits and `-`, found {word:?}");
        Ok(())
    })
}

fn check_identifier(name: &str) -> anyhow::Result<()> {
    let is_identifier = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    ensure!(
        is_short(name) && is_identifier && !name.starts_with(|first: char| first.is_ascii_digit()),
        "expected a plain SQL identifier, found {name:?}"
    );
    Ok(())
}

/// PostgreSQL's limit for identifiers.
fn is_short(name: &str) -> bool {
    (1..=63).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check_changed(pointer: &str, value: Value) -> anyhow::Result<()> {
        let mut state = json!({
            "pid": 7, "disk_users": ["database"],
            "components": [{
                "name": "web-2", "role": "worker", "pid": 8, "endpoint": "127.0.0.1:8411",
                "control": "/shop/control/web-2.sock", "commands": ["no-accept"], "clients": ["front"],
            }],
            "log": {"path": "/shop/log/audit.log", "users": ["worker"]},
            "ledger": {"path": "/shop/data/ledger.dat", "users": ["biller"]},
            "spool": {"path": "/shop/spool", "users": ["worker"], "is_mounted": false},
            "postgres": {"endpoint": "127.0.0.1:8432", "name": "shop", "user": "shop", "table": "stock"},
        });
        if let Some(found) = state.pointer_mut(pointer) {
            *found = value;
        }
        let workload: Workload = serde_json::from_value(state)?;
        check(&Workload { folder: "/shop".into(), ..workload })
    }

    #[test]
    fn the_state_file_of_a_shop_is_accepted() {
        check_changed("/none", json!(null)).unwrap();
    }

    #[test]
    fn each_value_of_another_form_is_refused() {
        for (pointer, value) in [
            ("/postgres/table", json!("stock;\n\\! id")),
            ("/postgres/table", json!("stock\" CASCADE; --")),
            ("/postgres/name", json!("host=203.0.113.9 dbname=shop")),
            ("/postgres/user", json!("7shop")),
            ("/postgres/user", json!("")),
            ("/postgres/endpoint", json!("203.0.113.9:5432")),
            ("/pid", json!(1)),
            ("/components/0/pid", json!(0)),
            ("/components/0/pid", json!(4_294_967_295_u32)),
            ("/components/0/name", json!("\u{1b}]0;title")),
            ("/components/0/role", json!("")),
            ("/components/0/endpoint", json!("0.0.0.0:22")),
            ("/components/0/endpoint", json!("-j ACCEPT:22")),
            ("/components/0/control", json!("/run/docker.sock")),
            ("/components/0/commands/0", json!("leak 1\nleak")),
            ("/components/0/clients/0", json!("a b")),
            ("/log/path", json!("/shop/../etc/passwd")),
            ("/log/path", json!("/etc/passwd")),
            ("/ledger/path", json!("/shopping/ledger")),
            ("/spool/path", json!("spool")),
            ("/log/users/0", json!("\n")),
            ("/disk_users/0", json!("/")),
        ] {
            assert!(check_changed(pointer, value.clone()).is_err(), "{pointer} {value}");
        }
    }
}
