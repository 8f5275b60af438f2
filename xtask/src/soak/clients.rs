//! Clients of the HTTP API of `up`.

use std::{
    io::Read,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::{http, time::pause};

/// Connected clients. Every other one only connects; the rest send requests.
pub struct Clients {
    has_ended: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

const PATHS: [&str; 4] = ["/api/suspects?window=12s", "/api/incidents", "/metrics", "/readyz"];
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_INTERVAL: Duration = Duration::from_secs(2);

impl Clients {
    /// Starts a thread for each client.
    pub fn connect(address: SocketAddr, n: usize) -> Clients {
        let has_ended = Arc::new(AtomicBool::new(false));
        let failed = Arc::new(AtomicU64::new(0));
        let start = |number: usize| {
            let client = Client { address, number, has_ended: has_ended.clone(), failed: failed.clone() };
            std::thread::Builder::new().stack_size(64 << 10).spawn(move || client.run()).ok()
        };
        let threads = (0..n).filter_map(start).collect();
        Clients { has_ended, failed, threads }
    }

    /// Ends all clients and returns how many requests were not answered.
    pub fn end(self) -> u64 {
        self.has_ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        self.failed.load(Ordering::Relaxed)
    }
}

struct Client {
    address: SocketAddr,
    number: usize,
    has_ended: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
}

impl Client {
    fn run(&self) {
        let path = PATHS[self.number / 2 % PATHS.len()];
        while !self.has_ended.load(Ordering::Relaxed) {
            if self.number.is_multiple_of(2) {
                self.stay_idle();
            } else if http::get(self.address, path).is_err() {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
            pause(REQUEST_INTERVAL);
        }
    }

    /// Connects and sends nothing until the server closes the connection.
    fn stay_idle(&self) {
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address, CONNECT_TIMEOUT) else { return };
        let _ = stream.set_read_timeout(Some(REQUEST_INTERVAL));
        while !self.has_ended.load(Ordering::Relaxed) {
            match stream.read(&mut [0; 64]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return,
            }
        }
    }
}
