//! Accepts connections, within limits: no client can use up the descriptors, the memory or the time
//! of this process.

use std::{convert::Infallible, future::Future, net::SocketAddr, pin::pin, time::Duration};

use axum::{
    BoxError, Router, body::Body, error_handling::HandleErrorLayer, extract::DefaultBodyLimit, http::StatusCode,
};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::{ServiceBuilder, ServiceExt, load_shed::error::Overloaded};

use super::error::error_response;

/// Time for a client to send the head of a request, and after which an idle connection is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Time for a client to send the body of a request, and for the response to be ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that is open for longer finishes its request and is closed.
const MAX_CONNECTION_TIME: Duration = Duration::from_secs(120);
/// Largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// Largest body of a request, in bytes.
const MAX_BODY_BYTES: usize = 16 << 10;
/// Largest number of requests per second to one path.
const MAX_REQUESTS_PER_SECOND: u64 = 100;
/// Number of requests to one path that may wait.
const QUEUE_LENGTH: usize = 64;
/// Pause after connections could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Address of the client; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Limits the size, time and rate of the requests to each route. Must be called within a tokio
/// runtime.
pub fn limit_requests(routes: Router) -> Router {
    // A handler that has its state already is layered once, and not again for each request.
    routes.with_state(()).layer(DefaultBodyLimit::max(MAX_BODY_BYTES)).layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(async |error: BoxError| limit_response(&error)))
            .buffer(QUEUE_LENGTH)
            .load_shed()
            .rate_limit(MAX_REQUESTS_PER_SECOND, Duration::from_secs(1))
            .timeout(REQUEST_TIMEOUT),
    )
}

fn limit_response(error: &BoxError) -> axum::response::Response {
    if error.is::<Overloaded>() {
        return error_response(StatusCode::TOO_MANY_REQUESTS, "too many requests per second".to_owned());
    }
    error_response(StatusCode::REQUEST_TIMEOUT, format!("expected a request within {} s", REQUEST_TIMEOUT.as_secs()))
}

/// Serves at most `max_connections` connections at a time until `shutdown`, and closes further ones
/// at once. Open connections have `grace` to finish their requests then.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    max_connections: usize,
    shutdown: CancellationToken,
    grace: Duration,
) {
    let mut connections = JoinSet::new();
    let mut is_full = false;
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) if connections.len() < max_connections => {
                is_full = false;
                connections.spawn(serve_connection(stream, Peer(peer), routes.clone(), shutdown.clone()));
            }
            Ok(_) => {
                if !is_full {
                    tracing::warn!(max_connections, "HTTP connections refused; limit reached");
                }
                is_full = true;
            }
            Err(error) => {
                tracing::warn!(%error, "HTTP connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    let _ = timeout(grace, async { while connections.join_next().await.is_some() {} }).await;
}

async fn serve_connection(stream: TcpStream, peer: Peer, routes: Router, shutdown: CancellationToken) {
    let handle = service_fn(move |request| respond(request, peer, routes.clone()));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), handle));
    tokio::select! {
        // Errors are those of the client.
        _ = connection.as_mut() => return,
        () = sleep(MAX_CONNECTION_TIME) => {}
        () = shutdown.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(REQUEST_TIMEOUT, connection).await;
}

fn respond(
    request: Request<Incoming>,
    peer: Peer,
    routes: Router,
) -> impl Future<Output = Result<axum::response::Response, Infallible>> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    routes.oneshot(request)
}
