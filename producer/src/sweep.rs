//! One sweep after another over one host.

mod stages;

use std::collections::HashSet;

use hostread::{ProcRoot, Seen, Tape, Vantage, locks::LockList, parse, sockets::NetworkNamespaces};
use schemas::GraphSnapshot;

use crate::{
    Producer, ProducerError,
    collect::{
        cgroups, container,
        coverage::CoverageBuilder,
        files::{FileTable, SweepTime},
        filesystems,
        measure::Reason,
        process_cache::ProcessInfoCache,
        processes, rates, system, tasks,
    },
    emit::assemble::{SweepFacts, assemble},
    preamble,
    relate::{connections, futexes, lock_waits, pipes, stalls, titles},
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
    thread_scanner: tasks::ThreadScanner,
    lock_waits: lock_waits::History,
    stalls: stalls::History,
    futexes: futexes::History,
    titles: titles::History,
    namespaces: NetworkNamespaces,
    connections: connections::History,
    groups: cgroups::History,
    filesystems: filesystems::History,
    system: system::History,
    warned_signals: HashSet<&'static str>,
    buffer: Vec<u8>,
}

impl Sweeper {
    /// Prepares to sweep the host whose `proc` file system the settings name. The run's id is random.
    pub fn new(producer: Producer) -> Result<Sweeper, ProducerError> {
        Sweeper::with_tape(producer, Tape::default())
    }

    /// Prepares to sweep the host that the tape tells of: this one, recorded or not, or one that was. A recording is played with the
    /// settings that it was made with, whatever `producer` says.
    pub fn with_tape(producer: Producer, tape: Tape) -> Result<Sweeper, ProducerError> {
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
        let groups = cgroups::History::new(&producer.sweep.cgroup, &root, &mut buffer);
        let ticks_per_second = number("ticks-per-second", rustix::param::clock_ticks_per_second());
        let info_cache =
            ProcessInfoCache::new(ticks_per_second, container::LabelCache::on(host), producer.sweep.arguments);
        Ok(Sweeper {
            processes: processes::History::new(info_cache, ticks_per_second),
            files: FileTable::new(producer.own_paths.clone()),
            producer,
            vantage: Vantage::detect(&root, &mut buffer),
            boot_id,
            run: root.tape.text("run", || uuid::Uuid::new_v4().to_string()),
            sequence: 0,
            ticks_per_second,
            page: number("page-size", rustix::param::page_size() as u64),
            root,
            thread_scanner: tasks::ThreadScanner::default(),
            lock_waits: lock_waits::History::default(),
            stalls: stalls::History::default(),
            futexes: futexes::History::default(),
            titles: titles::History::default(),
            namespaces: NetworkNamespaces::default(),
            connections: connections::History::default(),
            groups,
            filesystems: filesystems::History::default(),
            system: system::History::default(),
            warned_signals: HashSet::new(),
            buffer,
        })
    }

    /// The random id of this run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Looks at the host once. The first look knows no rates.
    pub fn sweep(&mut self) -> Result<GraphSnapshot, ProducerError> {
        let swept = self.read_host();
        // What is wrong with a tape is told rather than what comes of it.
        self.root.tape.finish_sweep()?;
        swept
    }

    fn read_host(&mut self) -> Result<GraphSnapshot, ProducerError> {
        let clocks = system::Clocks::read(&self.root, &mut self.buffer);
        let (began, uptime_centis) = (clocks.monotonic.0, clocks.uptime_centis);
        let mut coverage = CoverageBuilder::default();
        let scene = processes::SweepContext {
            root: &self.root,
            vantage: &self.vantage,
            began: SweepTime { wall: clocks.wall, monotonic: began },
            uptime_centis,
            sequence: self.sequence,
            reread: self.producer.sweep.reread,
        };
        let crowd = self.processes.read(&scene, &mut self.files, &mut coverage, &mut self.buffer)?;
        let processes = crowd.shown.as_slice();
        coverage.add("process-hidden", Reason::Denied, crowd.hidden_tasks(&self.root, &self.vantage, &mut self.buffer));
        let listed = LockList::read(&self.root, &mut self.buffer);
        let tasks = self.tasks(processes, &listed, &mut coverage);
        let callers = stalls::callers(processes, &tasks.list);
        let network = self.network(&crowd, &stalls::sockets(&callers), &mut coverage);
        let ends = pipes::PipeEnds::new(processes);
        let stalls = self.stalls.update(&self.root, &callers, &ends, &network, &mut self.buffer);
        let owes = |process| network.pending_request_ms(process) >= futexes::MIN_PENDING_REQUEST_MS;
        let contended_futexes = self.futexes.find(&self.root, processes, &tasks.list, owes, &mut self.buffer);
        let locks = self.locks(processes, &tasks.list, &listed, &mut coverage);
        let concerned = titles::waiters_and_blockers(&locks, &stalls, &network);
        let scene =
            titles::TitleInputs { root: &self.root, processes, waiters_and_blockers: &concerned, network: &network };
        let titles = self.titles.read(&scene, &mut self.processes.info_cache, &mut self.buffer);
        let (pipes, left_out) = ends.pairs();
        coverage.add("pipes", Reason::Off, left_out);
        let groups = self.groups.read_all(processes, &mut self.buffer);
        coverage.add("cgroup", Reason::Denied, groups.denied);
        coverage.add("cgroups", Reason::Unsupported, usize::from(groups.has_no_hierarchy));
        let counts_delays = self.counts_delays();
        let filesystems = self.filesystems(processes, began, &mut coverage);
        let system = self.system(clocks);
        let rates: Vec<_> = processes
            .iter()
            .map(|process| rates::process_rates(process, self.ticks_per_second, counts_delays))
            .collect();
        let builder = assemble(&SweepFacts {
            processes,
            rates: &rates,
            skipped_threads: &tasks.skipped,
            new_process_rates: &crowd.new_process_rates(),
            files: &self.files,
            network: &network,
            filesystems: &filesystems,
            locks: &locks,
            stalls: &stalls,
            contended_futexes: &contended_futexes,
            titles: &titles,
            pipes: &pipes,
            groups: &groups,
            system: &system,
            page: self.page,
        });
        if !self.root.tape.is_playback() {
            coverage.warn_denied_once(&mut self.warned_signals);
        }
        self.processes.end_sweep(crowd, began, uptime_centis);
        let (nodes, edges, columns, evidence) = builder.finish();
        let sequence = self.sequence;
        self.sequence += 1;
        let ended_at = self.root.tape.wall_clock();
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
            coverage: coverage.finish(),
        })
    }
}
