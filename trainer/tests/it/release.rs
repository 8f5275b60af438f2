//! Training of a release from synthetic snapshots.

use graph::{Profile, threshold};
use schemas::{GraphSnapshot, ModelRelease, NodeKind, Timestamp};
use tokio_util::sync::CancellationToken;
use trainer::{Progress, TrainerError, TrainingConfig, TrainingJob, train};

use crate::healthy::{self, HOST, INTERVAL_MS, SINGLE};

/// Enough epochs for the loss to fall, few enough for a fast test.
const EPOCHS: usize = 12;

fn job(profile: Profile, snapshots: Vec<GraphSnapshot>) -> TrainingJob {
    let created_at = Timestamp(1_800_000_000_000);
    TrainingJob { cohort: HOST.to_owned(), generation: 3, profile, created_at, snapshots, earlier_limits: Vec::new() }
}

fn train_on(profile: Profile, snapshots: Vec<GraphSnapshot>) -> Result<ModelRelease, TrainerError> {
    let config = TrainingConfig { epochs: EPOCHS, ..TrainingConfig::default() };
    train(&config, job(profile, snapshots), &CancellationToken::new(), &Progress::hidden())
}

#[test]
fn a_release_is_trained_on_three_quarters_and_calibrated_on_the_last_quarter() {
    let release = train_on(Profile::Default, healthy::sweeps(13, 60, 1)).unwrap();
    assert!(release.is_intact());
    assert_eq!((release.cohort.as_str(), release.generation, release.profile.as_str()), (HOST, 3, "default"));
    let columns: Vec<_> = release.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["cpu_pct", "lock_wait_ms", "memory_rss", "psi_cpu_some", "rtt_ms"]);
    assert_eq!(release.features, 12);
    let manifest = &release.manifest;
    assert_eq!((manifest.fitted, manifest.calibrated), (45, 15));
    assert_eq!(manifest.until.millis_since(manifest.from), 59 * INTERVAL_MS);
    assert_eq!(manifest.epochs as usize, EPOCHS);
    assert!(manifest.loss_last < 0.9 * manifest.loss_first, "{manifest:?}");
    let calibration = &release.calibration;
    let limits = f64::from(threshold::MIN)..=f64::from(threshold::MAX);
    assert!(limits.contains(&calibration.threshold), "{}", calibration.threshold);
    let kind = NodeKind::Process;
    let role = "/usr/bin/worker worker-#";
    let worker = calibration.roles.iter().find(|it| it.kind == kind && it.role == role).unwrap();
    assert_eq!(worker.observations, 45 * 2);
    assert!((worker.centre[0] - 15.0).abs() < 2.0, "{worker:?}");
    assert!(worker.residual_spread.iter().chain(&worker.spread).all(|spread| *spread > 0.0));
    assert!(calibration.roles.iter().any(|it| it.kind == kind && it.role.is_empty()));
    assert_eq!(calibration.pressure_p99.len(), 1);
    assert!((calibration.pressure_p99[0].limit - 9.0).abs() < 1e-3, "{:?}", calibration.pressure_p99);
}

#[test]
fn training_is_deterministic_for_each_seed() {
    let train_with = |seed| {
        let config = TrainingConfig { epochs: 2, seed, ..TrainingConfig::default() };
        let job = job(Profile::Default, healthy::sweeps(9, 20, 1));
        train(&config, job, &CancellationToken::new(), &Progress::hidden()).unwrap()
    };
    assert_eq!(train_with(1), train_with(1));
    assert_ne!(train_with(1).onnx, train_with(2).onnx);
}

#[test]
fn the_classic_profile_trains_the_original_model_for_all_epochs() {
    let config =
        TrainingConfig { max_time: std::time::Duration::from_nanos(1), epochs: 3, ..TrainingConfig::default() };
    let job_for = |profile| job(profile, healthy::sweeps(9, 20, 1));
    let classic = train(&config, job_for(Profile::Classic), &CancellationToken::new(), &Progress::hidden()).unwrap();
    assert_eq!((classic.manifest.parameters, classic.features, classic.manifest.epochs), (1819, 11, 3));
    assert!(classic.columns.is_empty() && classic.calibration.threshold > 0.0);
    assert!(classic.manifest.loss_last < classic.manifest.loss_first, "{:?}", classic.manifest);
    let default = train(&config, job_for(Profile::Default), &CancellationToken::new(), &Progress::hidden()).unwrap();
    assert_eq!(default.manifest.epochs, 1, "the time limit passed during the first epoch");
}

