//! The impact of a fault on the clients of the workload: latency and errors, before and during it.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What clients measured before and during a fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientImpact {
    /// The time before the fault, as long as the fault itself or as far back as requests go.
    pub before: RequestSummary,
    /// The time of the fault.
    pub during: RequestSummary,
}

/// Requests of a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// Number of requests that were due.
    pub requests: usize,
    /// Number of requests that failed or got no answer.
    pub errors: usize,
    /// Median latency in milliseconds; `None` without requests.
    pub p50_ms: Option<f64>,
    /// 95th percentile of the latency in milliseconds; `None` without requests.
    pub p95_ms: Option<f64>,
}

/// One request, as the clients of the workload log it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Request {
    /// When the request was due, in seconds since 1970.
    pub t: f64,
    /// Milliseconds from `t` to the end of the request.
    pub ms: f64,
    /// HTTP status; 0 without an answer.
    pub status: u16,
}

/// Reads the requests that were due from `from` to `until`, in seconds since 1970. An incomplete
/// last line is skipped, because clients may be writing it.
///
/// # Errors
/// If the file cannot be read, or a line is not a request.
pub fn read_requests(path: &Path, from: f64, until: f64) -> anyhow::Result<Vec<Request>> {
    let cannot = || format!("cannot read the latencies `{}`", path.display());
    let mut file = BufReader::new(File::open(path).with_context(cannot)?);
    let mut requests = Vec::new();
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        file.read_line(&mut line).with_context(cannot)?;
        if !line.ends_with('\n') {
            break;
        }
        let request: Request = serde_json::from_str(&line).with_context(|| {
            format!("expected a request in line {number} of `{}`, found `{}`", path.display(), line.trim_end())
        })?;
        if (from..until).contains(&request.t) {
            requests.push(request);
        }
    }
    Ok(requests)
}

impl ClientImpact {
    /// The impact of a fault that lasted from `begin` to `end`, in seconds since 1970.
    pub fn from_requests(requests: &[Request], begin: f64, end: f64) -> ClientImpact {
        let before = begin - (end - begin);
        ClientImpact { before: summarize(requests, before, begin), during: summarize(requests, begin, end) }
    }
}

fn summarize(requests: &[Request], from: f64, until: f64) -> RequestSummary {
    let due = || requests.iter().filter(|request| (from..until).contains(&request.t));
    let mut latencies: Vec<f64> = due().map(|request| request.ms).collect();
    latencies.sort_by(f64::total_cmp);
    let is_error = |request: &&Request| !(200..400).contains(&request.status);
    RequestSummary {
        requests: latencies.len(),
        errors: due().filter(is_error).count(),
        p50_ms: percentile(&latencies, 50),
        p95_ms: percentile(&latencies, 95),
    }
}

/// Percentile by the nearest-rank method.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_count_for_the_time_when_they_were_due() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latencies.jsonl");
        let mut text = String::new();
        for n in 0..100 {
            let (ms, status) = if n < 50 { (10, 200) } else { (n * 10, if n % 2 == 0 { 200 } else { 0 }) };
            text += &format!("{{\"t\": {}.5, \"ms\": {ms}, \"path\": \"/order\", \"status\": {status}}}\n", 1000 + n);
        }
        std::fs::write(&path, text + "{\"t\": 10").unwrap();
        let requests = read_requests(&path, 1000.0, 1090.0).unwrap();
        assert_eq!(requests.len(), 90);
        let impact = ClientImpact::from_requests(&requests, 1050.0, 1090.0);
        assert_eq!(impact.before, RequestSummary { requests: 40, errors: 0, p50_ms: Some(10.0), p95_ms: Some(10.0) });
        assert_eq!(
            impact.during,
            RequestSummary { requests: 40, errors: 20, p50_ms: Some(690.0), p95_ms: Some(870.0) }
        );
    }

    #[test]
    fn no_requests_have_no_latency() {
        let none = RequestSummary { requests: 0, errors: 0, p50_ms: None, p95_ms: None };
        assert_eq!(ClientImpact::from_requests(&[], 1.0, 2.0).during, none);
    }

    #[test]
    fn a_malformed_line_is_reported_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latencies.jsonl");
        std::fs::write(&path, "{\"t\": 1, \"ms\": 1, \"status\": 200}\n5 ms\n").unwrap();
        let error = read_requests(&path, 0.0, 9.0).unwrap_err().to_string();
        assert!(error.contains("line 2 of ") && error.contains("`5 ms`"), "{error}");
    }
}
