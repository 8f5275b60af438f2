//! Sweeps over one host. Each sweep produces a snapshot.

mod stages;

use std::collections::HashSet;

use hostread::{ProcRoot, Seen, Tape, Vantage, locks::LockList, parse, sockets::NetworkNamespaces};
use schemas::GraphSnapshot;

use collector::{
    cgroups, container,
    coverage::CoverageBuilder,
    descriptor_budget::DescriptorBudget,
    files::{FileTable, SweepTime},
    filesystems,
    measure::Reason,
    own_programs::OwnPrograms,
    process_cache::ProcessInfoCache,
    processes, rates, system, tasks,
};

use crate::{
    Producer, ProducerError,
    emit::{
        assemble::{SweepFacts, assemble},
        builder::Builder,
    },
    preamble,
    relate::{connections, futexes, lock_waits, pipes, stalls, titles},
};

/// Sweeps a host, and keeps the state that rates and waits need between sweeps.
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
    /// Returns a sweeper of the host whose `proc` filesystem the settings name. The id of the run
    /// is random.
    pub fn new(producer: Producer) -> Result<Sweeper, ProducerError> {
        Sweeper::with_tape(producer, Tape::default())
    }

    /// Returns a sweeper that reads through `tape`: live, recording, or playing a recording. A
    /// recording is played with the settings that it was made with; `producer` is ignored.
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
            ProcessInfoCache::new(ticks_per_second, container::LabelCache::new(host), producer.sweep.arguments);
        let own_programs = OwnPrograms::new(&producer.sweep.own_programs, &root, &mut buffer);
        Ok(Sweeper {
            processes: processes::History::new(info_cache, own_programs, ticks_per_second),
            files: FileTable::new(producer.own_paths.clone(), DescriptorBudget::new(&producer.sweep)),
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

    /// Random id of this run.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// Reads the host once. Rates are missing from the first snapshot.
    pub fn sweep(&mut self) -> Result<GraphSnapshot, ProducerError> {
        let swept = self.sweep_once();
        // An error of the tape takes precedence over the errors that it causes.
        self.root.tape.finish_sweep()?;
        swept
    }

    fn sweep_once(&mut self) -> Result<GraphSnapshot, ProducerError> {
        let clocks = system::Clocks::read(&self.root, &mut self.buffer);
        let began = clocks.monotonic.0;
        let uptime_centis = clocks.uptime_centis;
        let mut coverage = CoverageBuilder::default();
        let context = processes::SweepContext {
            root: &self.root,
            vantage: &self.vantage,
            began: SweepTime { wall: clocks.wall, monotonic: began },
            uptime_centis,
            sequence: self.sequence,
            reread: self.producer.sweep.reread,
        };
        let mut found = self.processes.read(&context, &mut self.files, &mut coverage, &mut self.buffer)?;
        coverage.add("process-hidden", Reason::Denied, found.hidden_tasks(&self.root, &self.vantage, &mut self.buffer));
        let listed = LockList::read(&self.root, &mut self.buffer);
        let tasks = self.tasks(&found.shown, &listed, &mut coverage);
        self.add_waited_descriptors(&mut found.shown, &tasks.list);
        let processes = found.shown.as_slice();
        let callers = stalls::callers(processes, &tasks.list);
        let network = self.network(&found, &stalls::sockets(&callers), &mut coverage);
        let ends = pipes::PipeEnds::new(processes);
        let stalls = self.stalls.update(&self.root, &callers, &ends, &network, &mut self.buffer);
        let has_pending_request = |process| network.pending_request_ms(process) >= futexes::MIN_PENDING_REQUEST_MS;
        let contended_futexes =
            self.futexes.find(&self.root, processes, &tasks.list, has_pending_request, &mut self.buffer);
        let locks = self.locks(processes, &tasks.list, &listed, &mut coverage);
        let waiters_and_blockers = titles::waiters_and_blockers(&locks, &stalls, &network);
        let inputs = titles::TitleInputs {
            root: &self.root,
            processes,
            waiters_and_blockers: &waiters_and_blockers,
            network: &network,
        };
        let titles = self.titles.read(&inputs, &mut self.processes.info_cache, &mut self.buffer);
        let (pipes, left_out) = ends.pairs();
        coverage.add("pipes", Reason::Off, left_out);
        let groups = self.groups(processes, &mut coverage);
        let counts_delays = self.counts_delays();
        let filesystems = self.filesystems(processes, began, &mut coverage);
        let system = self.system(clocks);
        let rates: Vec<_> = processes
            .iter()
            .map(|process| rates::process_rates(process, self.ticks_per_second, counts_delays))
            .collect();
        let facts = SweepFacts {
            processes,
            rates: &rates,
            skipped_threads: &tasks.skipped,
            new_process_rates: &found.new_process_rates(),
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
        };
        let builder = assemble(&facts, self.producer.sweep.max_files, &mut coverage);
        if !self.root.tape.is_playback() {
            coverage.warn_denied_once(&mut self.warned_signals);
        }
        self.processes.end_sweep(found, began, uptime_centis);
        Ok(self.snapshot(&clocks, builder, coverage))
    }

    fn snapshot(&mut self, clocks: &system::Clocks, builder: Builder, coverage: CoverageBuilder) -> GraphSnapshot {
        let (nodes, edges, columns, evidence) = builder.finish();
        let sequence = self.sequence;
        self.sequence += 1;
        GraphSnapshot {
            host: self.producer.host.clone(),
            cohort: self.producer.cohort.clone(),
            boot_id: self.boot_id.clone(),
            run: self.run.clone(),
            sequence,
            started_at: clocks.wall,
            ended_at: self.root.tape.wall_clock(),
            interval_ms: i64::try_from(self.producer.sweep.interval.as_millis()).unwrap_or(i64::MAX),
            nodes,
            edges,
            columns,
            evidence,
            coverage: coverage.finish(),
        }
    }
}
