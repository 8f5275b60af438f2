//! Scripts in the arguments of interpreters.

use super::names::base_name;

/// A program that runs scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    /// `python`, `pypy`.
    Python,
    /// `perl`.
    Perl,
    /// `ruby`.
    Ruby,
    /// Node.js.
    Node,
    /// `sh` and its relatives.
    Shell,
    /// `php`.
    Php,
    /// A Java virtual machine.
    Java,
}

impl Interpreter {
    /// Returns the interpreter that a program with this name is, whatever its version.
    pub fn from_name(program: &str) -> Option<Interpreter> {
        let name =
            program.trim_end_matches(|character: char| character.is_ascii_digit() || matches!(character, '.' | '-'));
        Some(match name {
            "python" | "pypy" => Interpreter::Python,
            "perl" => Interpreter::Perl,
            "ruby" => Interpreter::Ruby,
            "node" | "nodejs" => Interpreter::Node,
            "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" => Interpreter::Shell,
            "php" | "php-cgi" => Interpreter::Php,
            "java" => Interpreter::Java,
            _ => return None,
        })
    }

    /// Returns the base name of the script, or the module or main class; `None` if the program is
    /// an argument itself, or if an unknown option hides where the script is.
    pub fn script(self, arguments: &[&[u8]]) -> Option<String> {
        let mut arguments = arguments.iter().skip(1);
        let mut may_be_value = false;
        while let Some(argument) = arguments.next() {
            let argument = std::str::from_utf8(argument).ok()?;
            match self.meaning(argument) {
                Argument::Option => {}
                Argument::OptionWithValue => drop(arguments.next()?),
                Argument::UnknownOption => may_be_value = true,
                Argument::NameFollows => return plain_name(std::str::from_utf8(arguments.next()?).ok()?),
                Argument::Script if may_be_value && !self.is_script_file(argument) => {}
                Argument::Script => return plain_name(argument),
                Argument::Program => return None,
            }
        }
        None
    }

    /// Returns whether an argument has the suffix of a script of this interpreter. Only such an
    /// argument is taken for the script if it may be the value of an option.
    fn is_script_file(self, argument: &str) -> bool {
        let suffixes: &[&str] = match self {
            Interpreter::Python => &["py", "pyc", "pyz", "pyw"],
            Interpreter::Perl => &["pl"],
            Interpreter::Ruby => &["rb", "ru"],
            Interpreter::Node => &["js", "mjs", "cjs", "ts", "mts", "cts"],
            Interpreter::Shell => &["sh", "bash"],
            Interpreter::Php => &["php", "phar"],
            Interpreter::Java => &["java"],
        };
        base_name(argument).rsplit_once('.').is_some_and(|(_, suffix)| suffixes.contains(&suffix))
    }

