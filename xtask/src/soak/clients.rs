//! Clients that keep connections to the HTTP API of `up` open.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crate::time::pause;

/// Connected clients. Every other one only connects; the rest send requests.
pub struct Clients {
    has_ended: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

const PATHS: [&str; 4] = ["/api/suspects?window=12s", "/api/incidents", "/metrics", "/readyz"];
const TIMEOUT: Duration = Duration::from_secs(10);
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
        while !self.has_ended.load(Ordering::Relaxed) {
            if self.number.is_multiple_of(2) {
                self.stay_idle();
            } else if self.request().is_err() {
                self.failed.fetch_add(1, Ordering::Relaxed);
            }
            pause(REQUEST_INTERVAL);
        }
    }

    /// Connects and sends nothing until the server closes the connection.
    fn stay_idle(&self) {
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address, TIMEOUT) else { return };
        let _ = stream.set_read_timeout(Some(REQUEST_INTERVAL));
        while !self.has_ended.load(Ordering::Relaxed) {
            match stream.read(&mut [0; 64]) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn request(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let path = PATHS[self.number / 2 % PATHS.len()];
        write!(stream, "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address)?;
        let mut response = Vec::new();
        stream.read_to_end(&mut response)?;
        if response.is_empty() { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
