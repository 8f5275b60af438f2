//! `detective doctor` with all rights, with two capabilities, with none, and with a `/proc` that
//! hides processes.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use crate::processes::ScopedChild;

const UNPRIVILEGED: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
const WITH_CAPABILITIES: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all,+sys_ptrace,+dac_read_search",
    "--ambient-caps=-all,+sys_ptrace,+dac_read_search",
];

/// A copy of the program that any user may run.
struct Doctor(tempfile::TempDir);

impl Doctor {
    fn new() -> Doctor {
        let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_detective"), folder.path().join("detective")).unwrap();
        Doctor(folder)
    }

    /// Runs it below `wrapper`, with a `/proc` mounted with these options.
    fn run(&self, wrapper: &[&str], proc_options: &str) -> Report {
        let mount = format!("mount -t proc -o rw{proc_options} proc /proc && exec \"$@\"");
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", &mount, "sh"])
            .args(wrapper)
            .arg(self.0.path().join("detective"))
            .args(["doctor", "--data", "/nowhere"])
            .env("NO_COLOR", "1")
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Report(String::from_utf8(output.stdout).unwrap())
    }
}

struct Report(String);

impl Report {
    /// The row of an item, unwrapped.
    #[track_caller]
    fn row(&self, item: &str) -> String {
        let mut lines = self.0.lines().skip_while(|line| line.split(' ').next() != Some(item));
        let first = lines.next().unwrap_or_else(|| panic!("no row `{item}` in:\n{}", self.0));
        let more = lines.take_while(|line| line.starts_with(' '));
        let words = std::iter::once(first).chain(more).flat_map(str::split_whitespace).skip(1);
        words.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check_denied(&self, item: &str, loss: &str, remedy: &str) {
        let row = self.row(item);
        assert!(row.contains(&format!(" denied: {loss}")), "{item}: {row}");
        assert!(row.ends_with(&format!(" remedy: {remedy}")), "{item}: {row}");
    }

    #[track_caller]
    fn check_all(&self, item: &str) {
        let row = self.row(item);
        assert!(row.starts_with("all ") && !row.contains("denied"), "{item}: {row}");
    }
}

#[test]
#[ignore = "needs root"]
fn the_report_names_the_reason_and_the_remedy_of_each_gap() {
    const BOTH: &str = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root";
    let doctor = Doctor::new();
    let _other = ScopedChild::shell("read line");

    let root = doctor.run(&[], "");
    assert!(root.0.contains("\nuser 0 with CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"), "{}", root.0);
    ["process-hidden", "fd", "memory", "run-delay"].iter().for_each(|item| root.check_all(item));

    let capable = doctor.run(WITH_CAPABILITIES, "");
    let user = "\nuser 65534 with CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH without CAP_SYS_ADMIN, CAP_NET_ADMIN\n";
    assert!(capable.0.contains(user), "{}", capable.0);
    ["process-hidden", "fd", "memory", "run-delay"].iter().for_each(|item| capable.check_all(item));

    let nobody = doctor.run(UNPRIVILEGED, "");
    assert!(nobody.0.contains("\nuser 65534 without CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"), "{}", nobody.0);
    ["process-hidden", "memory", "run-delay"].iter().for_each(|item| nobody.check_all(item));
    nobody.check_denied(
        "fd",
        "their descriptors are not counted, and their files, locks, pipes and sockets are unknown",
        BOTH,
    );
    nobody.check_denied("io", "none of them can be named as the one that reads or writes too much", BOTH);
    nobody.check_denied("syscall", "their waits are known only where the kernel's list of locks names them", BOTH);
    nobody.check_denied("executable", "their roles are their names alone", "CAP_SYS_PTRACE, or root");
    assert!(nobody.row("fds").contains(" denied"), "{}", nobody.row("fds"));

    let blind = doctor.run(UNPRIVILEGED, ",hidepid=2");
    assert!(blind.0.contains("; `/proc` is mounted with hidepid=invisible\n"), "{}", blind.0);
    let remedy = "CAP_SYS_PTRACE, the group of the mount's `gid=`, or `mount -o remount,hidepid=off /proc`";
    blind.check_denied(
        "process-hidden",
        "their processes are not in the graph and can be neither suspects nor impact",
        remedy,
    );
    let capable = doctor.run(WITH_CAPABILITIES, ",hidepid=2");
    ["process-hidden", "fd"].iter().for_each(|item| capable.check_all(item));
}
