//! What every program does beside its own work: flags, settings, logs, signals, and an end in time.

use std::{future::Future, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use tokio_util::sync::CancellationToken;

use crate::{Settings, Sources, report, shutdown, telemetry};

/// Who asks a program to end kills it when it has not within a while; five seconds are promised.
const TIME_TO_END: Duration = Duration::from_millis(4500);
/// The setting that `--data` gives.
const DATA: &str = "bus.path";

/// What a program is called and says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// A sentence: what it does.
    pub about: &'static str,
    /// What may be typed, a line each.
    pub examples: &'static str,
}

/// The flags of every program.
#[derive(Debug, Args)]
pub struct CommonFlags {
    /// Settings in TOML, those of the other programs too; DETECTIVE__SECTION__KEY variables and flags go before it.
    #[arg(long, short, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where Local Detective keeps its data on this machine.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Log more; twice for all.
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
    /// Loads the settings and runs `main` with them, its own flags and a token that SIGTERM or SIGINT cancels. Returns
    /// the exit code, at the latest five seconds after such a signal.
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
                eprintln!("error: cannot start: {error}");
                return ExitCode::FAILURE;
            }
        };
        let code = runtime.block_on(report::run(async {
            let verbosity = i8::try_from(common.verbose).unwrap_or(i8::MAX);
            telemetry::init(verbosity, report::colour(&std::io::stderr()))?;
            let settings: S = crate::load(common.sources()?)?;
            let shutdown = shutdown::on_signal()?;
            in_time(main(settings, own, shutdown.clone()), &shutdown).await?;
            Ok(ExitCode::SUCCESS)
        }));
        // Work on other threads is not waited for.
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
        let flags = data.map(|data| (DATA.to_owned(), data.to_string_lossy().into_owned()));
        Ok(sources(self.config.clone(), flags.into_iter().collect()))
    }
}

/// A file, if any, the environment and flags; data is kept in the directory of this user where none of them says.
pub fn sources(file: Option<PathBuf>, flags: Vec<(String, String)>) -> Sources {
    Sources::new(file, flags).fallback(DATA, state_directory().to_string_lossy())
}

/// Where programs of this user keep what they know, after the XDG base directory specification.
fn state_directory() -> PathBuf {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    state.or_else(home).unwrap_or_else(|| PathBuf::from("/var/lib")).join("local-detective")
}

/// What is still at work when the time is up is left behind.
async fn in_time(main: impl Future<Output = anyhow::Result<()>>, shutdown: &CancellationToken) -> anyhow::Result<()> {
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(TIME_TO_END).await;
    };
    tokio::select! {
        outcome = main => outcome,
        () = overdue => {
            tracing::warn!("ending with work left undone: it took too long");
            Ok(())
        }
    }
}
