//! What is replayed, when, and as whose.

use std::{fs::File, time::Duration};

use expect_test::expect;
use rustix::process::Signal;
use schemas::GraphSnapshot;

use super::{FIRST, Folder, as_replayed, decoded, held, now, publish, read, send, snapshot, snapshots, until, write};
#[tokio::test]
async fn what_was_recorded_is_replayed_as_a_run_of_its_own_that_ended_now() {
    let folder = Folder::new();
    let recorded =
        [snapshot("db", 7, 0), snapshot("web-1", 3, 400), snapshot("db", 8, 1000), snapshot("web-1", 4, 1400)];
    publish(&folder.path("a"), &recorded).await;
    let said = folder.run("record", "r.avro", "a", &[]);
    let size = std::fs::metadata(folder.path("r.avro")).unwrap().len();
    let expected = format!(
        "recorded 4 snapshots of 2 hosts from 2026-01-01T00:00:00.000Z to 2026-01-01T00:00:01.400Z (1s 400ms) in `FOLDER/r.avro`, {:.1} MB\n",
        size as f64 / 1e6
    );
    assert_eq!(said, expected);
    assert_eq!(read(&folder.path("r.avro")), recorded);

    let begun = now();
    let mut runs = Vec::new();
    for data in ["b", "c"] {
        let said = folder.run("replay", "r.avro", data, &["--speed", "max"]);
        assert!(said.starts_with("replaying 4 snapshots of 2 hosts over 1s 400ms, as fast as the bus takes them\npublished 4 of 4 snapshots in "), "{said}");
        let replayed = snapshots(&folder.path(data)).await;
        assert_eq!(replayed.iter().map(|snapshot| snapshot.sequence).collect::<Vec<_>>(), [0, 0, 1, 1]);
        let (first, shift) = (&replayed[0], replayed[0].ended_at.0 - FIRST);
        for (recorded, replayed) in recorded.iter().zip(&replayed) {
            assert_eq!(as_replayed(recorded, replayed), *replayed);
            assert_eq!(replayed.run, first.run);
            assert_eq!(replayed.started_at.0 - recorded.started_at.0, shift);
            assert_eq!(replayed.ended_at.0 - recorded.ended_at.0, shift);
        }
        assert!((begun..=now()).contains(&replayed[3].ended_at.0), "the recording ends with the replay");
        for delivery in held(&folder.path(data)).await {
            let of: GraphSnapshot = schemas::decode(&delivery.value).unwrap();
            assert_eq!(delivery.key, of.host);
            assert!((begun..=now()).contains(&delivery.time.0), "a record's own time is when it was published");
            let id = format!("{}/{}/{}", of.host, of.run, of.sequence);
            assert_eq!(delivery.header("ce_id"), Some(id.as_bytes()));
        }
        runs.push(first.run.clone());
    }
    assert!(runs[0] != runs[1] && runs[0] != "recorded", "{runs:?}");
}

#[tokio::test]
async fn any_speed_keeps_the_distances_and_divides_the_rhythm() {
    let folder = Folder::new();
    let after = [0, 300, 900, 1500];
    let recorded: Vec<GraphSnapshot> =
        (0..).zip(after).map(|(sequence, after)| snapshot("db", sequence, after)).collect();
    write(&folder.path("r.avro"), &[&recorded]);
    for (speed, divisor) in [("1", 1), ("3", 3)] {
        let begun = now();
        folder.run("replay", "r.avro", speed, &["--speed", speed]);
        let held = held(&folder.path(speed)).await;
        let replayed = snapshots(&folder.path(speed)).await;
        let first = replayed[0].ended_at.0;
        for ((delivery, replayed), after) in held.iter().zip(&replayed).zip(after) {
            assert_eq!(replayed.ended_at.0 - replayed.started_at.0, 40);
            assert_eq!(replayed.ended_at.0 - after, first, "at speed {speed}");
            assert!(delivery.time.0 - begun >= after / divisor, "{after} ms come too early at speed {speed}");
            assert!(replayed.ended_at.0 <= delivery.time.0, "nothing is from the future at speed {speed}");
        }
    }
}

