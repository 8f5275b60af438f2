//! The HTTP API. Each request is a query to the scorer's loop.
//!
//! - [`server`]: connections, and their limits
//! - [`access`], [`token`]: who may send which request
//! - `error`: the response to a request that fails

pub mod access;
mod error;
pub mod server;
pub mod token;

use std::time::Duration;

use axum::{
    Extension, Json, Router,
    extract::{Query as Parameters, State},
    http::{StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::query::{BaselineRequest, Query};
use access::Access;
use error::error_response;
use server::Peer;

/// Sends queries to the scorer's loop.
pub type QuerySender = mpsc::Sender<Query>;

/// Longest duration of an operator baseline.
const MAX_BASELINE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Longest name of an operator, in bytes.
const MAX_NAME_BYTES: usize = 200;

/// Time limit for the response of the scorer's loop.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// The routes of the API, for requests that follow the rules. Must be called within a tokio
/// runtime.
pub fn router(queries: QuerySender, access: Access) -> Router {
    let routes = Router::new()
        .route("/api/suspects", get(suspects))
        .route("/api/incidents", get(incidents))
        .route("/api/graph", get(graph))
        .route("/api/baseline", post(start_baseline))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(queries);
    server::limit_requests(routes).layer(from_fn_with_state(access, access::check))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuspectsParameters {
    #[serde(default = "default_window", with = "humantime_serde")]
    window: Duration,
    host: Option<String>,
}

fn default_window() -> Duration {
    Duration::from_secs(12)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostParameter {
    host: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineBody {
    #[serde(rename = "for", with = "humantime_serde")]
    duration: Duration,
    host: Option<String>,
    #[serde(default)]
    include_incidents: bool,
    #[serde(default)]
    by: String,
}

async fn suspects(
    State(queries): State<QuerySender>,
    parameters: Result<Parameters<SuspectsParameters>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Parameters(SuspectsParameters { window, host }) = match parameters {
        Ok(parameters) => parameters,
        Err(rejection) => return error_response(StatusCode::BAD_REQUEST, rejection.body_text()),
    };
    match send_query(&queries, |reply| Query::Suspects { host, window, reply }).await {
        Ok(Some(suspects)) => Json(suspects).into_response(),
        Ok(None) => error_response(StatusCode::NOT_FOUND, "no snapshot of this host was received yet".to_owned()),
        Err(response) => response,
    }
}

async fn incidents(
    State(queries): State<QuerySender>,
    Parameters(HostParameter { host }): Parameters<HostParameter>,
) -> Response {
    match send_query(&queries, |reply| Query::Incidents { host, reply }).await {
        Ok(incidents) => Json(json!({"incidents": incidents})).into_response(),
        Err(response) => response,
    }
}

async fn graph(
    State(queries): State<QuerySender>,
    Parameters(HostParameter { host }): Parameters<HostParameter>,
) -> Response {
    match send_query(&queries, |reply| Query::Graph { host, reply }).await {
        Ok(Some(graph)) => Json(graph).into_response(),
        Ok(None) => error_response(StatusCode::NOT_FOUND, "no snapshot of this host was scored yet".to_owned()),
        Err(response) => response,
    }
}

/// Declares hosts healthy for the requested time.
async fn start_baseline(
    State(queries): State<QuerySender>,
    Extension(Peer(peer)): Extension<Peer>,
    body: Result<Json<BaselineBody>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let Json(BaselineBody { duration, host, include_incidents, by }) = match body {
        Ok(body) => body,
        Err(rejection) => {
            return error_response(
                StatusCode::BAD_REQUEST,
                format!("expected {{\"for\": \"10m\"}}: {}", rejection.body_text()),
            );
        }
    };
    if duration.is_zero() || duration > MAX_BASELINE {
        return error_response(
            StatusCode::BAD_REQUEST,
            "`for`: expected a duration above 0s and at most 7days".to_owned(),
        );
    }
    if by.len() > MAX_NAME_BYTES || by.contains(char::is_control) {
        return error_response(
            StatusCode::BAD_REQUEST,
            format!("`by`: expected at most {MAX_NAME_BYTES} bytes without control characters"),
        );
    }
    let request = BaselineRequest { host, duration, include_incidents, by, client: peer.to_string() };
    match send_query(&queries, |reply| Query::Baseline { request, reply }).await {
        Ok(Some(started)) => Json(started).into_response(),
        Ok(None) => error_response(StatusCode::NOT_FOUND, "no snapshot of this host was received yet".to_owned()),
        Err(response) => response,
    }
}

async fn metrics(State(queries): State<QuerySender>) -> Response {
    match send_query(&queries, |reply| Query::Metrics { reply }).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(response) => response,
    }
}

/// Succeeds while the scorer's loop handles queries.
async fn livez(State(queries): State<QuerySender>) -> Response {
    match send_query(&queries, |reply| Query::Metrics { reply }).await {
        Ok(_) => "alive\n".into_response(),
        Err(response) => response,
    }
}

async fn readyz(State(queries): State<QuerySender>) -> Response {
    match send_query(&queries, |reply| Query::Ready { reply }).await {
        Ok(readiness) if readiness.ready => Json(readiness).into_response(),
        Ok(readiness) => (StatusCode::SERVICE_UNAVAILABLE, Json(readiness)).into_response(),
        Err(response) => response,
    }
}

/// Sends a query and waits for its response.
///
/// # Errors
/// A response with status 503 if the loop does not respond in time.
async fn send_query<T>(
    queries: &QuerySender,
    make_query: impl FnOnce(oneshot::Sender<T>) -> Query,
) -> Result<T, Response> {
    let (reply, response) = oneshot::channel();
    let exchange = async {
        queries.send(make_query(reply)).await.ok()?;
        response.await.ok()
    };
    match tokio::time::timeout(QUERY_TIMEOUT, exchange).await {
        Ok(Some(response)) => Ok(response),
        _ => Err(error_response(StatusCode::SERVICE_UNAVAILABLE, "the scorer does not respond".to_owned())),
    }
}
