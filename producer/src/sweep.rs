//! One sweep after another over one host.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::{Duration, Instant},
};

use schemas::GraphSnapshot;

use crate::{
    Producer, ProducerError, SweepConfig,
    abouts::Abouts,
    assemble::{Sighting, assemble},
    cgroups,
    columns::Reason,
    connections, container,
    coverage::Gaps,
    files::FileTable,
    filesystems,
    locks::{self, Listed},
    parse, pipes,
    place::Place,
    preamble,
    process::{self, Identity, Process},
    rates::{self, Since},
    read::{ProcRoot, Seen},
    sockets,
    stalls::{self, Stall},
    system,
    tape::Tape,
    tasks::{self, Task},
    titles, waits,
    young::Young,
};

/// Sweeps a host, and remembers from sweep to sweep what rates and waits need.
pub struct Sweeper {
    producer: Producer,
    root: ProcRoot,
    place: Place,
    boot_id: String,
    run: String,
    sequence: i64,
    ticks_per_second: f64,
    page: f64,
    abouts: Abouts,
    // The processes of the sweep before.
    remembered: HashMap<Identity, Process>,
    files: FileTable,
    last: Option<Last>,
    turn: tasks::Turn,
    waits: waits::Memory,
    stalls: stalls::Memory,
    namespaces: sockets::Namespaces,
    connections: connections::Memory,
    groups: cgroups::Memory,
    filesystems: filesystems::Memory,
    system: system::Memory,
    told: HashSet<&'static str>,
    buffer: Vec<u8>,
}

/// The sweep before.
struct Last {
    at: Instant,
    uptime_centis: Option<u64>,
}

/// The processes of a sweep, and the sockets of those that are not shown.
#[derive(Default)]
struct Crowd {
    processes: Vec<Process>,
    own_sockets: HashSet<u64>,
}

/// What does not change often is read again after so many sweeps, a part of the processes in each.
const REREAD_AFTER: u64 = 16;

impl Sweeper {
    /// Prepares to sweep the host whose `proc` file system the settings name. The run's id is random.
    pub fn new(producer: Producer) -> Result<Sweeper, ProducerError> {
        Sweeper::on(producer, Tape::default())
    }

    /// Prepares to sweep the host that the tape tells of: this one, recorded or not, or one that was. A recording is played with the
    /// settings that it was made with, whatever `producer` says.
    pub fn on(producer: Producer, tape: Tape) -> Result<Sweeper, ProducerError> {
        let prepared = Sweeper::prepare(producer, tape.clone());
        tape.finish_sweep()?;
        prepared
    }

    fn prepare(producer: Producer, tape: Tape) -> Result<Sweeper, ProducerError> {
        let problems = producer.sweep.problems();
        if !problems.is_empty() {
            let problems = problems.into_iter().map(|(key, problem)| format!("`sweep.{key}` {problem}")).collect();
            return Err(ProducerError::Settings { problems });
        }
        let producer = preamble::settings(producer, &tape)?;
        let root = ProcRoot::open(&producer.sweep.proc, tape)?;
        let mut buffer = Vec::with_capacity(16 << 10);
        let boot_id = root.directory.read("sys/kernel/random/boot_id", &mut buffer).here();
        let boot_id = boot_id.map(|text| parse::text(text.trim_ascii())).unwrap_or_default();
        let host = root.directory.read("sys/kernel/hostname", &mut buffer).here();
        let host = host.map(|text| parse::text(text.trim_ascii())).unwrap_or_default();
        let number = |question, live| root.tape.value(question, "", || Seen::Here(live)).here().unwrap_or(live) as f64;
        let groups = cgroups::Memory::new(&producer.sweep.cgroup, &root, &mut buffer);
        let ticks_per_second = number("ticks-per-second", rustix::param::clock_ticks_per_second());
        Ok(Sweeper {
            abouts: Abouts::new(ticks_per_second, container::Known::on(host), producer.sweep.arguments),
            files: FileTable::new(producer.own_paths.clone()),
            producer,
            place: Place::find(&root, &mut buffer),
            boot_id,
            run: root.tape.text("run", || uuid::Uuid::new_v4().to_string()),
            sequence: 0,
            ticks_per_second,
            page: number("page-size", rustix::param::page_size() as u64),
            root,
            remembered: HashMap::new(),
            last: None,
            turn: tasks::Turn::default(),
            waits: waits::Memory::default(),
            stalls: stalls::Memory::default(),
            namespaces: sockets::Namespaces::default(),
            connections: connections::Memory::default(),
            groups,
            filesystems: filesystems::Memory::default(),
            system: system::Memory::default(),
            told: HashSet::new(),
            buffer,
        })
    }

