//! Model releases that must not take effect, and the sound ones before and after them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bus::{Bus, BusConfig, BusError, Cursor, Delivery, Page, Positions, Record, Subscription};
use rand::{SeedableRng, rngs::SmallRng};
use schemas::{GraphSnapshot, ModelRelease, Node, Timestamp, Topic};
use scorer::{ApiConfig, ScorerConfig, engine::Engine, learning::LearningProgress};
use tokio_util::sync::CancellationToken;
use trainer::{autoencoder::Weights, onnx};

use crate::{model_parity, processes::free_address};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: i64 = 86_400_000;

fn release(generation: i64, seed: u64) -> ModelRelease {
    let weights = Weights::random(11, &mut SmallRng::seed_from_u64(seed));
    let created_at = NOW;
    ModelRelease { generation, created_at, ..model_parity::release(onnx::export(&weights, &[]), "classic", 11) }
}

fn delivery(release: &ModelRelease) -> Delivery {
    Delivery {
        topic: Topic::Models,
        partition: 0,
        offset: 0,
        key: "c".into(),
        headers: Vec::new(),
        value: schemas::encode(release).unwrap(),
        time: NOW,
    }
}

fn model_in_use(engine: &Engine) -> Option<String> {
    Some(engine.cohorts.get("c")?.model.as_ref()?.release().sha256.clone())
}

/// Publishes a changed release after a sound one. It must be rejected with this reason, the sound
/// one stay in use, and the next sound one replace it.
fn check_rejected(change: impl FnOnce(&mut ModelRelease), reason: &str) {
    let mut engine = Engine::new(ScorerConfig::default(), [], NOW);
    let sound = release(0, 1);
    assert_eq!(engine.handle_release(&delivery(&sound), NOW), None);
    let mut changed = release(0, 2);
    change(&mut changed);
    let letter = engine.handle_release(&delivery(&changed), NOW).unwrap();
    let why = letter.headers.iter().find(|(name, _)| name == "why").unwrap();
    let why = String::from_utf8(why.1.clone()).unwrap();
    assert!(why.contains(reason), "expected `{reason}` in `{why}`");
    assert_eq!(letter.topic, Topic::DeadLetter);
    assert_eq!(engine.metrics.releases_rejected, 1);
    assert_eq!(model_in_use(&engine), Some(sound.sha256));
    let next = release(0, 3);
    assert_eq!(engine.handle_release(&delivery(&next), NOW), None);
    assert_eq!(model_in_use(&engine), Some(next.sha256));
}

#[test]
fn an_impossible_release_is_rejected_and_does_not_shut_out_later_ones() {
    check_rejected(|release| release.generation = i64::MAX, "not in the future for generation");
    check_rejected(|release| release.created_at.0 += DAY + 1, "not in the future for created_at");
    check_rejected(|release| release.cohort = "other".into(), "expected cohort `c` as in the record's key");
    check_rejected(|release| release.calibration.threshold = f64::INFINITY, "for the threshold, found inf");
    let limit = schemas::ColumnLimit { name: "psi_cpu_some".into(), limit: f32::NAN };
    check_rejected(|release| release.calibration.pressure_p99.push(limit), "for the limit of `psi_cpu_some`");
}

#[test]
fn a_model_whose_output_has_another_width_is_rejected() {
    let weights = Weights::random(72, &mut SmallRng::seed_from_u64(1));
    let change = |release: &mut ModelRelease| {
        release.onnx = onnx::export(&weights, &[]);
        release.sha256 = schemas::release::sha256_hex(&release.onnx);
    };
    check_rejected(change, "model `");
}

#[test]
fn a_relearn_supersedes_a_generation_from_a_fast_clock() {
    let config = ScorerConfig { relearn: true, ..ScorerConfig::default() };
    let fast = NOW.0 + DAY / 2;
    let mut engine = Engine::new(config, [], NOW);
    engine.begin_restoring();
    assert_eq!(engine.handle_release(&delivery(&release(fast, 1)), NOW), None);
    engine.finish_restoring([("c".to_owned(), LearningProgress { generation: fast, learned: 60 })].into());
    let cohort = &engine.cohorts["c"];
    assert_eq!((cohort.generation, cohort.learned, cohort.model.is_none()), (fast + 1, 0, true));
    let new = release(fast + 1, 2);
    assert_eq!(engine.handle_release(&delivery(&new), NOW), None);
    assert_eq!(model_in_use(&engine), Some(new.sha256));
}

#[test]
fn a_newer_generation_that_is_learned_ends_the_use_of_the_model() {
    let mut engine = Engine::new(ScorerConfig::default(), [], NOW);
    engine.begin_restoring();
    assert_eq!(engine.handle_release(&delivery(&release(1, 1)), NOW), None);
    assert!(engine.has_model());
    engine.finish_restoring([("c".to_owned(), LearningProgress { generation: 2, learned: 30 })].into());
    let cohort = &engine.cohorts["c"];
    assert_eq!((cohort.generation, cohort.learned, cohort.model.is_none()), (2, 30, true));
}

/// A bus on which reading the healthy topic never ends.
struct EndlessHealthyTopic(Arc<dyn Bus>);

#[async_trait]
impl Bus for EndlessHealthyTopic {
    async fn publish(&self, records: Vec<Record>, positions: Option<Positions>) -> Result<(), BusError> {
        self.0.publish(records, positions).await
    }

    async fn subscribe(&self, group: &str, topics: &[Topic]) -> Result<Box<dyn Subscription>, BusError> {
        self.0.subscribe(group, topics).await
    }

    async fn read(&self, from: &Cursor, max: usize, wait: Duration) -> Result<Page, BusError> {
        if from.topic() == Topic::Healthy {
            std::future::pending::<()>().await;
        }
        self.0.read(from, max, wait).await
    }

    async fn end(&self, topic: Topic) -> Result<Cursor, BusError> {
        self.0.end(topic).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scorer_with_a_model_scores_while_it_reads_the_healthy_topic() {
    let folder = tempfile::tempdir().unwrap();
    let config = BusConfig { path: folder.path().to_owned(), ..BusConfig::default() };
    let bus: Arc<dyn Bus> = Arc::new(EndlessHealthyTopic(bus::open(&config).await.unwrap()));
    let now = Timestamp::now();
    let release = ModelRelease { created_at: now, ..release(0, 1) };
    let model = Record::new(Topic::Models, "c", schemas::encode(&release).unwrap(), now);
    let snapshot = GraphSnapshot {
        host: "h".into(),
        cohort: "c".into(),
        run: "r".into(),
        ended_at: now,
        nodes: ["a", "b"].map(|id| Node { id: id.into(), kind: "process".into(), ..Node::default() }).into(),
        ..GraphSnapshot::default()
    };
    let snapshot = Record::new(Topic::Snapshots, "h", schemas::encode(&snapshot).unwrap(), now);
    bus.publish(vec![model, snapshot], None).await.unwrap();
    let shutdown = CancellationToken::new();
    let address = free_address();
    let api = ApiConfig { listen: address, ..ApiConfig::default() };
    let config = ScorerConfig { api, ..ScorerConfig::default() };
    let running = tokio::spawn(scorer::run(config, bus, shutdown.clone()));
    let metrics = format!("http://{address}/metrics");
    let get = || ureq::get(&metrics).call().ok()?.body_mut().read_to_string().ok();
    let is_scored = |text: String| text.contains("\ndetective_snapshots_scored_total 1\n");
    while !tokio::task::block_in_place(get).is_some_and(is_scored) {
        assert!(!running.is_finished(), "{:?}", running.await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
}
