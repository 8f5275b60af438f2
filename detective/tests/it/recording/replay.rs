//! Which snapshots are replayed, when, and for which hosts.

use std::{fs::File, time::Duration};

use expect_test::expect;
use rustix::process::Signal;
use schemas::GraphSnapshot;

use super::{
    FIRST, Folder, as_replayed, decode, deliveries, now, publish, read, send, snapshot, snapshots, wait_until, write,
};
#[tokio::test]
async fn a_replay_is_a_new_run_that_ends_now() {
    let folder = Folder::new();
    let recorded =
        [snapshot("db", 7, 0), snapshot("web-1", 3, 400), snapshot("db", 8, 1000), snapshot("web-1", 4, 1400)];
    publish(&folder.path("a"), &recorded).await;
    let stderr = folder.run("record", "r.avro", "a", &[]);
    let size = std::fs::metadata(folder.path("r.avro")).unwrap().len();
    let expected = format!(
        "recorded 4 snapshots of 2 hosts from 2026-01-01T00:00:00.000Z to 2026-01-01T00:00:01.400Z (1s 400ms) in `FOLDER/r.avro`, {:.1} MB\n",
        size as f64 / 1e6
    );
    assert_eq!(stderr, expected);
    assert_eq!(read(&folder.path("r.avro")), recorded);

    let begun = now();
    let mut runs = Vec::new();
    for data in ["b", "c"] {
        let stderr = folder.run("replay", "r.avro", data, &["--speed", "max"]);
        assert!(stderr.starts_with("replaying 4 snapshots of 2 hosts over 1s 400ms, as fast as the bus accepts them\npublished 4 of 4 snapshots in "), "{stderr}");
        let replayed = snapshots(&folder.path(data)).await;
        assert_eq!(replayed.iter().map(|snapshot| snapshot.sequence).collect::<Vec<_>>(), [0, 0, 1, 1]);
        let first = &replayed[0];
        let shift = first.ended_at.0 - FIRST;
        for (recorded, replayed) in recorded.iter().zip(&replayed) {
            assert_eq!(as_replayed(recorded, replayed), *replayed);
            assert_eq!(replayed.run, first.run);
            assert_eq!(replayed.started_at.0 - recorded.started_at.0, shift);
            assert_eq!(replayed.ended_at.0 - recorded.ended_at.0, shift);
        }
        assert!((begun..=now()).contains(&replayed[3].ended_at.0), "the recording ends with the replay");
        for delivery in deliveries(&folder.path(data)).await {
            let snapshot: GraphSnapshot = schemas::decode(&delivery.value).unwrap();
            assert_eq!(delivery.key, snapshot.host);
            assert!((begun..=now()).contains(&delivery.time.0), "the time of a record is that of its publication");
            let id = format!("{}/{}/{}", snapshot.host, snapshot.run, snapshot.sequence);
            assert_eq!(delivery.header("ce_id"), Some(id.as_bytes()));
        }
        runs.push(first.run.clone());
    }
    assert!(runs[0] != runs[1] && runs[0] != "recorded", "{runs:?}");
}

#[tokio::test]
async fn the_speed_divides_due_times_and_keeps_intervals() {
    let folder = Folder::new();
    let after = [0, 300, 900, 1500];
    let recorded: Vec<GraphSnapshot> =
        (0..).zip(after).map(|(sequence, after)| snapshot("db", sequence, after)).collect();
    write(&folder.path("r.avro"), &[&recorded]);
    for (speed, divisor) in [("1", 1), ("3", 3)] {
        let begun = now();
        folder.run("replay", "r.avro", speed, &["--speed", speed]);
        let deliveries = deliveries(&folder.path(speed)).await;
        let replayed = snapshots(&folder.path(speed)).await;
        let first = replayed[0].ended_at.0;
        for ((delivery, replayed), after) in deliveries.iter().zip(&replayed).zip(after) {
            assert_eq!(replayed.ended_at.0 - replayed.started_at.0, 40);
            assert_eq!(replayed.ended_at.0 - after, first, "at speed {speed}");
            assert!(delivery.time.0 - begun >= after / divisor, "{after} ms come too early at speed {speed}");
            assert!(replayed.ended_at.0 <= delivery.time.0, "no snapshot is from the future at speed {speed}");
        }
    }
}