#[tokio::test]
async fn each_host_becomes_several_and_keeps_its_relation_to_its_cohort() {
    let folder = Folder::new();
    write(&folder.path("r.avro"), &[&[snapshot("db", 0, 0), snapshot("web-1", 0, 10), snapshot("db", 1, 1000)]]);
    let said = folder.run("replay", "r.avro", "b", &["--speed", "max", "--hosts", "3"]);
    assert!(said.contains("published 9 of 9 snapshots"), "{said}");
    let told: Vec<String> = held(&folder.path("b"))
        .await
        .iter()
        .map(|delivery| {
            let GraphSnapshot { host, cohort, sequence, .. } = decoded(delivery);
            assert_eq!(delivery.key, host);
            format!("{host} {cohort} {sequence}")
        })
        .collect();
    let db = |sequence| (1..=3).map(move |copy| format!("db-{copy} db-{copy} {sequence}"));
    let expected: Vec<String> = db(0).chain((1..=3).map(|copy| format!("web-1-{copy} web 0"))).chain(db(1)).collect();
    assert_eq!(told, expected);

    folder.run("replay", "r.avro", "c", &["--speed", "max", "--hosts", "2", "--cohort", "fleet"]);
    let replayed = snapshots(&folder.path("c")).await;
    assert!(replayed.len() == 6 && replayed.iter().all(|snapshot| snapshot.cohort == "fleet"));
}

#[tokio::test]
async fn a_recording_of_several_partitions_is_replayed_by_time_and_each_host_in_its_own_order() {
    let folder = Folder::new();
    // The clock of `b` went back before its third sweep.
    let a = [snapshot("a", 0, 0), snapshot("a", 1, 1000), snapshot("a", 2, 2000)];
    let b = [snapshot("b", 0, 500), snapshot("b", 1, 1500), snapshot("b", 2, 100)];
    write(&folder.path("r.avro"), &[&a[..2], &a[2..], &b]);
    folder.run("replay", "r.avro", "d", &["--speed", "max"]);
    let order: Vec<String> =
        snapshots(&folder.path("d")).await.iter().map(|of| format!("{}{}", of.host, of.sequence)).collect();
    assert_eq!(order, ["a0", "b0", "a1", "b1", "b2", "a2"]);
}

#[tokio::test]
async fn a_recording_that_is_cut_off_is_replayed_up_to_its_last_whole_block() {
    let folder = Folder::new();
    let recorded = [snapshot("db", 0, 0), snapshot("db", 1, 1000), snapshot("db", 2, 2000)];
    write(&folder.path("whole.avro"), &[&recorded[..2]]);
    let whole = std::fs::metadata(folder.path("whole.avro")).unwrap().len();
    write(&folder.path("r.avro"), &[&recorded[..2], &recorded[2..]]);
    File::options().write(true).open(folder.path("r.avro")).unwrap().set_len(whole + 30).unwrap();
    let (code, said) = folder.try_run("replay", "r.avro", "b", &["--speed", "max"]);
    assert_eq!(code, Some(1), "{said}");
    // The place depends on how well the snapshots can be compressed.
    let said = said.replace(&format!("at byte {whole}"), "at byte N");
    let error = said.lines().skip(2).collect::<Vec<_>>().join("\n");
    expect![[r#"
        error: all 2 whole snapshots of `FOLDER/r.avro` are published: the file is cut off within the block that begins at byte N
        hint: the recording was ended by force, or the file was not copied whole"#]]
    .assert_eq(&error);
    assert_eq!(snapshots(&folder.path("b")).await.len(), 2);
}

#[tokio::test]
async fn a_replay_ends_with_a_signal_and_tells_how_far_it_came() {
    let folder = Folder::new();
    write(&folder.path("r.avro"), &[&[snapshot("db", 0, 0), snapshot("db", 1, 3_600_000)]]);
    let mut child = folder.start("replay", "r.avro", "b", &[], File::create(folder.path("said")).unwrap());
    let data = folder.path("b");
    until("the first snapshot", async || data.join("bus.sqlite").exists() && held(&data).await.len() == 1).await;
    send(&child, Signal::TERM);
    let status = child.0.wait().unwrap();
    let said = std::fs::read_to_string(folder.path("said")).unwrap();
    assert!(status.success(), "{said}");
    assert!(said.contains(" of 2 snapshots in "), "{said}");
}

#[tokio::test]
async fn a_replay_that_falls_behind_says_so_once() {
    let folder = Folder::new();
    let recorded: Vec<GraphSnapshot> = (0..300).map(|sequence| snapshot("db", sequence, sequence * 100)).collect();
    write(&folder.path("r.avro"), &[&recorded]);
    let child = folder.start("replay", "r.avro", "b", &[], File::create(folder.path("said")).unwrap());
    let data = folder.path("b");
    until("the first snapshot", async || data.join("bus.sqlite").exists() && !held(&data).await.is_empty()).await;
    send(&child, Signal::STOP);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let before = held(&data).await.len();
    send(&child, Signal::CONT);
    let said = || std::fs::read_to_string(folder.path("said")).unwrap();
    let notices = || said().matches("the replay does not keep up with speed 1: ").count();
    until("the notice", async || notices() > 0).await;
    until("what was late", async || held(&data).await.len() > before + 12).await;
    assert_eq!(notices(), 1, "{}", said());
}
