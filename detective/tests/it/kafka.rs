//! Several scorers on a real Apache Kafka, and the death of one.

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
    programs::{program, write},
    running::{PATIENCE, Script, free_address, output, wait_for},
    up::{blames, holder, waiter},
};

/// Topics of its own on the broker that the tests may use.
fn fresh_topics() -> BusConfig {
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

/// One of several scorers, whose events go to `events` under its number.
fn scorer(number: usize, folder: &Path, settings: &str, events: Sender<(usize, RootCauseEvent)>) -> Script {
    let address = free_address();
    let folder = folder.join(number.to_string());
    std::fs::create_dir(&folder).unwrap();
    let file = write(&folder, &format!("{settings}\n[api]\nlisten = '{address}'"));
    let mut command = program("detective-scorer", &["--json", "--config", file.to_str().unwrap()]);
    let mut scorer = Script(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let lines = BufReader::new(scorer.0.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let _ = events.send((number, serde_json::from_str(&line).unwrap()));
        }
    });
    wait_for(address, "/livez", |status, _| status == 200);
    scorer
}

/// A producer, a trainer and two scorers; one scorer stops by `signal` while an incident is open. The other takes over,
/// and the incident opens once and is resolved.
fn the_other_scorer_goes_on_after(signal: Signal) {
    let bus = fresh_topics();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "[bus]\nkind = 'kafka'\n[bus.kafka]\nbrokers = '{}'\nprefix = '{}'\nsession_timeout = '2s'\n[sweep]\ninterval = '200ms'\n[learn]\nsnapshots = 20\n[training]\nepochs = 5",
        bus.kafka.brokers, bus.kafka.prefix
    );
    let file = write(folder.path(), &settings);
    let file = file.to_str().unwrap();
    let (sender, events) = channel();
    let mut scorers = [0, 1].map(|number| Some(scorer(number, folder.path(), &settings, sender.clone())));
    let start = |name| {
        let mut command = program(name, &["--config", file]);
        Script(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let _others = ["detective-trainer", "detective-producer"].map(start);

    let next = |is_wanted: &dyn Fn(usize, &RootCauseEvent) -> bool| loop {
        let (number, event) = events.recv_timeout(PATIENCE).expect("an event in time");
        if is_wanted(number, &event) {
            return (number, event);
        }
    };
    let locked = folder.path().join("app.log");
    let locked = locked.to_str().unwrap();
    wait_for_model(file);
    let holder = holder(locked);
    let waiters = [waiter(locked), waiter(locked)];
    let (first, opened) = next(&|_, event| event.event == EventKind::Opened && blames(event, holder.pid()));

    let stopped = scorers[first].take().unwrap();
    kill_process(Pid::from_child(&stopped.0), signal).unwrap();
    // The other one has seen it, and what it says next is of the same incident.
    drop((holder, waiters));
    let (second, _) = next(&|_, event| event.incident == opened.incident && event.event == EventKind::Resolved);
    assert_ne!(first, second);
    if signal == Signal::STOP {
        // It wakes with work in its hands that is no longer its own.
        kill_process(Pid::from_child(&stopped.0), Signal::CONT).unwrap();
        let heir = scorers[second].take().unwrap();
        drop(heir);
        let trouble = crate::up::holder(&format!("{locked}.2"));
        let _waiters = [waiter(&format!("{locked}.2")), waiter(&format!("{locked}.2"))];
        let (third, _) = next(&|_, event| event.event == EventKind::Opened && blames(event, trouble.pid()));
        assert_eq!(third, first);
    }

    let listed = output(&["alerts", "--json", "--config", file]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    let of_ours = |line: &str| {
        let event: RootCauseEvent = serde_json::from_str(line).unwrap();
        (event.incident == opened.incident).then_some(event.event)
    };
    let told: Vec<EventKind> = listed.lines().filter_map(of_ours).collect();
    assert_eq!(told.first(), Some(&EventKind::Opened), "{told:?}");
    assert_eq!(told.last(), Some(&EventKind::Resolved), "{told:?}");
    assert!(told[1..told.len() - 1].iter().all(|kind| *kind == EventKind::Updated), "{told:?}");
}

/// Until the topic of models holds one, and the scorers have had the time to take it.
fn wait_for_model(file: &str) {
    let config: detective::config::Config =
        service::load(service::Sources { file: Some(file.into()), ..service::Sources::default() }).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bus = bus::open(&config.bus).await.unwrap();
        let start = bus::Cursor::start(schemas::Topic::Models);
        let page = bus.read(&start, 1, PATIENCE).await.unwrap();
        assert!(!page.deliveries.is_empty(), "no model was made");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    });
}

#[test]
#[ignore = "needs Kafka"]
fn when_a_scorer_is_killed_another_goes_on_with_its_incidents() {
    the_other_scorer_goes_on_after(Signal::KILL);
}

#[test]
#[ignore = "needs Kafka"]
fn a_scorer_that_stood_still_does_not_speak_for_hosts_that_another_has() {
    the_other_scorer_goes_on_after(Signal::STOP);
}
