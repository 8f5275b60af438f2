//! What is undone whatever happens.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use anyhow::Context;

/// Something to do when this is dropped.
pub struct Undo(Option<Box<dyn FnOnce()>>);

impl Undo {
    /// Nothing.
    pub fn nothing() -> Undo {
        Undo(None)
    }

    /// This.
    pub fn with(action: impl FnOnce() + 'static) -> Undo {
        Undo(Some(Box::new(action)))
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(action) = self.0.take() {
            action();
        }
    }
}

/// A shell that runs a script once this value is dropped, or this process has ended in whatever way.
pub struct Keeper {
    shell: Child,
}

impl Keeper {
    /// Starts it. It waits for the end of its standard input, which this process holds.
    ///
    /// # Errors
    /// If there is no shell.
    pub fn start(script: &str) -> anyhow::Result<Keeper> {
        let mut command = Command::new("sh");
        // It must outlive an interrupt from the keyboard, which goes to a whole process group.
        command.arg("-c").arg(format!("cat >/dev/null\n{script}")).process_group(0).stdin(Stdio::piped());
        let shell = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("cannot run `sh`")?;
        Ok(Keeper { shell })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// Runs a line of shell.
///
/// # Errors
/// If it fails.
pub fn shell(line: &str) -> anyhow::Result<()> {
    let status = Command::new("sh").args(["-c", line]).status().context("cannot run `sh`")?;
    anyhow::ensure!(status.success(), "`{line}` ended with {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use super::{Keeper, Undo};

    #[test]
    fn what_is_kept_is_undone_once_this_process_lets_go() {
        let file = std::env::temp_dir().join(format!("kept-{}", std::process::id()));
        let keeper = Keeper::start(&format!("touch '{}'", file.display())).expect("a shell runs");
        assert!(!file.exists());
        drop(keeper);
        std::fs::remove_file(&file).expect("the script has run");
    }

    #[test]
    fn an_action_is_taken_at_the_end_alone() {
        let taken = Rc::new(Cell::new(0));
        let counted = Rc::clone(&taken);
        let undo = Undo::with(move || counted.set(counted.get() + 1));
        assert_eq!(taken.get(), 0);
        drop(undo);
        drop(Undo::nothing());
        assert_eq!(taken.get(), 1);
    }
}