#[test]
fn a_short_disturbance_is_removed_before_training() {
    let clean = healthy::sweeps(13, 60, 1);
    let mut disturbed = clean.clone();
    for snapshot in &mut disturbed[21..26] {
        healthy::set(snapshot, "cpu_pct", SINGLE, 400.0);
    }
    let clean = train_on(Profile::Default, clean).unwrap();
    let disturbed = train_on(Profile::Default, disturbed).unwrap();
    assert_eq!(clean.manifest.fitted + clean.manifest.calibrated, 60);
    assert_eq!(disturbed.manifest.fitted + disturbed.manifest.calibrated, 55);
    let spread = |release: &ModelRelease| {
        let roles = &release.calibration.roles;
        roles.iter().find(|it| it.role == "/usr/bin/single single").unwrap().spread[0]
    };
    assert!(spread(&disturbed) < 1.2 * spread(&clean), "{} {}", spread(&disturbed), spread(&clean));
}

#[test]
fn graphs_without_edges_are_trained_on() {
    let mut snapshots = healthy::sweeps(9, 20, 1);
    snapshots.iter_mut().for_each(|snapshot| snapshot.edges.clear());
    let release = train_on(Profile::Default, snapshots).unwrap();
    assert!(release.manifest.loss_last < release.manifest.loss_first);
}

#[test]
fn invalid_and_duplicate_snapshots_are_skipped_and_too_few_snapshots_are_an_error() {
    let mut snapshots = healthy::sweeps(9, 20, 1);
    snapshots[3].columns[0].values[0] = f32::NAN;
    snapshots.push(snapshots[7].clone());
    let manifest = train_on(Profile::Default, snapshots.clone()).unwrap().manifest;
    assert_eq!(manifest.fitted + manifest.calibrated, 19, "one is not finite, one is a duplicate");
    let error = train_on(Profile::Default, snapshots.split_off(12)).unwrap_err();
    assert_eq!(error.to_string(), "cohort `made-up`: expected at least 10 valid healthy snapshots, found 9");
    assert!(error.hint().is_some());
    let mut foreign = healthy::sweeps(9, 20, 1);
    foreign.iter_mut().flat_map(|snapshot| &mut snapshot.nodes).for_each(|node| node.kind = "service".into());
    assert!(matches!(train_on(Profile::Classic, foreign), Err(TrainerError::TooFewSnapshots { found: 0, .. })));
}

#[test]
fn higher_pressure_limits_of_the_earlier_release_are_kept() {
    let mut job = job(Profile::Default, healthy::sweeps(9, 20, 1));
    let limit = |name: &str, limit| schemas::ColumnLimit { name: name.to_owned(), limit };
    job.earlier_limits = vec![limit("psi_cpu_some", 30.0), limit("psi_io_some", 2.0)];
    let config = TrainingConfig { epochs: 1, ..TrainingConfig::default() };
    let release = train(&config, job, &CancellationToken::new(), &Progress::hidden()).unwrap();
    assert_eq!(release.calibration.pressure_p99, [limit("psi_cpu_some", 30.0), limit("psi_io_some", 2.0)]);
}

#[test]
fn training_ends_when_shutdown_is_cancelled() {
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let job = job(Profile::Default, healthy::sweeps(9, 20, 1));
    let outcome = train(&TrainingConfig::default(), job, &shutdown, &Progress::hidden());
    assert!(matches!(outcome, Err(TrainerError::Interrupted)));
}

#[test]
fn a_very_large_host_gets_a_model_from_thinned_snapshots() {
    let encoded: Vec<Vec<u8>> =
        healthy::sweeps(2000, 60, 1).iter().map(|snapshot| schemas::encode(snapshot).unwrap()).collect();
    let max_nodes = 12_000;
    let snapshots = trainer::dataset::decode(encoded, max_nodes);
    assert_eq!(snapshots.len(), 30);
    let n_nodes: usize = snapshots.iter().map(|snapshot| snapshot.nodes.len()).sum();
    assert_eq!(n_nodes, max_nodes);
    assert!(snapshots.iter().all(|snapshot| snapshot.nodes.iter().any(|node| node.kind.as_str() == "system")));
    let release = train_on(Profile::Default, snapshots).unwrap();
    assert!(release.manifest.fitted + release.manifest.calibrated >= 27, "{:?}", release.manifest);
}