    fn meaning(self, argument: &str) -> Argument {
        let is_option = argument.starts_with('-') || (self == Interpreter::Shell && argument.starts_with('+'));
        if !is_option {
            return Argument::Script;
        }
        if argument == "-" {
            return Argument::Program;
        }
        let cluster = argument.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
        let ends_in = |letters: &[char]| cluster.is_some_and(|letters_given| letters_given.ends_with(letters));
        match (self, argument) {
            (Interpreter::Python, "-m") => Argument::NameFollows,
            (Interpreter::Python, _) if ends_in(&['c']) => Argument::Program,
            (Interpreter::Python, "--check-hash-based-pycs") => Argument::OptionWithValue,
            (Interpreter::Python, _) if ends_in(&['W', 'X']) => Argument::OptionWithValue,
            (Interpreter::Shell, _) if cluster.is_some_and(|letters| letters.contains('c')) => Argument::Program,
            (Interpreter::Shell, "-s") => Argument::Program,
            (Interpreter::Shell, "+o" | "+O" | "--rcfile" | "--init-file") => Argument::OptionWithValue,
            (Interpreter::Shell, _) if ends_in(&['o', 'O']) => Argument::OptionWithValue,
            (Interpreter::Perl | Interpreter::Ruby, _) if ends_in(&['e', 'E']) => Argument::Program,
            (Interpreter::Perl | Interpreter::Ruby, "-r" | "-C" | "-x") => Argument::OptionWithValue,
            (Interpreter::Perl | Interpreter::Ruby, _) if ends_in(&['I']) => Argument::OptionWithValue,
            (Interpreter::Node, "-e" | "--eval" | "-p" | "--print" | "-pe") => Argument::Program,
            (Interpreter::Node, "-r" | "--require" | "--import" | "--loader" | "-C" | "--env-file" | "--title") => {
                Argument::OptionWithValue
            }
            (Interpreter::Php, "-r" | "-R" | "-B" | "-E") => Argument::Program,
            (Interpreter::Php, "-f") => Argument::NameFollows,
            (Interpreter::Php, "-d" | "-c" | "-z" | "-S" | "-t") => Argument::OptionWithValue,
            (Interpreter::Java, "-jar" | "-m" | "--module") => Argument::NameFollows,
            (
                Interpreter::Java,
                "-cp"
                | "-classpath"
                | "--class-path"
                | "-p"
                | "--module-path"
                | "--add-modules"
                | "--add-opens"
                | "--add-exports"
                | "--add-reads"
                | "--enable-native-access"
                | "--upgrade-module-path"
                | "--patch-module"
                | "--limit-modules"
                | "--source",
            ) => Argument::OptionWithValue,
            _ if self.has_no_value(argument) => Argument::Option,
            _ => Argument::UnknownOption,
        }
    }

    /// Returns whether an option, which is none of those with a value, is known to have none, or
    /// contains it.
    fn has_no_value(self, option: &str) -> bool {
        const LONG_FLAGS: [&str; 14] = [
            "--enable-preview",
            "--enable-source-maps",
            "--expose-gc",
            "--inspect",
            "--inspect-brk",
            "--login",
            "--noprofile",
            "--norc",
            "--no-deprecation",
            "--no-warnings",
            "--posix",
            "--trace-warnings",
            "--watch",
            "--yjit",
        ];
        let Some(long) = option.strip_prefix("--") else { return self.is_known_cluster(option) };
        // `--` ends the options of the interpreter: the next argument is the script.
        long.is_empty() || long.contains('=') || LONG_FLAGS.contains(&option)
    }

    /// Returns whether the first letter after a single dash is a known option. All of these have no
    /// value, or one in the same argument.
    fn is_known_cluster(self, option: &str) -> bool {
        let letters = match self {
            Interpreter::Python => "bBdEhiIOPqRsStuvVxWXJ3",
            Interpreter::Perl => "0123456789acDfFghilmMnpsStTuUvVwWxXCI",
            Interpreter::Ruby => "0123456789aCdFghiIKlnprsSTUvVwWxXy",
            Interpreter::Node => "hivc",
            Interpreter::Shell => "abefghiklmnprtuvxBCDEHPTo",
            Interpreter::Php => "adnqCchilmsvwz",
            // All others of Java contain their value: `-Xmx1g`, `-Dname=value`.
            Interpreter::Java => return true,
        };
        option.chars().nth(1).is_some_and(|letter| letters.contains(letter))
    }
}

enum Argument {
    Option,
    OptionWithValue,
    /// An option that may be followed by its value.
    UnknownOption,
    NameFollows,
    Script,
    Program,
}

/// Returns the base name if it looks like a name. Anything else may be a secret that is the value
/// of an unknown option.
fn plain_name(argument: &str) -> Option<String> {
    let name = base_name(argument);
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '+' | '@');
    // A bare number is a descriptor (`/dev/fd/63`).
    let is_name = name.chars().any(|character| character.is_ascii_alphabetic());
    let fits = is_name && name.len() <= 64 && name.chars().all(is_plain);
    fits.then(|| name.to_owned())
}
