//! Stages of a sweep that follow the reading of processes. Each adds what it could not read to the
//! coverage.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use hostread::{Seen, locks::LockList, process::OpenProcess};

use super::Sweeper;
use collector::{
    cgroups,
    coverage::CoverageBuilder,
    filesystems,
    measure::Reason,
    process::Process,
    processes::Processes,
    system,
    tasks::{Task, Tasks},
};

use crate::{
    SweepConfig,
    relate::{connections, lock_waits},
};

impl Sweeper {
    /// Reads the system calls of tasks, within the budget of CPU time for deep reads.
    pub(super) fn tasks(&mut self, processes: &[Process], listed: &LockList, coverage: &mut CoverageBuilder) -> Tasks {
        let SweepConfig { interval, deep_cpu_percent, .. } = self.producer.sweep;
        let budget = interval * deep_cpu_percent / 100;
        let tasks =
            self.thread_scanner.scan(&self.root, processes, &listed.contended_inodes(), budget, &mut self.buffer);
        coverage.add("threads", Reason::Off, tasks.skipped.values().sum());
        tasks
    }

    /// Reads the descriptors through which tasks wait for a lock, read or write, of processes that
    /// have too many to read them all.
    pub(super) fn add_waited_descriptors(&mut self, processes: &mut [Process], tasks: &[Task]) {
        for task in tasks {
            let Some(process) = processes.get_mut(task.process) else { continue };
            let Seen::Here(handles) = &mut process.handles else { continue };
            let lock = task.syscall.lock_call().map(|call| call.fd);
            let Some(fd) = lock.or_else(|| task.syscall.transfer_call().map(|call| call.fd)) else { continue };
            if handles.may_have_left_out(fd)
                && let Seen::Here(directory) = OpenProcess::reopen(&self.root, process.key, &mut self.buffer)
            {
                self.files.add_left_out(handles, &directory, fd, &mut self.buffer);
            }
        }
    }

    /// Lists sockets and joins them to connections. `wanted_peers` are the inodes of the sockets
    /// whose other end is needed.
    pub(super) fn network(
        &mut self,
        processes: &Processes,
        wanted_peers: &HashSet<u64>,
        coverage: &mut CoverageBuilder,
    ) -> connections::Network {
        let mut pid_by_namespace = BTreeMap::new();
        for process in &processes.shown {
            if let Some(namespace) = process.info.network {
                pid_by_namespace.entry(namespace).or_insert(process.key.pid);
            }
        }
        let listings = self.namespaces.list(&self.vantage, &pid_by_namespace, &self.root, &mut self.buffer);
        coverage.add("network-namespaces", Reason::Off, listings.n_left_out);
        coverage.add_seen("sockets-net", &listings.host_namespace);
        let is_exhausted = |namespace: u64| listings.exhausted.contains(&namespace);
        let exhausted_or = |namespace, reason| if is_exhausted(namespace) { Reason::Exhausted } else { reason };
        let host = self.vantage.network_namespace;
        let listings = &listings.listings;
        let fallbacks = listings.values().filter(|listing| listing.is_fallback).count();
        coverage.add("sockets-listing", Reason::Unsupported, fallbacks);
        let is_host_unlisted = !listings.contains_key(&host);
        coverage.add("sockets-listing", exhausted_or(host, Reason::Unsupported), usize::from(is_host_unlisted));
        let namespaces = processes.shown.iter().filter_map(|process| process.info.network);
        for namespace in namespaces.filter(|namespace| !listings.contains_key(namespace)) {
            coverage.add("sockets-elsewhere", exhausted_or(namespace, Reason::Denied), 1);
        }
        let network = self.connections.join(&connections::SocketInputs {
            root: &self.root,
            processes: &processes.shown,
            listings,
            wanted_peers,
            own_sockets: &processes.own_sockets,
            at: self.root.tape.monotonic_clock(),
        });
        coverage.add("endpoint", Reason::Off, network.left_out);
        network
    }

    /// Reads the control groups.
    pub(super) fn groups<'p>(
        &mut self,
        processes: &'p [Process],
        coverage: &mut CoverageBuilder,
    ) -> cgroups::Groups<'p> {
        let groups = self.groups.read_all(processes, &mut self.buffer);
        coverage.add("cgroup", Reason::Denied, groups.denied);
        coverage.add("cgroups", Reason::Unsupported, usize::from(groups.has_no_hierarchy));
        groups
    }

    /// Reads the filesystems.
    pub(super) fn filesystems(
        &mut self,
        processes: &[Process],
        at: Instant,
        coverage: &mut CoverageBuilder,
    ) -> filesystems::Filesystems {
        let inputs = filesystems::FilesystemInputs {
            root: &self.root,
            vantage: &self.vantage,
            processes,
            files: &self.files,
            at,
        };
        self.filesystems.read(&inputs, coverage, &mut self.buffer)
    }

    /// Reads the resources of the host.
    pub(super) fn system(&mut self, clocks: system::Clocks) -> Vec<system::Resource> {
        let inputs = system::HostInputs {
            root: &self.root,
            net: &self.vantage.open_net(&self.root),
            own_network: self.vantage.is_own_network_namespace,
            mounted: &self.filesystems.devices(),
            clocks,
            page: self.page,
        };
        self.system.read(&inputs, &mut self.buffer)
    }

    /// Finds who holds file locks and who waits for them.
    pub(super) fn locks(
        &mut self,
        processes: &[Process],
        tasks: &[Task],
        listed: &LockList,
        coverage: &mut CoverageBuilder,
    ) -> lock_waits::FileLocks {
        let locks = self.lock_waits.update(
            &lock_waits::LockInputs {
                root: &self.root,
                processes,
                tasks,
                listed,
                list_hides: self.vantage.is_lock_list_partial,
            },
            &mut self.buffer,
        );
        coverage.add_seen("locks", &listed.readable);
        let unknown = locks.waits.iter().filter(|wait| wait.holders.is_empty()).count();
        let any_left_out = processes.iter().any(Process::has_left_out_descriptors);
        let reason = |is_hidden: bool| match (is_hidden, any_left_out) {
            (true, _) => Reason::Denied,
            (false, true) => Reason::Off,
            (false, false) => Reason::Gone,
        };
        coverage.add("lock-holder", reason(locks.may_hide_holders), unknown);
        coverage.add("lock-waiter", reason(locks.may_hide_waits), locks.unknown_waits);
        locks
    }

    /// Returns whether the kernel accounts the time that tasks wait for block I/O. Kernels without
    /// the setting always do.
    pub(super) fn counts_delays(&mut self) -> bool {
        let setting = self.root.directory.read_page("sys/kernel/task_delayacct", &mut self.buffer);
        setting.here().is_none_or(|setting| setting.trim_ascii() != b"0")
    }
}
