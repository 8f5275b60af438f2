//! Facts from the arguments of a process. As little as possible is kept, because arguments contain
//! secrets.

use hostread::parse;

use crate::role;

/// Facts from the arguments of a process. All else is discarded at once and is in no recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentSummary {
    /// What the arguments add to the executable in the name of the process, such as a script; see
    /// [`role::name_of_process`].
    pub name: String,
    /// Whether the arguments contain `fault helper`. Helpers of `detective fault` are shown like
    /// any other process, although Local Detective's own processes are not.
    pub is_fault_helper: bool,
    /// Command line without secrets, if the settings ask for it.
    pub command: Option<String>,
}

impl ArgumentSummary {
    /// Returns the facts from `arguments`. Without arguments, the name comes from `comm`.
    pub fn new(executable: Option<&str>, comm: &str, arguments: &[&[u8]], keeps_command: bool) -> ArgumentSummary {
        let shown = keeps_command && !arguments.is_empty();
        ArgumentSummary {
            name: role::name_of_process(executable, comm, arguments),
            is_fault_helper: arguments.windows(2).any(|pair| *pair == [&b"fault"[..], b"helper"]),
            command: shown.then(|| parse::redact::redact_command_line(arguments)),
        }
    }

    /// Serializes in the form in which the blocking reader returns arguments: text separated by
    /// NUL.
    pub fn to_bytes(&self) -> Vec<u8> {
        let fault = if self.is_fault_helper { "fault" } else { "" };
        let command = self.command.as_ref().map(|command| format!("\0{command}")).unwrap_or_default();
        format!("{}\0{fault}{command}", self.name).into_bytes()
    }

    /// Parses the output of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8]) -> Option<ArgumentSummary> {
        let text = |part| String::from_utf8_lossy(part).into_owned();
        let mut parts = bytes.splitn(3, |byte| *byte == 0).map(text);
        let name = parts.next()?;
        let fault = parts.next()?;
        let command = parts.next();
        Some(ArgumentSummary { name, is_fault_helper: fault == "fault", command })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn summary(executable: Option<&str>, arguments: &[&str], keeps_command: bool) -> ArgumentSummary {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        ArgumentSummary::new(executable, "python3", &arguments, keeps_command)
    }

    #[test]
    fn only_the_script_of_an_interpreter_is_kept() {
        let python = Some("/usr/bin/python3.11");
        let kept = |arguments: &[&str]| String::from_utf8(summary(python, arguments, false).to_bytes()).unwrap();
        assert_eq!(kept(&["python3", "-u", "/srv/secret/worker.py", "--key=k"]), "worker.py\0");
        assert_eq!(kept(&["python3", "-c", "secret"]), "python#\0");
        assert_eq!(kept(&["python3", "fault", "helper", "secret"]), "fault\0fault");
        assert_eq!(kept(&["python3", "fault", "start", "secret"]), "fault\0");
    }

    proptest! {
        #[test]
        fn serialized_facts_parse_back(
            comm in "[ -~]{0,15}",
            arguments in prop::collection::vec("/b/python3|-[cm]|(/?[a-z.+-]{1,9}){1,2}|[ -~]{0,9}|fault|helper", 0..6),
            keeps_command: bool,
        ) {
            let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
            let summary = ArgumentSummary::new(Some("/usr/bin/python3"), &comm, &arguments, keeps_command);
            prop_assert_eq!(ArgumentSummary::from_bytes(&summary.to_bytes()), Some(summary));
        }
    }
}
