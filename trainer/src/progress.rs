//! Reports the progress of learning and training on a terminal or as plain lines.

use std::{
    io::{IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use schemas::ModelRelease;

/// Plain lines report every tenth epoch and every tenth snapshot.
const LINE_INTERVAL: usize = 10;

/// Progress output. Clones write to the same destination.
#[derive(Clone)]
pub struct Progress {
    output: Output,
}

#[derive(Clone)]
enum Output {
    Hidden,
    Bar(ProgressBar),
    Lines(Arc<Mutex<dyn Write + Send>>),
}

impl Progress {
    /// Progress bars if standard error is a terminal, else plain lines on it.
    pub fn stderr() -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress::lines(std::io::stderr());
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        Progress { output: Output::Bar(bar) }
    }

    /// Plain lines, written to `writer`.
    pub fn lines(writer: impl Write + Send + 'static) -> Progress {
        Progress { output: Output::Lines(Arc::new(Mutex::new(writer))) }
    }

    /// No output.
    pub fn hidden() -> Progress {
        Progress { output: Output::Hidden }
    }

    /// Reports that a cohort has learned `learned` of the `wanted` snapshots for its first model.
    pub fn report_learning(&self, cohort: &str, learned: usize, wanted: usize) {
        self.report_step(&format!("learning {cohort}"), "snapshots", learned, wanted, String::new());
    }

    /// Reports the end of an epoch, of at most `max_epochs`. `losses` holds the loss of each epoch
    /// so far.
    pub fn report_epoch(&self, cohort: &str, losses: &[f32], max_epochs: usize) {
        let loss = losses.last().copied().unwrap_or_default();
        self.report_step(&format!("training {cohort}"), "epochs", losses.len(), max_epochs, format!("loss {loss:.5}"));
    }

    /// Reports a finished release: its size, its loss, how many snapshots were used, and how many
    /// were removed as outliers.
    pub fn report_release(&self, release: &ModelRelease, n_outliers: usize, elapsed: Duration) {
        let manifest = &release.manifest;
        let decrease = 100.0 * (1.0 - manifest.loss_last / manifest.loss_first.max(f64::MIN_POSITIVE));
        self.print_line(&format!(
            "model {} for {}: {} parameters, loss {:.5} -> {:.5} ({decrease:.1} % less) in {} epochs, {:.1} s",
            release.short_name(),
            release.cohort,
            HumanCount(manifest.parameters.unsigned_abs()),
            manifest.loss_first,
            manifest.loss_last,
            manifest.epochs,
            elapsed.as_secs_f64(),
        ));
        self.print_line(&format!(
            "  trained on {} snapshots, calibrated on {}, {n_outliers} outliers removed; threshold {:.4}, {}",
            manifest.fitted,
            manifest.calibrated,
            release.calibration.threshold,
            HumanBytes(release.onnx.len() as u64),
        ));
    }

    /// Prints one line, and ends the current progress bar.
    pub fn print_line(&self, line: &str) {
        match &self.output {
            Output::Hidden => {}
            Output::Bar(bar) => {
                bar.finish_and_clear();
                bar.suspend(|| write_line(&mut std::io::stderr(), line));
            }
            Output::Lines(writer) => write_line(&mut *writer.lock().unwrap_or_else(PoisonError::into_inner), line),
        }
    }

    fn report_step(&self, activity: &str, unit: &str, done: usize, total: usize, detail: String) {
        match &self.output {
            Output::Bar(bar) => {
                if bar.is_finished() || done <= 1 {
                    bar.reset();
                    bar.set_style(bar_style());
                }
                bar.set_length(total as u64);
                bar.set_prefix(activity.to_owned());
                bar.set_message(detail);
                bar.set_position(done as u64);
            }
            Output::Lines(_) if done == 1 || done == total || done.is_multiple_of(LINE_INTERVAL) => {
                let detail = if detail.is_empty() { detail } else { format!(", {detail}") };
                self.print_line(&format!("{activity}: {done}/{total} {unit}{detail}"));
            }
            Output::Lines(_) | Output::Hidden => {}
        }
    }
}

fn bar_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Ignores errors: a closed progress output must not stop the trainer.
fn write_line(writer: &mut dyn Write, line: &str) {
    let _ = writeln!(writer, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use schemas::{Calibration, Manifest, Timestamp};

    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn without_a_terminal_progress_is_reported_in_lines() {
        let buffer = SharedBuffer::default();
        let progress = Progress::lines(buffer.clone());
        (1..=12).for_each(|learned| progress.report_learning("web", learned, 12));
        (1..=3).for_each(|epoch| progress.report_epoch("web", &vec![0.5 / epoch as f32; epoch], 3));
        progress.report_release(&release(), 2, Duration::from_millis(1234));
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        expect![[r#"
            learning web: 1/12 snapshots
            learning web: 10/12 snapshots
            learning web: 12/12 snapshots
            training web: 1/3 epochs, loss 0.50000
            training web: 3/3 epochs, loss 0.16667
            model 0123456789ab for web: 1,819 parameters, loss 0.50000 -> 0.12500 (75.0 % less) in 3 epochs, 1.2 s
              trained on 45 snapshots, calibrated on 13, 2 outliers removed; threshold 5.5000, 2.00 KiB
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