    /// The random id of this run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Looks at the host once. The first look knows no rates.
    pub fn sweep(&mut self) -> Result<GraphSnapshot, ProducerError> {
        let swept = self.look();
        // What is wrong with a tape is told rather than what comes of it.
        self.root.tape.finish_sweep()?;
        swept
    }

    fn look(&mut self) -> Result<GraphSnapshot, ProducerError> {
        let clocks = system::Clocks::look(&self.root, &mut self.buffer);
        let (at, uptime_centis) = (clocks.steady.0, clocks.uptime_centis);
        self.abouts.begin_sweep(uptime_centis);
        let mut gaps = Gaps::default();
        let mut crowd = self.crowd(&mut gaps)?;
        let young = Young::take(&mut crowd.processes, uptime_centis, self.ticks_per_second);
        let processes = crowd.processes.as_slice();
        gaps.add("process-hidden", Reason::Denied, self.hidden_tasks(processes));
        let listed = locks::list(&self.root, &mut self.buffer);
        let tasks = self.tasks(processes, &listed, &mut gaps);
        let callers = stalls::callers(processes, &tasks);
        let network = self.network(&crowd, &stalls::sockets(&callers), &mut gaps);
        let ends = pipes::Ends::of_all(processes);
        let stalls = self.stalls.look(&self.root, &callers, &ends, &network, &mut self.buffer);
        let locks = self.locks(processes, &tasks, &listed, &mut gaps);
        let concerned = concerned(&locks, &stalls, &network);
        let titles = titles::look(&self.root, processes, &concerned, &mut self.abouts, &mut self.buffer);
        let (pipes, left_out) = ends.pairs();
        gaps.add("pipes", Reason::Off, left_out);
        let groups = self.groups.look(processes, &mut self.buffer);
        gaps.add("cgroup", Reason::Denied, groups.denied);
        gaps.add("cgroups", Reason::Unsupported, usize::from(groups.nowhere));
        let counts_delays = self.counts_delays();
        let filesystems = self.filesystems(processes, &mut gaps);
        let system = self.system(clocks);
        let rates: Vec<_> =
            processes.iter().map(|process| rates::of(process, self.ticks_per_second, counts_delays)).collect();
        let builder = assemble(&Sighting {
            processes,
            rates: &rates,
            forks: &young.per_second(processes, self.last.as_ref().map(|last| at.duration_since(last.at))),
            files: &self.files,
            network: &network,
            filesystems: &filesystems,
            locks: &locks,
            stalls: &stalls,
            titles: &titles,
            pipes: &pipes,
            groups: &groups,
            system: &system,
            page: self.page,
        });
        if !self.root.tape.is_playing() {
            gaps.warn_once(&mut self.told);
        }
        self.abouts.end_sweep();
        self.last = Some(Last { at, uptime_centis });
        let seen = crowd.processes.into_iter().chain(young.processes);
        self.remembered = seen.map(|process| (process.identity, process)).collect();
        let (nodes, edges, columns, evidence) = builder.finish();
        let sequence = self.sequence;
        self.sequence += 1;
        let ended_at = self.root.tape.wall();
        Ok(GraphSnapshot {
            host: self.producer.host.clone(),
            cohort: self.producer.cohort.clone(),
            boot_id: self.boot_id.clone(),
            run: self.run.clone(),
            sequence,
            started_at: clocks.wall,
            ended_at,
            interval_ms: i64::try_from(self.producer.sweep.interval.as_millis()).unwrap_or(i64::MAX),
            nodes,
            edges,
            columns,
            evidence,
            coverage: gaps.finish(),
        })
    }

