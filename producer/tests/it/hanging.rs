//! Processes whose arguments can't be read: the read hangs, the sweep does not.

use std::{
    fs::{self, File},
    io::{Cursor, Read, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, Sender, channel},
    time::{Duration, Instant},
};

use hostread::Tape;
use producer::Sweeper;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags},
    mount::{MountFlags, UnmountFlags},
};
use schemas::GraphSnapshot;
use tempfile::TempDir;

use crate::{
    children::*,
    fixture::{stat, tree, write},
    helpers,
    tape::Shared,
};

fn late(snapshot: &GraphSnapshot) -> Option<i64> {
    let gap = snapshot.coverage.iter().find(|gap| gap.signal == "cmdline" && gap.reason == "late");
    gap.map(|gap| gap.count)
}

/// Creates a file whose `open` blocks until a writer appears.
pub fn never_opens(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::RWXU, 0).unwrap();
}

#[test]
fn a_role_is_made_without_late_arguments_and_again_once_they_arrive() {
    let root = tree();
    for pid in [17, 18] {
        write(root.path(), &format!("{pid}/stat"), &stat(pid, b"python3", 0, 0));
    }
    let arguments = b"python3\0/srv/worker.py\0--key\0k\0";
    write(root.path(), "18/cmdline", arguments);
    let path = root.path().join("17/cmdline");
    never_opens(&path);
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    let mut sweeper = Sweeper::new(producer).unwrap();
    let role = |snapshot: &GraphSnapshot, pid| node(snapshot, process(snapshot, pid).unwrap()).role.clone();

    let first = sweeper.sweep().unwrap();
    assert_eq!((role(&first, 17), late(&first)), ("- python#".to_owned(), Some(2)));
    // The first sweep has used up the time that it may wait.
    let (second, ()) = sweep_until(&mut sweeper, |snapshot| (role(snapshot, 18) == "- worker.py").then_some(()));
    assert_eq!((role(&second, 17), late(&second)), ("- python#".to_owned(), Some(1)));

    fs::rename(&path, root.path().join("17/before")).unwrap();
    fs::write(&path, arguments).unwrap();
    rustix::fs::open(root.path().join("17/before"), OFlags::WRONLY, Mode::empty()).unwrap();
    let (after, ()) = sweep_until(&mut sweeper, |snapshot| (role(snapshot, 17) == "- worker.py").then_some(()));
    assert_eq!(late(&after), None);
}

#[test]
fn late_reads_are_late_again_on_playback() {
    let root = tree();
    write(root.path(), "17/stat", &stat(17, b"python3", 0, 0));
    never_opens(&root.path().join("17/cmdline"));
    let mut producer = producer();
    producer.sweep.proc = root.path().to_owned();
    let file = Shared::default();
    let mut recorded = Sweeper::with_tape(producer.clone(), Tape::record_to(Box::new(file.clone())).unwrap()).unwrap();
    let snapshots = [recorded.sweep().unwrap(), recorded.sweep().unwrap()];
    assert_eq!(snapshots.each_ref().map(late), [Some(1), Some(1)]);
    fs::remove_file(root.path().join("17/cmdline")).unwrap();
    let mut played = Sweeper::with_tape(producer, Tape::play_from(Cursor::new(file.bytes())).unwrap()).unwrap();
    for snapshot in snapshots {
        assert_eq!(played.sweep().unwrap(), snapshot);
    }
}

/// A filesystem with one file, whose server does not respond until it is asked to.
struct DeadServer {
    file: PathBuf,
    answer: Sender<()>,
    _directory: TempDir,
}

impl DeadServer {
    fn mount() -> DeadServer {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=100444,user_id=0,group_id=0\0", device.as_raw_fd());
        let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).unwrap();
        rustix::mount::mount("dead", &file, "fuse", MountFlags::empty(), Some(options)).unwrap();
        let (answer, answers) = channel();
        std::thread::spawn(move || serve(device, &answers));
        DeadServer { file, answer, _directory: directory }
    }
}

