//! Retries of an operation, and what they log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use service::retry;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Debug, Error)]
enum ConnectError {
    #[error("connection to port `{0}` refused")]
    Refused(u16),
    #[error("no space left")]
    DiskFull,
    #[error("invalid address")]
    InvalidAddress,
}

impl ConnectError {
    fn is_transient(&self) -> bool {
        !matches!(self, ConnectError::InvalidAddress)
    }

    fn hint(&self) -> Option<&'static str> {
        matches!(self, ConnectError::Refused(_)).then_some("start the server")
    }
}

/// A writer that keeps what is logged.
#[derive(Clone, Default)]
struct LogBuffer(Arc<Mutex<Vec<u8>>>);

impl Write for LogBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for LogBuffer {
    type Writer = LogBuffer;

    fn make_writer(&'w self) -> LogBuffer {
        self.clone()
    }
}

/// Runs one attempt per outcome. Returns the result and the logged lines.
async fn retry_through(outcomes: Vec<Result<u8, ConnectError>>) -> (anyhow::Result<Option<u8>>, Vec<String>) {
    let log = LogBuffer::default();
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let mut outcomes = outcomes.into_iter();
    let attempt = || std::future::ready(outcomes.next().unwrap());
    let result = until_connected(&CancellationToken::new(), attempt).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (result, text.lines().map(|line| line.trim().to_owned()).collect())
}

async fn until_connected<A>(shutdown: &CancellationToken, attempt: impl FnMut() -> A) -> anyhow::Result<Option<u8>>
where
    A: Future<Output = Result<u8, ConnectError>>,
{
    retry::until_success("connect", shutdown, attempt, ConnectError::is_transient, ConnectError::hint).await
}

#[tokio::test]
async fn an_outage_is_logged_when_it_begins_and_when_it_ends() {
    let (result, log) = retry_through(vec![Err(ConnectError::Refused(1)), Err(ConnectError::Refused(2)), Ok(7)]).await;
    assert_eq!(result.unwrap(), Some(7));
    assert_eq!(
        log,
        [
            "WARN service::outage: operation failed; retrying operation=\"connect\" error=connection to port `1` refused hint=\"start the server\"",
            "INFO service::outage: operation recovered operation=\"connect\" failures=2",
        ]
    );
}

#[tokio::test]
async fn an_error_of_another_kind_is_logged_during_an_outage() {
    let (result, log) = retry_through(vec![Err(ConnectError::Refused(1)), Err(ConnectError::DiskFull), Ok(7)]).await;
    assert_eq!(result.unwrap(), Some(7));
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(log[1].ends_with("error=no space left"), "{log:?}");
}

#[tokio::test]
async fn success_at_the_first_attempt_logs_nothing() {
    let (result, log) = retry_through(vec![Ok(7)]).await;
    assert_eq!(result.unwrap(), Some(7));
    assert!(log.is_empty(), "{log:?}");
}

#[tokio::test]
async fn an_error_that_is_not_transient_ends_the_retries() {
    let (result, log) = retry_through(vec![Err(ConnectError::InvalidAddress)]).await;
    assert_eq!(result.unwrap_err().to_string(), "invalid address");
    assert!(log.is_empty(), "{log:?}");
}

#[tokio::test]
async fn shutdown_ends_the_retries_between_attempts_and_during_one() {
    let shutdown = CancellationToken::new();
    let failing = || {
        shutdown.cancel();
        std::future::ready(Err(ConnectError::DiskFull))
    };
    assert_eq!(until_connected(&shutdown, failing).await.unwrap(), None);
    let shutdown = CancellationToken::new();
    let hanging = || {
        shutdown.cancel();
        std::future::pending()
    };
    assert_eq!(until_connected(&shutdown, hanging).await.unwrap(), None);
}
