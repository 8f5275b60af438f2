//! Pictures of what was found out, as SVG files.

mod bars;
mod svg;
mod timeline;

use std::path::PathBuf;

use anyhow::Context;
use service::Hint;

use super::{cases::Case, exam::Answers, report::Results};

/// So many timelines are drawn; more would not be looked at.
const MOST_TIMELINES: usize = 200;

/// Where the pictures go.
pub struct Folder {
    path: PathBuf,
    timelines: std::cell::Cell<usize>,
}

impl Folder {
    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: PathBuf) -> anyhow::Result<Folder> {
        let cannot = || format!("cannot make the folder `{}`", path.display());
        std::fs::create_dir_all(&path).with_context(cannot).hint("name a folder that this user may write")?;
        Ok(Folder { path, timelines: 0.into() })
    }

    /// `ac.svg`: AC@1, AC@3 and AC@5 of all rankers; where cases tell a symptom, `ac-hint.svg` of what they answer if they are told.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn draw_figures(&self, results: &Results) -> anyhow::Result<()> {
        self.write("ac.svg", &bars::draw(results, false))?;
        match results.has_symptoms() {
            true => self.write("ac-hint.svg", &bars::draw(results, true)),
            false => Ok(()),
        }
    }

    /// `timeline-CASE.svg`: the scores around a fault or a harmless change whose time is known to the second.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn draw_timeline(&self, case: &Case, answers: &Answers) -> anyhow::Result<()> {
        if self.timelines.get() == MOST_TIMELINES {
            return Ok(());
        }
        let Some(picture) = timeline::draw(case, answers) else { return Ok(()) };
        self.timelines.set(self.timelines.get() + 1);
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        let name: String = case.name.chars().map(|letter| if is_plain(letter) { letter } else { '_' }).collect();
        self.write(&format!("timeline-{name}.svg"), &picture)
    }

    fn write(&self, name: &str, picture: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, picture).with_context(|| format!("cannot write `{}`", path.display()))
    }
}
