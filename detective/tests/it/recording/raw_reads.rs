//! Recordings of raw reads.

use std::{
    fs::{File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
};

use expect_test::expect;
use rustix::process::Signal;
use schemas::{
    GraphSnapshot, RawRead,
    container::{Reader, Writer},
};

use super::{Folder, as_replayed, read, send, snapshots, wait_until, write};
use crate::processes::ScopedChild;

/// Records sweeps of this host for a second, and returns standard error.
#[track_caller]
fn record(folder: &Folder, flags: &[&str]) -> String {
    folder.run("record", "raw.avro", "unused", &[&["--proc", "--interval", "100ms", "--for", "1s"], flags].concat())
}

fn raw_reads(file: &Path) -> Option<Vec<RawRead>> {
    let mut reader = Reader::<RawRead, _>::open(File::open(file).ok()?).ok()?;
    let mut reads = Vec::new();
    while let Ok(Some(block)) = reader.next_block() {
        reads.extend(reader.records(&block).map_while(|read| Some(read.ok()?.1)));
    }
    Some(reads)
}

fn write_reads(file: &Path, reads: &[RawRead]) {
    let mut writer = Writer::create(File::create(file).unwrap()).unwrap();
    reads.iter().for_each(|read| writer.append(read).unwrap());
    writer.finish_block().unwrap();
}

fn encode(snapshots: &[GraphSnapshot]) -> Vec<Vec<u8>> {
    snapshots.iter().map(|snapshot| schemas::encode(snapshot).unwrap()).collect()
}

#[tokio::test]
async fn raw_reads_make_the_same_snapshots_to_the_byte() {
    let folder = Folder::new();
    let made = folder.path("made.avro");
    let _busy = ScopedChild::shell("while :; do sh -c 'sleep .02 | flock /tmp cat'; done");
    let stderr = record(&folder, &["--snapshots", made.to_str().unwrap()]);
    assert!(stderr.contains("recorded ") && stderr.contains(" in `FOLDER/raw.avro`, "), "{stderr}");
    assert!(stderr.contains(", and their snapshots in `FOLDER/made.avro`, "), "{stderr}");
    assert!(!folder.path("unused").exists(), "no bus is needed");
    let made = read(&made);
    assert!((5..=11).contains(&made.len()), "{}", made.len());
    assert_eq!(made[0].interval_ms, 100);

    let raw = folder.path("raw.avro");
    let stderr = folder.run("record", "again.avro", "unused", &["--from", raw.to_str().unwrap()]);
    assert!(stderr.starts_with(&format!("recorded {} snapshots of `FOLDER/raw.avro` in ", made.len())), "{stderr}");
    assert!(encode(&read(&folder.path("again.avro"))) == encode(&made), "the same to the byte");

    let stderr = folder.run("replay", "raw.avro", "b", &["--speed", "max"]);
    assert!(stderr.starts_with(&format!("replaying {} snapshots of 1 host over ", made.len())), "{stderr}");
    assert!(stderr.contains(&format!("\npublished {0} of {0} snapshots in ", made.len())), "{stderr}");
    let replayed = snapshots(&folder.path("b")).await;
    assert_eq!(replayed.len(), made.len());
    for (made, replayed) in made.iter().zip(&replayed) {
        assert!(as_replayed(made, replayed) == *replayed, "sweep {}", made.sequence);
        assert_eq!(replayed.ended_at.0 - replayed.started_at.0, made.ended_at.0 - made.started_at.0);
    }
    folder.run("replay", "raw.avro", "fleet", &["--speed", "10", "--hosts", "2", "--cohort", "fleet"]);
    let fleet = snapshots(&folder.path("fleet")).await;
    assert_eq!(fleet.len(), 2 * made.len());
    assert!(
        fleet
            .iter()
            .all(|snapshot| snapshot.cohort == "fleet" && snapshot.nodes == made[snapshot.sequence as usize].nodes)
    );
}

#[test]
fn only_the_owner_may_read_recordings() {
    let folder = Folder::new();
    let names = ["raw.avro", "made.avro"];
    for name in names {
        std::fs::write(folder.path(name), vec![b'x'; 100_000]).unwrap();
        std::fs::set_permissions(folder.path(name), Permissions::from_mode(0o644)).unwrap();
    }
    let made = folder.path("made.avro");
    record(&folder, &["--snapshots", made.to_str().unwrap(), "--force"]);
    for name in names {
        let mode = std::fs::metadata(folder.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert!(!read(&made).is_empty());
}

#[tokio::test]
async fn a_killed_recording_is_replayed_to_its_last_complete_sweep() {
    let folder = Folder::new();
    let raw = folder.path("raw.avro");
    let flags = ["--proc", "--follow", "--interval", "50ms"];
    let mut child = folder.start("record", "raw.avro", "unused", &flags, Stdio::null());
    let sweeps = |reads: &[RawRead]| reads.iter().filter(|read| read.question == "wall-clock").count() / 2;
    wait_until("three sweeps", async || raw_reads(&raw).is_some_and(|reads| sweeps(&reads) >= 3)).await;
    send(&child, Signal::KILL);
    child.0.wait().unwrap();
    // The kill may come between two sweeps. This cut is within one.
    let reads = raw_reads(&raw).unwrap();
    let within = reads.iter().rposition(|read| read.name.ends_with("/statm")).unwrap();
    write_reads(&folder.path("cut.avro"), &reads[..within]);
    let stderr = folder.run("replay", "cut.avro", "b", &["--speed", "max"]);
    let warning = "`FOLDER/cut.avro` ends within a sweep, which is skipped: the recording process was killed\n";
    assert!(stderr.ends_with(warning), "{stderr}");
    assert!(snapshots(&folder.path("b")).await.len() >= 2);
    let cut = folder.path("cut.avro");
    let stderr = folder.run("record", "again.avro", "unused", &["--from", cut.to_str().unwrap()]);
    assert!(stderr.starts_with(warning), "{stderr}");
    assert_eq!(read(&folder.path("again.avro")).len(), snapshots(&folder.path("b")).await.len());
}

#[tokio::test]
async fn a_recording_ends_although_a_sweep_is_blocked() {
    let folder = Folder::new();
    let proc = folder.path("proc");
    std::fs::create_dir_all(proc.join("17")).unwrap();
    std::fs::write(proc.join("stat"), "cpu  10 0 5 100 0 0 0 0 0 0\n").unwrap();
    std::os::unix::fs::symlink("99", proc.join("self")).unwrap();
    // A pipe without a writer blocks its reader.
    let pipe = proc.join("17/stat");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let settings = folder.path("settings.toml");
    std::fs::write(&settings, format!("[sweep]\nproc = '{}'\n", proc.display())).unwrap();
    let flags = ["--proc", "--config", settings.to_str().unwrap()];
    let stderr = folder.path("stderr");
    let mut child = folder.start("record", "raw.avro", "unused", &flags, File::create(&stderr).unwrap());
    let raw = folder.path("raw.avro");
    wait_until("the file", async || raw_reads(&raw).is_some_and(|reads| !reads.is_empty())).await;
    let (code, took) = child.terminate();
    let stderr = std::fs::read_to_string(stderr).unwrap();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("error: a sweep does not end: `"), "{stderr}");
    assert!(took.as_secs() < 60, "{took:?}");
}

#[tokio::test]
async fn a_recording_that_differs_from_this_version_is_replayed_to_the_difference() {
    let folder = Folder::new();
    record(&folder, &[]);
    let mut reads = raw_reads(&folder.path("raw.avro")).unwrap();
    let second = reads.iter().enumerate().filter(|(_, read)| read.name == "/proc/uptime").nth(1).unwrap().0;
    reads[second].name = "/proc/downtime".to_owned();
    write_reads(&folder.path("other.avro"), &reads);
    let version = env!("CARGO_PKG_VERSION");
    let (code, stderr) = folder.try_run("replay", "other.avro", "b", &["--speed", "max"]);
    assert_eq!(code, Some(1), "{stderr}");
    let error = stderr.lines().skip_while(|line| !line.starts_with("error:")).collect::<Vec<_>>().join("\n");
    assert_eq!(
        error,
        format!(
            "error: published only the 1 complete snapshots of `FOLDER/other.avro`: the recording of raw reads, made by version {version}, does not fit version {version}: expected the answer to `read /proc/uptime`, found the answer to `read /proc/downtime`\n\
             hint: play it with the version of Local Detective that recorded it"
        )
    );
    assert_eq!(snapshots(&folder.path("b")).await.len(), 1);
    write_reads(&folder.path("headless.avro"), &reads[1..]);
    let (code, stderr) = folder.try_run("replay", "headless.avro", "c", &[]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("expected the answer to `producer`, found the answer to `open /proc`\nhint: play it with"),
        "{stderr}"
    );
    assert!(!folder.path("c").exists());
}

#[test]
fn invalid_files_and_flags() {
    let folder = Folder::new();
    write_reads(&folder.path("empty.avro"), &[]);
    folder.check_failure(
        "replay",
        "empty.avro",
        "b",
        &[],
        expect![[r#"
            error: cannot read `FOLDER/empty.avro`: the recording of raw reads has no further sweep
            hint: make a recording of raw reads with `detective record --proc FILE`
        "#]],
    );
    write(&folder.path("snapshots.avro"), &[&[super::snapshot("db", 0, 0)]]);
    let snapshots = folder.path("snapshots.avro");
    folder.check_failure(
        "record",
        "out.avro",
        "b",
        &["--from", snapshots.to_str().unwrap()],
        expect![[r#"
            error: cannot read `FOLDER/snapshots.avro`: the recording of raw reads cannot be written or read: expected records of the schema `detective.RawRead`, found `detective.GraphSnapshot`
            hint: make a recording of raw reads with `detective record --proc FILE`
        "#]],
    );
    let out = folder.path("out.avro");
    folder.check_failure(
        "record",
        "out.avro",
        "b",
        &["--proc", "--snapshots", out.to_str().unwrap()],
        expect![[r#"
            error: `FOLDER/out.avro` cannot hold both raw reads and snapshots
            hint: name another file with `--snapshots`
        "#]],
    );
    assert!(!out.exists(), "no file is created");
    folder.check_failure(
        "record",
        "out.avro",
        "b",
        &["--proc", "--interval", "1ms"],
        expect![[r#"
            error: 1 problem in the settings:
              sweep.interval (flag): must be at least 50ms, found 1ms
        "#]],
    );
    for flags in [["--proc", "--host=a"], ["--proc", "--since=1m"], ["--from=a", "--proc"], ["--from=a", "--follow"]] {
        let (code, stderr) = folder.try_run("record", "out.avro", "b", &flags);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("cannot be used with"), "{stderr}");
    }
    let (code, stderr) = folder.try_run("record", "out.avro", "b", &["--interval", "1s"]);
    assert_eq!((code, stderr.contains("--proc")), (Some(2), true), "{stderr}");
}

#[test]
fn the_input_is_not_overwritten() {
    let folder = Folder::new();
    record(&folder, &[]);
    let raw = folder.path("raw.avro");
    folder.check_failure(
        "record",
        "raw.avro",
        "b",
        &["--force", "--from", raw.to_str().unwrap()],
        expect![[r#"
            error: `FOLDER/raw.avro` is the file to read from
            hint: name another file
        "#]],
    );
    assert!(raw_reads(&raw).unwrap().len() > 100);
}
