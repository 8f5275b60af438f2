//! Filesystems that can't be written to, and the processes that are affected.

use std::{ffi::OsStr, fs::File, os::unix::ffi::OsStrExt, process::Command};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
    mount::{MountFlags, UnmountFlags},
};
use schemas::{GraphSnapshot, text::escape};

use crate::{children::*, helpers::start_helper, mounts::Mounted};

/// A shell with files open there, one of them for writing; it runs `action` on request.
fn shell(mounted: &Mounted, action: &str) -> (ChildGuard, std::process::ChildStdin) {
    let path = mounted.path();
    ChildGuard::ready(&format!("cd {path}; : >quiet; exec 8<quiet 9>>log; echo ready; read line; {action}; read line"))
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

fn has_evidence(snapshot: &GraphSnapshot, source: &str, text: &str, at: usize) -> bool {
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
    send_line(&mut input);
    let (after, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = filesystem(snapshot, &mounted)?;
        (value(snapshot, "space_used_pct", at)? == 100.0).then_some(at)
    });
    assert_eq!(value(&after, "space_free", at), Some(0.0));
    for name in ["quiet", "log"] {
        let file = file(&after, &mounted, name).unwrap();
        assert!(edge(&after, file, "member-of", at).is_some(), "{name}");
    }
    assert!(has_evidence(&after, &mounted.path(), "0 of 1024 blocks of 4096 bytes available", at));
}

#[test]
#[ignore = "needs root"]
fn a_mount_point_can_have_any_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().join(OsStr::from_bytes(b"da ta\\040x\t#\n\xc3\x28"));
    std::fs::create_dir(&path).unwrap();
    rustix::mount::mount("none", &path, "tmpfs", MountFlags::empty(), Some(c"size=4M")).unwrap();
    let log = File::create(path.join("log")).unwrap();
    let writer = ChildGuard(Command::new("sleep").arg("600").stdout(log).spawn().unwrap());
    let shown = escape(path.as_os_str().as_bytes());
    let snapshot = sweeper().sweep();
    drop(writer);
    rustix::mount::unmount(&path, UnmountFlags::DETACH).unwrap();
    let snapshot = snapshot.unwrap();
    let filesystem = node_with_path(&snapshot, &shown).unwrap();
    assert!(node(&snapshot, filesystem).id.starts_with("m:"));
    assert_eq!(value(&snapshot, "space_used_pct", filesystem), Some(0.0));
    assert!(shown.ends_with("/da ta\\\\040x\\x09#\\x0a\\xc3("), "{shown}");
}

