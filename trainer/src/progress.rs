//! What a person sees of learning and training.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemas::ModelRelease;

/// Plain lines tell of every tenth epoch and every tenth snapshot.
const STEP: usize = 10;

/// Where progress is shown. Clones share the place.
#[derive(Clone)]
pub struct Progress {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Nowhere,
    Bar(ProgressBar),
    Lines(Arc<Mutex<dyn Write + Send>>),
}

impl Progress {
    /// Bars where standard error is a terminal, else plain lines.
    pub fn stderr() -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress::lines(std::io::stderr());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Progress { place: Place::Bar(bar) }
    }

    /// Plain lines to `writer`.
    pub fn lines(writer: impl Write + Send + 'static) -> Progress {
        Progress { place: Place::Lines(Arc::new(Mutex::new(writer))) }
    }

    /// Nothing is shown.
    pub fn hidden() -> Progress {
        Progress { place: Place::Nowhere }
    }

    /// A cohort has `learned` of the `wanted` snapshots that its first model takes.
    pub fn learning(&self, cohort: &str, learned: usize, wanted: usize) {
        let what = format!("learning {cohort}");
        self.step(&what, "snapshots", learned, wanted, String::new());
    }

    /// An epoch is done: its loss is the last of `losses`.
    pub fn epoch(&self, cohort: &str, losses: &[f32], most: usize) {
        let loss = losses.last().copied().unwrap_or_default();
        self.step(&format!("training {cohort}"), "epochs", losses.len(), most, format!("loss {loss:.5}"));
    }

    /// A release was made in `took`, of snapshots of which `n_trimmed` were left out.
    pub fn trained(&self, release: &ModelRelease, n_trimmed: usize, took: Duration) {
        let manifest = &release.manifest;
        let fall = 100.0 * (1.0 - manifest.loss_last / manifest.loss_first.max(f64::MIN_POSITIVE));
        self.say(&format!(
            "model {} of {}: {} parameters, loss {:.5} -> {:.5} ({fall:.1} % less) in {} epochs, {:.1} s",
            release.short_name(),
            release.cohort,
            HumanCount(manifest.parameters.unsigned_abs()),
            manifest.loss_first,
            manifest.loss_last,
            manifest.epochs,
            took.as_secs_f64(),
        ));
        let size = HumanBytes(release.onnx.len() as u64);
        let (fitted, calibrated, threshold) = (manifest.fitted, manifest.calibrated, release.calibration.threshold);
        self.say(&format!(
            "  fitted to {fitted} snapshots, calibrated on {calibrated}, {n_trimmed} left out as untypical; \
             threshold {threshold:.4}, {size}"
        ));
    }

    /// One line.
    pub fn say(&self, line: &str) {
        match &self.place {
            Place::Nowhere => {}
            Place::Bar(bar) => {
                bar.finish_and_clear();
                bar.suspend(|| to_stderr(line));
            }
            Place::Lines(writer) => write_line(&mut *writer.lock().unwrap_or_else(PoisonError::into_inner), line),
        }
    }

    fn step(&self, what: &str, unit: &str, done: usize, of: usize, note: String) {
        match &self.place {
            Place::Bar(bar) => {
                if bar.is_finished() || done <= 1 {
                    bar.reset();
                    bar.set_style(style());
                }
                bar.set_length(of as u64);
                bar.set_prefix(what.to_owned());
                bar.set_message(note);
                bar.set_position(done as u64);
            }
            Place::Lines(_) if done == 1 || done == of || done.is_multiple_of(STEP) => {
                let note = if note.is_empty() { note } else { format!(", {note}") };
                self.say(&format!("{what}: {done}/{of} {unit}{note}"));
            }
            Place::Lines(_) | Place::Nowhere => {}
        }
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn to_stderr(line: &str) {
    write_line(&mut std::io::stderr(), line);
}

/// Progress that nobody can read is no reason to stop.
fn write_line(writer: &mut dyn Write, line: &str) {
    let _ = writeln!(writer, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use schemas::{Calibration, Manifest, Timestamp};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn without_a_terminal_some_lines_tell_of_learning_and_training() {
        let page = Page::default();
        let progress = Progress::lines(page.clone());
        (1..=12).for_each(|learned| progress.learning("web", learned, 12));
        (1..=3).for_each(|epoch| progress.epoch("web", &vec![0.5 / epoch as f32; epoch], 3));
        progress.trained(&release(), 2, Duration::from_millis(1234));
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        expect![[r#"
            learning web: 1/12 snapshots
            learning web: 10/12 snapshots
            learning web: 12/12 snapshots
            training web: 1/3 epochs, loss 0.50000
            training web: 3/3 epochs, loss 0.16667
            model 0123456789ab of web: 1,819 parameters, loss 0.50000 -> 0.12500 (75.0 % less) in 3 epochs, 1.2 s
              fitted to 45 snapshots, calibrated on 13, 2 left out as untypical; threshold 5.5000, 2.00 KiB
        "#]]
        .assert_eq(&text);
    }

    fn release() -> ModelRelease {
        let manifest = Manifest {
            parameters: 1819,
            epochs: 3,
            loss_first: 0.5,
            loss_last: 0.125,
            fitted: 45,
            calibrated: 13,
            ..Manifest::default()
        };
        ModelRelease {
            cohort: "web".to_owned(),
            generation: 0,
            created_at: Timestamp(0),
            profile: "default".to_owned(),
            recipe: 1,
            columns: Vec::new(),
            features: 2,
            sha256: "0123456789abcdef".to_owned(),
            onnx: vec![0; 2048],
            manifest,
            calibration: Calibration { threshold: 5.5, ..Calibration::default() },
        }
    }
}
