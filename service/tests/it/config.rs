//! Loading settings, and the messages when that fails.

use std::{error::Error, fs, path::PathBuf, time::Duration};

use expect_test::{Expect, expect};
use proptest::prelude::*;
use service::{ConfigError, Sources, load};
use tempfile::TempDir;

use crate::{Depth, Example, Page};

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load_all(toml: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Example, ConfigError> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("detective.toml");
    fs::write(&path, toml).unwrap();
    load(Sources { file: Some(path), environment: pairs(environment), flags: pairs(flags), ..Sources::default() })
}

/// Compares the error message, without the directory of the file.
#[track_caller]
fn check(toml: &str, environment: &[(&str, &str)], flags: &[(&str, &str)], expected: Expect) {
    let error = load_all(toml, environment, flags).unwrap_err().to_string();
    let words: Vec<String> = error
        .split(' ')
        .map(|word| if word.contains("/detective.toml") { "(detective.toml):".to_owned() } else { word.to_owned() })
        .collect();
    expected.assert_eq(&words.join(" "));
}

#[test]
fn without_sources_the_defaults_are_loaded() {
    assert_eq!(load::<Example>(Sources::default()).unwrap(), Example::default());
    assert_eq!(load_all("", &[("PATH", "/bin"), ("DETECTIVE_LOG", "info")], &[]).unwrap(), Example::default());
}

#[test]
fn later_sources_override_earlier_ones() {
    let file = "host = 'file'\n[sweep]\ninterval = '5s'\nworkers = 3\nshare = 1";
    let environment = [("DETECTIVE__SWEEP__WORKERS", "4"), ("DETECTIVE__HOST", "environment")];
    let example = load_all(file, &environment, &[("host", "flag")]).unwrap();
    assert_eq!(example.sweep.interval, Duration::from_secs(5));
    assert_eq!((example.sweep.workers, example.sweep.share), (4, 1.0));
    assert_eq!(example.host.as_deref(), Some("flag"));
}

#[test]
fn text_is_parsed_as_the_type_of_its_key() {
    let environment = [
        ("DETECTIVE__SWEEP__ENABLED", "false"),
        ("DETECTIVE__SWEEP__SHARE", "0.25"),
        ("DETECTIVE__SWEEP__DEPTH", "deep"),
        ("DETECTIVE__SWEEP__IGNORE", "kworker, 17"),
        ("DETECTIVE__SWEEP__PORTS", "80,443"),
        ("DETECTIVE__HOST", "17"),
        ("DETECTIVE__PAGE__PORT", "7117"),
        ("DETECTIVE__LABELS__ROOM", "true"),
    ];
    let example = load_all("", &environment, &[("sweep.deadline", "100ms")]).unwrap();
    assert!(!example.sweep.enabled);
    assert_eq!((example.sweep.share, example.sweep.depth), (0.25, Depth::Deep));
    assert_eq!((example.sweep.ignore, example.sweep.ports), (vec!["kworker".into(), "17".into()], vec![80, 443]));
    assert_eq!((example.host.as_deref(), example.page), (Some("17"), Some(Page { port: 7117 })));
    assert_eq!(example.sweep.deadline, Duration::from_millis(100));
    let labels: Vec<_> = example.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(labels, [("room", "true"), ("tier", "test")]);
    let listed = load_all("", &[("DETECTIVE__SWEEP__IGNORE", "['a,b', 'c']")], &[]).unwrap();
    assert_eq!(listed.sweep.ignore, ["a,b", "c"]);
}

#[test]
fn a_given_table_replaces_the_default_table() {
    let example = load_all("[labels]\n'a.b' = 'c'", &[], &[]).unwrap();
    assert_eq!(example.labels.into_iter().collect::<Vec<_>>(), [("a.b".to_owned(), "c".to_owned())]);
}

