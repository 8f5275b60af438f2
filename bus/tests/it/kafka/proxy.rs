//! A TCP proxy before a Kafka broker, which holds back the end of a transaction on request.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Mutex, mpsc, oneshot},
};

/// The key of `EndTxn` in Kafka's protocol.
const END_TXN: u16 = 26;

/// What happens to the next `EndTxn` request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is held back, and the connection is silent.
    Request,
    /// It is held back, and the connection is closed.
    RequestAndClose,
    /// It is forwarded, and its response is discarded.
    Response,
}

/// A proxy. Brokers are known to its clients by its own address.
pub struct Proxy {
    /// `host:port`.
    pub address: String,
    hold: Arc<Mutex<Option<Hold>>>,
    held: mpsc::Receiver<HeldRequest>,
}

/// An `EndTxn` request that was held back.
pub struct HeldRequest {
    correlation_id: [u8; 4],
    resume: oneshot::Sender<()>,
    responses: mpsc::Receiver<Vec<u8>>,
}

impl Proxy {
    /// Starts a proxy before the broker at `broker`, given as `127.0.0.1:port`.
    pub async fn start(broker: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hold = Arc::new(Mutex::new(None));
        let (sender, held) = mpsc::channel(1);
        let ports =
            Ports { broker: port_bytes(broker.rsplit(':').next().unwrap().parse().unwrap()), proxy: port_bytes(port) };
        let broker = broker.to_owned();
        let next_hold = Arc::clone(&hold);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let broker = TcpStream::connect(&broker).await.unwrap();
                relay(client, broker, ports, Arc::clone(&next_hold), sender.clone());
            }
        });
        Proxy { address: format!("127.0.0.1:{port}"), hold, held }
    }

    /// Holds the next `EndTxn` request.
    pub async fn hold_next(&self, hold: Hold) {
        *self.hold.lock().await = Some(hold);
    }

    /// Waits until a request is held back.
    pub async fn held(&mut self) -> HeldRequest {
        self.held.recv().await.unwrap()
    }
}

impl HeldRequest {
    /// Delivers the request to the broker, and returns the error code of the response; 0: none.
    pub async fn deliver(mut self) -> i16 {
        self.resume.send(()).unwrap();
        loop {
            let response = self.responses.recv().await.unwrap();
            // The correlation id, the throttle time and the error code.
            if response[..4] == self.correlation_id {
                return i16::from_be_bytes([response[8], response[9]]);
            }
        }
    }
}

/// The ports of the broker and the proxy, as in Kafka's responses.
#[derive(Clone, Copy)]
struct Ports {
    broker: [u8; 4],
    proxy: [u8; 4],
}

fn port_bytes(port: u16) -> [u8; 4] {
    u32::from(port).to_be_bytes()
}

/// Relays the requests and responses of a connection in the background.
fn relay(
    client: TcpStream,
    broker: TcpStream,
    ports: Ports,
    hold: Arc<Mutex<Option<Hold>>>,
    held: mpsc::Sender<HeldRequest>,
) {
    let (requests, client) = client.into_split();
    let (responses, broker) = broker.into_split();
    let connection = Arc::new(Connection {
        client: Mutex::new(Some(client)),
        is_silent: AtomicBool::new(false),
        copy: Mutex::new(None),
    });
    tokio::spawn(relay_responses(responses, ports, Arc::clone(&connection)));
    tokio::spawn(async move {
        let _ = relay_requests(requests, broker, connection, hold, held).await;
    });
}

/// What the two directions of a connection share.
struct Connection {
    /// `None` once it is closed.
    client: Mutex<Option<OwnedWriteHalf>>,
    is_silent: AtomicBool,
    /// Receives a copy of each response.
    copy: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
}

async fn relay_responses(mut responses: OwnedReadHalf, ports: Ports, connection: Arc<Connection>) {
    while let Ok(mut response) = read_frame(&mut responses).await {
        replace_port(&mut response, ports);
        if let Some(copy) = &*connection.copy.lock().await {
            let _ = copy.send(response.clone()).await;
        }
        if let Some(client) = &mut *connection.client.lock().await
            && !connection.is_silent.load(SeqCst)
        {
            let _ = write_frame(client, &response).await;
        }
    }
    connection.client.lock().await.take();
}

async fn relay_requests(
    mut requests: OwnedReadHalf,
    mut broker: OwnedWriteHalf,
    connection: Arc<Connection>,
    hold: Arc<Mutex<Option<Hold>>>,
    held: mpsc::Sender<HeldRequest>,
) -> io::Result<()> {
    loop {
        let request = read_frame(&mut requests).await?;
        let is_end = u16::from_be_bytes([request[0], request[1]]) == END_TXN;
        let hold = if is_end { hold.lock().await.take() } else { None };
        if hold == Some(Hold::Response) {
            connection.is_silent.store(true, SeqCst);
        }
        if let Some(Hold::Request | Hold::RequestAndClose) = hold {
            let (resume, resumed) = oneshot::channel();
            let (copy, responses) = mpsc::channel(100);
            *connection.copy.lock().await = Some(copy);
            let correlation_id = request[4..8].try_into().unwrap();
            if hold == Some(Hold::RequestAndClose) {
                connection.client.lock().await.take();
            }
            held.send(HeldRequest { correlation_id, resume, responses }).await.unwrap();
            let _ = resumed.await;
        }
        write_frame(&mut broker, &request).await?;
        if hold == Some(Hold::RequestAndClose) {
            // The client has closed its side, and the broker must not notice.
            std::future::pending::<()>().await;
        }
    }
}

/// Clients connect to the address in the broker's responses: replaces it by that of the proxy.
fn replace_port(response: &mut [u8], ports: Ports) {
    let address = [&b"127.0.0.1"[..], &ports.broker].concat();
    let starts: Vec<usize> = response
        .windows(address.len())
        .enumerate()
        .filter(|(_, window)| *window == address)
        .map(|(at, _)| at)
        .collect();
    for start in starts {
        response[start + address.len() - 4..start + address.len()].copy_from_slice(&ports.proxy);
    }
}

async fn read_frame(stream: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let size = stream.read_u32().await?;
    let mut frame = vec![0; size as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame(stream: &mut OwnedWriteHalf, frame: &[u8]) -> io::Result<()> {
    stream.write_u32(u32::try_from(frame.len()).unwrap()).await?;
    stream.write_all(frame).await
}
