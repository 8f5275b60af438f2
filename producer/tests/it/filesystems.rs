//! Filesystems that cannot be written to, and who suffers from it.

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};
use schemas::GraphSnapshot;

use crate::{children::*, mounts::Mounted, parts::play};

/// A shell that has files open there, one for writing, and does something when it is told to.
fn shell(mounted: &Mounted, action: &str) -> (Kept, std::process::ChildStdin) {
    let path = mounted.path();
    Kept::ready(&format!("cd {path}; : >quiet; exec 8<quiet 9>>log; echo ready; read line; {action}; read line"))
}

/// The filesystem's node.
fn filesystem(snapshot: &GraphSnapshot, mounted: &Mounted) -> Option<usize> {
    let path = mounted.path();
    let is_this = |node: &schemas::Node| node.id.starts_with("m:") && node.path.as_deref() == Some(&path);
    snapshot.nodes.iter().position(is_this)
}

fn file(snapshot: &GraphSnapshot, mounted: &Mounted, name: &str) -> Option<usize> {
    node_with_path(snapshot, &format!("{}/{name}", mounted.path()))
}

fn proven(snapshot: &GraphSnapshot, source: &str, text: &str, at: usize) -> bool {
    let speaks = |evidence: &&schemas::Evidence| evidence.source.ends_with(source) && evidence.text.contains(text);
    snapshot.evidence.iter().filter(speaks).any(|evidence| evidence.nodes.contains(&(at as i32)))
}

#[test]
#[ignore = "needs root"]
fn a_full_filesystem_shows_who_writes_to_it_and_every_file_on_it() {
    let mounted = Mounted::tmpfs("size=4M");
    let (shell, mut input) = shell(&mounted, "head -c 5M /dev/zero >&9 2>/dev/null");
    let mut sweeper = sweeper();
    let (before, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    let writer = process(&before, shell.pid()).unwrap();
    assert_eq!(edge(&before, writer, "opens", at).unwrap().basis, "observed");
    assert_eq!((value(&before, "space_used_pct", at), value(&before, "space_free", at)), (Some(0.0), Some(4194304.0)));
    assert_eq!((value(&before, "read_only", at), value(&before, "writes_frozen", at)), (Some(0.0), Some(0.0)));
    assert!(node(&before, at).role.starts_with("filesystem /") && node(&before, at).kind == "file");
    assert_eq!(file(&before, &mounted, "quiet"), None);
    go_on(&mut input);
    let (after, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = filesystem(snapshot, &mounted)?;
        (value(snapshot, "space_used_pct", at)? == 100.0).then_some(at)
    });
    assert_eq!(value(&after, "space_free", at), Some(0.0));
    for name in ["quiet", "log"] {
        let file = file(&after, &mounted, name).unwrap();
        assert!(edge(&after, file, "member-of", at).is_some(), "{name}");
    }
    assert!(proven(&after, &mounted.path(), "0 of 1024 blocks of 4096 bytes available", at));
}

