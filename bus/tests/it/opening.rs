//! Errors when the data directory or the file is unusable.

use std::{
    error::Error,
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::Path,
    process::Command,
    time::Duration,
};

use bus::{Bus, BusConfig, BusError, EmbeddedBus, Record, for_each};
use rusqlite::Connection;
use schemas::{Timestamp, Topic};

use crate::Directory;

async fn fails_to_open(config: &BusConfig) -> BusError {
    let error = EmbeddedBus::open(config).await.err().expect("the bus opened");
    assert!(error.hint().is_some(), "`{error}` has no hint");
    error
}

fn file(config: &BusConfig) -> std::path::PathBuf {
    config.path.join("bus.sqlite")
}

#[tokio::test]
async fn a_data_directory_below_a_file_is_an_error() {
    let directory = Directory::new();
    let obstacle = directory.0.path().join("file");
    fs::write(&obstacle, "").unwrap();
    let config = BusConfig { path: obstacle.join("data"), ..BusConfig::default() };
    let error = fails_to_open(&config).await;
    assert!(matches!(&error, BusError::DataDirectory { path, .. } if *path == config.path), "{error}");
    assert!(error.source().is_some());
}

#[tokio::test]
async fn a_directory_with_the_name_of_the_file_is_not_writable() {
    let config = Directory::new().config();
    fs::create_dir_all(file(&config)).unwrap();
    let error = fails_to_open(&config).await;
    assert!(matches!(error, BusError::NotWritable { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_not_a_database_is_not_changed() {
    let directory = Directory::new();
    let config = directory.config();
    let text = "Shopping lists of the last four years, which must not be lost.\n".repeat(20);
    fs::create_dir_all(&config.path).unwrap();
    fs::write(file(&config), &text).unwrap();
    let error = fails_to_open(&config).await;
    assert!(matches!(error, BusError::NotADatabase { .. }), "{error}");
    assert_eq!(fs::read_to_string(file(&config)).unwrap(), text);
}

#[tokio::test]
async fn the_database_of_another_program_is_not_changed() {
    let directory = Directory::new();
    let config = directory.config();
    fs::create_dir_all(&config.path).unwrap();
    let other = Connection::open(file(&config)).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    let error = fails_to_open(&config).await;
    assert!(matches!(error, BusError::ForeignDatabase { found: 0, .. }), "{error}");
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_file_of_a_later_release_is_rejected() {
    let directory = Directory::new();
    let config = directory.config();
    drop(EmbeddedBus::open(&config).await.unwrap());
    Connection::open(file(&config)).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = fails_to_open(&config).await;
    assert!(matches!(error, BusError::SchemaVersion { expected: 1, found: 99, .. }), "{error}");
}

#[tokio::test]
async fn a_corrupt_file_is_an_error_and_not_a_panic() {
    let directory = Directory::new();
    let config = directory.config();
    let bus = EmbeddedBus::open(&config).await.unwrap();
    let records = (0..200).map(|n| Record::new(Topic::Alerts, "incident", vec![7; 2000], Timestamp(n))).collect();
    bus.publish(records, None).await.unwrap();
    drop(bus);
    let copy = directory.0.path().join("copy");
    fs::create_dir(&copy).unwrap();
    // Copy everything, the write-ahead log included, into one file.
    let original = Connection::open(file(&config)).unwrap();
    original.execute("VACUUM INTO ?1", [copy.join("bus.sqlite").to_str().unwrap()]).unwrap();
    let mut bytes = fs::read(copy.join("bus.sqlite")).unwrap();
    // Keep the header and the first page, so that the file opens.
    bytes[4096..].fill(0xa5);
    fs::write(copy.join("bus.sqlite"), bytes).unwrap();
    let config = BusConfig { path: copy, ..BusConfig::default() };
    let error = match EmbeddedBus::open(&config).await {
        Ok(bus) => for_each(&bus, Topic::Alerts, |_| ()).await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, BusError::Corrupt { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[tokio::test]
async fn waiting_for_the_lock_of_another_process_times_out() {
    let directory = Directory::new();
    let config = BusConfig { lock_timeout: Duration::from_millis(50), ..directory.config() };
    let bus = EmbeddedBus::open(&config).await.unwrap();
    let other = Connection::open(file(&config)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let record = Record::new(Topic::Alerts, "incident", vec![1], Timestamp(1));
    let error = bus.publish(vec![record.clone()], None).await.unwrap_err();
    assert!(matches!(error, BusError::Locked { .. }), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    bus.publish(vec![record], None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_handles_can_create_a_bus_at_the_same_time() {
    let directory = Directory::new();
    let openings: Vec<_> = (0..8)
        .map(|n| {
            let config = directory.config();
            tokio::spawn(async move {
                let bus = EmbeddedBus::open(&config).await.unwrap();
                let record = Record::new(Topic::Alerts, n.to_string(), vec![1], Timestamp(1));
                bus.publish(vec![record], None).await.unwrap();
            })
        })
        .collect();
    for opening in openings {
        opening.await.unwrap();
    }
    let bus = EmbeddedBus::open(&directory.config()).await.unwrap();
    let mut found = 0;
    for_each(&bus, Topic::Alerts, |_| found += 1).await.unwrap();
    assert_eq!(found, 8);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The modes of the file and of SQLite's files beside it.
fn file_modes(config: &BusConfig) -> [u32; 3] {
    ["bus.sqlite", "bus.sqlite-wal", "bus.sqlite-shm"].map(|name| mode(&config.path.join(name)))
}

#[tokio::test]
async fn only_the_owner_can_access_a_new_data_directory_and_its_files() {
    let directory = Directory::new();
    let config = directory.config();
    let _bus = EmbeddedBus::open(&config).await.unwrap();
    assert_eq!(mode(&config.path), 0o700);
    assert_eq!(file_modes(&config), [0o600; 3]);
}

#[tokio::test]
async fn files_that_others_can_read_are_restricted_and_their_directory_is_left_as_it_is() {
    let directory = Directory::new();
    let config = directory.config();
    fs::create_dir(&config.path).unwrap();
    fs::set_permissions(&config.path, Permissions::from_mode(0o755)).unwrap();
    let first = EmbeddedBus::open(&config).await.unwrap();
    for name in ["bus.sqlite", "bus.sqlite-wal", "bus.sqlite-shm"] {
        fs::set_permissions(config.path.join(name), Permissions::from_mode(0o644)).unwrap();
    }
    let _second = EmbeddedBus::open(&config).await.unwrap();
    assert_eq!((mode(&config.path), file_modes(&config)), (0o755, [0o600; 3]));
    drop(first);
}

async fn check_is_untrusted(config: &BusConfig, expected: &str) {
    let error = fails_to_open(config).await;
    assert!(matches!(&error, BusError::Untrusted { problem, .. } if *problem == expected), "{error}");
}

#[tokio::test]
async fn a_data_directory_that_all_users_can_write_to_is_refused() {
    let directory = Directory::new();
    let config = directory.config();
    fs::create_dir_all(&config.path).unwrap();
    fs::set_permissions(&config.path, Permissions::from_mode(0o1777)).unwrap();
    check_is_untrusted(&config, "is writable by all users").await;
    assert!(!file(&config).exists());
}

#[tokio::test]
async fn a_link_in_place_of_a_file_is_refused() {
    for name in ["bus.sqlite", "bus.sqlite-wal"] {
        let directory = Directory::new();
        let config = directory.config();
        let target = directory.0.path().join("precious");
        fs::create_dir(&config.path).unwrap();
        symlink(&target, config.path.join(name)).unwrap();
        check_is_untrusted(&config, "is a symbolic link").await;
        assert!(!target.exists());
    }
}

#[tokio::test]
async fn a_link_to_the_data_directory_is_followed() {
    let directory = Directory::new();
    let config = BusConfig { path: directory.0.path().join("link"), ..BusConfig::default() };
    fs::create_dir(directory.config().path).unwrap();
    symlink(directory.config().path, &config.path).unwrap();
    EmbeddedBus::open(&config).await.unwrap();
    assert!(file(&directory.config()).exists());
}

#[tokio::test]
#[ignore = "needs root"]
async fn the_file_of_another_user_is_refused() {
    let directory = Directory::new();
    let config = directory.config();
    drop(EmbeddedBus::open(&config).await.unwrap());
    chown(file(&config), Some(65534), None).unwrap();
    check_is_untrusted(&config, "belongs to another user").await;
    chown(file(&config), Some(0), None).unwrap();
    chown(&config.path, Some(65534), None).unwrap();
    check_is_untrusted(&config, "belongs to another user").await;
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_read_only_filesystem_is_reported() {
    let directory = Directory::new();
    let mount = Mount::tmpfs("size=8m");
    let _bus = EmbeddedBus::open(&directory.config()).await.unwrap();
    let config = BusConfig { path: mount.path().join("data"), ..BusConfig::default() };
    fs::create_dir(&config.path).unwrap();
    // A dropped bus closes its file a moment later, which would prevent the read-only remount: make
    // a copy with connections that close when they are dropped.
    let original = Connection::open(file(&directory.config())).unwrap();
    original.execute("VACUUM INTO ?1", [file(&config).to_str().unwrap()]).unwrap();
    Connection::open(file(&config)).unwrap().pragma_update(None, "journal_mode", "WAL").unwrap();
    mount.remount("ro");
    let error = fails_to_open(&config).await;
    assert!(matches!(error, BusError::NotWritable { .. }), "{error}");
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_full_filesystem_is_reported_and_no_record_is_lost() {
    let mount = Mount::tmpfs("size=2m");
    let config = BusConfig { path: mount.path().join("data"), ..BusConfig::default() };
    let bus = EmbeddedBus::open(&config).await.unwrap();
    let mut stored = 0;
    let error = loop {
        let record = Record::new(Topic::Alerts, "incident", vec![7; 50_000], Timestamp(stored));
        match bus.publish(vec![record], None).await {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BusError::DiskFull { .. }), "{error}");
    assert!(stored > 0);
    let mut found = Vec::new();
    for_each(&bus, Topic::Alerts, |delivery| found.push(delivery.time.0)).await.unwrap();
    assert_eq!(found, (0..stored).collect::<Vec<_>>());
}

/// A mounted tmpfs, unmounted when dropped.
struct Mount(tempfile::TempDir);

impl Mount {
    fn tmpfs(options: &str) -> Self {
        let mount = Mount(tempfile::TempDir::new().unwrap());
        mount_command(&["-t", "tmpfs", "-o", options, "tmpfs"], mount.path());
        mount
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, options: &str) {
        mount_command(&["-o", &format!("remount,{options}")], self.path());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, because the threads of the bus can still have the file open.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn mount_command(arguments: &[&str], path: &Path) {
    assert!(Command::new("mount").args(arguments).arg(path).status().unwrap().success(), "cannot mount");
}
