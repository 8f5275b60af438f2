//! What is answered while there is no bus.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use scorer::{ScorerError, waiting::answer_until};

use crate::serve::{ask, free_address};

#[tokio::test]
async fn it_is_alive_and_not_ready_and_then_leaves_the_port_to_others() {
    let address = free_address();
    let asking = async {
        let alive = ask(address, "/livez").await;
        let ready = ask(address, "/readyz").await;
        let held_open = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            write!(stream, "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let n = stream.read(&mut [0; 1024]).unwrap();
            assert!(n > 0);
            stream
        });
        (alive, ready, held_open.await.unwrap())
    };
    let (alive, ready, mut held_open) = answer_until(address, asking).await.unwrap();
    assert_eq!(alive, (200, "alive\n".to_owned()));
    assert_eq!(ready, (503, r#"{"ready":false,"state":"waiting","learned":0,"wanted":0}"#.to_owned()));
    // Another listens there now, and whoever kept a connection has to ask that one.
    let _listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let rest = tokio::task::spawn_blocking(move || held_open.read(&mut [0; 1024]).unwrap());
    assert_eq!(rest.await.unwrap(), 0, "the connection is closed");
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_before_anything_is_waited_for() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let ended = answer_until(address, std::future::pending::<()>()).await;
    assert!(matches!(ended, Err(ScorerError::Listen { address: named, .. }) if named == address));
}
