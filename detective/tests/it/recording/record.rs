//! Which snapshots are recorded, and for how long.

use std::process::Stdio;

use bus::Record;
use rustix::process::Signal;
use schemas::{Timestamp, Topic};

use super::{FIRST, Folder, now, open, publish, read, send, snapshot, try_read, wait_until};
#[tokio::test]
async fn a_recording_has_the_wanted_snapshots_and_counts_skipped_records() {
    let folder = Folder::new();
    let old = snapshot("db", 0, 0);
    let shift = now() - FIRST - 60_000;
    let recent = |host: &str, after| snapshot(host, 1, shift + after);
    publish(&folder.path("a"), &[old.clone(), recent("db", 0), recent("web-1", 10)]).await;
    let broken = Record::new(Topic::Snapshots, "db", b"broken".to_vec(), Timestamp(FIRST));
    let value = schemas::encode(&recent("db", 20)).unwrap();
    let later = Record::new(Topic::Snapshots, "db", value, Timestamp(now() + 3_600_000));
    open(&folder.path("a")).await.publish(vec![broken, later], None).await.unwrap();

    let stderr = folder.run("record", "all.avro", "a", &[]);
    assert!(stderr.contains("\nskipped 1 records of `detective.snapshots` that are not snapshots\n"), "{stderr}");
    assert!(stderr.contains("\nskipped 1 snapshots that came meanwhile: `--follow` records them too\n"), "{stderr}");
    assert_eq!(read(&folder.path("all.avro")), [old.clone(), recent("db", 0), recent("web-1", 10)]);
    folder.run("record", "db.avro", "a", &["--host", "db"]);
    assert_eq!(read(&folder.path("db.avro")), [old, recent("db", 0)]);
    folder.run("record", "recent.avro", "a", &["--since", "1h"]);
    assert_eq!(read(&folder.path("recent.avro")), [recent("db", 0), recent("web-1", 10)]);
    let stderr = folder.run("record", "none.avro", "a", &["--host", "nobody"]);
    assert_eq!(stderr, "recorded no snapshots: `FOLDER/none.avro` is empty\n");
    assert!(read(&folder.path("none.avro")).is_empty());
}

#[tokio::test]
async fn a_waiting_recording_has_new_snapshots_and_is_complete_after_a_kill() {
    let folder = Folder::new();
    let data = folder.path("a");
    let first = snapshot("db", 0, 0);
    let second = snapshot("db", 1, 1000);
    publish(&data, std::slice::from_ref(&first)).await;
    let cases = [
        ("coming.avro", ["--for", "1h"].as_slice(), Signal::TERM, vec![second.clone()]),
        ("all.avro", &["--follow"], Signal::INT, vec![first.clone(), second.clone(), second.clone()]),
        ("killed.avro", &["--for", "1h"], Signal::KILL, vec![second.clone()]),
    ];
    for (name, flags, signal, expected) in cases {
        let file = folder.path(name);
        let mut child = folder.start("record", name, "a", flags, Stdio::null());
        // The file is created after the position of the recording is known.
        wait_until("the file", async || file.exists()).await;
        publish(&data, std::slice::from_ref(&second)).await;
        wait_until("the snapshots", async || try_read(&file).is_ok_and(|read| read.len() == expected.len())).await;
        send(&child, signal);
        let status = child.0.wait().unwrap();
        assert_eq!(status.success(), signal != Signal::KILL, "{name}: {status}");
        assert_eq!(read(&file), expected, "{name}");
    }
}

#[tokio::test]
async fn a_recording_ends_when_its_time_is_up() {
    let folder = Folder::new();
    publish(&folder.path("a"), &[snapshot("db", 0, 0)]).await;
    let stderr = folder.run("record", "r.avro", "a", &["--for", "100ms"]);
    assert_eq!(stderr, "recorded no snapshots: `FOLDER/r.avro` is empty\n");
}
