//! How a program ends, and what it says when it fails: the chain of causes, and what to do about it.

use std::{error::Error, fmt, future::Future, io::IsTerminal, process::ExitCode};

/// Gives an error a hint: what a person can do about it. It survives `anyhow`'s contexts, and only [`run`] prints it.
pub trait Hint<T, E> {
    /// With this hint.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;

    /// With the hint that `offer` finds in the error, if any: `bus::open(&config).await.hint_from(BusError::hint)`.
    fn hint_from<H: Into<String>>(self, offer: impl FnOnce(&E) -> Option<H>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T, E> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.hint_from(|_| Some(hint))
    }

    fn hint_from<H: Into<String>>(self, offer: impl FnOnce(&E) -> Option<H>) -> anyhow::Result<T> {
        self.map_err(|error| match offer(&error) {
            Some(hint) => Hinted { hint: hint.into(), error: error.into() }.into(),
            None => error.into(),
        })
    }
}

/// Reads as the error that it holds, and has its causes: in a chain it takes that error's place.
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

/// The hints of an error and its causes, the outermost first.
pub fn hints(error: &anyhow::Error) -> Vec<&str> {
    let hinted = error.chain().filter_map(|cause| cause.downcast_ref::<Hinted>());
    // Another one may be inside of what a hint was given to.
    hinted.flat_map(|hinted| std::iter::once(hinted.hint.as_str()).chain(hints(&hinted.error))).fold(
        Vec::new(),
        |mut hints, hint| {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
            hints
        },
    )
}

/// Runs a program to its end: its exit code, or 1 and a report on standard error.
pub async fn run(main: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    main.await.unwrap_or_else(|error| {
        eprint!("{}", render(&error, colour(&std::io::stderr())));
        ExitCode::FAILURE
    })
}

/// Whether to colour what goes there: a terminal, unless `NO_COLOR` is set.
pub fn colour(stream: &impl IsTerminal) -> bool {
    wants_colour(stream.is_terminal(), std::env::var("NO_COLOR").ok().as_deref())
}

fn wants_colour(terminal: bool, no_color: Option<&str>) -> bool {
    terminal && no_color.is_none_or(str::is_empty)
}

/// The report of an error: `error: a: b: c`, and a line for each hint; ends with a line feed.
pub fn render(error: &anyhow::Error, colour: bool) -> String {
    let (red, cyan, plain) = if colour { ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m") } else { ("", "", "") };
    let mut text = format!("{red}error:{plain} {}\n", chain(error.as_ref()));
    for hint in hints(error) {
        text.push_str(&format!("{cyan}hint:{plain} {hint}\n"));
    }
    text
}

/// An error and its causes in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(said.trim_end());
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
    fn the_chain_is_one_line() {
        check(
            Err::<(), _>(missing()).context("cannot read `a.toml`").context("cannot start"),
            "error: cannot start: cannot read `a.toml`: no such file\n",
        );
    }

    #[test]
    fn a_hint_survives_what_is_wrapped_around_it() {
        let result = Err::<(), _>(missing()).hint("write it").context("cannot read `a.toml`").context("cannot start");
        check(result, "error: cannot start: cannot read `a.toml`: no such file\nhint: write it\n");
    }

    #[test]
    fn a_hint_may_be_given_to_what_has_context_or_a_hint_already() {
        let result = Err::<(), _>(missing()).hint("inner").context("b").hint("outer").hint("inner");
        check(result, "error: b: no such file\nhint: inner\nhint: outer\n");
    }

    #[test]
    fn an_error_may_offer_its_own_hint_or_none() {
        let offer = |error: &io::Error| (error.kind() == io::ErrorKind::NotFound).then_some("write it");
        check(Err::<(), _>(missing()).hint_from(offer), "error: no such file\nhint: write it\n");
        check(Err::<(), _>(io::Error::other("broken")).hint_from(offer), "error: broken\n");
    }

    #[test]
    fn a_cause_that_is_told_already_is_not_repeated() {
        check(Err::<(), _>(missing()).context("cannot read: no such file"), "error: cannot read: no such file\n");
    }

    #[test]
    fn colour_is_for_terminals_whose_user_did_not_decline() {
        assert!(wants_colour(true, None) && wants_colour(true, Some("")));
        assert!(!wants_colour(true, Some("1")) && !wants_colour(false, None));
        let error = anyhow::anyhow!("broken");
        assert_eq!(render(&error, true), "\x1b[1;31merror:\x1b[0m broken\n");
    }
}
