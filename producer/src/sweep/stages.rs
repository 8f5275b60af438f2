//! The looks of a sweep at what is around the processes.

use std::{
    collections::{BTreeMap, HashSet},
    time::Instant,
};

use hostread::locks::LockList;

use super::Sweeper;
use crate::{
    SweepConfig,
    collect::{
        coverage::CoverageBuilder,
        filesystems,
        measure::Reason,
        process::Process,
        processes::Processes,
        system,
        tasks::{Task, Tasks},
    },
    relate::{connections, lock_waits},
};

impl Sweeper {
    pub(super) fn tasks(&mut self, processes: &[Process], listed: &LockList, coverage: &mut CoverageBuilder) -> Tasks {
        let SweepConfig { interval, deep_cpu_percent, .. } = self.producer.sweep;
        let budget = interval * deep_cpu_percent / 100;
        let tasks = self.thread_scanner.scan(&self.root, processes, &listed.waited_for(), budget, &mut self.buffer);
        coverage.add("threads", Reason::Off, tasks.skipped.values().sum());
        tasks
    }

    pub(super) fn network(
        &mut self,
        processes: &Processes,
        wanted_peers: &HashSet<u64>,
        coverage: &mut CoverageBuilder,
    ) -> connections::Network {
        let mut others = BTreeMap::new();
        for process in &processes.shown {
            if let Some(namespace) = process.info.network {
                others.entry(namespace).or_insert(process.key.pid);
            }
        }
        let listings = self.namespaces.list(&self.vantage, &others, &self.root, &mut self.buffer);
        coverage.add("network-namespaces", Reason::Off, listings.left_out);
        coverage.add_seen("sockets-net", &listings.home);
        let listings = listings.listings;
        let mut refused = listings.values().filter(|listing| listing.is_fallback).count();
        refused += usize::from(!listings.contains_key(&self.vantage.network_namespace));
        coverage.add("sockets-listing", Reason::Unsupported, refused);
        let elsewhere = processes.shown.iter().filter_map(|process| process.info.network);
        let elsewhere = elsewhere.filter(|namespace| !listings.contains_key(namespace)).count();
        coverage.add("sockets-elsewhere", Reason::Denied, elsewhere);
        let network = self.connections.join(&connections::SocketInputs {
            root: &self.root,
            processes: &processes.shown,
            listings: &listings,
            wanted_peers,
            own_sockets: &processes.own_sockets,
            at: self.root.tape.monotonic_clock(),
        });
        coverage.add("endpoint", Reason::Off, network.left_out);
        network
    }

    pub(super) fn filesystems(
        &mut self,
        processes: &[Process],
        at: Instant,
        coverage: &mut CoverageBuilder,
    ) -> filesystems::Filesystems {
        let scene = filesystems::FilesystemInputs {
            root: &self.root,
            vantage: &self.vantage,
            processes,
            files: &self.files,
            at,
        };
        self.filesystems.read(&scene, coverage, &mut self.buffer)
    }

    pub(super) fn system(&mut self, clocks: system::Clocks) -> Vec<system::Resource> {
        let scene = system::HostInputs {
            root: &self.root,
            net: &self.vantage.open_net(&self.root),
            own_network: self.vantage.is_own_network,
            mounted: &self.filesystems.devices(),
            clocks,
            page: self.page,
        };
        self.system.read(&scene, &mut self.buffer)
    }

    pub(super) fn locks(
        &mut self,
        processes: &[Process],
        tasks: &[Task],
        listed: &LockList,
        coverage: &mut CoverageBuilder,
    ) -> lock_waits::FileLocks {
        let picture = self.lock_waits.update(
            &lock_waits::LockInputs {
                root: &self.root,
                processes,
                tasks,
                listed,
                list_hides: self.vantage.lock_list_is_partial,
            },
            &mut self.buffer,
        );
        if !picture.is_list_readable {
            coverage.add("locks", Reason::Unsupported, 1);
        }
        let unknown = picture.waits.iter().filter(|wait| wait.holders.is_empty()).count();
        let or_gone = |hidden: bool| if hidden { Reason::Denied } else { Reason::Gone };
        coverage.add("lock-holder", or_gone(picture.may_hide_holders), unknown);
        coverage.add("lock-waiter", or_gone(picture.may_hide_waits), picture.unknown_waits);
        picture
    }

    /// Whether the kernel counts what tasks wait for block I/O. One that cannot be asked always did.
    pub(super) fn counts_delays(&mut self) -> bool {
        let setting = self.root.directory.read_page("sys/kernel/task_delayacct", &mut self.buffer);
        setting.here().is_none_or(|setting| setting.trim_ascii() != b"0")
    }
}
