#![no_main]

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Method, Request},
};
use schemas::Timestamp;
use scorer::{
    ApiConfig, ScorerConfig,
    api::{self, access::Access, server::Peer, token::Token},
    engine::Engine,
};
use tokio::{runtime::Builder, sync::mpsc};
use tower::ServiceExt;

fn token() -> String {
    "7f".repeat(32)
}

/// Parses lines of a request: method and target, headers, an empty line, and the body. The request
/// has the token and comes from loopback, so that it passes the access check.
fn parse_request(text: &str) -> Option<Request<Body>> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let (method, target) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).ok()?)
        .uri(target)
        .extension(Peer(([127, 0, 0, 1], 1).into()))
        .header("authorization", format!("Bearer {}", token()))
        .header("content-type", "application/json");
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_str(value).ok()?);
    }
    request.body(Body::from(body.to_owned())).ok()
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Some(request) = parse_request(text) else { return };
    // Time that is paused passes at once when all tasks wait, for instance for the rate limit.
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let (sender, mut queries) = mpsc::channel(4);
        let mut engine = Engine::new(ScorerConfig::default(), [], Timestamp(0));
        let access = Access::new(ApiConfig::default(), Some(Token::from(token())));
        let respond = api::router(sender, access).oneshot(request);
        tokio::pin!(respond);
        loop {
            tokio::select! {
                _ = &mut respond => return,
                Some(query) = queries.recv() => drop(query.run(&mut engine, Timestamp(0))),
            }
        }
    });
});
