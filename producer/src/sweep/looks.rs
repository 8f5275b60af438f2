//! The looks of a sweep at what is around the processes.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, Instant},
};

use super::{Sweeper, crowd::Crowd};
use crate::{
    SweepConfig,
    columns::Reason,
    connections,
    coverage::Gaps,
    filesystems,
    locks::Listed,
    process::Process,
    stalls::Stall,
    system,
    tasks::{Task, Tasks},
    waits,
};

impl Sweeper {
    pub(super) fn tasks(&mut self, processes: &[Process], listed: &Listed, gaps: &mut Gaps) -> Tasks {
        let SweepConfig { interval, deep_cpu_percent, .. } = self.producer.sweep;
        let budget = interval * deep_cpu_percent / 100;
        let tasks = self.turn.look(&self.root, processes, &listed.waited_for(), budget, &mut self.buffer);
        gaps.add("threads", Reason::Off, tasks.left_out.values().sum());
        tasks
    }

    pub(super) fn network(&mut self, crowd: &Crowd, asked: &HashSet<u64>, gaps: &mut Gaps) -> connections::Network {
        let mut others = BTreeMap::new();
        for process in &crowd.processes {
            if let Some(namespace) = process.about.network {
                others.entry(namespace).or_insert(process.identity.pid);
            }
        }
        let listings = self.namespaces.list(&self.place, &others, &self.root, &mut self.buffer);
        gaps.add("network-namespaces", Reason::Off, listings.left_out);
        gaps.add_seen("sockets-net", &listings.home);
        let listings = listings.listings;
        let mut refused = listings.values().filter(|listing| listing.refused).count();
        refused += usize::from(!listings.contains_key(&self.place.network));
        gaps.add("sockets-listing", Reason::Unsupported, refused);
        let elsewhere = crowd.processes.iter().filter_map(|process| process.about.network);
        let elsewhere = elsewhere.filter(|namespace| !listings.contains_key(namespace)).count();
        gaps.add("sockets-elsewhere", Reason::Denied, elsewhere);
        let network = self.connections.join(&connections::Scene {
            root: &self.root,
            processes: &crowd.processes,
            listings: &listings,
            asked,
            own: &crowd.own_sockets,
            at: self.root.tape.monotonic(),
        });
        gaps.add("endpoint", Reason::Off, network.left_out);
        network
    }

    pub(super) fn filesystems(&mut self, processes: &[Process], at: Instant, gaps: &mut Gaps) -> filesystems::Picture {
        let scene = filesystems::Scene { root: &self.root, place: &self.place, processes, files: &self.files, at };
        self.filesystems.look(&scene, gaps, &mut self.buffer)
    }

    pub(super) fn system(&mut self, clocks: system::Clocks) -> Vec<system::Resource> {
        let scene = system::Scene {
            root: &self.root,
            net: &self.place.net(&self.root),
            own_network: self.place.own_network,
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
        listed: &Listed,
        gaps: &mut Gaps,
    ) -> waits::Picture {
        let picture = self.waits.look(
            &waits::Scene { root: &self.root, processes, tasks, listed, list_hides: self.place.list_hides },
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

/// The processes that wait, or that others wait for, long enough to be asked what they are doing.
pub(super) fn concerned(locks: &waits::Picture, stalls: &[Stall], network: &connections::Network) -> BTreeSet<usize> {
    const LONG: Duration = Duration::from_millis(900);
    let long_ms = LONG.as_secs_f64() * 1000.0;
    let waits = locks.waits.iter().filter(|wait| wait.blocked >= LONG);
    let of_locks = waits.flat_map(|wait| wait.holders.iter().map(|holder| holder.process).chain([wait.process]));
    // Who reads is a client that waits for others, who writes waits itself.
    let of_stalls = stalls.iter().filter(|stall| stall.blocked >= LONG).flat_map(|stall| match stall.writes {
        true => vec![stall.process],
        false => stall.others.clone(),
    });
    let late = network.standings.iter().filter(|(_, standing)| standing.owing_ms.max(standing.unread_ms) >= long_ms);
    of_locks.chain(of_stalls).chain(late.map(|(process, _)| *process)).collect()
}