#[test]
#[ignore = "needs root"]
fn who_filled_a_filesystem_is_told_and_remembered() {
    let mounted = Mounted::tmpfs("size=4M");
    std::fs::write(format!("{}/old", mounted.path()), vec![1; 1 << 20]).unwrap();
    let (little, mut input_of_little) = shell(&mounted, "printf %102400s x >&9");
    let (rests, _input_of_rests) =
        Kept::ready(&format!("cd {}; exec 8>>log 9>>new; echo ready; read line", mounted.path()));
    let (opens, mut input_of_opens) =
        Kept::ready(&format!("cd {}; exec 9>>new; echo ready; while read line; do :; done", mounted.path()));
    // A write that is not over yet is not counted by the kernel: so many small ones, all by the shell itself.
    let write = "for i in $(seq 290); do printf %10240s x >&8; done";
    let script = format!("exec 7>>old 8>>new; {write}; read line; exec 7>&- 8>&- 9>&-; read line");
    let (filler, mut input) = shell(&mounted, &script);
    let mut sweeper = sweeper();
    let (before, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    let filled = |snapshot: &GraphSnapshot, shell: &Kept| value(snapshot, "filled", process(snapshot, shell.pid())?);
    assert_eq!(missing(&before, "filled", process(&before, filler.pid()).unwrap()), Some("first-sweep"));
    assert_eq!(filled(&sweeper.sweep().unwrap(), &filler), Some(0.0));
    assert!(value(&before, "space_used_pct", at).unwrap() < 50.0);
    go_on(&mut input_of_little);
    go_on(&mut input_of_opens);
    go_on(&mut input);
    let (full, ()) = sweep_until(&mut sweeper, |snapshot| (filled(snapshot, &filler)? > 2.8e6).then_some(()));
    assert!(filled(&full, &filler).unwrap() <= 3.08e6, "what was there before is not its own");
    for (innocent, why) in [(&little, "wrote a little"), (&rests, "did not run"), (&opens, "wrote nothing")] {
        assert_eq!(filled(&full, innocent), Some(0.0), "{why}");
    }
    let link = |snapshot: &GraphSnapshot| {
        let (filler, at) = (process(snapshot, filler.pid())?, filesystem(snapshot, &mounted)?);
        Some(edge(snapshot, filler, "opens", at)?.basis.clone())
    };
    assert_eq!(link(&full), Some("observed".into()));
    go_on(&mut input);
    let (closed, ()) = sweep_until(&mut sweeper, |snapshot| {
        let fds = |snapshot| value(snapshot, "fds", process(snapshot, filler.pid())?);
        (fds(snapshot)? < fds(&full)?).then_some(())
    });
    assert!(filled(&closed, &filler).unwrap() > 2.5e6);
    assert_eq!(link(&closed), Some("inferred".into()));
}

#[test]
#[ignore = "needs root"]
fn a_file_that_is_kept_from_root_hides_no_other_of_its_process() {
    const NOBODY: u32 = 65534;
    let (memory, private) = (Mounted::tmpfs("size=4M"), Mounted::fuse(NOBODY));
    // Inherited by the shell. To open it in more than name would ask the program.
    let held = rustix::fs::open(private.path(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    assert_eq!(rustix::fs::fstat(&held).err(), Some(Errno::ACCESS), "root is refused");
    let (shell, _input) = shell(&memory, "true");
    drop(held);
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| filesystem(snapshot, &memory));
    let shell = process(&snapshot, shell.pid()).unwrap();
    assert!(edge(&snapshot, shell, "opens", at).is_some());
    assert!(value(&snapshot, "fds", shell).is_some());
}

#[test]
#[ignore = "needs root"]
fn a_filesystem_without_inodes_is_full_however_much_space_it_has() {
    let mounted = Mounted::tmpfs("size=4M,nr_inodes=9");
    let (shell, mut input) = shell(&mounted, "touch 1 2 3 4 5 6 7 8 9 2>/dev/null");
    go_on(&mut input);
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| {
        let at = filesystem(snapshot, &mounted)?;
        (value(snapshot, "inodes_used_pct", at)? == 100.0).then_some(at)
    });
    assert_eq!(value(&snapshot, "space_used_pct", at), Some(0.0));
    assert!(edge(&snapshot, process(&snapshot, shell.pid()).unwrap(), "opens", at).is_some());
    assert!(file(&snapshot, &mounted, "quiet").is_some());
}

#[test]
#[ignore = "needs root"]
fn a_file_in_layers_is_on_the_filesystem_that_shows_them_though_its_device_is_another() {
    let memory = Mounted::tmpfs("size=4M");
    let mounted = Mounted::overlay(&memory);
    let (shell, _input) = shell(&mounted, "true");
    let (snapshot, at) = sweep_until(&mut sweeper(), |snapshot| filesystem(snapshot, &mounted));
    let log = file(&snapshot, &mounted, "log").unwrap();
    let device = |at: usize| node(&snapshot, at).id.split(':').take(3).skip(1).collect::<Vec<_>>().join(":");
    assert_ne!(device(log), device(at));
    assert!(edge(&snapshot, process(&snapshot, shell.pid()).unwrap(), "opens", at).is_some());
    assert_eq!(value(&snapshot, "space_free", at), Some(4194304.0));
}

#[test]
#[ignore = "needs root"]
fn who_writes_to_a_frozen_filesystem_waits_for_it() {
    let mounted = Mounted::ext4("rw");
    let (by_file, mut told) = shell(&mounted, "echo more >&9");
    let (by_path, mut told_too) = shell(&mounted, ": >new");
    let (mut thread, _) = play(&format!("write {}/of-a-thread", mounted.path()));
    let mut sweeper = sweeper();
    let (before, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    assert_eq!((value(&before, "writes_frozen", at), value(&before, "stuck_writers", at)), (Some(0.0), Some(0.0)));
    let frozen = mounted.freeze();
    go_on(&mut told);
    go_on(&mut told_too);
    go_on(thread.0.stdin.as_mut().unwrap());
    let (first, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = filesystem(snapshot, &mounted)?;
        (value(snapshot, "stuck_writers", at)? == 3.0).then_some(at)
    });
    assert_eq!(value(&first, "writes_frozen", at), Some(1.0));
    let quiet = file(&first, &mounted, "quiet").unwrap();
    assert!(edge(&first, quiet, "member-of", at).is_some());
    let second = sweeper.sweep().unwrap();
    let at = filesystem(&second, &mounted).unwrap();
    let waits = |snapshot: &GraphSnapshot, pid: i64, at: usize| {
        let waiter = process(snapshot, pid).unwrap();
        let wait = edge(snapshot, waiter, "waits-for", at).unwrap().clone();
        assert_eq!((wait.basis.as_str(), wait.blocked_ms), ("inferred", value(snapshot, "blocked_ms", waiter)));
        assert!(proven(snapshot, "/wchan", "", waiter) && proven(snapshot, "/wchan", "", at));
        wait.blocked_ms.unwrap()
    };
    for pid in [by_file.pid(), by_path.pid(), thread.pid()] {
        assert!(waits(&second, pid, at) > waits(&first, pid, filesystem(&first, &mounted).unwrap()));
    }
    drop(frozen);
    let (after, _) = sweep_until(&mut sweeper, |snapshot| {
        let at = filesystem(snapshot, &mounted)?;
        (value(snapshot, "writes_frozen", at)? == 0.0).then_some(at)
    });
    let writer = process(&after, by_file.pid()).unwrap();
    assert_eq!(value(&after, "blocked_ms", writer), Some(0.0));
}

#[test]
#[ignore = "needs root"]
fn a_filesystem_that_gave_up_is_read_only_although_nobody_wanted_that() {
    let mounted = Mounted::ext4("errors=remount-ro");
    let mut sweeper = sweeper();
    // Nobody writes to it and nothing is wrong with it.
    assert_eq!(filesystem(&sweeper.sweep().unwrap(), &mounted), None);
    std::fs::write(format!("/sys/fs/ext4/{}/trigger_fs_error", mounted.device()), "a test").unwrap();
    let (snapshot, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    assert_eq!(value(&snapshot, "read_only", at), Some(1.0));
    let is_listed = proven(&snapshot, "/self/mountinfo", &mounted.path(), at);
    assert!(is_listed || proven(&snapshot, "/errors_count", "errors: 1, when", at), "{:?}", snapshot.evidence);
}

#[test]
#[ignore = "needs root"]
fn the_disk_below_a_filesystem_tells_what_is_written_to_it() {
    let mounted = Mounted::ext4("rw");
    let id = format!("s:disk:{}", mounted.device());
    // So little would take less than the kernel's clock tells; a fast disk gets more of it until that has ticked.
    let write = "dd if=/dev/zero of=big bs=256k count=16 conv=notrunc,fsync 2>/dev/null";
    let (_shell, mut input) = shell(&mounted, &format!("while {write}; do :; done"));
    let disk = |snapshot: &GraphSnapshot| snapshot.nodes.iter().position(|node| node.id == id);
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    let at = disk(&before).unwrap();
    assert_eq!((node(&before, at).role.as_str(), node(&before, at).kind.as_str()), ("disk", "system"));
    assert_eq!(missing(&before, "disk_written", at), Some("first-sweep"));
    go_on(&mut input);
    let (after, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = disk(snapshot)?;
        let tells = |column, least| value(snapshot, column, at).is_some_and(|value| value > least);
        (tells("disk_written", 1e6) && tells("disk_busy_pct", 0.0) && tells("request_ms", 0.0)).then_some(at)
    });
    assert!(value(&after, "disk_busy_pct", at).unwrap() <= 100.0);
    assert!(value(&after, "disk_read", at) < value(&after, "disk_written", at));
}
