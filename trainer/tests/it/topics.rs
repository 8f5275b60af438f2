//! The trainer service on an embedded bus, from the healthy topic to the models topic.

use std::{sync::Arc, time::Duration};

use bus::{Bus, BusConfig, Cursor, Delivery, Record};
use schemas::{GraphSnapshot, ModelRelease, Topic};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerSettings, TrainingConfig};

use crate::healthy::{self, HOST};

/// Far longer than any operation of these tests takes.
const TIMEOUT: Duration = Duration::from_secs(120);
const WANTED: i64 = 12;

struct TestBus {
    bus: Arc<dyn Bus>,
    directory: TempDir,
}

impl TestBus {
    async fn new() -> TestBus {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let bus = bus::open(&BusConfig { path, ..BusConfig::default() }).await.unwrap();
        TestBus { bus, directory }
    }

    /// Runs a trainer until `check` ends.
    async fn with_trainer<T>(&self, check: impl Future<Output = T>) -> T {
        let training = TrainingConfig {
            epochs: 2,
            write_onnx: Some(self.directory.path().join("model.onnx")),
            ..TrainingConfig::default()
        };
        let settings = TrainerSettings { training, ..TrainerSettings::default() };
        let shutdown = CancellationToken::new();
        let trainer = trainer::run(settings, self.bus.clone(), shutdown.clone(), Progress::hidden());
        let trainer = tokio::spawn(trainer);
        let outcome = check.await;
        shutdown.cancel();
        trainer.await.unwrap().unwrap();
        outcome
    }

    async fn publish_healthy(&self, generation: i64, numbers: std::ops::RangeInclusive<i64>) {
        let snapshots = healthy::sweeps(9, WANTED as usize, 1);
        let record = |learned| record(&snapshots[learned as usize - 1], generation, learned);
        self.bus.publish(numbers.map(record).collect(), None).await.unwrap();
    }

    /// Waits until the topic holds `count` records, and returns them.
    async fn wait_for(&self, topic: Topic, count: usize) -> Vec<Delivery> {
        let mut found = Vec::new();
        let mut cursor = Cursor::start(topic);
        while found.len() < count {
            let page = self.bus.read(&cursor, 100, TIMEOUT).await.unwrap();
            assert!(!page.deliveries.is_empty(), "{} of {count} records in {topic}", found.len());
            found.extend(page.deliveries);
            cursor = page.next;
        }
        found
    }

    async fn wait_for_model(&self, generation: i64) -> ModelRelease {
        let mut cursor = Cursor::start(Topic::Models);
        loop {
            let page = self.bus.read(&cursor, 100, TIMEOUT).await.unwrap();
            let releases = page.deliveries.iter().map(|it| schemas::decode::<ModelRelease>(&it.value).unwrap());
            if let Some(release) = releases.into_iter().find(|release| release.generation == generation) {
                return release;
            }
            assert!(!page.deliveries.is_empty(), "no model of generation {generation}");
            cursor = page.next;
        }
    }

    /// Publishes an invalid record and waits for the `nth` dead letter. By then the trainer has
    /// processed all earlier records.
    async fn wait_until_processed(&self, nth: usize) -> Vec<Delivery> {
        let junk =
            Record::new(Topic::Healthy, HOST, b"junk".to_vec(), schemas::Timestamp(7)).with_header("kept", *b"yes");
        self.bus.publish(vec![junk], None).await.unwrap();
        self.wait_for(Topic::DeadLetter, nth).await
    }
}

fn record(snapshot: &GraphSnapshot, generation: i64, learned: i64) -> Record {
    let healthy = healthy::record(snapshot, generation, learned, WANTED);
    Record::new(Topic::Healthy, HOST, schemas::encode(&healthy).unwrap(), healthy.time)
}

#[tokio::test]
async fn a_model_is_published_when_the_cohort_completes_learning() {
    let test = TestBus::new().await;
    let release = test
        .with_trainer(async {
            test.publish_healthy(0, 1..=WANTED - 1).await;
            test.wait_until_processed(1).await;
            let end = test.bus.end(Topic::Models).await.unwrap();
            assert_eq!(test.bus.read(&Cursor::start(Topic::Models), 1, Duration::ZERO).await.unwrap().next, end);
            test.publish_healthy(0, WANTED..=WANTED).await;
            test.wait_for_model(0).await
        })
        .await;
    assert!(release.is_intact());
    assert_eq!(release.manifest.fitted + release.manifest.calibrated, WANTED);
    let models = test.wait_for(Topic::Models, 1).await;
    assert_eq!(models[0].key, HOST);
    assert_eq!(models[0].header("ce_type"), Some(b"detective.model.v1".as_slice()));
    assert_eq!(std::fs::read(test.directory.path().join("model.onnx")).unwrap(), release.onnx);
}

#[tokio::test]
async fn a_restart_keeps_learned_snapshots_and_does_not_train_again() {
    let test = TestBus::new().await;
    test.with_trainer(async {
        test.publish_healthy(0, 1..=WANTED - 1).await;
        test.wait_until_processed(1).await
    })
    .await;
    let first = test
        .with_trainer(async {
            test.publish_healthy(0, WANTED..=WANTED).await;
            test.wait_for_model(0).await
        })
        .await;
    test.with_trainer(test.wait_until_processed(2)).await;
    let models = test.wait_for(Topic::Models, 1).await;
    assert_eq!(models.iter().map(|it| it.offset).collect::<Vec<_>>(), [0]);
    assert_eq!(first.generation, 0);
}

#[tokio::test]
async fn a_cohort_that_completed_learning_before_the_start_is_trained_immediately() {
    let test = TestBus::new().await;
    test.publish_healthy(0, 1..=WANTED).await;
    test.with_trainer(test.wait_for_model(0)).await;
}

#[tokio::test]
async fn a_new_generation_is_trained_on_its_own_snapshots() {
    let test = TestBus::new().await;
    test.publish_healthy(0, 1..=WANTED).await;
    test.with_trainer(test.wait_for_model(0)).await;
    test.publish_healthy(1, 1..=WANTED).await;
    let release = test.with_trainer(test.wait_for_model(1)).await;
    assert_eq!(release.manifest.fitted + release.manifest.calibrated, WANTED);
}

#[tokio::test]
async fn an_invalid_record_becomes_a_dead_letter_with_origin_and_reason() {
    let test = TestBus::new().await;
    let mut invalid = healthy::sweeps(9, 1, 1).remove(0);
    invalid.edges[0].target = 99;
    test.bus.publish(vec![record(&invalid, 0, 1)], None).await.unwrap();
    let letters = test.with_trainer(test.wait_until_processed(2)).await;
    let header = |letter: &Delivery, name: &str| String::from_utf8(letter.header(name).unwrap().to_vec()).unwrap();
    assert_eq!(header(&letters[0], "from"), "detective.healthy/0/0");
    assert_eq!(header(&letters[0], "why"), "edge 0 (`parent`) points to node 99, but there are 9 nodes");
    assert_eq!(
        (letters[1].value.as_slice(), letters[1].key.as_str(), letters[1].time.0),
        (b"junk".as_slice(), HOST, 7)
    );
    assert_eq!(header(&letters[1], "kept"), "yes");
    assert!(header(&letters[1], "why").contains("found 4 bytes"), "{}", header(&letters[1], "why"));
}
