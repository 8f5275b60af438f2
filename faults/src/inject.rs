//! A fault from its beginning to its end.

use std::{path::PathBuf, time::Duration};

use service::Hint;
use tokio_util::sync::CancellationToken;

use super::{
    catalogue,
    fault::Fault,
    safety,
    shop::Shop,
    stage::{Event, Interrupted, Stage},
    truth::Truth,
};

/// A fault to inject, and how.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The fault.
    pub fault: &'static Fault,
    /// How long all is well before it begins.
    pub after: Duration,
    /// How long it lasts.
    pub hold: Duration,
    /// The file to make for it, instead of one in a new temporary folder. It must not exist.
    pub path: Option<PathBuf>,
}

/// How far an injection has come.
pub enum Progress<'a> {
    /// All is well until the fault begins.
    Healthy,
    /// It has begun, and this is true of it.
    Begun(&'a Truth<'a>),
}

/// Injects a fault, and undoes it when it is over or `shutdown` is cancelled. It is undone as well if `report` fails.
///
/// Must be called within a tokio runtime of several threads, on a thread that lasts as long as the program: the fault's processes
/// end with it.
///
/// # Errors
/// If the fault cannot be started, does not last as long as it should, or something of it is left.
pub fn inject(
    injection: &Injection,
    shutdown: CancellationToken,
    report: impl FnMut(Progress<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let shop = Shop::find()?;
    check(injection, shop.as_ref())?;
    let mut stage = Stage::set(injection.after, injection.hold, injection.path.clone(), shop)?;
    let sender = stage.sender();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        // Nobody hears it any more if the fault is over.
        let _ = sender.send(Event::Interrupted);
    });
    // On this thread, which lasts as long as the program.
    let played = tokio::task::block_in_place(|| play(injection.fault, &mut stage, report));
    // Undone before anything is said about it.
    let undone = stage.undo();
    let played = played.or_else(|error| if error.is::<Interrupted>() { Ok(()) } else { Err(error) });
    // That something is left weighs more than why it was over.
    undone.and(played)
}

/// Sees to it that the fault can be started here, and harms nobody.
fn check(injection: &Injection, shop: Option<&Shop>) -> anyhow::Result<()> {
    let fault = injection.fault;
    if injection.path.is_some() && !fault.takes_path {
        let takers: Vec<&str> = catalogue::all().filter(|fault| fault.takes_path).map(|fault| fault.name).collect();
        return Err(anyhow::anyhow!("`{}` plays with no file, found `--path`", fault.name))
            .hint(format!("leave it out; it is for {}", takers.join(", ")));
    }
    if let Some(file) = injection.path.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
        return Err(anyhow::anyhow!("`{}` exists, and a fault touches only what it made itself", file.display()))
            .hint("name a file that does not exist yet, or leave `--path` out");
    }
    for need in fault.needs {
        need.check(shop)?;
    }
    safety::check(fault.takes, &folder(injection, shop)?)
}

/// Where a fault puts what is large.
fn folder(injection: &Injection, shop: Option<&Shop>) -> anyhow::Result<PathBuf> {
    Ok(match (&injection.path, shop) {
        (Some(path), _) => std::path::absolute(path)?.parent().map(PathBuf::from).unwrap_or_default(),
        (None, Some(shop)) => shop.folder.clone(),
        (None, None) => std::env::temp_dir(),
    })
}

/// Until it is over or interrupted.
fn play(
    fault: &Fault,
    stage: &mut Stage,
    mut report: impl FnMut(Progress<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    report(Progress::Healthy)?;
    let deed = (fault.play)(stage)?;
    report(Progress::Begun(&Truth::of(fault, &deed, stage.begun().0)))?;
    stage.last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_would_be_ignored_is_refused() {
        let refused = |name: &str| {
            let (hold, after, path) = (Duration::ZERO, Duration::ZERO, Some(PathBuf::from("/nonexistent/app.log")));
            let injection = Injection { fault: catalogue::named(name).unwrap(), hold, after, path };
            check(&injection, None).unwrap_err().to_string()
        };
        assert_eq!(refused("cpu-hog"), "`cpu-hog` plays with no file, found `--path`");
        assert_eq!(refused("flock"), "cannot look at the folder `/nonexistent`");
    }
}
