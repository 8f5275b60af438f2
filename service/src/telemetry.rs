//! Logs on standard error. Standard output is for the results of commands.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::ConfigError;

/// Environment variable with a log filter, such as `info,scorer=debug`.
const FILTER_VARIABLE: &str = "DETECTIVE_LOG";

/// The crates of this workspace, to which `verbosity` applies. Others log warnings only.
const OWN_CRATES: [&str; 12] = [
    "bus",
    "detective",
    "evaluation",
    "faults",
    "graph",
    "hostread",
    "producer",
    "schemas",
    "scorer",
    "service",
    "signals",
    "trainer",
];

/// Starts logging, unless a subscriber is installed already.
///
/// `verbosity` is for our own crates: below 0 logs warnings, 0 information, 1 debug messages and 2
/// everything. `DETECTIVE_LOG` overrides it.
///
/// # Errors
/// If `DETECTIVE_LOG` is not a valid filter.
pub fn init(verbosity: i8, ansi: bool) -> Result<(), ConfigError> {
    let filter = filter(verbosity, std::env::var(FILTER_VARIABLE).ok().as_deref())?;
    // Fails if a test or an embedding program has installed a subscriber, which then stays.
    let _ = tracing::subscriber::set_global_default(subscriber(filter, ansi, io::stderr));
    Ok(())
}

fn filter(verbosity: i8, variable: Option<&str>) -> Result<EnvFilter, ConfigError> {
    let directives = match variable.filter(|text| !text.trim().is_empty()) {
        Some(text) => text.to_owned(),
        None => {
            let level = match verbosity {
                ..0 => "warn",
                0 => "info",
                1 => "debug",
                2.. => "trace",
            };
            OWN_CRATES.iter().fold("warn".to_owned(), |filter, name| format!("{filter},{name}={level}"))
        }
    };
    EnvFilter::builder().parse(&directives).map_err(|source| ConfigError::LogFilter { found: directives, source })
}

fn subscriber<W>(filter: EnvFilter, ansi: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().compact().with_ansi(ansi).with_writer(writer).with_env_filter(filter).finish()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct LogBuffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for LogBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Logs five messages and compares the lines that pass the filter, without time and level.
    #[track_caller]
    fn check(verbosity: i8, variable: Option<&str>, expected: &[&str]) {
        let log = LogBuffer::default();
        let writer = log.clone();
        let subscriber = subscriber(filter(verbosity, variable).unwrap(), false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "tract_onnx::ops", "foreign warning");
            tracing::info!(target: "tract_onnx::ops", "foreign info");
            tracing::warn!(target: "scorer::run", "own warning");
            tracing::info!(target: "scorer::run", lag = 3, "own info");
            tracing::debug!(target: "scorer::run", "own debug message");
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn foreign_crates_log_only_warnings() {
        let foreign = "tract_onnx::ops: foreign warning";
        let warning = "scorer::run: own warning";
        let info = "scorer::run: own info lag=3";
        let debug = "scorer::run: own debug message";
        check(-1, None, &[foreign, warning]);
        check(0, None, &[foreign, warning, info]);
        check(0, Some(" "), &[foreign, warning, info]);
        check(1, None, &[foreign, warning, info, debug]);
    }

    #[test]
    fn the_variable_overrides_the_verbosity() {
        check(1, Some("error,tract_onnx=info"), &["tract_onnx::ops: foreign warning", "tract_onnx::ops: foreign info"]);
    }

    #[test]
    fn an_invalid_filter_is_quoted_in_the_error() {
        let error = filter(0, Some("scorer=louder")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a log filter such as `info,scorer=debug` in `DETECTIVE_LOG`, found `scorer=louder`"
        );
    }
}
