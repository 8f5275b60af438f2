//! The report of an error that ends a program: the chain of its causes, and hints what to do.

use std::{error::Error, fmt, future::Future, io::IsTerminal, process::ExitCode};

/// Attaches a hint to an error: what the user can do about it.
///
/// The hint survives `anyhow` contexts. Only [`run`] prints it.
pub trait Hint<T, E> {
    /// Attaches `hint` to the error, if there is one.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;

    /// Attaches the hint that `choose` returns for the error, if any:
    /// `bus::open(&config).await.hint_from(BusError::hint)`.
    fn hint_from<H: Into<String>>(self, choose: impl FnOnce(&E) -> Option<H>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T, E> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.hint_from(|_| Some(hint))
    }

    fn hint_from<H: Into<String>>(self, choose: impl FnOnce(&E) -> Option<H>) -> anyhow::Result<T> {
        self.map_err(|error| match choose(&error) {
            Some(hint) => Hinted { hint: hint.into(), error: error.into() }.into(),
            None => error.into(),
        })
    }
}

/// An error with a hint. It displays as the error itself and has the same causes, so that it can
/// replace the error in a chain.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Hinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// The hints of an error and its causes, the outermost first, each once.
pub fn hints(error: &anyhow::Error) -> Vec<&str> {
    let mut hints = Vec::new();
    collect_hints(error, &mut hints);
    hints
}

fn collect_hints<'e>(error: &'e anyhow::Error, hints: &mut Vec<&'e str>) {
    for hinted in error.chain().filter_map(|cause| cause.downcast_ref::<Hinted>()) {
        if !hints.contains(&hinted.hint.as_str()) {
            hints.push(&hinted.hint);
        }
        // The error inside is not part of this chain, but may have hints of its own.
        collect_hints(&hinted.error, hints);
    }
}

/// Awaits `main` and returns its exit code. If it fails, reports the error on standard error and
/// returns 1.
pub async fn run(main: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    main.await.unwrap_or_else(|error| {
        eprint!("{}", render(&error, should_colour(&std::io::stderr())));
        ExitCode::FAILURE
    })
}

/// Whether to colour the text written to `stream`: it is a terminal, and `NO_COLOR` is not set.
pub fn should_colour(stream: &impl IsTerminal) -> bool {
    should_colour_for(stream.is_terminal(), std::env::var("NO_COLOR").ok().as_deref())
}

fn should_colour_for(is_terminal: bool, no_color: Option<&str>) -> bool {
    is_terminal && no_color.is_none_or(str::is_empty)
}

/// Renders an error as `error: a: b: c`, followed by a line per hint. Ends with a line feed.
pub fn render(error: &anyhow::Error, colour: bool) -> String {
    let (red, cyan, plain) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{red}error:{plain} {}\n", chain(error.as_ref()));
    for hint in hints(error) {
        text.push_str(&format!("{cyan}hint:{plain} {hint}\n"));
    }
    text
}

/// An error and its causes in one line, separated by `: `.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        // Some errors end with the message of their cause.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(message.trim_end());
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::Context;

    use super::*;

    fn missing() -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, "no such file")
    }

    #[track_caller]
    fn check(result: anyhow::Result<()>, expected: &str) {
        let error = result.expect_err("an error");
        assert_eq!(render(&error, false), expected);
    }

    #[test]
    fn an_error_and_its_causes_are_one_line() {
        check(
            Err::<(), _>(missing()).context("cannot read `a.toml`").context("cannot start"),
            "error: cannot start: cannot read `a.toml`: no such file\n",
        );
    }

    #[test]
    fn a_hint_survives_added_context() {
        let result = Err::<(), _>(missing()).hint("create it").context("cannot read `a.toml`").context("cannot start");
        check(result, "error: cannot start: cannot read `a.toml`: no such file\nhint: create it\n");
    }

    #[test]
    fn an_error_with_context_or_a_hint_takes_another_hint() {
        let result = Err::<(), _>(missing()).hint("inner").context("b").hint("outer").hint("inner");
        check(result, "error: b: no such file\nhint: inner\nhint: outer\n");
    }

    #[test]
    fn a_hint_can_depend_on_the_error() {
        let choose = |error: &io::Error| (error.kind() == io::ErrorKind::NotFound).then_some("create it");
        check(Err::<(), _>(missing()).hint_from(choose), "error: no such file\nhint: create it\n");
        check(Err::<(), _>(io::Error::other("broken")).hint_from(choose), "error: broken\n");
    }

    #[test]
    fn a_cause_that_the_error_already_quotes_is_not_repeated() {
        check(Err::<(), _>(missing()).context("cannot read: no such file"), "error: cannot read: no such file\n");
    }

    #[test]
    fn colour_is_for_terminals_unless_no_color_is_set() {
        assert!(should_colour_for(true, None) && should_colour_for(true, Some("")));
        assert!(!should_colour_for(true, Some("1")) && !should_colour_for(false, None));
        let error = anyhow::anyhow!("broken");
        assert_eq!(render(&error, true), "\x1b[1;31merror:\x1b[0m broken\n");
    }
}
