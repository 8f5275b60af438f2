//! What is recorded, and for how long.

use std::process::Stdio;

use bus::Record;
use rustix::process::Signal;
use schemas::{Timestamp, Topic};

use super::{FIRST, Folder, now, open, publish, read, send, snapshot, try_read, until};
#[tokio::test]
async fn a_recording_takes_what_was_asked_for_and_tells_what_was_no_snapshot() {
    let folder = Folder::new();
    let old = snapshot("db", 0, 0);
    let shift = now() - FIRST - 60_000;
    let recent = |host: &str, after| snapshot(host, 1, shift + after);
    publish(&folder.path("a"), &[old.clone(), recent("db", 0), recent("web-1", 10)]).await;
    let broken = Record::new(Topic::Snapshots, "db", b"broken".to_vec(), Timestamp(FIRST));
    let value = schemas::encode(&recent("db", 20)).unwrap();
    let later = Record::new(Topic::Snapshots, "db", value, Timestamp(now() + 3_600_000));
    open(&folder.path("a")).await.publish(vec![broken, later], None).await.unwrap();

    let said = folder.run("record", "all.avro", "a", &[]);
    assert!(said.contains("\n1 records of `detective.snapshots` were no snapshots and were left out\n"), "{said}");
    assert!(said.contains("\n1 snapshots that came meanwhile were left out: `--follow` takes them too\n"), "{said}");
    assert_eq!(read(&folder.path("all.avro")), [old.clone(), recent("db", 0), recent("web-1", 10)]);
    folder.run("record", "db.avro", "a", &["--host", "db"]);
    assert_eq!(read(&folder.path("db.avro")), [old, recent("db", 0)]);
    folder.run("record", "recent.avro", "a", &["--since", "1h"]);
    assert_eq!(read(&folder.path("recent.avro")), [recent("db", 0), recent("web-1", 10)]);
    let said = folder.run("record", "none.avro", "a", &["--host", "nobody"]);
    assert_eq!(said, "no snapshot was recorded: `FOLDER/none.avro` is empty\n");
    assert!(read(&folder.path("none.avro")).is_empty());
}

#[tokio::test]
async fn a_recording_that_goes_on_takes_what_comes_and_survives_its_end_by_force() {
    let folder = Folder::new();
    let (data, first, second) = (folder.path("a"), snapshot("db", 0, 0), snapshot("db", 1, 1000));
    publish(&data, std::slice::from_ref(&first)).await;
    let cases = [
        ("coming.avro", ["--for", "1h"].as_slice(), Signal::TERM, vec![second.clone()]),
        ("all.avro", &["--follow"], Signal::INT, vec![first.clone(), second.clone(), second.clone()]),
        ("killed.avro", &["--for", "1h"], Signal::KILL, vec![second.clone()]),
    ];
    for (name, flags, signal, expected) in cases {
        let file = folder.path(name);
        let mut child = folder.start("record", name, "a", flags, Stdio::null());
        // The file is made once it is known where the recording begins.
        until("the file", async || file.exists()).await;
        publish(&data, std::slice::from_ref(&second)).await;
        until("the snapshots", async || try_read(&file).is_ok_and(|read| read.len() == expected.len())).await;
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
    let said = folder.run("record", "r.avro", "a", &["--for", "100ms"]);
    assert_eq!(said, "no snapshot was recorded: `FOLDER/r.avro` is empty\n");
}
