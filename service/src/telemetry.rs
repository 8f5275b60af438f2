//! Logs, on standard error: standard output is for what a program was asked for.

use std::io;

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::ConfigError;

/// The variable with a filter of one's own, such as `info,scorer=debug`.
const VARIABLE: &str = "DETECTIVE_LOG";

/// Our crates; of others only warnings are of interest.
const OURS: [&str; 8] = ["bus", "detective", "graph", "producer", "schemas", "scorer", "service", "trainer"];

/// Starts logging: of our crates what happens (`verbosity` 0), details (1) or everything (2), or only warnings (below
/// 0); of others warnings. `DETECTIVE_LOG` overrides all of that. Does nothing where logging has started already.
pub fn init(verbosity: i8, ansi: bool) -> Result<(), ConfigError> {
    let filter = filter(verbosity, std::env::var(VARIABLE).ok().as_deref())?;
    // Fails where a test or an embedding program has a subscriber of its own, which then has precedence.
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
            OURS.iter().fold("warn".to_owned(), |all, ours| format!("{all},{ours}={level}"))
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
    #![allow(clippy::unwrap_used)]

    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that are logged with that filter, without time and level.
    #[track_caller]
    fn check(verbosity: i8, variable: Option<&str>, expected: &[&str]) {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = subscriber(filter(verbosity, variable).unwrap(), false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "tract_onnx::ops", "theirs, a warning");
            tracing::info!(target: "tract_onnx::ops", "theirs, information");
            tracing::warn!(target: "scorer::run", "ours, a warning");
            tracing::info!(target: "scorer::run", lag = 3, "ours, information");
            tracing::debug!(target: "scorer::run", "ours, a detail");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        // A time and a level come first.
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn of_others_only_warnings_are_shown() {
        let (theirs, warning) = ("tract_onnx::ops: theirs, a warning", "scorer::run: ours, a warning");
        let (information, detail) = ("scorer::run: ours, information lag=3", "scorer::run: ours, a detail");
        check(-1, None, &[theirs, warning]);
        check(0, None, &[theirs, warning, information]);
        check(0, Some(" "), &[theirs, warning, information]);
        check(1, None, &[theirs, warning, information, detail]);
    }

    #[test]
    fn the_variable_overrides_the_verbosity() {
        check(
            1,
            Some("error,tract_onnx=info"),
            &["tract_onnx::ops: theirs, a warning", "tract_onnx::ops: theirs, information"],
        );
    }

    #[test]
    fn a_filter_that_is_none_is_named() {
        let error = filter(0, Some("scorer=louder")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected a log filter such as `info,scorer=debug` in `DETECTIVE_LOG`, found `scorer=louder`"
        );
    }
}