#[tokio::test]
async fn copies_of_a_host_keep_its_cohort_or_get_their_own() {
    let folder = Folder::new();
    write(&folder.path("r.avro"), &[&[snapshot("db", 0, 0), snapshot("web-1", 0, 10), snapshot("db", 1, 1000)]]);
    let stderr = folder.run("replay", "r.avro", "b", &["--speed", "max", "--hosts", "3"]);
    assert!(stderr.contains("published 9 of 9 snapshots"), "{stderr}");
    let replayed: Vec<String> = deliveries(&folder.path("b"))
        .await
        .iter()
        .map(|delivery| {
            let GraphSnapshot { host, cohort, sequence, .. } = decode(delivery);
            assert_eq!(delivery.key, host);
            format!("{host} {cohort} {sequence}")
        })
        .collect();
    let db = |sequence| (1..=3).map(move |copy| format!("db-{copy} db-{copy} {sequence}"));
    let expected: Vec<String> = db(0).chain((1..=3).map(|copy| format!("web-1-{copy} web 0"))).chain(db(1)).collect();
    assert_eq!(replayed, expected);

    folder.run("replay", "r.avro", "c", &["--speed", "max", "--hosts", "2", "--cohort", "fleet"]);
    let replayed = snapshots(&folder.path("c")).await;
    assert!(replayed.len() == 6 && replayed.iter().all(|snapshot| snapshot.cohort == "fleet"));
}

#[tokio::test]
async fn a_recording_of_several_partitions_is_replayed_by_time_and_keeps_the_order_of_each_host() {
    let folder = Folder::new();
    // The clock of `b` stepped back before its third sweep.
    let a = [snapshot("a", 0, 0), snapshot("a", 1, 1000), snapshot("a", 2, 2000)];
    let b = [snapshot("b", 0, 500), snapshot("b", 1, 1500), snapshot("b", 2, 100)];
    write(&folder.path("r.avro"), &[&a[..2], &a[2..], &b]);
    folder.run("replay", "r.avro", "d", &["--speed", "max"]);
    let order: Vec<String> = snapshots(&folder.path("d"))
        .await
        .iter()
        .map(|snapshot| format!("{}{}", snapshot.host, snapshot.sequence))
        .collect();
    assert_eq!(order, ["a0", "b0", "a1", "b1", "b2", "a2"]);
}

#[tokio::test]
async fn a_truncated_recording_is_replayed_to_its_last_complete_block() {
    let folder = Folder::new();
    let recorded = [snapshot("db", 0, 0), snapshot("db", 1, 1000), snapshot("db", 2, 2000)];
    write(&folder.path("whole.avro"), &[&recorded[..2]]);
    let whole = std::fs::metadata(folder.path("whole.avro")).unwrap().len();
    write(&folder.path("r.avro"), &[&recorded[..2], &recorded[2..]]);
    File::options().write(true).open(folder.path("r.avro")).unwrap().set_len(whole + 30).unwrap();
    let (code, stderr) = folder.try_run("replay", "r.avro", "b", &["--speed", "max"]);
    assert_eq!(code, Some(1), "{stderr}");
    // The position depends on the compression.
    let stderr = stderr.replace(&format!("at byte {whole}"), "at byte N");
    let error = stderr.lines().skip(2).collect::<Vec<_>>().join("\n");
    expect![[r#"
        error: published only the 2 complete snapshots of `FOLDER/r.avro`: the file is cut off within the block that begins at byte N
        hint: the recording process was killed, or the file was copied incompletely"#]]
    .assert_eq(&error);
    assert_eq!(snapshots(&folder.path("b")).await.len(), 2);
}

#[tokio::test]
async fn a_signal_ends_a_replay_which_prints_its_progress() {
    let folder = Folder::new();
    write(&folder.path("r.avro"), &[&[snapshot("db", 0, 0), snapshot("db", 1, 3_600_000)]]);
    let mut child = folder.start("replay", "r.avro", "b", &[], File::create(folder.path("stderr")).unwrap());
    let data = folder.path("b");
    wait_until("the first snapshot", async || data.join("bus.sqlite").exists() && deliveries(&data).await.len() == 1)
        .await;
    send(&child, Signal::TERM);
    let status = child.0.wait().unwrap();
    let stderr = std::fs::read_to_string(folder.path("stderr")).unwrap();
    assert!(status.success(), "{stderr}");
    assert!(stderr.contains(" of 2 snapshots in "), "{stderr}");
}

#[tokio::test]
async fn a_late_replay_warns_once() {
    let folder = Folder::new();
    let recorded: Vec<GraphSnapshot> = (0..300).map(|sequence| snapshot("db", sequence, sequence * 100)).collect();
    write(&folder.path("r.avro"), &[&recorded]);
    let child = folder.start("replay", "r.avro", "b", &[], File::create(folder.path("stderr")).unwrap());
    let data = folder.path("b");
    wait_until("the first snapshot", async || data.join("bus.sqlite").exists() && !deliveries(&data).await.is_empty())
        .await;
    send(&child, Signal::STOP);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let before = deliveries(&data).await.len();
    send(&child, Signal::CONT);
    let stderr = || std::fs::read_to_string(folder.path("stderr")).unwrap();
    let warnings = || stderr().matches(" s behind speed 1: continuing ").count();
    wait_until("the warning", async || warnings() > 0).await;
    wait_until("the late snapshots", async || deliveries(&data).await.len() > before + 12).await;
    assert_eq!(warnings(), 1, "{}", stderr());
}
