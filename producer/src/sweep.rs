//! One sweep after another over one host.

mod looks;

use std::collections::HashSet;

use hostread::{ProcRoot, Seen, Tape, Vantage, locks::LockList, parse, sockets::Namespaces};
use schemas::GraphSnapshot;

use crate::{
    Producer, ProducerError,
    collect::{
        cgroups, container,
        coverage::Gaps,
        files::{FileTable, Moment},
        filesystems,
        measure::Reason,
        process_cache::Abouts,
        processes, rates, system, tasks,
    },
    emit::assemble::{Sighting, assemble},
    preamble,
    relate::{connections, futexes, pipes, stalls, titles, waits},
};

/// Sweeps a host, and remembers from sweep to sweep what rates and waits need.
pub struct Sweeper {
    producer: Producer,
    root: ProcRoot,
    vantage: Vantage,
    boot_id: String,
    run: String,
    sequence: i64,
    ticks_per_second: f64,
    page: f64,
    processes: processes::History,
    files: FileTable,
    turn: tasks::Turn,
    waits: waits::Memory,
    stalls: stalls::Memory,
    futexes: futexes::Memory,
    titles: titles::Memory,
    namespaces: Namespaces,
    connections: connections::Memory,
    groups: cgroups::Memory,
    filesystems: filesystems::Memory,
    system: system::Memory,
    told: HashSet<&'static str>,
    buffer: Vec<u8>,
}

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
        let abouts = Abouts::new(ticks_per_second, container::Known::on(host), producer.sweep.arguments);
        Ok(Sweeper {
            processes: processes::History::new(abouts, ticks_per_second),
            files: FileTable::new(producer.own_paths.clone()),
            producer,
            vantage: Vantage::find(&root, &mut buffer),
            boot_id,
            run: root.tape.text("run", || uuid::Uuid::new_v4().to_string()),
            sequence: 0,
            ticks_per_second,
            page: number("page-size", rustix::param::page_size() as u64),
            root,
            turn: tasks::Turn::default(),
            waits: waits::Memory::default(),
            stalls: stalls::Memory::default(),
            futexes: futexes::Memory::default(),
            titles: titles::Memory::default(),
            namespaces: Namespaces::default(),
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
        let mut gaps = Gaps::default();
        let scene = processes::Scene {
            root: &self.root,
            vantage: &self.vantage,
            began: Moment { wall: clocks.wall, steady: at },
            uptime_centis,
            sequence: self.sequence,
            reread: self.producer.sweep.reread,
        };
        let crowd = self.processes.read(&scene, &mut self.files, &mut gaps, &mut self.buffer)?;
        let processes = crowd.shown.as_slice();
        gaps.add("process-hidden", Reason::Denied, crowd.hidden_tasks(&self.root, &self.vantage, &mut self.buffer));
        let listed = LockList::read(&self.root, &mut self.buffer);
        let tasks = self.tasks(processes, &listed, &mut gaps);
        let callers = stalls::callers(processes, &tasks.list);
        let network = self.network(&crowd, &stalls::sockets(&callers), &mut gaps);
        let ends = pipes::Ends::of_all(processes);
        let stalls = self.stalls.look(&self.root, &callers, &ends, &network, &mut self.buffer);
        let owes = |process| network.owing_ms(process) >= futexes::MIN_OWING_MS;
        let crowds = self.futexes.look(&self.root, processes, &tasks.list, owes, &mut self.buffer);
        let locks = self.locks(processes, &tasks.list, &listed, &mut gaps);
        let concerned = titles::concerned(&locks, &stalls, &network);
        let scene = titles::Scene { root: &self.root, processes, concerned: &concerned, network: &network };
        let titles = self.titles.look(&scene, &mut self.processes.abouts, &mut self.buffer);
        let (pipes, left_out) = ends.pairs();
        gaps.add("pipes", Reason::Off, left_out);
        let groups = self.groups.look(processes, &mut self.buffer);
        gaps.add("cgroup", Reason::Denied, groups.denied);
        gaps.add("cgroups", Reason::Unsupported, usize::from(groups.nowhere));
        let counts_delays = self.counts_delays();
        let filesystems = self.filesystems(processes, at, &mut gaps);
        let system = self.system(clocks);
        let rates: Vec<_> =
            processes.iter().map(|process| rates::of(process, self.ticks_per_second, counts_delays)).collect();
        let builder = assemble(&Sighting {
            processes,
            rates: &rates,
            unlooked: &tasks.left_out,
            forks: &crowd.forks(),
            files: &self.files,
            network: &network,
            filesystems: &filesystems,
            locks: &locks,
            stalls: &stalls,
            crowds: &crowds,
            titles: &titles,
            pipes: &pipes,
            groups: &groups,
            system: &system,
            page: self.page,
        });
        if !self.root.tape.is_playing() {
            gaps.warn_once(&mut self.told);
        }
        self.processes.end_sweep(crowd, at, uptime_centis);
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
}