#[test]
fn all_problems_are_reported_at_once() {
    check(
        "hots = 'a'\n[sweep]\nintervall = '1s'\ndeadline = '3s'\nworkers = 70000\ndepth = 'abyss'\n[swep]\nworkers = 1\n[unrelated]\na = 1",
        &[("DETECTIVE__SWEEP__ENABLED", "perhaps"), ("DETECTIVE__INTERVAL", "1s")],
        &[("sweep.share", "half"), ("sweep.ports", "80,http")],
        expect![[r#"
            11 problems in the settings:
              hots (detective.toml): unknown key; did you mean `host`?
              sweep.intervall (detective.toml): unknown key; did you mean `sweep.interval`?
              swep (detective.toml): unknown key; did you mean `sweep`?
              unrelated (detective.toml): unknown key
              interval (`DETECTIVE__INTERVAL`): unknown key; did you mean `sweep.interval`?
              sweep.depth (detective.toml): expected `shallow` or `deep`, found `abyss`
              sweep.workers (detective.toml): expected a whole number from 0 to 65535, found `70000`
              sweep.enabled (`DETECTIVE__SWEEP__ENABLED`): expected `true` or `false`, found `perhaps`
              sweep.share (flag): expected a number, found `half`
              sweep.ports (flag): expected a whole number from 0 to 65535, found `http`
              sweep.deadline (detective.toml): must be less than `sweep.interval`, which is 1s"#]],
    );
}

#[test]
fn a_single_problem_is_counted_in_the_singular() {
    check(
        "",
        &[],
        &[("sweep.workers", "0")],
        expect![[r#"
        1 problem in the settings:
          sweep.workers (flag): must be at least 1, found 0"#]],
    );
    check(
        "",
        &[("DETECTIVE__SWEEP__INTERVAL", "500ms")],
        &[],
        expect![[r#"
        1 problem in the settings:
          sweep.deadline (default): must be less than `sweep.interval`, which is 500ms"#]],
    );
}

#[test]
fn foreign_keys_are_not_checked_and_unknown_keys_are_rejected() {
    let environment = [("DETECTIVE__NEIGHBOUR__NAME", "x"), ("DETECTIVE__NEIGHBOUR", "y"), ("DETECTIVE__HOST", "a")];
    let example = load_all("[neighbour]\nanything = 1\n[neighbour.table]\nx = []", &environment, &[]).unwrap();
    assert_eq!(example.host.as_deref(), Some("a"));
    check(
        "[neighbuor]\nname = 'x'",
        &[("DETECTIVE__NEIGHBOURS__NAME", "x")],
        &[],
        expect![[r#"
            2 problems in the settings:
              neighbuor (detective.toml): unknown key; did you mean `neighbour`?
              neighbours.name (`DETECTIVE__NEIGHBOURS__NAME`): unknown key"#]],
    );
}

#[test]
fn a_fallback_replaces_the_default_but_not_a_given_value() {
    let host = |toml: &str| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("detective.toml");
        fs::write(&path, toml).unwrap();
        let sources = Sources { file: Some(path), ..Sources::default() };
        load::<Example>(sources.with_fallback("host", "this-machine")).unwrap().host
    };
    assert_eq!((host("").as_deref(), host("host = 'a'").as_deref()), (Some("this-machine"), Some("a")));
}

#[test]
fn a_section_given_as_a_value_and_a_value_given_as_a_section_are_rejected() {
    check(
        "sweep = 3\nhost.name = 'a'\npage = []",
        &[("DETECTIVE__SWEEP", "fast"), ("DETECTIVE__HOST__NAME", "a")],
        &[("page", "")],
        expect![[r#"
            6 problems in the settings:
              page (detective.toml): expected a section with `port`, found a list
              sweep (detective.toml): expected a section with `deadline`, `depth`, `enabled`, `ignore`, `interval`, `ports`, `share`, `workers`, found `3`
              host.name (`DETECTIVE__HOST__NAME`): unknown key
              sweep (`DETECTIVE__SWEEP`): expected a section with `deadline`, `depth`, `enabled`, `ignore`, `interval`, `ports`, `share`, `workers`, found `fast`
              page (flag): expected a section with `port`, found an empty text
              host (detective.toml): expected text, found a table"#]],
    );
}

#[test]
fn the_default_of_an_invalid_value_is_not_checked() {
    check(
        "[sweep]\ninterval = '500ms'\ndeadline = 'never'",
        &[],
        &[],
        expect![[r#"
        1 problem in the settings:
          sweep.deadline (detective.toml): expected a duration, found `never`"#]],
    );
}

#[test]
fn a_toml_syntax_error_shows_its_position() {
    let error = load_all("[sweep]\ninterval = = 3", &[], &[]).unwrap_err();
    assert!(matches!(error, ConfigError::Syntax { .. }), "{error}");
    expect![[r#"
        TOML parse error at line 2, column 12
          |
        2 | interval = = 3
          |            ^
        extra `=`, expected nothing
    "#]]
    .assert_eq(&error.source().unwrap().to_string());
}

#[test]
fn a_missing_file_is_named() {
    let sources = Sources { file: Some(PathBuf::from("/nowhere/detective.toml")), ..Sources::default() };
    let error = load::<Example>(sources).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `/nowhere/detective.toml`");
    assert!(error.source().is_some());
}

proptest! {
    #[test]
    fn any_text_gives_settings_or_an_error(toml: String, key: String, value: String) {
        let environment = [(format!("DETECTIVE__{key}"), value.clone())];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match load_all(&toml, &environment, &[(&key, &value)]) {
            Ok(example) => prop_assert!(example.sweep.workers > 0),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn any_value_of_a_known_key_is_accepted_or_its_error_names_the_key(value: String) {
        for key in ["host", "sweep", "sweep.workers", "sweep.ports", "sweep.interval", "page.port", "labels", "labels.x"] {
            if let Err(error) = load_all("", &[], &[(key, &value)]) {
                prop_assert!(error.to_string().contains(key));
            }
        }
    }
}
