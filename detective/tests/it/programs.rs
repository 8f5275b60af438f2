//! The programs producer, trainer and scorer, which share one file of settings.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use detective::config::Config;
use schemas::EventKind;
use serde_json::Value;
use service::{ConfigError, Settings, Sources};

use crate::{
    processes::{Events, ScopedChild, detective, free_address, lock_host, wait_for},
    up::{has_root_cause, lock_holder, lock_waiter},
};

const PROGRAMS: [&str; 3] = ["detective-producer", "detective-trainer", "detective-scorer"];

/// The command of another program of the workspace.
pub fn program(name: &str, args: &[&str]) -> Command {
    let path = Path::new(env!("CARGO_BIN_EXE_detective")).with_file_name(name);
    assert!(path.exists(), "`{}` is missing: `cargo test --workspace` builds it", path.display());
    let mut command = Command::new(path);
    command.args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn output(name: &str, args: &[&str]) -> Output {
    program(name, args).output().unwrap()
}

pub fn write_settings(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("detective.toml");
    File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    path
}

/// A file of settings with all top-level keys and empty sections.
fn all_keys() -> String {
    let Value::Object(defaults) = serde_json::to_value(Config::default()).unwrap() else { panic!("a table") };
    let (sections, keys): (Vec<_>, Vec<_>) = defaults.into_iter().partition(|(_, value)| value.is_object());
    let keys = keys.into_iter().map(|(key, _)| format!("{key} = 'x'\n"));
    keys.chain(sections.into_iter().map(|(section, _)| format!("[{section}]\n"))).collect()
}

fn load<S: Settings>(toml: &str) -> Result<S, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    service::load(Sources { file: Some(write_settings(folder.path(), toml)), ..Sources::default() })
}

#[test]
fn all_programs_read_the_same_file() {
    let file = all_keys();
    assert!(file.contains("host = ") && file.contains("[training]"), "{file}");
    load::<Config>(&file).unwrap();
    load::<producer::settings::Config>(&file).unwrap();
    load::<trainer::settings::Config>(&file).unwrap();
    load::<scorer::settings::Config>(&file).unwrap();
}

#[test]
fn an_invalid_setting_is_an_error_of_the_programs_that_use_its_section() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_settings(
        folder.path(),
        "hots = 'a'\n[bus]\npaht = 'x'\n[sweep]\ninterval = '1ms'\n[training]\nepochs = 0\n[alarm]\nquiet_sweeps = 0",
    );
    let file = file.to_str().unwrap();
    for (name, own, foreign) in [
        ("detective-producer", "sweep.interval", ["training.epochs", "alarm.quiet_sweeps"]),
        ("detective-trainer", "training.epochs", ["sweep.interval", "alarm.quiet_sweeps"]),
        ("detective-scorer", "alarm.quiet_sweeps", ["sweep.interval", "training.epochs"]),
    ] {
        let output = output(name, &["--config", file]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.starts_with("error: 3 problems in the settings:"), "{name}: {stderr}");
        for wanted in [own, "hots", "did you mean `host`?", "bus.paht", "did you mean `bus.path`?"] {
            assert!(stderr.contains(wanted), "{name}: expected `{wanted}` in:\n{stderr}");
        }
        assert!(!foreign.iter().any(|key| stderr.contains(key)), "{name}: {stderr}");
    }
}

#[test]
fn each_program_has_help_and_a_version() {
    for name in PROGRAMS {
        let help = String::from_utf8(output(name, &["--help"]).stdout).unwrap();
        for wanted in ["Examples:", "--config <FILE>", "--data <DIR>", "--verbose"] {
            assert!(help.contains(wanted), "{name}: expected `{wanted}` in:\n{help}");
        }
        let version = String::from_utf8(output(name, &["--version"]).stdout).unwrap();
        assert_eq!(version, format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn a_data_directory_below_a_file_is_an_error_of_each_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = write_settings(folder.path(), "[api]\nlisten = '127.0.0.1:0'");
    for name in PROGRAMS {
        let data = file.join("data");
        let output = output(name, &["--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.contains(data.to_str().unwrap()) && stderr.contains("hint:"), "{name}: {stderr}");
    }
}

#[test]
fn up_uses_the_embedded_bus_if_the_settings_name_kafka() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let settings = format!("[bus]\nkind = 'kafka'\nkafka.brokers = '127.0.0.1:1'\n[api]\nlisten = '{address}'");
    let file = write_settings(folder.path(), &settings);
    let data = folder.path().join("data");
    let args = ["up", "--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let mut up = ScopedChild(detective(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let is_learning = |status, body: &str| status == 503 && body.contains("\"state\":\"learning\"");
    wait_for(address, "/readyz", is_learning);
    assert!(data.join("bus.sqlite").exists());
    assert_eq!(up.terminate().0, Some(0));
    let stderr = std::io::read_to_string(up.0.stderr.take().unwrap()).unwrap();
    assert_eq!(stderr.matches("`up` uses the embedded bus").count(), 1, "{stderr}");
}

#[test]
fn three_programs_on_one_data_directory_find_the_holder_of_a_lock_and_end_on_sigterm() {
    let _host = lock_host();
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let settings = format!(
        "[bus]\npath = '{}/data'\n[sweep]\ninterval = '100ms'\n[learn]\nsnapshots = 20\n[training]\nepochs = 5\n[api]\nlisten = '{address}'",
        folder.path().display()
    );
    let file = write_settings(folder.path(), &settings);
    let start = |name, more: &[&str]| {
        let mut command = program(name, &["--config", file.to_str().unwrap()]);
        command.args(more).stdout(Stdio::piped()).stderr(Stdio::null());
        ScopedChild(command.spawn().unwrap())
    };
    let mut scorer = start("detective-scorer", &["--json"]);
    wait_for(address, "/livez", |status, _| status == 200);
    let others = ["detective-trainer", "detective-producer"].map(|name| start(name, &[]));
    wait_for(address, "/readyz", |status, _| status == 200);

    let locked = folder.path().join("app.log");
    let locked = locked.to_str().unwrap();
    let holder = lock_holder(locked);
    let _waiters = [lock_waiter(locked), lock_waiter(locked)];
    let events = Events::read_from(scorer.0.stdout.take().unwrap());
    events.next(|event| event.event == EventKind::Opened && has_root_cause(event, holder.pid()));

    let [mut trainer, mut first_producer] = others;
    first_producer.terminate();
    wait_for(address, "/readyz", |status, body| status == 503 && body.contains("\"late\":\"receive\""));
    let mut producer = start("detective-producer", &[]);
    wait_for(address, "/readyz", |status, _| status == 200);
    for (name, script) in [("scorer", &mut scorer), ("trainer", &mut trainer), ("producer", &mut producer)] {
        let (code, took) = script.terminate();
        assert_eq!(code, Some(0), "{name}");
        assert!(took < Duration::from_secs(5), "{name} took {took:?} to end");
    }
}
