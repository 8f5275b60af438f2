//! Roles: the part of a node's identity that survives restarts.

use hostread::parse::{
    interpreter::Interpreter,
    names::{base_name, fold_digits},
    title::{Title, parse_title},
};
use schemas::text::unescape;

/// Returns the role of a process: the name of its container, its executable, and its own name, with
/// digits folded.
///
/// The name of an interpreter is the base name of its script: `/usr/bin/python3.11 worker.py`. The
/// name of a process with a known form of title includes the kind of process:
/// `/usr/lib/postgresql/15/bin/postgres postgres checkpointer`. No other argument is used.
pub fn process_role(container: Option<&str>, executable: Option<&str>, name: &str) -> String {
    let container = container.map(|container| format!("[{container}] ")).unwrap_or_default();
    format!("{container}{} {name}", executable.unwrap_or("-"))
}

/// Returns the name of a process without its executable: the kind of process if its title shows it,
/// the base name of the script for an interpreter, and the name that the process gave itself (its
/// escaped `comm`), with digits folded. No other argument is used.
pub fn name_of_process(executable: Option<&str>, comm: &str, arguments: &[&[u8]]) -> String {
    match parse_title(arguments) {
        Some(title) => titled_name(&title, comm, arguments),
        None => untitled_name(executable, comm, arguments),
    }
}

fn titled_name(title: &Title, comm: &str, arguments: &[&[u8]]) -> String {
    // Programs that set a title often set their name to its first bytes, which may contain
    // anything.
    let repeats = arguments.first().is_some_and(|text| !comm.is_empty() && text.starts_with(&unescape(comm)));
    let name =
        if repeats || Interpreter::from_name(comm).is_some() { title.program.to_owned() } else { fold_digits(comm) };
    format!("{name} {}", title.process_type)
}

fn untitled_name(executable: Option<&str>, comm: &str, arguments: &[&[u8]]) -> String {
    let program = executable.map(base_name).or_else(|| std::str::from_utf8(arguments.first()?).ok().map(base_name));
    let script = program.and_then(Interpreter::from_name).and_then(|interpreter| interpreter.script(arguments));
    let Some(script) = script else { return fold_digits(comm) };
    // The kernel truncates names to 15 bytes. A name that repeats the script or its interpreter
    // adds nothing.
    let repeats_script = !comm.is_empty() && script.starts_with(comm);
    if repeats_script || program.is_some_and(|program| is_alias(program, comm)) {
        return script;
    }
    format!("{script} {}", fold_digits(comm))
}

/// `python3` runs as `/usr/bin/python3.11`, `sh` as `/usr/bin/dash`.
fn is_alias(program: &str, comm: &str) -> bool {
    program.starts_with(comm)
        || Interpreter::from_name(program).is_some_and(|interpreter| Interpreter::from_name(comm) == Some(interpreter))
}

