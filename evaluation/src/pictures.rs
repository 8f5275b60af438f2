//! The results of an evaluation as SVG files.

mod bars;
mod svg;
mod timeline;

use std::path::PathBuf;

use anyhow::Context;
use service::Hint;

use crate::{case::Case, case_run::CaseRun, results::Results};

/// Maximum number of timelines. A directory of cases can hold far more than anyone looks at.
const MAX_TIMELINES: usize = 200;

/// The folder that pictures are written to.
pub struct Folder {
    path: PathBuf,
    timelines: usize,
}

impl Folder {
    /// Creates the folder, unless it exists.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create(path: PathBuf) -> anyhow::Result<Folder> {
        let cannot = || format!("cannot create the folder `{}`", path.display());
        std::fs::create_dir_all(&path).with_context(cannot).hint("name a folder that this user may write")?;
        Ok(Folder { path, timelines: 0 })
    }

    /// Writes `ac.svg`: AC@1, AC@3 and AC@5 of all rankers. If cases have a symptom, also
    /// `ac-hint.svg`: the same, given the symptom.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn draw_figures(&self, results: &Results) -> anyhow::Result<()> {
        self.write("ac.svg", &bars::draw(results, false))?;
        if results.has_symptoms() {
            self.write("ac-hint.svg", &bars::draw(results, true))?;
        }
        Ok(())
    }

    /// Writes `timeline-CASE.svg`: the scores around a fault or benign change whose time is known
    /// to the second. Other cases have no timeline.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn draw_timeline(&mut self, case: &Case, run: &CaseRun) -> anyhow::Result<()> {
        if self.timelines == MAX_TIMELINES {
            return Ok(());
        }
        let Some(picture) = timeline::draw(case, run) else { return Ok(()) };
        self.timelines += 1;
        let is_safe = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let name: String = case.name.chars().map(|letter| if is_safe(letter) { letter } else { '_' }).collect();
        self.write(&format!("timeline-{name}.svg"), &picture)
    }

    fn write(&self, name: &str, picture: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, picture).with_context(|| format!("cannot write `{}`", path.display()))
    }
}
