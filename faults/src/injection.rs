//! The injection of one fault, from start to end.

use std::{path::PathBuf, time::Duration};

use service::Hint;
use tokio_util::sync::CancellationToken;

use super::{
    catalogue,
    fault::Fault,
    ground_truth_record::GroundTruthRecord,
    injector::{Event, Injector, Interrupted},
    safety,
    workload::Workload,
};

/// Longest duration of a fault, and longest time before it begins.
pub const MAX_DURATION: Duration = Duration::from_secs(600);

/// A fault to inject, and its timing.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The fault.
    pub fault: &'static Fault,
    /// Time without the fault before it begins.
    pub after: Duration,
    /// Duration of the fault.
    pub duration: Duration,
    /// File to create for the fault, instead of one in a new temporary folder. Must not exist.
    pub path: Option<PathBuf>,
}

/// Progress of an injection.
pub enum Progress<'a> {
    /// The time before the fault has started.
    Waiting,
    /// The fault has begun; this is its ground truth.
    Begun(&'a GroundTruthRecord<'a>),
}

/// Injects a fault, and undoes it when it ends, `shutdown` is cancelled or `report` fails.
///
/// Call it within a multi-threaded tokio runtime, on a thread that lasts as long as the program:
/// the fault's processes die with the thread that starts them.
///
/// # Errors
/// If the fault cannot be started, ends early, or cannot be undone completely.
pub fn inject(
    injection: &Injection,
    shutdown: CancellationToken,
    report: impl FnMut(Progress<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let workload = Workload::find()?;
    check(injection, workload.as_ref())?;
    let mut injector = Injector::new(injection.after, injection.duration, injection.path.clone(), workload)?;
    let sender = injector.sender();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        // The receiver is gone if the fault has ended.
        let _ = sender.send(Event::Interrupted);
    });
    // Stay on this thread, which lasts as long as the program.
    let outcome = tokio::task::block_in_place(|| run(injection.fault, &mut injector, report));
    // Undo before any error is reported.
    let undone = injector.undo();
    let outcome = outcome.or_else(|error| if error.is::<Interrupted>() { Ok(()) } else { Err(error) });
    // An incomplete undo matters more than the reason why the fault ended.
    undone.and(outcome)
}

/// Checks that the fault can be injected here and harms nothing else.
fn check(injection: &Injection, workload: Option<&Workload>) -> anyhow::Result<()> {
    let fault = injection.fault;
    if injection.path.is_some() && !fault.accepts_path {
        let names: Vec<&str> = catalogue::all().filter(|fault| fault.accepts_path).map(|fault| fault.name).collect();
        return Err(anyhow::anyhow!("`{}` uses no file, found `--path`", fault.name))
            .hint(format!("omit `--path`; it is for {}", names.join(", ")));
    }
    if let Some(file) = injection.path.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(anyhow::anyhow!("`{}` exists, and a fault touches only files that it created", file.display()))
            .hint("name a file that does not exist yet, or omit `--path`");
    }
    for requirement in fault.requirements {
        requirement.check(workload)?;
    }
    safety::check(fault.uses, &folder(injection, workload)?)
}

/// The folder in which the fault creates large files.
fn folder(injection: &Injection, workload: Option<&Workload>) -> anyhow::Result<PathBuf> {
    Ok(match (&injection.path, workload) {
        (Some(path), _) => std::path::absolute(path)?.parent().map(PathBuf::from).unwrap_or_default(),
        (None, Some(workload)) => workload.folder.clone(),
        (None, None) => std::env::temp_dir(),
    })
}

/// Runs the fault until it ends or is interrupted.
fn run(
    fault: &Fault,
    injector: &mut Injector,
    mut report: impl FnMut(Progress<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    report(Progress::Waiting)?;
    let truth = (fault.inject)(injector)?;
    report(Progress::Begun(&GroundTruthRecord::new(fault, &truth, injector.begun().0)))?;
    injector.hold()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_would_be_ignored_is_refused() {
        let error = |name: &str| {
            let injection = Injection {
                fault: catalogue::find(name).unwrap(),
                after: Duration::ZERO,
                duration: Duration::ZERO,
                path: Some(PathBuf::from("/nonexistent/app.log")),
            };
            check(&injection, None).unwrap_err().to_string()
        };
        assert_eq!(error("cpu-hog"), "`cpu-hog` uses no file, found `--path`");
        assert_eq!(error("flock"), "cannot access the folder `/nonexistent`");
    }
}
