//! What the doctor says with all rights, with two capabilities, with none, and where `/proc` hides processes.

use std::{
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use crate::running::Script;

const NOBODY: &[&str] = &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];
const CAPABLE: &[&str] = &[
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all,+sys_ptrace,+dac_read_search",
    "--ambient-caps=-all,+sys_ptrace,+dac_read_search",
];

/// A program that everybody may start.
struct Doctor(tempfile::TempDir);

impl Doctor {
    fn new() -> Doctor {
        let folder = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o755)).tempdir().unwrap();
        std::fs::copy(env!("CARGO_BIN_EXE_detective"), folder.path().join("detective")).unwrap();
        Doctor(folder)
    }

    /// What it says by way of `wrapper`, with a `proc` of its own that has these options.
    fn says(&self, wrapper: &[&str], proc_options: &str) -> Said {
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
        Said(String::from_utf8(output.stdout).unwrap())
    }
}

struct Said(String);

impl Said {
    /// The row of a signal in one line: what is seen, what not and why.
    #[track_caller]
    fn row(&self, signal: &str) -> String {
        let mut lines = self.0.lines().skip_while(|line| line.split(' ').next() != Some(signal));
        let first = lines.next().unwrap_or_else(|| panic!("no row `{signal}` in:\n{}", self.0));
        let more = lines.take_while(|line| line.starts_with(' '));
        let words = std::iter::once(first).chain(more).flat_map(str::split_whitespace).skip(1);
        words.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check_denied(&self, signal: &str, loss: &str, remedy: &str) {
        let row = self.row(signal);
        assert!(row.contains(&format!(" denied: {loss}")), "{signal}: {row}");
        assert!(row.ends_with(&format!(" remedy: {remedy}")), "{signal}: {row}");
    }

    #[track_caller]
    fn check_all(&self, signal: &str) {
        let row = self.row(signal);
        assert!(row.starts_with("all ") && !row.contains("denied"), "{signal}: {row}");
    }
}

#[test]
#[ignore = "needs root"]
fn the_doctor_says_of_each_signal_why_it_is_missing_and_what_would_give_it() {
    const BOTH: &str = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, or root";
    let doctor = Doctor::new();
    let _other = Script::shell("read line");

    let root = doctor.says(&[], "");
    assert!(root.0.contains("\nuser 0 with CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"), "{}", root.0);
    ["process-hidden", "fd", "memory", "run-delay"].iter().for_each(|signal| root.check_all(signal));

    let capable = doctor.says(CAPABLE, "");
    let user = "\nuser 65534 with CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH without CAP_SYS_ADMIN, CAP_NET_ADMIN\n";
    assert!(capable.0.contains(user), "{}", capable.0);
    ["process-hidden", "fd", "memory", "run-delay"].iter().for_each(|signal| capable.check_all(signal));

    let nobody = doctor.says(NOBODY, "");
    assert!(nobody.0.contains("\nuser 65534 without CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"), "{}", nobody.0);
    ["process-hidden", "memory", "run-delay"].iter().for_each(|signal| nobody.check_all(signal));
    nobody.check_denied(
        "fd",
        "their descriptors are not counted, and their files, locks, pipes and sockets are unknown",
        BOTH,
    );
    nobody.check_denied("io", "none of them can be named as the one that reads or writes too much", BOTH);
    nobody.check_denied("syscall", "their waits are known only where the kernel's list of locks names them", BOTH);
    nobody.check_denied("executable", "their roles are their names alone", "CAP_SYS_PTRACE, or root");
    assert!(nobody.row("fds").contains(" denied"), "{}", nobody.row("fds"));

    let blind = doctor.says(NOBODY, ",hidepid=2");
    assert!(blind.0.contains("; `/proc` is mounted with hidepid=invisible\n"), "{}", blind.0);
    let remedy = "CAP_SYS_PTRACE, the group of the mount's `gid=`, or `mount -o remount,hidepid=off /proc`";
    blind.check_denied(
        "process-hidden",
        "their processes are not in the graph and can be neither suspects nor impact",
        remedy,
    );
    let capable = doctor.says(CAPABLE, ",hidepid=2");
    ["process-hidden", "fd"].iter().for_each(|signal| capable.check_all(signal));
}
