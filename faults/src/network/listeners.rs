//! The owners of listening sockets.

use anyhow::{Context, ensure};

use crate::user::User;

/// Checks that all TCP sockets that listen on a port are this user's, and that there is one: a
/// fault must not disturb another service.
///
/// # Errors
/// If another user's socket listens on it, or none does.
pub fn check_owner(port: u16, user: User) -> anyhow::Result<()> {
    let mut owners = Vec::new();
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        // A kernel without IPv6 has no table for it.
        let text = std::fs::read_to_string(table).unwrap_or_default();
        owners.extend(text.lines().filter_map(|line| listener_on(port, line)));
    }
    let owner = owners.iter().find(|owner| **owner != user.uid()).or(owners.first());
    let owner = owner.with_context(|| format!("no process of the workload listens on port {port}"))?;
    ensure!(*owner == user.uid(), "a process of the user {owner} listens on port {port}, not one of the workload");
    Ok(())
}

/// Uid of the owner, if this line of a table is a socket that listens on the port.
fn listener_on(port: u16, line: &str) -> Option<u32> {
    /// `TCP_LISTEN`, in hexadecimal.
    const LISTEN: &str = "0A";
    let mut fields = line.split_ascii_whitespace().skip(1);
    let (_, local_port) = fields.next()?.rsplit_once(':')?;
    let is_listening = fields.nth(1)? == LISTEN;
    let uid = fields.nth(3)?.parse().ok()?;
    (is_listening && u16::from_str_radix(local_port, 16) == Ok(port)).then_some(uid)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_listener_is_found_with_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let client = TcpStream::connect(address).unwrap();
        check_owner(address.port(), User::Current).unwrap();
        // A connected socket does not listen.
        assert!(check_owner(client.local_addr().unwrap().port(), User::Current).is_err());
    }

    #[test]
    #[ignore = "needs root"]
    fn the_socket_of_another_user_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = check_owner(listener.local_addr().unwrap().port(), User::Unprivileged).unwrap_err().to_string();
        assert!(error.starts_with("a process of the user 0 listens"), "{error}");
    }
}
