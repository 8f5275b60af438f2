//! What sweeps of this host read, recorded and replayed through the command line.

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

use super::{Folder, as_replayed, read, send, snapshots, until, write};
use crate::running::Script;

/// Records sweeps of this host for a moment, and returns what was said.
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

fn encoded(snapshots: &[GraphSnapshot]) -> Vec<Vec<u8>> {
    snapshots.iter().map(|snapshot| schemas::encode(snapshot).unwrap()).collect()
}

#[tokio::test]
async fn what_sweeps_read_gives_their_snapshots_again_to_the_byte() {
    let folder = Folder::new();
    let made = folder.path("made.avro");
    let _busy = Script::shell("while :; do sh -c 'sleep .02 | flock /tmp cat'; done");
    let said = record(&folder, &["--snapshots", made.to_str().unwrap()]);
    assert!(said.contains("recorded ") && said.contains(" in `FOLDER/raw.avro`, "), "{said}");
    assert!(said.contains(", and their snapshots in `FOLDER/made.avro`, "), "{said}");
    assert!(!folder.path("unused").exists(), "no bus is needed");
    let made = read(&made);
    assert!((5..=11).contains(&made.len()), "{}", made.len());
    assert_eq!(made[0].interval_ms, 100);

    let raw = folder.path("raw.avro");
    let said = folder.run("record", "again.avro", "unused", &["--from", raw.to_str().unwrap()]);
    assert!(said.starts_with(&format!("recorded {} snapshots of `FOLDER/raw.avro` in ", made.len())), "{said}");
    assert!(encoded(&read(&folder.path("again.avro"))) == encoded(&made), "the same to the byte");

    let said = folder.run("replay", "raw.avro", "b", &["--speed", "max"]);
    assert!(said.starts_with(&format!("replaying {} snapshots of 1 host over ", made.len())), "{said}");
    assert!(said.contains(&format!("\npublished {0} of {0} snapshots in ", made.len())), "{said}");
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
fn only_its_owner_reads_what_was_recorded() {
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
async fn a_recording_that_is_ended_by_force_is_replayed_as_far_as_it_goes() {
    let folder = Folder::new();
    let raw = folder.path("raw.avro");
    let flags = ["--proc", "--follow", "--interval", "50ms"];
    let mut child = folder.start("record", "raw.avro", "unused", &flags, Stdio::null());
    let sweeps = |reads: &[RawRead]| reads.iter().filter(|read| read.question == "wall-clock").count() / 2;
    until("three sweeps", async || raw_reads(&raw).is_some_and(|reads| sweeps(&reads) >= 3)).await;
    send(&child, Signal::KILL);
    child.0.wait().unwrap();
    // Whether it was killed within a sweep is chance; this one was.
    let reads = raw_reads(&raw).unwrap();
    let within = reads.iter().rposition(|read| read.name.ends_with("/statm")).unwrap();
    write_reads(&folder.path("cut.avro"), &reads[..within]);
    let said = folder.run("replay", "cut.avro", "b", &["--speed", "max"]);
    let note = "`FOLDER/cut.avro` ends within a sweep, which is left out: the recording was ended by force\n";
    assert!(said.ends_with(note), "{said}");
    assert!(snapshots(&folder.path("b")).await.len() >= 2);
    let cut = folder.path("cut.avro");
    let said = folder.run("record", "again.avro", "unused", &["--from", cut.to_str().unwrap()]);
    assert!(said.starts_with(note), "{said}");
    assert_eq!(read(&folder.path("again.avro")).len(), snapshots(&folder.path("b")).await.len());
}

#[tokio::test]
async fn a_sweep_that_hangs_does_not_keep_a_recording_from_its_end() {
    let folder = Folder::new();
    let proc = folder.path("proc");
    std::fs::create_dir_all(proc.join("17")).unwrap();
    std::fs::write(proc.join("stat"), "cpu  10 0 5 100 0 0 0 0 0 0\n").unwrap();
    std::os::unix::fs::symlink("99", proc.join("self")).unwrap();
    // Nobody writes into it.
    let pipe = proc.join("17/stat");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let settings = folder.path("settings.toml");
    std::fs::write(&settings, format!("[sweep]\nproc = '{}'\n", proc.display())).unwrap();
    let flags = ["--proc", "--config", settings.to_str().unwrap()];
    let said = folder.path("said");
    let mut child = folder.start("record", "raw.avro", "unused", &flags, File::create(&said).unwrap());
    let raw = folder.path("raw.avro");
    until("the file", async || raw_reads(&raw).is_some_and(|reads| !reads.is_empty())).await;
    let (code, took) = child.terminate();
    let said = std::fs::read_to_string(said).unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("error: a sweep hangs: `"), "{said}");
    assert!(took.as_secs() < 60, "{took:?}");
}

#[tokio::test]
async fn a_recording_that_does_not_fit_is_replayed_up_to_there_and_told() {
    let folder = Folder::new();
    record(&folder, &[]);
    let mut reads = raw_reads(&folder.path("raw.avro")).unwrap();
    let second = reads.iter().enumerate().filter(|(_, read)| read.name == "/proc/uptime").nth(1).unwrap().0;
    reads[second].name = "/proc/downtime".to_owned();
    write_reads(&folder.path("other.avro"), &reads);
    let version = env!("CARGO_PKG_VERSION");
    let (code, said) = folder.try_run("replay", "other.avro", "b", &["--speed", "max"]);
    assert_eq!(code, Some(1), "{said}");
    let error = said.lines().skip_while(|line| !line.starts_with("error:")).collect::<Vec<_>>().join("\n");
    assert_eq!(
        error,
        format!(
            "error: all 1 whole snapshots of `FOLDER/other.avro` are published: the recording of raw reads, made by version {version}, does not fit version {version}: expected the answer to `read /proc/uptime`, found the answer to `read /proc/downtime`\n\
             hint: play it with the version of Local Detective that recorded it"
        )
    );
    assert_eq!(snapshots(&folder.path("b")).await.len(), 1);
    write_reads(&folder.path("headless.avro"), &reads[1..]);
    let (code, said) = folder.try_run("replay", "headless.avro", "c", &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("expected the answer to `producer`, found the answer to `open /proc`\nhint: play it with"),
        "{said}"
    );
    assert!(!folder.path("c").exists());
}

#[test]
fn a_mistake_with_raw_reads_is_told() {
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
            error: `FOLDER/out.avro` cannot hold both what is read and the snapshots
            hint: name another file with `--snapshots`
        "#]],
    );
    assert!(!out.exists(), "nothing is made for a mistake");
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
        let (code, said) = folder.try_run("record", "out.avro", "b", &flags);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("cannot be used with"), "{said}");
    }
    let (code, said) = folder.try_run("record", "out.avro", "b", &["--interval", "1s"]);
    assert_eq!((code, said.contains("--proc")), (Some(2), true), "{said}");
}

#[test]
fn what_is_to_be_read_is_not_overwritten() {
    let folder = Folder::new();
    record(&folder, &[]);
    let raw = folder.path("raw.avro");
    folder.check_failure(
        "record",
        "raw.avro",
        "b",
        &["--force", "--from", raw.to_str().unwrap()],
        expect![[r#"
            error: `FOLDER/raw.avro` is what is to be read
            hint: name another file
        "#]],
    );
    assert!(raw_reads(&raw).unwrap().len() > 100);
}
