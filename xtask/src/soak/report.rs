//! The result of a run, and what must hold.

use std::{fmt, time::Duration};

use anyhow::{Context, ensure};

use super::{incidents::Incidents, observer::Observed};

/// Growth of memory that counts as flat, as a factor.
const FLAT: f64 = 1.15;
/// Longest time without a new snapshot: the interval of a second, one more, and the time between
/// two samples.
const MAX_GAP: Duration = Duration::from_millis(2600);

/// The result of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What samples of `up` show.
    pub observed: Observed,
    /// Incidents that were opened.
    pub incidents: Incidents,
    /// Requests of clients that were not answered.
    pub failed_requests: u64,
    /// Exit code after SIGTERM; `None` if `up` did not end by itself in time.
    pub exit: Option<i32>,
}

impl Report {
    /// Checks what must hold.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(&self) -> anyhow::Result<()> {
        let observed = &self.observed;
        let warm_up = observed.rss_mb_in_warm_up.context("no sample of memory in the warm-up")?;
        let after = observed.rss_mb_after.context("no sample of memory after the warm-up")?;
        ensure!(after <= warm_up * FLAT, "memory grew from {warm_up:.1} MB to {after:.1} MB");
        let gap = observed.longest_gap;
        ensure!(gap <= MAX_GAP, "expected a snapshot a second, found none for {gap:?}");
        ensure!(observed.failed_samples == 0, "{} samples of `/metrics` failed", observed.failed_samples);
        let without_cause = self.incidents.without_cause.len();
        ensure!(without_cause == 0, "{without_cause} incidents name no process or file of the run");
        ensure!(self.failed_requests == 0, "{} requests of clients were not answered", self.failed_requests);
        ensure!(self.exit == Some(0), "expected exit code 0 within 5 s of SIGTERM, found {:?}", self.exit);
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        let observed = &self.observed;
        let shown = |rss_mb: Option<f64>| rss_mb.map_or("no sample".to_owned(), |rss_mb| format!("{rss_mb:.1} MB"));
        writeln!(text, "snapshots scored             {}", observed.snapshots)?;
        writeln!(text, "longest time between two     {:.1} s", observed.longest_gap.as_secs_f64())?;
        writeln!(text, "largest RSS in the warm-up   {}", shown(observed.rss_mb_in_warm_up))?;
        writeln!(text, "largest RSS afterwards       {}", shown(observed.rss_mb_after))?;
        writeln!(text, "incidents opened             {}", self.incidents.opened)?;
        writeln!(text, "  without a cause            {}", self.incidents.without_cause.len())?;
        for summary in &self.incidents.without_cause {
            writeln!(text, "    {summary}")?;
        }
        writeln!(text, "failed samples of /metrics   {}", observed.failed_samples)?;
        writeln!(text, "unanswered client requests   {}", self.failed_requests)?;
        write!(text, "exit code                    {:?}", self.exit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Incidents, Observed, Report};

    fn passing() -> Report {
        let observed = Observed {
            snapshots: 3600,
            longest_gap: Duration::from_millis(1500),
            rss_mb_in_warm_up: Some(100.0),
            rss_mb_after: Some(114.9),
            failed_samples: 0,
        };
        let incidents = Incidents { opened: 3, without_cause: Vec::new() };
        Report { observed, incidents, failed_requests: 0, exit: Some(0) }
    }

    fn assert_fails(expected: &str, change: fn(&mut Report)) {
        let mut report = passing();
        change(&mut report);
        let error = report.check().expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_run_passes_only_if_every_check_does() {
        passing().check().expect("all checks pass");
        assert_fails("in the warm-up", |report| report.observed.rss_mb_in_warm_up = None);
        assert_fails("after the warm-up", |report| report.observed.rss_mb_after = None);
        assert_fails("memory grew", |report| report.observed.rss_mb_after = Some(115.1));
        assert_fails("a snapshot a second", |report| report.observed.longest_gap = Duration::from_millis(2601));
        assert_fails("samples of `/metrics`", |report| report.observed.failed_samples = 1);
        assert_fails("no process or file", |report| report.incidents.without_cause.push("s".to_owned()));
        assert_fails("not answered", |report| report.failed_requests = 1);
        assert_fails("found Some(1)", |report| report.exit = Some(1));
        assert_fails("found None", |report| report.exit = None);
    }
}
