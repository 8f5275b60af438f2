//! The limits of the HTTP API, over real sockets. Tests of timeouts pause the clock, so that they
//! pass at once.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    routing::{get, post},
};
use scorer::api::server::{limit_requests, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Serves an API of two routes until the guard is dropped.
async fn start(max_connections: usize) -> (SocketAddr, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Router::new().route("/", get(async || "alive")).route("/", post(async |body: String| body));
    let shutdown = CancellationToken::new();
    let routes = limit_requests(routes);
    tokio::spawn(serve(listener, routes, max_connections, shutdown.clone(), Duration::ZERO));
    (address, shutdown.drop_guard())
}

async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// What the server sends until it closes the connection.
async fn read_to_end(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is closed with unread data ends with an error.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

/// What the server sends to a client that sends this text and then waits.
async fn response(address: SocketAddr, text: &str) -> String {
    read_to_end(connect(address, text).await).await
}

/// Waits until the server has accepted a connection and answers on it.
async fn connect_and_request(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

const GET: &str = "GET / HTTP/1.0\r\n\r\n";

#[tokio::test]
async fn a_connection_beyond_the_limit_is_closed_at_once_and_others_are_served() {
    let (address, _guard) = start(2).await;
    let mut first = connect_and_request(address).await;
    let second = connect_and_request(address).await;
    for _ in 0..50 {
        assert_eq!(response(address, GET).await, "");
    }
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    assert!(read_to_end(first).await.ends_with("alive"));
    drop(second);
    while response(address, GET).await.is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn idle_and_slow_connections_are_closed() {
    let (address, _guard) = start(10).await;
    assert_eq!(response(address, "").await, "", "nothing was sent");
    response(address, "GET / HTTP/1.1\r\nhost: x\r\n").await;
    let idle = connect_and_request(address).await;
    assert!(read_to_end(idle).await.ends_with("alive"), "it was idle after a request");
    let slow_body = response(address, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1").await;
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
}

#[tokio::test(start_paused = true)]
async fn a_large_body_or_head_is_refused() {
    let (address, _guard) = start(10).await;
    let body = "x".repeat(17 << 10);
    let post = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answer = response(address, &post).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let answer = response(address, &format!("GET / HTTP/1.1\r\nhost: {body}\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn too_many_requests_per_second_are_refused() {
    let (address, _guard) = start(10).await;
    let more = "GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(999);
    let last = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = response(address, &(more + last)).await;
    let count = |status: &str| answers.matches(&format!("HTTP/1.1 {status} ")).count();
    assert!(count("200") >= 100 && count("429") > 0, "{} served, {} refused", count("200"), count("429"));
    assert_eq!(count("200") + count("429"), 1000);
}