#[test]
#[ignore = "needs root"]
fn the_process_that_filled_a_filesystem_is_reported_and_remembered() {
    let mounted = Mounted::tmpfs("size=4M");
    std::fs::write(format!("{}/old", mounted.path()), vec![1; 1 << 20]).unwrap();
    let (little, mut input_of_little) = shell(&mounted, "printf %102400s x >&9");
    let (rests, _input_of_rests) =
        ChildGuard::ready(&format!("cd {}; exec 8>>log 9>>new; echo ready; read line", mounted.path()));
    let (opens, mut input_of_opens) =
        ChildGuard::ready(&format!("cd {}; exec 9>>new; echo ready; while read line; do :; done", mounted.path()));
    // The kernel counts a write when it completes, so the shell itself makes many small ones.
    let write = "for i in $(seq 290); do printf %10240s x >&8; done";
    let script = format!("exec 7>>old 8>>new; {write}; read line; exec 7>&- 8>&- 9>&-; read line");
    let (filler, mut input) = shell(&mounted, &script);
    let mut sweeper = sweeper();
    let (before, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    let filled = |snapshot: &GraphSnapshot, shell: &ChildGuard| {
        value(snapshot, "filesystem_growth", process(snapshot, shell.pid())?)
    };
    assert_eq!(missing(&before, "filesystem_growth", process(&before, filler.pid()).unwrap()), Some("first-sweep"));
    assert_eq!(filled(&sweeper.sweep().unwrap(), &filler), Some(0.0));
    assert!(value(&before, "space_used_pct", at).unwrap() < 50.0);
    send_line(&mut input_of_little);
    send_line(&mut input_of_opens);
    send_line(&mut input);
    let (full, ()) = sweep_until(&mut sweeper, |snapshot| (filled(snapshot, &filler)? > 2.8e6).then_some(()));
    assert!(filled(&full, &filler).unwrap() <= 3.08e6, "what was there before is not its own");
    for (innocent, why) in [(&little, "wrote a little"), (&rests, "did not run"), (&opens, "wrote nothing")] {
        assert_eq!(filled(&full, innocent), Some(0.0), "{why}");
    }
    let link = |snapshot: &GraphSnapshot| {
        let filler = process(snapshot, filler.pid())?;
        let at = filesystem(snapshot, &mounted)?;
        Some(edge(snapshot, filler, "opens", at)?.basis.clone())
    };
    assert_eq!(link(&full), Some("observed".into()));
    send_line(&mut input);
    let (closed, ()) = sweep_until(&mut sweeper, |snapshot| {
        let fds = |snapshot| value(snapshot, "fds", process(snapshot, filler.pid())?);
        (fds(snapshot)? < fds(&full)?).then_some(())
    });
    assert!(filled(&closed, &filler).unwrap() > 2.5e6);
    assert_eq!(link(&closed), Some("inferred".into()));
}

#[test]
#[ignore = "needs root"]
fn a_file_denied_to_root_hides_no_other_file_of_the_process() {
    const UNPRIVILEGED_USER: u32 = 65534;
    let memory = Mounted::tmpfs("size=4M");
    let private = Mounted::fuse(UNPRIVILEGED_USER);
    // Inherited by the shell; opening it other than by name would query the server.
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
    send_line(&mut input);
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
fn a_file_of_an_overlay_belongs_to_the_overlay_despite_its_device() {
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
fn a_writer_to_a_frozen_filesystem_waits_for_it() {
    let mounted = Mounted::ext4("rw");
    let (by_file, mut file_input) = shell(&mounted, "echo more >&9");
    let (by_path, mut path_input) = shell(&mounted, ": >new");
    let (mut thread, _) = start_helper(&format!("write {}/of-a-thread", mounted.path()));
    let mut sweeper = sweeper();
    let (before, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    assert_eq!((value(&before, "writes_frozen", at), value(&before, "frozen_writers", at)), (Some(0.0), Some(0.0)));
    let frozen = mounted.freeze();
    send_line(&mut file_input);
    send_line(&mut path_input);
    send_line(thread.0.stdin.as_mut().unwrap());
    let (first, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = filesystem(snapshot, &mounted)?;
        (value(snapshot, "frozen_writers", at)? == 3.0).then_some(at)
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
        assert!(has_evidence(snapshot, "/wchan", "", waiter) && has_evidence(snapshot, "/wchan", "", at));
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
fn a_filesystem_with_errors_is_shown_as_read_only() {
    let mounted = Mounted::ext4("errors=remount-ro");
    let mut sweeper = sweeper();
    // No process writes to it and nothing is wrong with it.
    assert_eq!(filesystem(&sweeper.sweep().unwrap(), &mounted), None);
    std::fs::write(format!("/sys/fs/ext4/{}/trigger_fs_error", mounted.device()), "a test").unwrap();
    let (snapshot, at) = sweep_until(&mut sweeper, |snapshot| filesystem(snapshot, &mounted));
    assert_eq!(value(&snapshot, "read_only", at), Some(1.0));
    let is_listed = has_evidence(&snapshot, "/self/mountinfo", &mounted.path(), at);
    assert!(
        is_listed || has_evidence(&snapshot, "/errors_count", "errors: 1, in the first sweep: 0", at),
        "{:?}",
        snapshot.evidence
    );
}

#[test]
#[ignore = "needs root"]
fn writes_to_a_filesystem_are_counted_at_its_disk() {
    let mounted = Mounted::ext4("rw");
    let id = format!("s:disk:{}", mounted.device());
    // A small write can take less than a tick of the kernel's clock. A fast disk gets more until
    // the clock has ticked.
    let write = "dd if=/dev/zero of=big bs=256k count=16 conv=notrunc,fsync 2>/dev/null";
    let (_shell, mut input) = shell(&mounted, &format!("while {write}; do :; done"));
    let disk = |snapshot: &GraphSnapshot| snapshot.nodes.iter().position(|node| node.id == id);
    let mut sweeper = sweeper();
    let before = sweeper.sweep().unwrap();
    let at = disk(&before).unwrap();
    assert_eq!((node(&before, at).role.as_str(), node(&before, at).kind.as_str()), ("disk", "system"));
    assert_eq!(missing(&before, "disk_write_bytes", at), Some("first-sweep"));
    send_line(&mut input);
    let (after, at) = sweep_until(&mut sweeper, |snapshot| {
        let at = disk(snapshot)?;
        let tells = |column, least| value(snapshot, column, at).is_some_and(|value| value > least);
        (tells("disk_write_bytes", 1e6) && tells("disk_busy_pct", 0.0) && tells("disk_request_ms", 0.0)).then_some(at)
    });
    assert!(value(&after, "disk_busy_pct", at).unwrap() <= 100.0);
    assert!(value(&after, "disk_read_bytes", at) < value(&after, "disk_write_bytes", at));
}
