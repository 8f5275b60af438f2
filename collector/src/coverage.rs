//! Coverage: what a sweep could not read, by signal and reason. `signals::coverage` explains each
//! item.

use std::collections::{BTreeMap, HashSet};

use schemas::Coverage;

use hostread::Seen;

use crate::{
    files::Handles,
    measure::{IntoMeasured, Reason},
    process::Process,
};

/// Counts of unreadable values, by signal and reason.
#[derive(Debug, Default)]
pub struct CoverageBuilder(BTreeMap<(&'static str, Reason), i64>);

impl CoverageBuilder {
    /// Adds `times` to the count of an unreadable signal. Zero adds no entry.
    pub fn add(&mut self, signal: &'static str, reason: Reason, times: usize) {
        if times > 0 {
            *self.0.entry((signal, reason)).or_default() += i64::try_from(times).unwrap_or(i64::MAX);
        }
    }

    /// Adds all values of a process that could not be read.
    pub fn add_process(&mut self, process: &Process) {
        let counters = &process.counters;
        self.add_seen("memory", &process.memory);
        self.add_seen("run-delay", &counters.schedule);
        self.add_seen("io", &counters.io);
        self.add_seen("limits", &process.limits.open_files);
        self.add_seen("fd", &process.handles);
        self.add_seen("syscall", &process.syscall);
        if let Some(container) = &process.info.container {
            self.add_seen("environ", &container.label);
        }
        let left_out = process.handles.as_ref().here().map_or(0, Handles::left_out);
        self.add("descriptors", Reason::Off, left_out);
        let links_denied = matches!(&process.handles, Seen::Here(handles) if handles.denied);
        self.add("fd-link", Reason::Denied, usize::from(links_denied));
        if let Some(reason) = process.info.unread_arguments {
            self.add("cmdline", reason, 1);
        }
        for (signal, reason) in &process.info.unreadable {
            self.add(signal, *reason, 1);
        }
    }

    /// Adds the reason if `seen` has no value.
    pub fn add_seen<T>(&mut self, signal: &'static str, seen: &Seen<T>) {
        if let Err(reason) = seen.as_ref().measured() {
            self.add(signal, reason, 1);
        }
    }

    /// Logs each signal that lacks permission, once for all sweeps that share `warned`.
    pub fn warn_denied_once(&self, warned: &mut HashSet<&'static str>) {
        for ((signal, reason), count) in &self.0 {
            if *reason == Reason::Denied && warned.insert(signal) {
                tracing::warn!(signal, count, "no permission to read a signal");
            }
        }
    }

    /// Returns the entries of the record.
    pub fn finish(self) -> Vec<Coverage> {
        let entry = |((signal, reason), count): ((&str, Reason), i64)| Coverage {
            signal: signal.to_owned(),
            reason: reason.as_str().into(),
            count,
        };
        self.0.into_iter().map(entry).collect()
    }
}
