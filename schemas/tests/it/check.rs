//! Records that decode but must not take effect.

use schemas::{GraphSnapshot, HealthSource, HealthySnapshot, InvalidRecord, ModelRelease, Timestamp};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const DAY: i64 = 86_400_000;

#[track_caller]
fn rejected(result: Result<(), InvalidRecord>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

fn snapshot() -> GraphSnapshot {
    GraphSnapshot { host: "h".into(), cohort: "c".into(), run: "r".into(), ..GraphSnapshot::default() }
}

#[test]
fn a_snapshot_of_another_host_than_its_key_is_rejected() {
    assert_eq!(snapshot().check("h"), Ok(()));
    rejected(snapshot().check("other"), "expected host `other` as in the record's key, found `h`");
    rejected(
        GraphSnapshot { host: String::new(), ..snapshot() }.check(""),
        "expected a host of 1 to 255 bytes, found 0 bytes",
    );
    rejected(
        GraphSnapshot { cohort: "c".repeat(256), ..snapshot() }.check("h"),
        "expected a cohort of 1 to 255 bytes, found 256 bytes",
    );
    rejected(GraphSnapshot { sequence: -1, ..snapshot() }.check("h"), "expected at least 0 for sequence, found -1");
}

fn healthy(generation: i64, learned: i64, wanted: i64) -> HealthySnapshot {
    HealthySnapshot {
        host: "h".into(),
        cohort: "c".into(),
        generation,
        vouched_by: HealthSource::Learning,
        learned,
        wanted,
        time: NOW,
        snapshot: Vec::new(),
    }
}

#[test]
fn impossible_progress_of_learning_is_rejected() {
    assert_eq!(healthy(NOW.0 + DAY, 60, 60).check("h", NOW), Ok(()));
    assert_eq!(healthy(0, 0, 0).check("h", NOW), Ok(()));
    let expected = "expected 0 or the time of a relearn in milliseconds, not in the future for generation, found";
    rejected(healthy(i64::MAX, 1, 60).check("h", NOW), &format!("{expected} {}", i64::MAX));
    rejected(healthy(NOW.0 + DAY + 1, 1, 60).check("h", NOW), &format!("{expected} {}", NOW.0 + DAY + 1));
    rejected(healthy(-1, 1, 60).check("h", NOW), &format!("{expected} -1"));
    rejected(
        healthy(0, i64::MAX, 60).check("h", NOW),
        &format!("expected 0 to `wanted` for learned, found {}", i64::MAX),
    );
    rejected(healthy(0, 1, 60).check("x", NOW), "expected host `x` as in the record's key, found `h`");
}

#[test]
fn an_impossible_model_release_is_rejected() {
    let release: ModelRelease = crate::samples::release();
    let now = release.created_at;
    assert_eq!(release.check(&release.cohort, now), Ok(()));
    let changed = |change: fn(&mut ModelRelease)| {
        let mut changed = release.clone();
        change(&mut changed);
        changed.check(&release.cohort, now).unwrap_err().to_string()
    };
    assert!(changed(|release| release.cohort = "other".into()).contains("found `other`"));
    assert!(changed(|release| release.generation = i64::MAX).contains("for generation, found 9223372036854775807"));
    assert!(changed(|release| release.created_at.0 += DAY + 1).contains("for created_at"));
    assert!(changed(|release| release.manifest.loss_last = f64::NAN).contains("for manifest.loss_last, found NaN"));
    assert!(changed(|release| release.manifest.fitted = -1).contains("at least 0 for manifest.fitted"));
    assert!(changed(|release| release.manifest.from.0 = release.manifest.until.0 + 1).contains("manifest.from"));
}
