//! Filesystems of a test's own. All of it takes root.

use std::{ffi::CString, fs::File, os::fd::AsRawFd, path::Path, process::Command};

use rustix::mount::MountFlags;
use tempfile::TempDir;

/// A filesystem that is mounted until it is dropped.
pub struct Mounted {
    // Holds the mount point, and the image of one that lies on a loop device.
    directory: TempDir,
    // The kernel's end of the program of one in user space, which is gone when this is closed.
    _device: Option<File>,
}

impl Mounted {
    /// One in memory.
    pub fn tmpfs(options: &str) -> Mounted {
        let mounted = Mounted::new();
        run("mount", &["-t", "tmpfs", "-o", options, "none", &mounted.path()]);
        mounted
    }

    /// One whose changes are kept on that one, over a directory that is elsewhere.
    pub fn overlay(upper: &Mounted) -> Mounted {
        let mounted = Mounted::new();
        let lower = mounted.directory.path().join("lower");
        let directories =
            [lower.to_str().unwrap(), &format!("{}/changes", upper.path()), &format!("{}/work", upper.path())];
        for directory in directories {
            std::fs::create_dir(directory).unwrap();
        }
        let [lower, changes, work] = directories;
        let options = format!("lowerdir={lower},upperdir={changes},workdir={work}");
        run("mount", &["-t", "overlay", "-o", &options, "none", &mounted.path()]);
        mounted
    }

    /// One on a loop device.
    pub fn ext4(options: &str) -> Mounted {
        let mounted = Mounted::new();
        let image = mounted.directory.path().join("image");
        File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let image = image.to_str().unwrap();
        run("mkfs.ext4", &["-q", image]);
        run("mount", &["-o", &format!("loop,{options}"), image, &mounted.path()]);
        mounted
    }

    /// One of a program of that user, which answers nothing; the kernel refuses it to everyone else without asking.
    pub fn fuse(user: u32) -> Mounted {
        let mut mounted = Mounted::new();
        let device = File::options().read(true).write(true).open("/dev/fuse").unwrap();
        let options = format!("fd={},rootmode=40000,user_id={user},group_id={user}", device.as_raw_fd());
        let options = CString::new(options).unwrap();
        rustix::mount::mount("none", mounted.path(), "fuse", MountFlags::empty(), options.as_c_str()).unwrap();
        mounted._device = Some(device);
        mounted
    }

    fn new() -> Mounted {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join("mounted")).unwrap();
        Mounted { directory, _device: None }
    }

    /// Where it is mounted.
    pub fn path(&self) -> String {
        self.directory.path().canonicalize().unwrap().join("mounted").to_str().unwrap().to_owned()
    }

    /// The name of the loop device that it lies on.
    pub fn device(&self) -> String {
        let output = Command::new("findmnt").args(["-n", "-o", "SOURCE", &self.path()]).output().unwrap();
        let source = String::from_utf8(output.stdout).unwrap();
        Path::new(source.trim()).file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Keeps whoever writes to it waiting, until what this returns is dropped. To be dropped before the waiting are
    /// awaited: nothing else ends them.
    pub fn freeze(&self) -> Frozen {
        run("fsfreeze", &["-f", &self.path()]);
        Frozen { path: self.path() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A child that was just killed may take a moment to close its files; then it goes when they do.
        let _ = Command::new("umount").args(["--lazy", &self.path()]).status();
    }
}

/// A frozen filesystem that is thawed when this is dropped.
pub struct Frozen {
    path: String,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").args(["-u", &self.path]).status();
    }
}

pub fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{program} {arguments:?}: {status:?}");
}
