//! Filesystems mounted by a test. All of them need root.

use std::{ffi::CString, fs::File, os::fd::AsRawFd, path::Path, process::Command};

use rustix::mount::MountFlags;
use tempfile::TempDir;

/// A filesystem that is unmounted when dropped.
pub struct Mounted {
    // Contains the mount point, and the image of a filesystem on a loop device.
    directory: TempDir,
    // The server's end of a FUSE filesystem; closing it aborts the filesystem.
    _device: Option<File>,
}

impl Mounted {
    /// A filesystem in memory.
    pub fn tmpfs(options: &str) -> Mounted {
        let mounted = Mounted::new();
        run("mount", &["-t", "tmpfs", "-o", options, "none", &mounted.path()]);
        mounted
    }

    /// An overlay with its upper layer on `upper`.
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

    /// An ext4 filesystem on a loop device.
    pub fn ext4(options: &str) -> Mounted {
        let mounted = Mounted::new();
        let image = mounted.directory.path().join("image");
        File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let image = image.to_str().unwrap();
        run("mkfs.ext4", &["-q", image]);
        run("mount", &["-o", &format!("loop,{options}"), image, &mounted.path()]);
        mounted
    }

    /// A FUSE filesystem of that user whose server never answers. The kernel denies access to all
    /// other users by itself.
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

    /// The mount point.
    pub fn path(&self) -> String {
        self.directory.path().canonicalize().unwrap().join("mounted").to_str().unwrap().to_owned()
    }

    /// Name of the loop device.
    pub fn device(&self) -> String {
        let output = Command::new("findmnt").args(["-n", "-o", "SOURCE", &self.path()]).output().unwrap();
        let source = String::from_utf8(output.stdout).unwrap();
        Path::new(source.trim()).file_name().unwrap().to_str().unwrap().to_owned()
    }

    /// Freezes the filesystem until the returned guard is dropped. Drop the guard before waiting
    /// for blocked writers: nothing else ends their wait.
    pub fn freeze(&self) -> Frozen {
        run("fsfreeze", &["-f", &self.path()]);
        Frozen { path: self.path() }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A child that was just killed may take a moment to close its files; a lazy unmount
        // completes when it has.
        let _ = Command::new("umount").args(["--lazy", &self.path()]).status();
    }
}

/// A frozen filesystem; thawed when dropped.
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
