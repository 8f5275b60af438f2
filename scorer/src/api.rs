//! The HTTP API: questions to the scorer's loop.

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Query as Parameters, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::query::Query;

/// Where questions go.
pub type Asker = mpsc::Sender<Query>;

/// The longest baseline that may be asked for.
const LONGEST_BASELINE: Duration = Duration::from_secs(7 * 24 * 3600);

/// The routes.
pub fn router(asker: Asker) -> Router {
    Router::new()
        .route("/api/suspects", get(suspects))
        .route("/api/incidents", get(incidents))
        .route("/api/graph", get(graph))
        .route("/api/baseline", post(baseline))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(asker)
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
    span: Duration,
    host: Option<String>,
}

async fn suspects(
    State(asker): State<Asker>,
    parameters: Result<Parameters<SuspectsParameters>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Parameters(SuspectsParameters { window, host }) = match parameters {
        Ok(parameters) => parameters,
        Err(rejection) => return refuse(StatusCode::BAD_REQUEST, rejection.body_text()),
    };
    match ask(&asker, |reply| Query::Suspects { host, window, reply }).await {
        Ok(Some(answer)) => Json(answer).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "no snapshot of such a host was taken yet".to_owned()),
        Err(gone) => gone,
    }
}

async fn incidents(
    State(asker): State<Asker>,
    Parameters(HostParameter { host }): Parameters<HostParameter>,
) -> Response {
    match ask(&asker, |reply| Query::Incidents { host, reply }).await {
        Ok(incidents) => Json(json!({"incidents": incidents})).into_response(),
        Err(gone) => gone,
    }
}

async fn graph(State(asker): State<Asker>, Parameters(HostParameter { host }): Parameters<HostParameter>) -> Response {
    match ask(&asker, |reply| Query::Graph { host, reply }).await {
        Ok(Some(graph)) => Json(graph).into_response(),
        Ok(None) => refuse(StatusCode::NOT_FOUND, "no snapshot of such a host was scored yet".to_owned()),
        Err(gone) => gone,
    }
}

async fn baseline(
    State(asker): State<Asker>,
    body: Result<Json<BaselineBody>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let Json(BaselineBody { span, host }) = match body {
        Ok(body) => body,
        Err(rejection) => {
            return refuse(
                StatusCode::BAD_REQUEST,
                format!("expected {{\"for\": \"10m\"}}: {}", rejection.body_text()),
            );
        }
    };
    if span.is_zero() || span > LONGEST_BASELINE {
        return refuse(StatusCode::BAD_REQUEST, "`for` expected a duration from 1s to 7days".to_owned());
    }
    match ask(&asker, |reply| Query::Baseline { host, span, reply }).await {
        Ok(until) => Json(json!({"until": until})).into_response(),
        Err(gone) => gone,
    }
}

async fn metrics(State(asker): State<Asker>) -> Response {
    match ask(&asker, |reply| Query::Metrics { reply }).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(gone) => gone,
    }
}

/// Alive is who still answers: the question goes through the scorer's own loop.
async fn livez(State(asker): State<Asker>) -> Response {
    match ask(&asker, |reply| Query::Metrics { reply }).await {
        Ok(_) => "alive\n".into_response(),
        Err(gone) => gone,
    }
}

async fn readyz(State(asker): State<Asker>) -> Response {
    match ask(&asker, |reply| Query::Ready { reply }).await {
        Ok(answer) if answer.ready => Json(answer).into_response(),
        Ok(answer) => (StatusCode::SERVICE_UNAVAILABLE, Json(answer)).into_response(),
        Err(gone) => gone,
    }
}

async fn ask<T>(asker: &Asker, question: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, Response> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let (reply, answer) = oneshot::channel();
    let asked = async {
        asker.send(question(reply)).await.ok()?;
        answer.await.ok()
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Some(answer)) => Ok(answer),
        _ => Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "the scorer does not answer".to_owned())),
    }
}

fn refuse(status: StatusCode, error: String) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}
