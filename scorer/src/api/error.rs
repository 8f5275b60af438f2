//! The response to a request that fails.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A response with the error as JSON.
pub(super) fn error_response(status: StatusCode, error: String) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}
