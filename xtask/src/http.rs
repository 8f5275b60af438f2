//! A minimal HTTP client for the API of the programs.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::Context;

const TIMEOUT: Duration = Duration::from_secs(10);

/// An address of this machine for a server that starts next, with a port that is free now.
///
/// # Errors
/// If no port is free.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?)
}

/// Sends a GET request and returns the status and the body of the response.
///
/// # Errors
/// If the server cannot be reached, times out, or does not send HTTP.
pub fn get(address: SocketAddr, path: &str) -> anyhow::Result<(u16, String)> {
    get_with(address, path, "")
}

/// Like [`get`], with a token that the path needs.
///
/// # Errors
/// Those of [`get`].
pub fn get_with_token(address: SocketAddr, path: &str, token: &str) -> anyhow::Result<(u16, String)> {
    get_with(address, path, &format!("authorization: Bearer {token}\r\n"))
}

fn get_with(address: SocketAddr, path: &str, headers: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n{headers}\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").context("the response is not HTTP")?;
    let status = head.split(' ').nth(1).context("the response has no status")?;
    Ok((status.parse()?, body.to_owned()))
}