/// Returns the role of a file: its path with digits folded.
pub fn file_role(path: &str) -> String {
    fold_digits(path)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(executable: &str, comm: &str, arguments: &[&str], expected: &str) {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        let name = name_of_process(Some(executable), comm, &arguments);
        assert_eq!(process_role(None, Some(executable), &name), expected);
    }

    #[test]
    fn the_role_of_a_program_is_its_executable_and_name() {
        check("/usr/sbin/nginx", "nginx", &["nginx: secret", "-c", "secret"], "/usr/sbin/nginx nginx");
        check("/opt/pool", "worker-17", &["pool"], "/opt/pool worker-#");
    }

    #[test]
    fn only_the_kind_of_process_is_kept_of_a_title() {
        let postgres = |title: &str, expected: &str| check("/opt/bin/postgres", "postgres", &[title, "", ""], expected);
        postgres("postgres: checkpointer ", "/opt/bin/postgres postgres checkpointer");
        postgres("postgres: app secret [local] idle", "/opt/bin/postgres postgres backend");
        postgres("postgres: app secret [local] COMMIT", "/opt/bin/postgres postgres backend");
        check(
            "/usr/bin/python3.11",
            "gunicorn: worke",
            &["gunicorn: worker [secret]"],
            "/usr/bin/python3.11 gunicorn worker",
        );
        check("/usr/bin/ruby3.1", "ruby", &["puma: cluster worker 0: 17 [secret]"], "/usr/bin/ruby3.1 puma worker");
        check("/usr/sbin/nginx", "nginx", &["nginx: worker process", ""], "/usr/sbin/nginx nginx worker");
    }

    #[test]
    fn the_role_of_an_interpreter_contains_its_script() {
        check(
            "/usr/bin/python3.11",
            "python3",
            &["python3", "-u", "/srv/worker.py", "--key", "k"],
            "/usr/bin/python3.11 worker.py",
        );
        check(
            "/usr/bin/python3.11",
            "python",
            &["python", "-X", "dev", "-m", "http.server", "80"],
            "/usr/bin/python3.11 http.server",
        );
        check("/usr/bin/dash", "sh", &["sh", "-eu", "run.sh"], "/usr/bin/dash run.sh");
        check("/usr/bin/bash", "a-long-script-n", &["bash", "/a-long-script-name"], "/usr/bin/bash a-long-script-name");
        check("/usr/bin/perl", "perl", &["perl", "-w", "job.pl"], "/usr/bin/perl job.pl");
        check("/usr/bin/python3.11", "renamed-4", &["python3", "a.py"], "/usr/bin/python3.11 a.py renamed-#");
        check(
            "/usr/lib/jvm/bin/java",
            "java",
            &["java", "-Xmx1g", "-cp", "/l/*", "kafka.Kafka", "p"],
            "/usr/lib/jvm/bin/java kafka.Kafka",
        );
        check("/usr/lib/jvm/bin/java", "java", &["java", "-jar", "/srv/app.jar"], "/usr/lib/jvm/bin/java app.jar");
    }

    #[test]
    fn a_program_passed_as_an_argument_is_never_shown() {
        check("/usr/bin/dash", "sh", &["sh", "-c", "curl --key secret"], "/usr/bin/dash sh");
        check("/usr/bin/bash", "bash", &["bash", "/dev/fd/63"], "/usr/bin/bash bash");
        check("/usr/bin/bash", "bash", &["bash", "-lc", "secret"], "/usr/bin/bash bash");
        check("/usr/bin/python3", "python3", &["python3", "-Ic", "secret"], "/usr/bin/python3 python#");
        check("/usr/bin/perl", "perl", &["perl", "-ne", "secret"], "/usr/bin/perl perl");
        check("/usr/bin/node", "node", &["node", "--eval", "secret"], "/usr/bin/node node");
        check("/usr/bin/node", "node", &["node", "--unknown", "a secret, surely"], "/usr/bin/node node");
    }

    #[test]
    fn the_value_of_an_unknown_option_is_never_shown() {
        for (program, arguments, name) in [
            ("python3", &["--opt", "VALUE", "script.py"][..], "script.py"),
            ("python3", &["--opt=VALUE", "script"], "script"),
            ("python3", &["--opt", "VALUE"], "python#"),
            ("python3", &["-u", "script", "VALUE"], "script"),
            ("python3", &["-zopt", "VALUE"], "python#"),
            ("node", &["--enable-source-maps", "--max-old-space-size=512", "server"], "server"),
            ("node", &["--inspect-port", "VALUE", "/srv/app.mjs"], "app.mjs"),
            ("node", &["--stack-size", "VALUE", "server"], "node"),
            ("ruby", &["--encoding", "VALUE", "app.rb"], "app.rb"),
            ("bash", &["--norc", "-euo", "pipefail", "deploy"], "deploy"),
            ("bash", &["--unknown", "VALUE"], "bash"),
            ("java", &["-Xmx1g", "-Dkey=VALUE", "--enable-preview", "app.Main"], "app.Main"),
            ("java", &["--unknown", "VALUE", "app.Main"], "java"),
        ] {
            let arguments: Vec<&str> = [program].into_iter().chain(arguments.iter().copied()).collect();
            check(&format!("/usr/bin/{program}"), program, &arguments, &format!("/usr/bin/{program} {name}"));
        }
    }

    #[test]
    fn the_role_of_a_process_in_a_container_starts_with_its_name() {
        assert_eq!(process_role(Some("pay/api"), None, &name_of_process(None, "x-1", &[])), "[pay/api] - x-#");
    }

    proptest! {
        #[test]
        fn no_arguments_make_it_panic(
            comm in ".{0,15}",
            arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6),
            program in prop::sample::select(vec!["python3", "sh", "node", "java", "perl", "php", "x"]),
        ) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let role = name_of_process(Some(program), &comm, &arguments);
            prop_assert!(!role.chars().any(char::is_control));
        }
    }
}