    /// Reads all processes but kernel threads and Local Detective's own.
    fn crowd(&mut self, gaps: &mut Gaps) -> Result<Crowd, ProducerError> {
        let mut crowd = Crowd::default();
        self.files.begin_sweep();
        let mut pids = self.root.pids()?;
        pids.sort_unstable();
        for pid in pids {
            let seen = match process::open(&self.root, pid, &mut self.buffer) {
                Seen::Here(Some(opened)) => {
                    let before = self.remembered.remove(&opened.identity).ok_or_else(|| self.since(&opened.identity));
                    let reread = self.producer.sweep.reread
                        || self.sequence.cast_unsigned().wrapping_add(pid.into()).is_multiple_of(REREAD_AFTER);
                    let about = self.abouts.of(&opened, reread, &mut self.buffer);
                    if self.place.is_own(pid, &about) {
                        crowd.own_sockets.extend(opened.sockets(&mut self.files, &mut self.buffer));
                        continue;
                    }
                    opened.read(about, before, reread, &mut self.files, &mut self.buffer)
                }
                Seen::Here(None) => continue,
                other => other.and_then(|_| Seen::Gone),
            };
            gaps.add_seen("process", &seen);
            if let Seen::Here(process) = seen {
                gaps.add_process(&process);
                crowd.processes.push(process);
            }
        }
        Ok(crowd)
    }

    fn tasks(&mut self, processes: &[Process], listed: &Listed, gaps: &mut Gaps) -> Vec<Task> {
        let SweepConfig { interval, deep_cpu_percent, .. } = self.producer.sweep;
        let budget = interval * deep_cpu_percent / 100;
        let tasks = self.turn.look(&self.root, processes, &listed.waited_for(), budget, &mut self.buffer);
        gaps.add("threads", Reason::Off, tasks.left_out);
        tasks.list
    }

    /// How many of the host's tasks a `proc` that hides others' processes does not list; kernel threads are among them.
    fn hidden_tasks(&mut self, processes: &[Process]) -> usize {
        if !self.place.hides {
            return 0;
        }
        let tasks = self.root.directory.read_small("loadavg", &mut self.buffer).here().and_then(parse::system::tasks);
        let seen: u64 = processes.iter().map(|process| process.threads).sum();
        usize::try_from(tasks.unwrap_or(0).saturating_sub(seen)).unwrap_or(usize::MAX).max(1)
    }

    fn network(&mut self, crowd: &Crowd, asked: &HashSet<u64>, gaps: &mut Gaps) -> connections::Network {
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
            processes: &crowd.processes,
            listings: &listings,
            asked,
            own: &crowd.own_sockets,
            at: self.root.tape.monotonic(),
        });
        gaps.add("endpoint", Reason::Off, network.left_out);
        network
    }

    fn filesystems(&mut self, processes: &[Process], gaps: &mut Gaps) -> filesystems::Picture {
        let scene = filesystems::Scene { root: &self.root, place: &self.place, processes, files: &self.files };
        self.filesystems.look(&scene, gaps, &mut self.buffer)
    }

    fn system(&mut self, clocks: system::Clocks) -> Vec<system::Resource> {
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

    fn locks(&mut self, processes: &[Process], tasks: &[Task], listed: &Listed, gaps: &mut Gaps) -> waits::Picture {
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

    /// Since when the amounts of a process count that the sweep before did not see.
    fn since(&self, identity: &Identity) -> Since {
        let Some(last) = &self.last else { return Since::Unknown };
        let began = identity.start_time as f64 / self.ticks_per_second * 100.0;
        // Both clocks are cut to hundredths. One that began earlier was there and was missed, refused for instance.
        let is_new = last.uptime_centis.is_some_and(|uptime| began + 1.0 >= uptime as f64);
        if is_new { Since::Birth(last.at) } else { Since::Unknown }
    }

    /// Whether the kernel counts what tasks wait for block I/O. One that cannot be asked always did.
    fn counts_delays(&mut self) -> bool {
        let setting = self.root.directory.read_small("sys/kernel/task_delayacct", &mut self.buffer);
        setting.here().is_none_or(|setting| setting.trim_ascii() != b"0")
    }
}

/// The processes that wait, or that others wait for, long enough to be asked what they are doing.
fn concerned(locks: &waits::Picture, stalls: &[Stall], network: &connections::Network) -> BTreeSet<usize> {
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
