//! Who may send which request.
//!
//! A web page on another site can make a browser send requests to loopback. `Host` names that
//! site after DNS rebinding, and `Origin` names it otherwise, so both are checked on every request.
//! A request that changes state, or shows what the kernel shows only to root, needs the token.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::Response,
};

use super::{error::error_response, server::Peer, token::Token};
use crate::config::{ApiConfig, OpenTo};

/// Paths that need the token although they change nothing.
const PROTECTED: [&str; 1] = ["/api/graph"];
/// Paths that never need the token.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// The rules for requests.
#[derive(Clone, Debug)]
pub struct Access {
    config: Arc<ApiConfig>,
    /// `None`: requests that need a token are refused.
    token: Option<Token>,
}

impl Access {
    /// Rules with these settings and this token.
    pub fn new(config: ApiConfig, token: Option<Token>) -> Access {
        Access { config: Arc::new(config), token }
    }

    /// The response to a request that does not follow the rules, with the reason.
    fn refuse(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().ok()?.parse().ok());
        let hosts = hosts.chain(request.uri().authority().cloned().map(Some));
        // A client of HTTP/1.0 sends no host; no browser is one.
        if !hosts.into_iter().all(|host| host.is_some_and(|host| self.is_own_host(&host))) {
            return Some(forbidden("unknown `Host`; `api.hosts` lists further names of this host"));
        }
        if !is_same_origin(headers) {
            return Some(forbidden("`Origin` names another site than `Host`"));
        }
        let lacks_token = self.needs_token(request) && !self.has_token(headers);
        lacks_token.then(unauthorized)
    }

    /// A name that a web page cannot have: loopback, the address that the API listens on, or one of
    /// the settings. A page from an IP address does not change its address by DNS.
    fn is_own_host(&self, authority: &Authority) -> bool {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse::<IpAddr>() {
            let listen = self.config.listen.ip();
            return address.is_loopback() || address == listen || listen.is_unspecified();
        }
        let names = self.config.hosts.iter().map(String::as_str).chain(["localhost"]);
        names.into_iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    fn needs_token(&self, request: &Request) -> bool {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let path = request.uri().path();
        !is_read || PROTECTED.contains(&path) || !(OPEN.contains(&path) || self.is_open_to_client(request))
    }

    fn is_open_to_client(&self, request: &Request) -> bool {
        match self.config.open_to {
            OpenTo::Loopback => {
                request.extensions().get().is_some_and(|Peer(client)| client.ip().to_canonical().is_loopback())
            }
            OpenTo::All => true,
            OpenTo::None => false,
        }
    }

    fn has_token(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        self.token.as_ref().zip(sent).is_some_and(|(token, sent)| token.is(sent))
    }
}

/// Passes a request on if it follows the rules.
pub async fn check(State(access): State<Access>, request: Request, next: Next) -> Response {
    match access.refuse(&request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
    }
}

/// Whether a request comes from no web page, or from one of the host that it is sent to.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.zip(host).is_some_and(|(authority, host)| authority.eq_ignore_ascii_case(host))
}

fn unauthorized() -> Response {
    let error = "expected `Authorization: Bearer TOKEN`, with the token in the file `api.token_file`";
    let mut response = error_response(StatusCode::UNAUTHORIZED, error.to_owned());
    response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    response
}

fn forbidden(reason: &str) -> Response {
    error_response(StatusCode::FORBIDDEN, reason.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(config: &ApiConfig, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        status_for([127, 0, 0, 1], config, method, path, headers)
    }

    fn status_for(client: [u8; 4], config: &ApiConfig, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
        let token = Some(Token::from("7f".repeat(32)));
        let mut request = Request::builder().method(method).uri(path).extension(Peer((client, 52114).into()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        Access::new(config.clone(), token).refuse(&request).map_or(200, |response| response.status().as_u16())
    }

    fn read(config: &ApiConfig, headers: &[(&str, &str)]) -> u16 {
        status(config, Method::GET, "/api/suspects", headers)
    }

    #[test]
    fn only_own_hosts_are_accepted() {
        let config = ApiConfig { hosts: vec!["Detective.example".to_owned()], ..ApiConfig::default() };
        for host in ["127.0.0.1:7117", "localhost", "LOCALHOST:7117", "[::1]:7117", "detective.example", "127.9.9.9"] {
            assert_eq!(read(&config, &[("host", host)]), 200, "{host}");
        }
        for host in ["attacker.example:7117", "192.0.2.7", "localhost.attacker.example", "", "a b", "localhost@x"] {
            assert_eq!(read(&config, &[("host", host)]), 403, "{host}");
        }
        assert_eq!(read(&config, &[]), 200, "HTTP/1.0 has no host");
        assert_eq!(read(&config, &[("host", "localhost"), ("host", "attacker.example")]), 403);
        assert_eq!(status(&config, Method::GET, "http://attacker.example/livez", &[("host", "localhost")]), 403);
        let public = ApiConfig { listen: ([0, 0, 0, 0], 7117).into(), ..config.clone() };
        assert_eq!(read(&public, &[("host", "192.0.2.7:7117")]), 200, "an address cannot be rebound");
        let one = ApiConfig { listen: ([192, 0, 2, 7], 7117).into(), ..config };
        assert_eq!(read(&one, &[("host", "192.0.2.7:7117")]), 200);
    }

    #[test]
    fn a_page_of_another_site_is_refused() {
        let config = ApiConfig::default();
        let from = |origin| read(&config, &[("host", "localhost:7117"), ("origin", origin)]);
        assert_eq!(from("http://localhost:7117"), 200);
        for origin in ["http://attacker.example", "http://localhost:8000", "null", "", "file://localhost:7117"] {
            assert_eq!(from(origin), 403, "{origin}");
        }
    }

    #[test]
    fn changes_and_the_graph_need_the_token() {
        let config = ApiConfig::default();
        let valid = format!("Bearer {}", "7f".repeat(32));
        for (method, path) in [(Method::POST, "/api/baseline"), (Method::GET, "/api/graph"), (Method::PUT, "/livez")] {
            let status = |value: &str| status(&config, method.clone(), path, &[("authorization", value)]);
            assert_eq!(status(&valid), 200, "{path}");
            for value in ["", "Bearer ", "Bearer 7f", &valid.to_uppercase(), &format!("{valid}0")] {
                assert_eq!(status(value), 401, "{path} {value}");
            }
        }
    }

    #[test]
    fn reading_is_open_to_the_clients_of_the_settings() {
        let valid = format!("Bearer {}", "7f".repeat(32));
        for (open_to, expected) in
            [(OpenTo::Loopback, (200, 401)), (OpenTo::All, (200, 200)), (OpenTo::None, (401, 401))]
        {
            let config = ApiConfig { open_to, ..ApiConfig::default() };
            let status =
                |client, path, headers: &[(&str, &str)]| status_for(client, &config, Method::GET, path, headers);
            let local = status([127, 0, 0, 1], "/metrics", &[]);
            let remote = status([192, 0, 2, 7], "/metrics", &[]);
            assert_eq!((local, remote), expected, "{open_to:?}");
            assert_eq!(status([192, 0, 2, 7], "/metrics", &[("authorization", &valid)]), 200);
            assert_eq!(status([192, 0, 2, 7], "/livez", &[]), 200);
        }
    }

    #[test]
    fn without_a_token_what_needs_one_is_refused() {
        let request = Request::builder().uri("/api/graph").header("authorization", "Bearer ").body(Body::empty());
        assert!(Access::new(ApiConfig::default(), None).refuse(&request.unwrap()).is_some());
    }
}
