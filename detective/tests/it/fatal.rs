//! Errors that end a program: exit code 1, and a hint on standard error.

use std::{fs, path::Path};

use bus::{Bus, BusConfig, EmbeddedBus, Record};
use schemas::{Timestamp, Topic};

use crate::{
    processes::{TIMEOUT, free_address, lock_host, output},
    programs::{program, write_settings},
};

const PAGE_BYTES: usize = 4096;

/// Creates a bus whose file opens, but whose records cannot be read.
async fn create_damaged_bus(data: &Path) {
    let file = data.join("bus.sqlite");
    let config = BusConfig { path: data.to_owned(), ..BusConfig::default() };
    let bus = EmbeddedBus::open(&config).await.unwrap();
    let records = (0..400).map(|n| Record::new(Topic::Healthy, "host", vec![7; 3 * PAGE_BYTES], Timestamp(n)));
    bus.publish(records.collect(), None).await.unwrap();
    drop(bus);
    // The last connection moves the write-ahead log into the file when it closes, unless another
    // one closes at the same moment: then the next user of the file does it.
    let closed = async {
        while !is_closed_soon(&file).await {
            drop(EmbeddedBus::open(&config).await.unwrap());
        }
    };
    tokio::time::timeout(TIMEOUT, closed).await.expect("the file is closed");
    let mut bytes = fs::read(&file).unwrap();
    bytes[20 * PAGE_BYTES..].fill(0xa5);
    fs::write(&file, bytes).unwrap();
}

/// Waits a little until the write-ahead log is gone.
async fn is_closed_soon(file: &Path) -> bool {
    for _ in 0..50 {
        if !file.with_extension("sqlite-wal").exists() {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    false
}

fn check_ends_with_hint(name: &str, output: &std::process::Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
    assert!(stderr.contains("is corrupt"), "{name}: {stderr}");
    assert!(stderr.contains("hint: move the file away"), "{name}: {stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_ends_up_with_an_error_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    create_damaged_bus(&data).await;
    let _host = lock_host();
    let listen = free_address().to_string();
    // Which program reads a damaged page first differs from run to run.
    for _ in 0..3 {
        let args = ["up", "--json", "--data", data.to_str().unwrap(), "--listen", &listen];
        check_ends_with_hint("up", &output(&args));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_ends_the_programs_with_an_error_and_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    create_damaged_bus(&data).await;
    let file = write_settings(folder.path(), &format!("[api]\nlisten = '{}'", free_address()));
    for name in ["detective-trainer", "detective-scorer"] {
        let args = ["--config", file.to_str().unwrap(), "--data", data.to_str().unwrap()];
        check_ends_with_hint(name, &program(name, &args).output().unwrap());
    }
}
