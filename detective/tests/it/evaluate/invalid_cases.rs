//! Errors of cases that cannot be judged.

use std::path::Path;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{
    evaluate,
    json_lines::shop,
    recordings::{host, seconds},
};

#[track_caller]
fn check(folder: &Path, args: &[&str], expected: Expect) {
    let output = evaluate(folder, args);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "standard output carries results alone");
    let stderr = String::from_utf8(output.stderr).unwrap().replace(folder.to_str().unwrap(), "FOLDER");
    let errors = stderr.lines().skip_while(|line| !line.starts_with("error:")).map(|line| format!("{line}\n"));
    expected.assert_eq(&errors.collect::<String>());
}

fn change(folder: &Path, change: impl Fn(&mut Vec<Value>)) {
    let list = folder.join("cases.json");
    let mut cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&list).unwrap()).unwrap();
    change(&mut cases);
    std::fs::write(list, Value::from(cases).to_string()).unwrap();
}

#[test]
fn a_directory_without_cases() {
    check(
        tempfile::tempdir().unwrap().path(),
        &[],
        expect![[r#"
        error: cannot read `FOLDER/cases.json`: No such file or directory (os error 2)
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
}

#[test]
fn a_case_in_neither_format() {
    let folder = shop();
    change(folder.path(), |cases| cases[1] = json!({"case": "b", "system": "shop"}));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: case 2 of `FOLDER/cases.json`: expected `candidates` or `t_end`, found neither
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
    change(folder.path(), |cases| cases[1] = json!({"case": "b", "system": "shop", "candidates": ["a"]}));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: case 2 of `FOLDER/cases.json`: missing field `fault`
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
}

#[test]
fn cases_of_both_formats() {
    let folder = shop();
    let other = host();
    let of_host = std::fs::read_to_string(other.path().join("cases.json")).unwrap();
    let of_host: Vec<Value> = serde_json::from_str(&of_host).unwrap();
    change(folder.path(), |cases| cases.push(of_host[0].clone()));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: expected one form for all cases: those with `candidates`, or those with `t_end`; in `FOLDER/cases.json` the cases `plain` and `01-hog-1` differ
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
}

#[test]
fn a_root_cause_that_is_not_a_candidate() {
    let folder = shop();
    change(folder.path(), |cases| cases[0]["root_cause"] = json!(["elsewhere"]));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: case 1 of `FOLDER/cases.json`: `plain`: expected the root cause among the candidates, found `elsewhere`
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
}

#[test]
fn a_candidate_that_is_in_no_snapshot() {
    let folder = shop();
    change(folder.path(), |cases| cases[0]["candidates"] = json!(["database", "elsewhere"]));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: `plain`: the candidate `elsewhere` is in no snapshot
        hint: a candidate is the id of a node
    "#]],
    );
}

#[test]
fn a_case_that_is_not_listed() {
    check(
        shop().path(),
        &["--only", "plain,plane"],
        expect![[r#"
        error: `FOLDER/cases.json` has no case `plane`
        hint: use names of the list, separated by commas
    "#]],
    );
}

#[test]
fn a_missing_file() {
    let folder = shop();
    std::fs::remove_file(folder.path().join("healthy.jsonl")).unwrap();
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: cannot learn from the healthy stream `healthy`: cannot read `FOLDER/healthy.jsonl`: No such file or directory (os error 2)
        hint: expected `NAME.jsonl.gz` or `NAME.jsonl` beside the list
    "#]],
    );
    let folder = host();
    std::fs::remove_file(folder.path().join("01-hog-1.avro")).unwrap();
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: cannot read `FOLDER/01-hog-1.avro`: No such file or directory (os error 2)
        hint: make a recording with `detective record FILE`
    "#]],
    );
}

#[test]
fn a_malformed_line() {
    let folder = shop();
    let file = folder.path().join("plain.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let with_third = |third: &str| {
        let lines = whole.lines().enumerate().map(|(at, line)| if at == 2 { third } else { line });
        std::fs::write(&file, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    };
    with_third("half a li");
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: `FOLDER/plain.jsonl`, line 3: expected a snapshot: expected value at line 1 column 1
        hint: a line is `{"t": SECONDS, "phase": "healthy" | "faulty", "nodes": [{"id", "type", "features"}], "edges": [[FROM, TO, TYPE]]}`
    "#]],
    );
    with_third(r#"{"t": 1, "phase": "ill", "nodes": [], "edges": []}"#);
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: `FOLDER/plain.jsonl`, line 3: expected a snapshot: unknown variant `ill`, expected `healthy` or `faulty` at line 1 column 23
        hint: a line is `{"t": SECONDS, "phase": "healthy" | "faulty", "nodes": [{"id", "type", "features"}], "edges": [[FROM, TO, TYPE]]}`
    "#]],
    );
}

#[test]
fn a_case_without_faulty_snapshots() {
    let folder = shop();
    std::fs::copy(folder.path().join("healthy.jsonl"), folder.path().join("plain.jsonl")).unwrap();
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: `plain` has no snapshots of the phase `faulty`
        hint: rankers need at least one
    "#]],
    );
}

#[test]
fn a_fault_that_ends_before_it_begins() {
    let folder = host();
    change(folder.path(), |cases| cases[0]["t_end"] = json!(1_600_000_000));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: case 1 of `FOLDER/cases.json`: `01-hog-1`: expected `t_end` not before `t_inject`, found 1600000000 and 1767225710
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
}

#[test]
fn a_recording_that_begins_after_its_fault() {
    let folder = host();
    change(folder.path(), |cases| {
        (cases[0]["t_inject"], cases[0]["t_end"]) = (json!(1_600_000_000), json!(1_600_000_000));
    });
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: `01-hog-1` has no suspects before `t_end`
        hint: a recording begins before its fault and ends after it, and times are seconds since 1970
    "#]],
    );
}

#[test]
fn a_recording_that_ends_before_its_fault() {
    let folder = host();
    change(folder.path(), |cases| cases[0]["t_end"] = json!(seconds(149 + 3600)));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: `01-hog-1` ends 3600 s before `t_end`
        hint: a recording begins before its fault and ends after it, and times are seconds since 1970
    "#]],
    );
}

#[test]
fn duplicates() {
    let folder = shop();
    change(folder.path(), |cases| cases[0]["candidates"] = json!(["database", "cache", "database"]));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: case 1 of `FOLDER/cases.json`: `plain`: expected each candidate once, found `database` again
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
    let folder = shop();
    change(folder.path(), |cases| cases[0]["root_cause"] = json!(["database", "database"]));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: case 1 of `FOLDER/cases.json`: `plain`: expected each root cause once, found `database` again
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
    let folder = shop();
    change(folder.path(), |cases| cases.push(cases[0].clone()));
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: expected one case `plain` in `FOLDER/cases.json`, found more
        hint: see `docs/quality.md` for the two forms of a directory of cases
    "#]],
    );
}

#[test]
fn a_healthy_file_that_is_too_short() {
    let folder = shop();
    let lines = std::fs::read_to_string(folder.path().join("healthy.jsonl")).unwrap();
    let few: String = lines.lines().take(7).map(|line| format!("{line}\n")).collect();
    std::fs::write(folder.path().join("healthy.jsonl"), few).unwrap();
    check(
        folder.path(),
        &[],
        expect![[r#"
        error: cannot learn from the healthy stream `healthy`: cohort `healthy`: expected at least 10 valid healthy snapshots, found 7
        hint: give it more healthy snapshots
    "#]],
    );
}
