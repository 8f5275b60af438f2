//! The trainer service on an embedded bus, from the healthy topic to the models topic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bus::{Bus, BusConfig, BusError, Cursor, Delivery, Page, Positions, Record, Subscription};
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

/// A bus that counts the records that are read from the healthy topic without a group.
struct CountingBus {
    bus: Arc<dyn Bus>,
    healthy_records: AtomicUsize,
}

#[async_trait]
impl Bus for CountingBus {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        self.bus.publish(records, positions).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        self.bus.subscribe(group, topics).await
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        let page = self.bus.read(from, max, wait).await?;
        if from.topic() == Topic::Healthy {
            self.healthy_records.fetch_add(page.deliveries.len(), Ordering::Relaxed);
        }
        Ok(page)
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        self.bus.end(topic).await
    }
}

#[tokio::test]
async fn the_records_of_other_cohorts_are_not_read_again_for_each_training() {
    const COHORTS: i64 = 8;
    let test = TestBus::new().await;
    let mut records = Vec::new();
    for cohort in 0..COHORTS {
        for (snapshot, learned) in healthy::sweeps(9, WANTED as usize, 1).into_iter().zip(1..) {
            let name = format!("host-{cohort}");
            let snapshot = GraphSnapshot { host: name.clone(), cohort: name.clone(), ..snapshot };
            let healthy = healthy::record(&snapshot, 0, learned, WANTED);
            records.push(Record::new(Topic::Healthy, name, schemas::encode(&healthy).unwrap(), healthy.time));
        }
    }
    test.bus.publish(records, None).await.unwrap();
    let counting = Arc::new(CountingBus { bus: Arc::clone(&test.bus), healthy_records: AtomicUsize::new(0) });
    let counted = TestBus { bus: Arc::clone(&counting) as Arc<dyn Bus>, directory: tempfile::tempdir().unwrap() };
    counted.with_trainer(test.wait_for(Topic::Models, COHORTS as usize)).await;
    // All records once at the start, then those of each cohort and the oldest one again.
    let expected = (COHORTS * WANTED + COHORTS * (WANTED + 1)) as usize;
    assert_eq!(counting.healthy_records.load(Ordering::Relaxed), expected);
}

#[tokio::test]
async fn records_with_an_impossible_generation_or_identity_do_not_shut_out_others() {
    let test = TestBus::new().await;
    let snapshot = healthy::sweeps(9, 1, 1).remove(0);
    let forged = healthy::record(&snapshot, i64::MAX, 1, WANTED);
    let forged = Record::new(Topic::Healthy, HOST, schemas::encode(&forged).unwrap(), forged.time);
    let of_another_host = Record { key: "other".to_owned(), ..record(&snapshot, 0, 1) };
    test.bus.publish(vec![forged.clone(), of_another_host], None).await.unwrap();
    test.publish_healthy(0, 1..=WANTED).await;
    let (release, letters) =
        test.with_trainer(async { (test.wait_for_model(0).await, test.wait_until_processed(3).await) }).await;
    assert_eq!(release.generation, 0);
    let why = |at: usize| String::from_utf8(Delivery::header(&letters[at], "why").unwrap().to_vec()).unwrap();
    assert!(why(0).contains("not in the future for generation, found 9223372036854775807"), "{}", why(0));
    assert!(why(1).contains("expected host `other` as in the record's key"), "{}", why(1));
    let release = ModelRelease { generation: i64::MAX, ..release };
    let release = Record::new(Topic::Models, HOST, schemas::encode(&release).unwrap(), release.created_at);
    test.bus.publish(vec![release], None).await.unwrap();
    test.publish_healthy(1, 1..=WANTED).await;
    test.with_trainer(test.wait_for_model(1)).await;
}
