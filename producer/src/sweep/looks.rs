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
        coverage::Gaps,
        filesystems,
        measure::Reason,
        process::Process,
        processes::Processes,
        system,
        tasks::{Task, Tasks},
    },
    relate::{connections, waits},
};

impl Sweeper {
    pub(super) fn tasks(&mut self, processes: &[Process], listed: &LockList, gaps: &mut Gaps) -> Tasks {
        let SweepConfig { interval, deep_cpu_percent, .. } = self.producer.sweep;
        let budget = interval * deep_cpu_percent / 100;
        let tasks = self.turn.look(&self.root, processes, &listed.waited_for(), budget, &mut self.buffer);
        gaps.add("threads", Reason::Off, tasks.left_out.values().sum());
        tasks
    }

    pub(super) fn network(
        &mut self,
        processes: &Processes,
        asked: &HashSet<u64>,
        gaps: &mut Gaps,
    ) -> connections::Network {
        let mut others = BTreeMap::new();
        for process in &processes.shown {
            if let Some(namespace) = process.about.network {
                others.entry(namespace).or_insert(process.key.pid);
            }
        }
        let listings = self.namespaces.list(&self.vantage, &others, &self.root, &mut self.buffer);
        gaps.add("network-namespaces", Reason::Off, listings.left_out);
        gaps.add_seen("sockets-net", &listings.home);
        let listings = listings.listings;
        let mut refused = listings.values().filter(|listing| listing.refused).count();
        refused += usize::from(!listings.contains_key(&self.vantage.network));
        gaps.add("sockets-listing", Reason::Unsupported, refused);
        let elsewhere = processes.shown.iter().filter_map(|process| process.about.network);
        let elsewhere = elsewhere.filter(|namespace| !listings.contains_key(namespace)).count();
        gaps.add("sockets-elsewhere", Reason::Denied, elsewhere);
        let network = self.connections.join(&connections::Scene {
            root: &self.root,
            processes: &processes.shown,
            listings: &listings,
            asked,
            own: &processes.own_sockets,
            at: self.root.tape.monotonic(),
        });
        gaps.add("endpoint", Reason::Off, network.left_out);
        network
    }

    pub(super) fn filesystems(&mut self, processes: &[Process], at: Instant, gaps: &mut Gaps) -> filesystems::Picture {
        let scene = filesystems::Scene { root: &self.root, vantage: &self.vantage, processes, files: &self.files, at };
        self.filesystems.look(&scene, gaps, &mut self.buffer)
    }

    pub(super) fn system(&mut self, clocks: system::Clocks) -> Vec<system::Resource> {
        let scene = system::Scene {
            root: &self.root,
            net: &self.vantage.net(&self.root),
            own_network: self.vantage.own_network,
            mounted: &self.filesystems.devices(),
            clocks,
            page: self.page,
        };
        self.system.look(&scene, &mut self.buffer)
    }

    pub(super) fn locks(
        &mut self,
        processes: &[Process],
        tasks: &[Task],
        listed: &LockList,
        gaps: &mut Gaps,
    ) -> waits::Picture {
        let picture = self.waits.look(
            &waits::Scene { root: &self.root, processes, tasks, listed, list_hides: self.vantage.list_hides },
            &mut self.buffer,
        );
        if !picture.list_readable {
            gaps.add("locks", Reason::Unsupported, 1);
        }
        let unknown = picture.waits.iter().filter(|wait| wait.holders.is_empty()).count();
        let or_gone = |hidden: bool| if hidden { Reason::Denied } else { Reason::Gone };
        gaps.add("lock-holder", or_gone(picture.may_hide_holders), unknown);
        gaps.add("lock-waiter", or_gone(picture.may_hide_waits), picture.unknown_waits);
        picture
    }

    /// Whether the kernel counts what tasks wait for block I/O. One that cannot be asked always did.
    pub(super) fn counts_delays(&mut self) -> bool {
        let setting = self.root.directory.read_small("sys/kernel/task_delayacct", &mut self.buffer);
        setting.here().is_none_or(|setting| setting.trim_ascii() != b"0")
    }
}
