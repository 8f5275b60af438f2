//! Waiting for what is not there yet.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use service::patiently;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Debug, Error)]
enum Trouble {
    #[error("nobody answers at `{0}`")]
    Away(u16),
    #[error("there is no room")]
    Full,
    #[error("that is no address")]
    Wrong,
}

impl Trouble {
    fn may_pass(&self) -> bool {
        !matches!(self, Trouble::Wrong)
    }

    fn hint(&self) -> Option<&'static str> {
        matches!(self, Trouble::Away(_)).then_some("start it")
    }
}

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Log;

    fn make_writer(&'w self) -> Log {
        self.clone()
    }
}

/// Tries what ends so, one after another, and returns how it ended and what was logged.
async fn wait_for(outcomes: Vec<Result<u8, Trouble>>) -> (anyhow::Result<Option<u8>>, Vec<String>) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(log.clone()).finish();
    let _logging = tracing::subscriber::set_default(subscriber);
    let mut outcomes = outcomes.into_iter();
    let attempt = || std::future::ready(outcomes.next().unwrap());
    let outcome = patiently(&CancellationToken::new(), attempt, Trouble::may_pass, Trouble::hint).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    (outcome, text.lines().map(|line| line.trim().to_owned()).collect())
}

#[tokio::test]
async fn what_passes_is_told_once_and_when_it_has_passed() {
    let (outcome, told) = wait_for(vec![Err(Trouble::Away(1)), Err(Trouble::Away(2)), Ok(7)]).await;
    assert_eq!(outcome.unwrap(), Some(7));
    assert_eq!(
        told,
        [
            "WARN service::patience: cannot begin yet: trying until it works error=nobody answers at `1` hint=\"start it\"",
            "INFO service::patience: it works now",
        ]
    );
}

#[tokio::test]
async fn another_trouble_is_told_too() {
    let (outcome, told) = wait_for(vec![Err(Trouble::Away(1)), Err(Trouble::Full), Ok(7)]).await;
    assert_eq!(outcome.unwrap(), Some(7));
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].ends_with("error=there is no room"), "{told:?}");
}

#[tokio::test]
async fn what_works_at_once_is_not_told() {
    let (outcome, told) = wait_for(vec![Ok(7)]).await;
    assert_eq!(outcome.unwrap(), Some(7));
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn what_does_not_pass_ends_the_wait() {
    let (outcome, told) = wait_for(vec![Err(Trouble::Wrong)]).await;
    assert_eq!(outcome.unwrap_err().to_string(), "that is no address");
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn the_end_comes_between_two_tries_and_during_one() {
    let shutdown = CancellationToken::new();
    let failing = || {
        shutdown.cancel();
        std::future::ready(Err::<u8, _>(Trouble::Full))
    };
    assert_eq!(patiently(&shutdown, failing, Trouble::may_pass, Trouble::hint).await.unwrap(), None);
    let shutdown = CancellationToken::new();
    let hanging = || {
        shutdown.cancel();
        std::future::pending::<Result<u8, Trouble>>()
    };
    assert_eq!(patiently(&shutdown, hanging, Trouble::may_pass, Trouble::hint).await.unwrap(), None);
}
