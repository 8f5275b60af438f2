//! Errors of recordings.

use std::fs::File;

use expect_test::expect;
use schemas::{HealthySnapshot, container::Writer};

use super::{Folder, publish, read, snapshot, write};
use crate::processes::output;

#[test]
fn a_file_that_is_not_a_recording() {
    let folder = Folder::new();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.path(name), bytes).unwrap();
    folder.check_failure(
        "replay",
        "none.avro",
        "b",
        &[],
        expect![[r#"
            error: cannot read `FOLDER/none.avro`: No such file or directory (os error 2)
            hint: make a recording with `detective record FILE`
        "#]],
    );
    put("text.avro", b"hello");
    folder.check_failure(
        "replay",
        "text.avro",
        "b",
        &[],
        expect![[r#"
            error: cannot read `FOLDER/text.avro`: expected an Avro object container file (`4f 62 6a 01`), found `68 65 6c 6c`
            hint: make a recording with `detective record FILE`
        "#]],
    );
    put("nothing.avro", b"");
    folder.check_failure(
        "replay",
        "nothing.avro",
        "b",
        &[],
        expect![[r#"
            error: cannot read `FOLDER/nothing.avro`: expected an Avro object container file (`4f 62 6a 01`), found nothing
            hint: make a recording with `detective record FILE`
        "#]],
    );
    write(&folder.path("empty.avro"), &[]);
    folder.check_failure(
        "replay",
        "empty.avro",
        "b",
        &[],
        expect![[r#"
            error: `FOLDER/empty.avro` holds no snapshots
            hint: make another recording with `detective record FILE`
        "#]],
    );
    let header = std::fs::read(folder.path("empty.avro")).unwrap();
    put("first.avro", &[&header[..], &[2, 80]].concat());
    let (code, stderr) = folder.try_run("replay", "first.avro", "b", &[]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.starts_with("error: `FOLDER/first.avro` holds no complete snapshot: the file is cut off within"),
        "{stderr}"
    );
    Writer::<HealthySnapshot, _>::create(File::create(folder.path("healthy.avro")).unwrap()).unwrap();
    folder.check_failure(
        "replay",
        "healthy.avro",
        "b",
        &[],
        expect![[r#"
            error: cannot read `FOLDER/healthy.avro`: expected records of the schema `detective.GraphSnapshot`, found `detective.HealthySnapshot`
            hint: make a recording with `detective record FILE`
        "#]],
    );
    folder.check_failure(
        "replay",
        "",
        "b",
        &[],
        expect![[r#"
            error: expected a regular file, found something else at `FOLDER/`
            hint: save its content to a file and name that file
        "#]],
    );
    assert!(!folder.path("b").exists(), "no bus is created");
}

#[test]
fn invalid_flags() {
    let folder = Folder::new();
    let check = |flags: [&str; 2], expected: &str| {
        let (code, stderr) = folder.try_run("replay", "r.avro", "b", &flags);
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
    };
    let speed = "expected a number from 0.001 to 1000000, or `max`: 2 is twice as fast as recorded";
    check(["--speed", "-1"], &format!("error: invalid value '-1' for '--speed <X>': {speed}"));
    check(["--speed", "fast"], &format!("error: invalid value 'fast' for '--speed <X>': {speed}"));
    let hosts = "expected the number of copies of each host, 1 or more";
    check(["--hosts", "0"], &format!("error: invalid value '0' for '--hosts <N>': {hosts}"));
    check(["--hosts", "-3"], &format!("error: invalid value '-3' for '--hosts <N>': {hosts}"));
}

#[tokio::test]
async fn an_existing_file_is_overwritten_only_with_force() {
    let folder = Folder::new();
    publish(&folder.path("a"), &[snapshot("db", 0, 0)]).await;
    std::fs::write(folder.path("r.avro"), vec![b'x'; 100_000]).unwrap();
    folder.check_failure(
        "record",
        "r.avro",
        "a",
        &[],
        expect![[r#"
            error: `FOLDER/r.avro` already exists
            hint: name another file, or overwrite it with `--force`
        "#]],
    );
    folder.check_failure(
        "record",
        "r.avro",
        "nowhere",
        &["--force"],
        expect![[r#"
            error: no detective data in `FOLDER/nowhere`
            hint: start one with `detective up`, or name its directory with `--data DIR`
        "#]],
    );
    assert_eq!(std::fs::metadata(folder.path("r.avro")).unwrap().len(), 100_000, "the file is unchanged");
    folder.check_failure(
        "record",
        "none/r.avro",
        "a",
        &[],
        expect![[r#"
            error: cannot write `FOLDER/none/r.avro`: No such file or directory (os error 2)
            hint: name a file in a directory that this user may write
        "#]],
    );
    folder.check_failure(
        "record",
        "a",
        "a",
        &["--force"],
        expect![[r#"
            error: expected a regular file, found something else at `FOLDER/a`
            hint: name another file
        "#]],
    );
    folder.run("record", "r.avro", "a", &["--force"]);
    assert_eq!(read(&folder.path("r.avro")), [snapshot("db", 0, 0)]);
}

#[test]
fn help_has_examples() {
    for command in ["record", "replay"] {
        let output = output(&[command, "--help"]);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && stdout.contains("Examples:"), "{stdout}");
    }
}
