//! What is read of a process's arguments: as little as can be, for they hold secrets.

use crate::role;

/// What is read of a process's arguments, in their own form: of an interpreter its name and its script's, and whether one is
/// `fault`. All else can be a secret and is dropped at once. [`role::of_process`] makes the same of it as of all arguments.
pub fn kept(executable: Option<&str>, arguments: &[&[u8]]) -> Vec<u8> {
    const FAULT: &[u8] = b"fault";
    let program = role::program(executable, arguments);
    let script = role::script(program, arguments);
    let is_fault = arguments.iter().skip(1).any(|argument| *argument == FAULT);
    let mut text = Vec::new();
    if script.is_none() && !is_fault {
        return text;
    }
    // The executable tells the program's name, if it can be read.
    text.extend_from_slice(program.filter(|_| script.is_some() && executable.is_none()).unwrap_or_default().as_bytes());
    // As a path, for a name can look like an option. `-` is the program that does not come from a file.
    text.extend_from_slice(script.map_or("\0-".to_owned(), |script| format!("\0./{script}")).as_bytes());
    if is_fault {
        text.push(0);
        text.extend_from_slice(FAULT);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::parse;

    #[test]
    fn of_the_arguments_nothing_is_kept_but_an_interpreters_script() {
        let kept_of = |executable, arguments: &[&str]| {
            let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
            String::from_utf8(kept(executable, &arguments)).unwrap()
        };
        let python = Some("/usr/bin/python3.11");
        assert_eq!(kept_of(Some("/usr/sbin/nginx"), &["nginx: worker", "--key", "secret"]), "");
        assert_eq!(kept_of(python, &["python3", "-u", "/srv/secret/worker.py", "--key=k"]), "\0./worker.py");
        assert_eq!(kept_of(python, &["python3", "-c", "secret"]), "");
        assert_eq!(kept_of(None, &["/secret/python3", "worker.py", "k"]), "python3\0./worker.py");
        assert_eq!(kept_of(None, &["a secret title", "worker.py"]), "");
        assert_eq!(kept_of(python, &["python3", "-m", "-job", "fault", "x"]), "\0./-job\0fault");
        assert_eq!(kept_of(Some("/opt/detective"), &["detective", "fault", "start"]), "\0-\0fault");
    }

    proptest! {
        #[test]
        fn what_is_kept_of_arguments_says_all_that_they_said(
            executable in prop::sample::select(vec![None, Some("/usr/bin/python3"), Some("/bin/sh"), Some("/j/java"), Some("/x")]),
            comm in "python3|sh|[a-z-]{0,9}",
            arguments in prop::collection::vec(
                "/b/python3|sh|java|-[cmxueo-]{0,2}|-jar|--title|/dev/fd/9|(/?[a-z.+-]{1,9}){1,2}|[ -~]{0,9}|fault", 0..6),
        ) {
            let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
            let kept = kept(executable, &arguments);
            let kept = parse::process::arguments(&kept);
            prop_assert_eq!(role::of_process(None, executable, &comm, &kept), role::of_process(None, executable, &comm, &arguments));
            let is_fault = |arguments: &[&[u8]]| arguments.iter().skip(1).any(|argument| *argument == b"fault");
            prop_assert_eq!(is_fault(&kept), is_fault(&arguments));
        }
    }
}
