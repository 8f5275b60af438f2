//! Several scorers on Apache Kafka, one of which fails.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc::{Sender, channel},
};

use bus::{BusConfig, BusKind, KafkaConfig, topics};
use rustix::process::{Pid, Signal, kill_process};
use schemas::{EventKind, RootCauseEvent};

use crate::{
    processes::{ScopedChild, TIMEOUT, free_address, output, wait_for},
    programs::{program, write_settings},
    up::{has_root_cause, lock_holder, lock_waiter},
};

/// Creates topics with a random prefix on the broker of the tests.
fn create_topics() -> BusConfig {
    let brokers =
        std::env::var("DETECTIVE_KAFKA").expect("DETECTIVE_KAFKA must name a broker: see `cargo xtask kafka up`");
    let prefix = format!("fleet-{:x}.", rand::random::<u64>());
    let config = BusConfig {
        kind: BusKind::Kafka,
        kafka: KafkaConfig { brokers, prefix, partitions: 4, ..KafkaConfig::default() },
        ..BusConfig::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(topics::apply(&config)).unwrap();
    config
}

/// Starts a scorer, which sends its number and its events to `events`.
fn start_scorer(number: usize, folder: &Path, settings: &str, events: Sender<(usize, RootCauseEvent)>) -> ScopedChild {
    let address = free_address();
    let folder = folder.join(number.to_string());
    std::fs::create_dir(&folder).unwrap();
    let file = write_settings(&folder, &format!("{settings}\n[api]\nlisten = '{address}'"));
    let mut command = program("detective-scorer", &["--json", "--config", file.to_str().unwrap()]);
    let mut scorer = ScopedChild(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(scorer.0.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = events.send((number, serde_json::from_str(&line).unwrap()));
        }
    });
    wait_for(address, "/livez", |status, _| status == 200);
    scorer
}

/// Runs a producer, a trainer and two scorers, and sends `signal` to one scorer while an incident
/// is open. The other takes over: the incident opens once and is resolved.
fn check_failover(signal: Signal) {
    let bus = create_topics();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[bus]\nkind = 'kafka'\n[bus.kafka]\nbrokers = '{}'\nprefix = '{}'\nsession_timeout = '2s'\n[sweep]\ninterval = '200ms'\n[learn]\nsnapshots = 20\n[training]\nepochs = 5",
        bus.kafka.brokers, bus.kafka.prefix
    );
    let file = write_settings(folder.path(), &settings);
    let file = file.to_str().unwrap();
    let (sender, events) = channel();
    let mut scorers = [0, 1].map(|number| Some(start_scorer(number, folder.path(), &settings, sender.clone())));
    let start = |name| {
        let mut command = program(name, &["--config", file]);
        ScopedChild(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let _others = ["detective-trainer", "detective-producer"].map(start);

    let next = |is_wanted: &dyn Fn(usize, &RootCauseEvent) -> bool| loop {
        let (number, event) = events.recv_timeout(TIMEOUT).expect("an event in time");
        if is_wanted(number, &event) {
            return (number, event);
        }
    };
    let locked = folder.path().join("app.log");
    let locked = locked.to_str().unwrap();
    wait_for_model(file);
    let holder = lock_holder(locked);
    let waiters = [lock_waiter(locked), lock_waiter(locked)];
    let (first, opened) = next(&|_, event| event.event == EventKind::Opened && has_root_cause(event, holder.pid()));

    let stopped = scorers[first].take().unwrap();
    kill_process(Pid::from_child(&stopped.0), signal).unwrap();
    // The next event of the other scorer is of the same incident.
    drop((holder, waiters));
    let (second, _) = next(&|_, event| event.incident == opened.incident && event.event == EventKind::Resolved);
    assert_ne!(first, second);
    if signal == Signal::STOP {
        // It continues with unfinished work on hosts that are no longer assigned to it.
        kill_process(Pid::from_child(&stopped.0), Signal::CONT).unwrap();
        drop(scorers[second].take());
        let other = format!("{locked}.2");
        let other_holder = lock_holder(&other);
        let _waiters = [lock_waiter(&other), lock_waiter(&other)];
        let (third, _) =
            next(&|_, event| event.event == EventKind::Opened && has_root_cause(event, other_holder.pid()));
        assert_eq!(third, first);
    }

    let listed = output(&["alerts", "--json", "--config", file]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let event_kind = |line: &str| {
        let event: RootCauseEvent = serde_json::from_str(line).unwrap();
        (event.incident == opened.incident).then_some(event.event)
    };
    let kinds: Vec<EventKind> = listed.lines().filter_map(event_kind).collect();
    assert_eq!(kinds.first(), Some(&EventKind::Opened), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&EventKind::Resolved), "{kinds:?}");
    assert!(kinds[1..kinds.len() - 1].iter().all(|kind| *kind == EventKind::Updated), "{kinds:?}");
}

/// Waits until a model is published and the scorers have had the time to load it.
fn wait_for_model(file: &str) {
    let config: detective::config::Config =
        service::load(service::Sources { file: Some(file.into()), ..service::Sources::default() }).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bus = bus::open(&config.bus).await.unwrap();
        let start = bus::Cursor::start(schemas::Topic::Models);
        let page = bus.read(&start, 1, TIMEOUT).await.unwrap();
        assert!(!page.deliveries.is_empty(), "no model was published");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    });
}

#[test]
#[ignore = "needs Kafka"]
fn another_scorer_continues_the_incidents_of_a_killed_one() {
    check_failover(Signal::KILL);
}

#[test]
#[ignore = "needs Kafka"]
fn a_scorer_that_was_stopped_publishes_nothing_for_hosts_of_another() {
    check_failover(Signal::STOP);
}
