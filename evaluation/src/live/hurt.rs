//! What the workload's clients felt of a fault: latencies and errors, before and while it lasted.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What was felt before a fault and during it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hurt {
    /// As long before as the fault lasted, or as much as there is.
    pub before: Felt,
    /// While it lasted.
    pub during: Felt,
}

/// What clients felt in a while.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Felt {
    /// How many requests were due.
    pub requests: usize,
    /// How many of them failed or were never answered.
    pub errors: usize,
    /// The median of the latencies, in milliseconds; none if nothing was due.
    pub p50_ms: Option<f64>,
    /// Their 95th percentile.
    pub p95_ms: Option<f64>,
}

/// One request, as the workload's traffic writes it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Request {
    /// When it was due, in seconds since 1970.
    pub t: f64,
    /// From then until its end, in milliseconds.
    pub ms: f64,
    /// The status of HTTP; 0 if there was no answer.
    pub status: u16,
}

/// Reads the requests that were due from a time on, until another. A last line that is not whole yet is left out.
///
/// # Errors
/// If the file cannot be read, or a line of it is no request.
pub fn read(path: &Path, from: f64, until: f64) -> anyhow::Result<Vec<Request>> {
    let cannot = || format!("cannot read the latencies `{}`", path.display());
    let mut file = BufReader::new(File::open(path).with_context(cannot)?);
    let (mut requests, mut line) = (Vec::new(), String::new());
    for number in 1.. {
        line.clear();
        file.read_line(&mut line).with_context(cannot)?;
        if !line.ends_with('\n') {
            break;
        }
        let request: Request = serde_json::from_str(&line)
            .with_context(|| format!("line {number} of `{}` is no request: `{}`", path.display(), line.trim_end()))?;
        if (from..until).contains(&request.t) {
            requests.push(request);
        }
    }
    Ok(requests)
}

/// What was felt of something that lasted from one time until another, in seconds since 1970.
pub fn hurt(requests: &[Request], begun: f64, ended: f64) -> Hurt {
    let before = begun - (ended - begun);
    Hurt { before: felt(requests, before, begun), during: felt(requests, begun, ended) }
}

fn felt(requests: &[Request], from: f64, until: f64) -> Felt {
    let of_then = || requests.iter().filter(|request| (from..until).contains(&request.t));
    let mut latencies: Vec<f64> = of_then().map(|request| request.ms).collect();
    latencies.sort_by(f64::total_cmp);
    let is_error = |request: &&Request| !(200..400).contains(&request.status);
    Felt {
        requests: latencies.len(),
        errors: of_then().filter(is_error).count(),
        p50_ms: percentile(&latencies, 50),
        p95_ms: percentile(&latencies, 95),
    }
}

/// By the nearest rank.
fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_and_errors_are_told_apart_by_when_requests_were_due() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latencies.jsonl");
        let mut text = String::new();
        for n in 0..100 {
            let (ms, status) = if n < 50 { (10, 200) } else { (n * 10, if n % 2 == 0 { 200 } else { 0 }) };
            text += &format!("{{\"t\": {}.5, \"ms\": {ms}, \"path\": \"/order\", \"status\": {status}}}\n", 1000 + n);
        }
        std::fs::write(&path, text + "{\"t\": 10").unwrap();
        let requests = read(&path, 1000.0, 1090.0).unwrap();
        assert_eq!(requests.len(), 90);
        let hurt = hurt(&requests, 1050.0, 1090.0);
        assert_eq!(hurt.before, Felt { requests: 40, errors: 0, p50_ms: Some(10.0), p95_ms: Some(10.0) });
        assert_eq!(hurt.during, Felt { requests: 40, errors: 20, p50_ms: Some(690.0), p95_ms: Some(870.0) });
    }

    #[test]
    fn nothing_is_felt_where_nothing_was_due_and_a_line_that_is_none_is_named() {
        let nothing = Felt { requests: 0, errors: 0, p50_ms: None, p95_ms: None };
        assert_eq!(hurt(&[], 1.0, 2.0).during, nothing);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latencies.jsonl");
        std::fs::write(&path, "{\"t\": 1, \"ms\": 1, \"status\": 200}\n5 ms\n").unwrap();
        let error = read(&path, 0.0, 9.0).unwrap_err().to_string();
        assert!(error.contains("line 2 of ") && error.contains("`5 ms`"), "{error}");
    }
}
