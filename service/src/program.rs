//! The frame of a `main` function: flags, settings, logs, signals, exit code.

use std::{future::Future, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tokio_util::sync::CancellationToken;

use crate::{Settings, Sources, report, shutdown, telemetry};

/// Time between SIGTERM and the end of the process. Service managers send SIGKILL after a while;
/// we promise five seconds.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(4500);
/// The setting that `--data` overrides.
const DATA_KEY: &str = "bus.path";

/// The name and help text of a program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name of the executable.
    pub name: &'static str,
    /// What the program does, in one sentence.
    pub about: &'static str,
    /// Example command lines, one a line.
    pub examples: &'static str,
}

/// The flags of a program that has only [`CommonFlags`].
pub type NoFlags = ();

/// The flags that all programs share.
#[derive(Debug, Args)]
pub struct CommonFlags {
    /// Read settings from this TOML file; DETECTIVE__SECTION__KEY variables and flags override it.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep data in this directory.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Log more; repeat to log everything.
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli<F: Args> {
    #[command(flatten)]
    common: CommonFlags,
    #[command(flatten)]
    own: F,
}

impl Program {
    /// Runs `main` with the settings, the program's own flags, and a token that SIGTERM and SIGINT
    /// cancel. Returns the exit code, at most five seconds after such a signal.
    pub fn run<S, F, R>(&self, main: impl FnOnce(S, F, CancellationToken) -> R) -> ExitCode
    where
        S: Settings,
        F: Args,
        R: Future<Output = anyhow::Result<()>>,
    {
        let Cli::<F> { common, own } = self.parse();
        let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: cannot start the async runtime: {error}");
                return ExitCode::FAILURE;
            }
        };
        let code = runtime.block_on(report::run(async {
            let verbosity = i8::try_from(common.verbose).unwrap_or(i8::MAX);
            telemetry::init(verbosity, report::should_colour(&std::io::stderr()))?;
            let settings: S = crate::load(common.sources()?)?;
            let shutdown = shutdown::on_signal()?;
            with_shutdown_timeout(main(settings, own, shutdown.clone()), &shutdown).await?;
            Ok(ExitCode::SUCCESS)
        }));
        // Does not wait for blocking threads.
        runtime.shutdown_background();
        code
    }

    fn parse<F: Args>(&self) -> Cli<F> {
        let command = Cli::<F>::command().name(self.name).about(self.about);
        let matches = command.after_help(format!("Examples:\n{}", self.examples)).get_matches();
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

impl CommonFlags {
    fn sources(&self) -> anyhow::Result<Sources> {
        let data = self.data.as_ref().map(std::path::absolute).transpose()?;
        let flags = data.map(|data| (DATA_KEY.to_owned(), data.to_string_lossy().into_owned()));
        Ok(sources(self.config.clone(), flags.into_iter().collect()))
    }
}

/// The sources of settings: `file`, the environment and `flags`. If none of them sets the data
/// directory, it is in the user's state directory.
pub fn sources(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Sources {
    Sources::new(file, flags).with_fallback(DATA_KEY, state_directory().to_string_lossy())
}

/// `local-detective` in the user's state directory, as the XDG base directory specification
/// defines it.
fn state_directory() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_else(|| PathBuf::from("/var/lib")).join("local-detective")
}

/// Awaits `main`, and abandons it when it has not ended soon after `shutdown`.
async fn with_shutdown_timeout(
    main: impl Future<Output = anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let timeout = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHUTDOWN_TIMEOUT).await;
    };
    tokio::select! {
        // A result at the last moment counts.
        biased;
        outcome = main => outcome,
        () = timeout => {
            tracing::warn!("shutdown timed out; unfinished work is abandoned");
            Ok(())
        }
    }
}
