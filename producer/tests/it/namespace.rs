//! Namespaces: PID namespaces, whose `/proc/locks` omits locks of dead owners; mount namespaces
//! without the host's filesystems; network namespaces with sockets of their own.

use std::{
    net::Ipv4Addr,
    process::{Command, Stdio},
};

use crate::{
    children::*,
    helpers::{self, HelperProcess},
};

/// Environment variable that is set once this process runs inside the namespace.
const INSIDE: &str = "PRODUCER_TEST_INSIDE";

#[test]
#[ignore = "needs root"]
fn in_a_pid_namespace_waiters_still_point_at_the_holder() {
    if std::env::var_os(INSIDE).is_none() {
        let status = Command::new("unshare")
            .args(["--pid", "--fork", "--mount", "--mount-proc"])
            .arg(std::env::current_exe().unwrap())
            .args(["namespace::in_a_pid_namespace_waiters_still_point_at_the_holder", "--exact", "--ignored"])
            .env(INSIDE, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    super::locks::a_lock_of_a_dead_owner_is_found();
}

/// A network namespace, kept alive by a process that sleeps in it.
struct Network(ChildGuard);

impl Network {
    fn new() -> Network {
        let network = Network(ChildGuard::start(Command::new("unshare").args(["--net", "sleep", "60"])));
        // The namespace is the new one once `unshare` has become the sleeper.
        while !std::fs::read_to_string(format!("/proc/{}/comm", network.0.pid())).unwrap().starts_with("sleep") {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        network.run(&["ip", "link", "set", "lo", "up"]);
        network
    }

    fn enter(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.0.pid().to_string(), "--"]).arg(program).stdin(Stdio::null());
        command
    }

    fn run(&self, command: &[&str]) {
        assert!(self.enter(command[0]).args(&command[1..]).status().unwrap().success(), "{command:?}");
    }

    fn start_helper(&self, part: &str) -> HelperProcess {
        helpers::start_helper_with(self.enter(std::env::current_exe().unwrap()), part)
    }
}

#[test]
#[ignore = "needs root"]
fn in_two_networks_with_the_same_addresses_each_client_has_its_own_server() {
    let networks = [Network::new(), Network::new()];
    let pairs = [&networks[0], &networks[1]].map(|network| {
        let (server, address) = network.start_helper("serve 127.0.0.1:7070");
        let (client, _) = network.start_helper(&format!("ask {address}"));
        (client, server)
    });
    let (snapshot, _) = sweep_until(&mut sweeper(), |snapshot| {
        let at = |kept: &ChildGuard| process(snapshot, kept.pid());
        let is_tied = |(client, server): &(ChildGuard, ChildGuard)| {
            edge(snapshot, at(client)?, "connects", at(server)?).map(drop)
        };
        pairs.iter().map(is_tied).collect::<Option<()>>()
    });
    let at = |kept: &ChildGuard| process(&snapshot, kept.pid()).unwrap();
    for (one, other) in [(&pairs[0], &pairs[1]), (&pairs[1], &pairs[0])] {
        assert!(edge(&snapshot, at(&one.0), "connects", at(&other.1)).is_none());
        assert_eq!(missing(&snapshot, "response_wait_ms", at(&one.0)), None);
    }
    let endpoints = snapshot.nodes.iter().filter(|node| node.endpoint.as_deref() == Some("127.0.0.1:7070"));
    assert_eq!(endpoints.count(), 2);
}

#[test]
#[ignore = "needs root"]
fn a_client_in_one_network_depends_on_its_server_in_another() {
    let clients = Network::new();
    let servers = Network::new();
    let address = |end: u8| Ipv4Addr::new(198, 18, 77, end).to_string();
    let peer = servers.0.pid().to_string();
    clients.run(&["ip", "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", &peer]);
    for (network, end) in [(&clients, 1), (&servers, 2)] {
        network.run(&["ip", "address", "add", &format!("{}/24", address(end)), "dev", "veth0"]);
        network.run(&["ip", "link", "set", "veth0", "up"]);
    }
    let (server, listening) = servers.start_helper(&format!("serve {}:7070", address(2)));
    let (client, _) = clients.start_helper(&format!("ask {listening}"));
    let (snapshot, (client, server)) = sweep_until(&mut sweeper(), |snapshot| {
        let client = process(snapshot, client.pid())?;
        let server = process(snapshot, server.pid())?;
        edge(snapshot, client, "connects", server)?.blocked_ms?;
        Some((client, server))
    });
    assert_eq!(edge(&snapshot, client, "connects", server).unwrap().basis, "observed");
    assert!(value(&snapshot, "response_wait_ms", client).unwrap() > 0.0);
}

#[test]
#[ignore = "needs root"]
fn a_client_of_a_unix_path_waits_for_a_server_in_another_network_namespace() {
    let directory = tempfile::TempDir::new().unwrap();
    let clients = Network::new();
    let servers = Network::new();
    for part in ["serve-unix", "ignore-unix"] {
        let path = directory.path().join(part).to_str().unwrap().to_owned();
        let (server, _) = servers.start_helper(&format!("{part} {path}"));
        let (client, _) = clients.start_helper(&format!("poll-unix {path}"));
        let (snapshot, server) = sweep_until(&mut sweeper(), |snapshot| {
            let client = process(snapshot, client.pid())?;
            let server = process(snapshot, server.pid())?;
            (edge(snapshot, client, "connects", server)?.blocked_ms? > 200.0).then_some(server)
        });
        assert!(value(&snapshot, "request_pending_ms", server).unwrap() > 200.0, "{part}");
    }
}

#[test]
#[ignore = "needs root"]
fn mounts_of_process_1_are_visible_to_a_producer_in_another_mount_namespace() {
    let directory = match std::env::var(INSIDE) {
        Ok(directory) => directory,
        Err(_) => return assert!(run_again_beside_process_1().success()),
    };
    // The shell, process 1 of the namespace, has a file open on it.
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| node_with_path(snapshot, &directory));
    assert_eq!(value(&snapshot, "space_free", at), Some(4194304.0));
    assert!(edge(&snapshot, process(&snapshot, 1).unwrap(), "opens", at).is_some());
}

fn run_again_beside_process_1() -> std::process::ExitStatus {
    const SCRIPT: &str = r#"
        mount -t tmpfs -o size=4M none "$2" && exec 9>"$2/log" || exit 1
        unshare --mount sh -c 'exec 9>&-; umount "$2" && exec "$1" "$3" --exact --ignored' sh "$@""#;
    const TEST: &str = "namespace::mounts_of_process_1_are_visible_to_a_producer_in_another_mount_namespace";
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let mut shell = Command::new("unshare");
    shell.args(["--pid", "--fork", "--mount", "--mount-proc", "sh", "-c", SCRIPT, "sh"]);
    shell.arg(std::env::current_exe().unwrap()).arg(&path).arg(TEST).env(INSIDE, &path).status().unwrap()
}
