//! One sweep after another over one host.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use schemas::GraphSnapshot;

use crate::{
    Producer, ProducerError,
    assemble::{Sighting, assemble},
    columns::Reason,
    connections,
    coverage::Gaps,
    files::FileTable,
    parse::{self, system::CpuTicks},
    pipes,
    place::Place,
    preamble,
    process::{self, About, Counters, Identity, Opened, Process},
    rates::{self, Since},
    read::{ProcRoot, Seen},
    sockets, system,
    tape::Tape,
    waits,
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
    remembered: HashMap<Identity, Remembered>,
    last: Option<Last>,
    waits: waits::Memory,
    connections: connections::Memory,
    told: HashSet<&'static str>,
    buffer: Vec<u8>,
}

struct Remembered {
    about: Arc<About>,
    counters: Counters,
}

/// The sweep before.
struct Last {
    at: Instant,
    uptime_centis: Option<u64>,
    ticks: Option<CpuTicks>,
}

/// The processes of a sweep, and the sockets of those that are not shown.
#[derive(Default)]
struct Crowd {
    processes: Vec<Process>,
    own_sockets: HashSet<u64>,
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
        let number = |question, live| root.tape.value(question, "", || Seen::Here(live)).here().unwrap_or(live) as f64;
        Ok(Sweeper {
            producer,
            place: Place::find(&root, &mut buffer),
            boot_id,
            run: root.tape.text("run", || uuid::Uuid::new_v4().to_string()),
            sequence: 0,
            ticks_per_second: number("ticks-per-second", rustix::param::clock_ticks_per_second()),
            page: number("page-size", rustix::param::page_size() as u64),
            root,
            remembered: HashMap::new(),
            last: None,
            waits: waits::Memory::default(),
            connections: connections::Memory::default(),
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
        let (started_at, at) = (self.root.tape.wall(), self.root.tape.monotonic());
        let uptime_centis = self.root.directory.read("uptime", &mut self.buffer).here();
        let uptime_centis = uptime_centis.and_then(parse::system::uptime_centis);
        let mut gaps = Gaps::default();
        let mut files = FileTable::new(self.producer.own_paths.clone());
        let crowd = self.crowd(&mut files, &mut gaps)?;
        let processes = crowd.processes.as_slice();
        gaps.add("process-hidden", Reason::Denied, self.hidden_tasks(processes));
        let network = self.network(&crowd, &mut gaps);
        let locks = self.locks(processes, &mut gaps);
        let (pipes, left_out) = pipes::join(processes);
        gaps.add("pipes", Reason::Off, left_out);
        let system = system::read(&self.root, &mut self.buffer);
        let rates: Vec<_> = processes
            .iter()
            .map(|process| rates::of(&process.counters, self.since(process), self.ticks_per_second))
            .collect();
        let builder = assemble(&Sighting {
            processes,
            rates: &rates,
            files: &files,
            network: &network,
            locks: &locks,
            pipes: &pipes,
            system: &system,
            ticks_before: self.last.as_ref().and_then(|last| last.ticks),
            page: self.page,
        });
        if !self.root.tape.is_playing() {
            gaps.warn_once(&mut self.told);
        }
        self.remember(processes, Last { at, uptime_centis, ticks: system.ticks() });
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
            started_at,
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
    fn crowd(&mut self, files: &mut FileTable, gaps: &mut Gaps) -> Result<Crowd, ProducerError> {
        let mut crowd = Crowd::default();
        let mut pids = self.root.pids()?;
        pids.sort_unstable();
        for pid in pids {
            let seen = match process::open(&self.root, pid, &mut self.buffer) {
                Seen::Here(Some(opened)) => {
                    let about = self.about(&opened);
                    if self.place.is_own(pid, &about) {
                        crowd.own_sockets.extend(opened.sockets(files, &mut self.buffer));
                        continue;
                    }
                    opened.read(about, files, &mut self.buffer)
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

    /// What is known of a process; read anew when it is new or has another name, as after `exec`.
    fn about(&mut self, opened: &Opened) -> Arc<About> {
        let known = self.remembered.get(&opened.identity).filter(|known| known.about.comm == opened.comm);
        match known {
            Some(known) => Arc::clone(&known.about),
            None => Arc::new(opened.about(&mut self.buffer)),
        }
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

    fn network(&mut self, crowd: &Crowd, gaps: &mut Gaps) -> connections::Network {
        let net = self.place.net(&self.root);
        let listing = sockets::list(self.place.own_network, &net, &self.root.tape, &mut self.buffer);
        if listing.refused {
            gaps.add("sockets-listing", Reason::Unsupported, 1);
            gaps.add_seen("sockets-net", &net);
        }
        let elsewhere = self.place.elsewhere(crowd.processes.iter().map(|process| &*process.about));
        gaps.add("sockets-elsewhere", Reason::Unsupported, elsewhere);
        let network = self.connections.join(&connections::Scene {
            processes: &crowd.processes,
            listing: &listing,
            namespace: self.place.network,
            own: &crowd.own_sockets,
            at: self.root.tape.monotonic(),
        });
        gaps.add("endpoint", Reason::Off, network.left_out);
        network
    }

    fn locks(&mut self, processes: &[Process], gaps: &mut Gaps) -> waits::Picture {
        let scene = waits::Scene {
            root: &self.root,
            processes,
            threads_budget: self.producer.sweep.threads_per_sweep,
            list_hides: self.place.list_hides,
        };
        let picture = self.waits.look(&scene, &mut self.buffer);
        if !picture.list_readable {
            gaps.add("locks", Reason::Unsupported, 1);
        }
        let unknown = picture.waits.iter().filter(|wait| wait.holders.is_empty()).count();
        gaps.add("lock-holder", if picture.may_hide_holders { Reason::Denied } else { Reason::Gone }, unknown);
        gaps.add(
            "lock-waiter",
            if picture.may_hide_waits { Reason::Denied } else { Reason::Gone },
            picture.unknown_waits,
        );
        gaps.add("threads", Reason::Off, picture.threads_left_out);
        picture
    }

    /// Since when a process's amounts count.
    fn since(&self, process: &Process) -> Since<'_> {
        if let Some(known) = self.remembered.get(&process.identity) {
            return Since::Last(&known.counters);
        }
        let Some(last) = &self.last else { return Since::Unknown };
        let began = process.identity.start_time as f64 / self.ticks_per_second * 100.0;
        // Both clocks are cut to hundredths. One that began earlier was there and was missed, refused for instance.
        let is_new = last.uptime_centis.is_some_and(|uptime| began + 1.0 >= uptime as f64);
        if is_new { Since::Birth(last.at) } else { Since::Unknown }
    }

    fn remember(&mut self, processes: &[Process], last: Last) {
        let known = processes.iter().map(|process| {
            (process.identity, Remembered { about: Arc::clone(&process.about), counters: process.counters })
        });
        self.remembered = known.collect();
        self.last = Some(last);
    }
}
