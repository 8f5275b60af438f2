//! The HTTP API before the bus is open.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use scorer::{ScorerError, startup_api::serve_until};

use crate::serve::{free_address, get};

#[tokio::test]
async fn the_api_is_alive_but_not_ready_and_then_releases_the_port() {
    let address = free_address();
    let requests = async {
        let alive = get(address, "/livez").await;
        let ready = get(address, "/readyz").await;
        let held_open = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let n = stream.read(&mut [0; 1024]).unwrap();
            assert!(n > 0);
            stream
        });
        (alive, ready, held_open.await.unwrap())
    };
    let (alive, ready, mut held_open) = serve_until(address, requests).await.unwrap();
    assert_eq!(alive, (200, "alive\n".to_owned()));
    assert_eq!(ready, (503, r#"{"ready":false,"state":"waiting","learned":0,"wanted":0}"#.to_owned()));
    // The port is free, although a client keeps its connection open.
    let _listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let rest = tokio::task::spawn_blocking(move || held_open.read(&mut [0; 1024]).unwrap());
    assert_eq!(rest.await.unwrap(), 0, "the connection is closed");
}

#[tokio::test]
async fn a_used_port_is_reported_immediately() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let result = serve_until(address, std::future::pending::<()>()).await;
    assert!(matches!(result, Err(ScorerError::Listen { address: named, .. }) if named == address));
}
