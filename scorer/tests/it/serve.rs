//! The HTTP API of a running scorer, over a socket and an embedded bus.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use bus::{Bus, BusConfig, Cursor, Record};
use schemas::{ActionKind, Coverage, GraphSnapshot, Node, OperatorAction, Timestamp, Topic, decode, encode};
use scorer::{ApiConfig, ScorerConfig, ScorerError};
use tokio_util::sync::CancellationToken;

pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn request(address: SocketAddr, request: &str) -> (u16, String) {
    send(address, &format!("{request} HTTP/1.0\r\nhost: localhost\r\n\r\n"))
}

fn send(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let status = response.split(' ').nth(1).unwrap().parse().unwrap();
    (status, response.split_once("\r\n\r\n").unwrap().1.to_owned())
}

pub async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let request_line = format!("GET {path}");
    tokio::task::spawn_blocking(move || request(address, &request_line)).await.unwrap()
}

pub async fn open(folder: &tempfile::TempDir) -> Arc<dyn Bus> {
    bus::open(&BusConfig { path: folder.path().to_owned(), ..BusConfig::default() }).await.unwrap()
}

pub fn snapshot(sequence: i64) -> Record {
    let node =
        |id: &str| Node { id: id.into(), kind: "process".into(), role: id.into(), name: id.into(), ..Node::default() };
    let nodes = vec![node("a"), node("b")];
    let snapshot = GraphSnapshot {
        host: "h".into(),
        cohort: "h".into(),
        run: "r".into(),
        sequence,
        nodes,
        coverage: vec![Coverage { signal: "pipes".into(), reason: "off".into(), count: sequence }],
        ..GraphSnapshot::default()
    };
    Record::new(Topic::Snapshots, "h", encode(&snapshot).unwrap(), Timestamp(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scorer_without_a_model_reports_its_learning_progress() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(&folder).await;
    let address = free_address();
    let config = ScorerConfig { api: ApiConfig { listen: address, ..ApiConfig::default() }, ..ScorerConfig::default() };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(scorer::run(config, Arc::clone(&bus), shutdown.clone()));
    bus.publish((0..7).map(snapshot).collect(), None).await.unwrap();
    let learned = async {
        loop {
            if let Ok((503, body)) =
                tokio::task::spawn_blocking(move || std::panic::catch_unwind(|| request(address, "GET /readyz")))
                    .await
                    .unwrap()
                && body.contains("\"learned\":7")
            {
                return body;
            }
            tokio::task::yield_now().await;
        }
    };
    let body = tokio::time::timeout(Duration::from_secs(30), learned).await.unwrap();
    assert_eq!(body, r#"{"ready":false,"state":"learning","learned":7,"wanted":60}"#);
    assert_eq!(get(address, "/livez").await.0, 200);
    let (status, metrics) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(metrics.contains("detective_snapshots_learned_total 7\n"), "{metrics}");
    let missing = "detective_coverage_missing{host=\"h\",signal=\"pipes\",reason=\"off\"} 6\n";
    assert!(metrics.contains(missing), "{metrics}");
    assert_eq!(get(address, "/api/incidents").await, (200, r#"{"incidents":[]}"#.to_owned()));
    assert_eq!(get(address, "/api/suspects?window=12s&host=other").await.0, 404);
    let (status, error) = get(address, "/api/suspects?window=soon").await;
    assert_eq!(status, 400);
    assert!(error.contains("window"), "{error}");
    assert_eq!(get(address, "/api/nothing").await.0, 404);
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_used_port_is_an_error_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = ScorerConfig { api: ApiConfig { listen: address, ..ApiConfig::default() }, ..ScorerConfig::default() };
    let error = scorer::run(config, open(&folder).await, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, ScorerError::Listen { address: named, .. } if *named == address));
    assert!(error.hint().unwrap().contains("--listen"));
}

/// Waits until a condition holds.
fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "the condition does not hold after 30 s");
        std::thread::yield_now();
    }
}

fn post_baseline(address: SocketAddr, headers: &str) -> (u16, String) {
    let body = r#"{"for": "10m", "host": "h", "by": "ada"}"#;
    let length = body.len();
    let headers = format!("content-type: application/json\r\ncontent-length: {length}\r\n{headers}");
    send(address, &format!("POST /api/baseline HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n{body}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_baseline_needs_the_token_and_is_published() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(&folder).await;
    let address = free_address();
    let api = ApiConfig { listen: address, ..ApiConfig::default() }.with_data_directory(folder.path());
    let config = ScorerConfig { api: api.clone(), ..ScorerConfig::default() };
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(scorer::run(config, Arc::clone(&bus), shutdown.clone()));
    bus.publish(vec![snapshot(0)], None).await.unwrap();
    let requests = tokio::task::spawn_blocking(move || {
        wait_until(|| TcpStream::connect(address).is_ok());
        assert_eq!(request(address, "GET /livez").0, 200);
        // Until its topics are read, a scorer has no incidents to respond with.
        wait_until(|| request(address, "GET /api/incidents").0 == 200);
        let token = format!("authorization: Bearer {}\r\n", fs::read_to_string(api.token_file).unwrap().trim());
        assert_eq!(post_baseline(address, "").0, 401);
        assert_eq!(post_baseline(address, &format!("{token}origin: http://attacker.example\r\n")).0, 403);
        assert_eq!(request(address, "GET /api/graph").0, 401);
        let graph = send(address, &format!("GET /api/graph HTTP/1.0\r\nhost: localhost\r\n{token}\r\n"));
        assert_eq!(graph.0, 404, "no snapshot was scored yet");
        assert_eq!(send(address, "GET /api/incidents HTTP/1.0\r\nhost: attacker.example\r\n\r\n").0, 403);
        // Until a snapshot of the host is received, the host is unknown.
        wait_until(|| post_baseline(address, &token).0 != 404);
        let (status, answer) = post_baseline(address, &token);
        assert!(status == 200 && answer.contains("\"excluded_incidents\":0"), "{status} {answer}");
    });
    requests.await.unwrap();
    let page = bus.read(&Cursor::start(Topic::Actions), 10, Duration::from_secs(30)).await.unwrap();
    let [delivery, ..] = page.deliveries.as_slice() else { panic!("{page:?}") };
    let action: OperatorAction = decode(&delivery.value).unwrap();
    assert_eq!((action.action, action.host.as_deref(), action.by.as_str()), (ActionKind::Baseline, Some("h"), "ada"));
    assert_eq!(action.until.map(|until| until.millis_since(action.time)), Some(600_000));
    assert!(action.client.starts_with("127.0.0.1:") && !action.include_incidents, "{action:?}");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