impl Drop for DeadServer {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.file, UnmountFlags::DETACH);
    }
}

const SIZE: usize = 4096;

/// Implements as much of the FUSE protocol as one file needs.
fn serve(mut device: File, answers: &Receiver<()>) {
    const GETATTR: u32 = 3;
    const OPEN: u32 = 14;
    const READ: u32 = 15;
    const INIT: u32 = 26;
    let mut request = vec![0; 1 << 20];
    // Reading fails once the filesystem is unmounted. When this returns, every pending request
    // fails too.
    while let Ok(length) = device.read(&mut request) {
        let request = &request[..length];
        let number = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap());
        let reply = match number(4) {
            INIT => {
                [7_u32, 31, 1 << 16, 0, 0, 1 << 16, 1].into_iter().flat_map(u32::to_ne_bytes).chain([0; 36]).collect()
            }
            GETATTR => attributes(),
            OPEN => vec![0; 16],
            READ => {
                // A sweep that does wait for the answer must not wait for ever.
                let Ok(()) = answers.recv_timeout(Duration::from_secs(60)) else { return };
                vec![0; SIZE]
            }
            _ => Vec::new(),
        };
        let length = u32::try_from(16 + reply.len()).unwrap();
        let error = if reply.is_empty() { -rustix::io::Errno::NOSYS.raw_os_error() } else { 0 };
        let length = length.to_ne_bytes();
        let error = error.to_ne_bytes();
        let unique = &request[8..16];
        let _ = device.write_all(&[&length[..], &error, unique, &reply].concat());
    }
}

/// Attributes of a world-readable file.
fn attributes() -> Vec<u8> {
    let valid = [0_u64, 0];
    let longs = [1, SIZE as u64, 8, 0, 0, 0];
    let words = [0_u32, 0, 0, 0o100444, 1, 0, 0, 0, 4096, 0];
    let longs = valid.into_iter().chain(longs).flat_map(u64::to_ne_bytes);
    longs.chain(words.into_iter().flat_map(u32::to_ne_bytes)).collect()
}

#[test]
#[ignore = "needs root"]
fn a_process_with_locked_memory_does_not_block_the_sweep() {
    let server = DeadServer::mount();
    let (child, _) = helpers::start_helper(&format!("lock-memory {}", server.file.display()));
    // Dropped before the child, which could not end otherwise.
    let server = server;
    let other = ChildGuard::start(Command::new("sleep").arg("60"));
    let mut producer = producer();
    producer.sweep.arguments = true;
    let arguments = |snapshot: &GraphSnapshot, pid: i64| {
        let source = format!("/proc/{pid}/cmdline");
        snapshot.evidence.iter().find(|evidence| evidence.source == source).map(|evidence| evidence.text.clone())
    };
    let is_silent = |sweeper: &mut Sweeper| {
        let begun = Instant::now();
        let snapshot = sweeper.sweep().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
        process(&snapshot, child.pid()).is_some()
            && arguments(&snapshot, child.pid()).is_none()
            && late(&snapshot) >= Some(1)
    };
    // Arguments are readable until the memory is locked, and a sweeper that has them does not read
    // them again; so each of these sweepers is new.
    let mut sweepers = (0..200).map(|_| Sweeper::new(producer.clone()).unwrap());
    let mut sweeper =
        sweepers.find_map(|mut sweeper| (0..4).all(|_| is_silent(&mut sweeper)).then_some(sweeper)).unwrap();
    let (snapshot, shown) = sweep_until(&mut sweeper, |snapshot| arguments(snapshot, other.pid()));
    assert_eq!((shown.as_str(), arguments(&snapshot, child.pid())), ("sleep 60", None));

    server.answer.send(()).unwrap();
    let (_, shown) = sweep_until(&mut sweeper, |snapshot| arguments(snapshot, child.pid()));
    assert!(shown.ends_with("helpers::run_as_helper --exact --nocapture"), "{shown}");
}
