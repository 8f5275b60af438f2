//! Makes the file of a fault, and removes it when the process that asked for it is gone or says that it is over.

use std::{
    fs::{DirBuilder, File},
    io::{self, ErrorKind, Read},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf, absolute},
};

use anyhow::Context;
use rustix::fs::statvfs;
use service::Hint;

use super::part;

/// A fault is refused with less space than this beside its file.
const LEAST_FREE: u64 = 64_000_000;

/// What was made, to be removed.
#[derive(Debug)]
pub struct Made {
    /// The file, by the path that the kernel tells of it.
    pub file: PathBuf,
    /// Its folder, if that was made too.
    pub folder: Option<PathBuf>,
}

/// Plays the keeper: makes, says what it made or why it cannot, and removes once standard input ends.
///
/// # Errors
/// If what was made cannot be removed.
pub fn run(file: Option<&Path>) -> anyhow::Result<()> {
    let made = Made::make(file);
    let told = part::tell(&say(&made)?);
    if told.is_ok() {
        // It carries nothing. Its end is what counts, and that the kernel sees to however the other process ends.
        io::stdin().lock().read_to_end(&mut Vec::new()).context("cannot wait for the end of the fault")?;
    }
    made.map_or(Ok(()), |made| made.remove())
}

/// Tells what stands in the way of making the file, as far as it can be seen beforehand.
///
/// # Errors
/// With what to do about it.
pub fn check(file: Option<&Path>) -> anyhow::Result<()> {
    if let Some(file) = file.filter(|file| file.symlink_metadata().is_ok()) {
        return Err(anyhow::anyhow!("`{}` exists, and a fault touches only what it made itself", file.display()))
            .hint("name a file that does not exist yet, or leave `--path` out");
    }
    let folder = match file {
        Some(file) => folder_of(file)?,
        None => std::env::temp_dir(),
    };
    let space = statvfs(&folder).map_err(io::Error::from);
    let space = space.with_context(|| format!("cannot look at the folder `{}`", folder.display()));
    let space = space.hint("name a file in a folder that exists: `--path FILE`")?;
    check_space(space.f_bavail.saturating_mul(space.f_frsize), &folder)
}

fn check_space(free: u64, folder: &Path) -> anyhow::Result<()> {
    let (least, found, folder) = (LEAST_FREE / 1_000_000, free / 1_000_000, folder.display());
    let enough = if free < LEAST_FREE {
        Err(anyhow::anyhow!("`{folder}` must have {least} MB of free space, found {found} MB"))
    } else {
        Ok(())
    };
    enough.hint("free some, or name a file elsewhere: `--path FILE`")
}

fn folder_of(file: &Path) -> io::Result<PathBuf> {
    let mut folder = absolute(file)?;
    folder.pop();
    Ok(folder)
}

/// A keeper's word on what it made, as [`hear`] understands it.
fn say(made: &anyhow::Result<Made>) -> serde_json::Result<String> {
    let told = made.as_ref().map(|made| (&made.file, &made.folder)).map_err(|error| format!("{error:#}"));
    serde_json::to_string(&told)
}

/// What a keeper says that it made.
///
/// # Errors
/// If it could make nothing.
pub fn hear(line: &str) -> anyhow::Result<Made> {
    let told: Result<(PathBuf, Option<PathBuf>), String> =
        serde_json::from_str(line).with_context(|| format!("what keeps the fault's file says `{line}`"))?;
    told.map(|(file, folder)| Made { file, folder }).map_err(anyhow::Error::msg)
}

impl Made {
    fn make(file: Option<&Path>) -> anyhow::Result<Made> {
        let Some(file) = file else {
            let folder = temporary_folder(&std::env::temp_dir())?;
            let made = Made { file: folder.join("app.log"), folder: Some(folder) };
            return made.create();
        };
        let name = file.file_name().with_context(|| format!("`{}` must name a file", file.display()))?;
        let folder = folder_of(file)?;
        let folder = folder.canonicalize().with_context(|| format!("cannot find `{}`", folder.display()))?;
        Made { file: folder.join(name), folder: None }.create()
    }

    fn create(self) -> anyhow::Result<Made> {
        let created = File::options().write(true).create_new(true).mode(0o600).open(&self.file);
        if let Err(error) = created {
            // The file is another's then, or not there.
            self.remove_folder()?;
            return Err(error).with_context(|| format!("cannot make `{}`", self.file.display()));
        }
        Ok(self)
    }

    /// Removes it, as far as nobody else has.
    ///
    /// # Errors
    /// If it stays.
    pub fn remove(&self) -> anyhow::Result<()> {
        let removed = gone(std::fs::remove_file(&self.file));
        removed.with_context(|| format!("cannot remove `{}`", self.file.display()))?;
        self.remove_folder()
    }

    fn remove_folder(&self) -> anyhow::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        gone(std::fs::remove_dir(folder)).with_context(|| format!("cannot remove `{}`", folder.display()))
    }
}

/// What is gone already need not be removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    removed.or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// A new folder that its owner alone can enter.
fn temporary_folder(parent: &Path) -> anyhow::Result<PathBuf> {
    const TRIES: u32 = 100;
    let parent = parent.canonicalize().with_context(|| format!("cannot find `{}`", parent.display()))?;
    let mut made = Err(io::Error::from(ErrorKind::AlreadyExists));
    for n in 0..TRIES {
        let folder = parent.join(format!("detective-fault-{}-{n}", std::process::id()));
        made = DirBuilder::new().mode(0o700).create(&folder);
        match &made {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(_) => break,
        }
    }
    let none = made.err().unwrap_or(ErrorKind::AlreadyExists.into());
    Err(none).with_context(|| format!("cannot make a folder in `{}`", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_space_is_refused() {
        assert!(check_space(LEAST_FREE, Path::new("/tmp")).is_ok());
        let error = check_space(LEAST_FREE - 1, Path::new("/tmp")).unwrap_err();
        assert_eq!(error.to_string(), "`/tmp` must have 64 MB of free space, found 63 MB");
    }

    #[test]
    fn what_a_keeper_says_is_understood() {
        let made = Made { file: "/tmp/a/\"b".into(), folder: Some("/tmp/a".into()) };
        let heard = hear(&say(&Ok(made)).unwrap()).unwrap();
        assert_eq!((heard.file, heard.folder), ("/tmp/a/\"b".into(), Some("/tmp/a".into())));
        let heard = hear(&say(&Err(anyhow::anyhow!("no room"))).unwrap());
        assert_eq!(heard.unwrap_err().to_string(), "no room");
    }

    #[test]
    fn another_ones_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.log");
        std::fs::write(&file, "precious").unwrap();
        assert!(Made::make(Some(&file)).is_err());
        assert!(check(Some(&file)).is_err());
        assert_eq!(std::fs::read(&file).unwrap(), b"precious");
    }
}
