//! The HTTP API while the bus is not open yet: alive but not ready.

use std::{future::Future, net::SocketAddr, time::Duration};

use axum::{Json, Router, http::StatusCode, routing::get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{ScorerError, api::server, query::Readiness};

/// How long open connections may delay the return of [`serve_until`].
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(100);

const MAX_CONNECTIONS: usize = 128;

/// Serves `/livez` and `/readyz` at `address` until `future` completes, and returns its output.
///
/// # Errors
/// [`ScorerError::Listen`] if the address cannot be bound.
pub async fn serve_until<T>(address: SocketAddr, future: impl Future<Output = T>) -> Result<T, ScorerError> {
    let listener = TcpListener::bind(address).await.map_err(|source| ScorerError::Listen { address, source })?;
    let routes = Router::new().route("/livez", get(async || "alive\n")).route("/readyz", get(readyz));
    let routes = server::limit_requests(routes);
    let stop = CancellationToken::new();
    let server = server::serve(listener, routes, MAX_CONNECTIONS, stop.clone(), SHUTDOWN_TIMEOUT);
    let server = tokio::spawn(server);
    let output = future.await;
    stop.cancel();
    let _ = server.await;
    Ok(output)
}

async fn readyz() -> (StatusCode, Json<Readiness>) {
    (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness::waiting()))
}
