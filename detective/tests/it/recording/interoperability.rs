//! Recordings of a running detective, read by a scorer and by an independent Avro library.

use std::{path::Path, process::Command};

use bus::Delivery;
use schemas::{GraphSnapshot, HealthySnapshot, Topic};

use super::{Folder, as_replayed, deliveries, open, read, snapshots, wait_until};
use crate::processes::UpProcess;

#[tokio::test]
async fn a_scorer_treats_every_replay_as_a_new_run() {
    let folder = Folder::new();
    let recorded = folder.path("up");
    let data = folder.path("again");
    let up = UpProcess::start(&recorded);
    up.wait_for("/livez", |status, _| status == 200);
    wait_until("ten snapshots", async || {
        recorded.join("bus.sqlite").exists() && deliveries(&recorded).await.len() >= 10
    })
    .await;
    up.terminate();
    folder.run("record", "r.avro", "up", &[]);
    let count = read(&folder.path("r.avro")).len();

    let mut config = scorer::ScorerConfig::default();
    config.learn.snapshots = u32::try_from(count).unwrap() * 4;
    config.api.listen = ([127, 0, 0, 1], 0).into();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let scoring = tokio::spawn(scorer::run(config, open(&data).await, shutdown.clone()));
    folder.run("replay", "r.avro", "again", &["--speed", "max", "--hosts", "2", "--cohort", "fleet"]);
    folder.run("replay", "r.avro", "again", &["--speed", "max", "--hosts", "2", "--cohort", "fleet"]);
    let bus = open(&data).await;
    wait_until("all healthy records", async || {
        let mut learned = 0;
        let count_learned = |delivery: Delivery| {
            let healthy: HealthySnapshot = schemas::decode(&delivery.value).unwrap();
            assert_eq!(healthy.cohort, "fleet");
            learned += 1;
        };
        bus::for_each(bus.as_ref(), Topic::Healthy, count_learned).await.unwrap();
        // Of each of the two hosts, the first two snapshots of the second run are skipped: until
        // then it could be another producer with the same host id.
        learned == count * 4 - 2 * 2
    })
    .await;
    let mut dead_letters = 0;
    bus::for_each(bus.as_ref(), Topic::DeadLetter, |_| dead_letters += 1).await.unwrap();
    assert_eq!(dead_letters, 0);
    shutdown.cancel();
    scoring.await.unwrap().unwrap();
}

#[tokio::test]
#[ignore = "needs Python with fastavro"]
async fn an_independent_avro_library_reads_and_writes_recordings() {
    let python = std::env::var_os("DETECTIVE_PYTHON").expect("DETECTIVE_PYTHON names a python with fastavro");
    let folder = Folder::new();
    let data = folder.path("up");
    let up = UpProcess::start(&data);
    up.wait_for("/livez", |status, _| status == 200);
    wait_until("five snapshots", async || data.join("bus.sqlite").exists() && deliveries(&data).await.len() >= 5).await;
    up.terminate();
    folder.run("record", "r.avro", "up", &[]);
    let recorded = read(&folder.path("r.avro"));
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for codec in ["null", "deflate"] {
        let output = Command::new(&python)
            .arg(here.join("tests/it/recording/rewrite.py"))
            .args([folder.path("r.avro"), here.join("../schemas/graph_snapshot.v2.avsc"), folder.path(codec)])
            .arg(codec)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rewritten: Vec<GraphSnapshot> = serde_json::from_slice(&output.stdout).unwrap();
        assert!(rewritten == recorded, "{} snapshots differ", recorded.len());

        let data = format!("{codec}-again");
        folder.run("replay", codec, &data, &["--speed", "max"]);
        let replayed = snapshots(&folder.path(&data)).await;
        assert_eq!(replayed.len(), recorded.len());
        for (recorded, replayed) in recorded.iter().zip(&replayed) {
            assert!(as_replayed(recorded, replayed) == *replayed, "{codec}: sweep {}", recorded.sequence);
        }
    }
}
