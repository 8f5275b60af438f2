//! What the scorer answers while there is no bus: that it is alive, and not ready.

use std::{future::Future, net::SocketAddr, time::Duration};

use axum::{Json, Router, http::StatusCode, routing::get};
use tokio::{net::TcpListener, sync::oneshot, time::timeout};

use crate::{ScorerError, query::ReadyAnswer};

/// Listens at `address` until what is waited for has come, and returns that.
///
/// # Errors
/// If it cannot listen there.
pub async fn answer_until<T>(address: SocketAddr, waited_for: impl Future<Output = T>) -> Result<T, ScorerError> {
    let listener = TcpListener::bind(address).await.map_err(|source| ScorerError::Listen { address, source })?;
    let (come, has_come) = oneshot::channel::<()>();
    let router = Router::new().route("/livez", get(async || "alive\n")).route("/readyz", get(readyz));
    let serving = axum::serve(listener, router).with_graceful_shutdown(async { drop(has_come.await) });
    let serving = tokio::spawn(serving.into_future());
    let come_about = waited_for.await;
    drop(come);
    // Whoever holds a connection open does not delay what comes now.
    let _ = timeout(Duration::from_millis(100), serving).await;
    Ok(come_about)
}

async fn readyz() -> (StatusCode, Json<ReadyAnswer>) {
    let answer = ReadyAnswer { ready: false, state: "waiting", learned: 0, wanted: 0 };
    (StatusCode::SERVICE_UNAVAILABLE, Json(answer))
}
