//! Removes secrets from command lines.
//!
//! What precedes a secret shows where it starts. Where it ends is not certain, with quotes nested
//! for one shell after another. So everything from its start to the end of the argument is removed.

mod options;
mod tokens;

use options::SecretOptions;

/// Longer lines are cut to this length, in bytes.
pub const MAX_LENGTH: usize = 512;

/// Replaces a secret.
const REDACTED: &str = "***";

/// Joins arguments to one line of at most [`MAX_LENGTH`] bytes, and replaces everything that is or
/// may be a secret by `***`.
pub fn redact_command_line(arguments: &[&[u8]]) -> String {
    let mut redactor = Redactor::default();
    let mut line = String::new();
    // Programs that set a title leave empty arguments behind.
    for argument in arguments.iter().filter(|argument| !argument.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&redactor.redact_argument(argument));
        if line.len() > MAX_LENGTH {
            break;
        }
    }
    let mut line = schemas::text::clean(&line).into_owned();
    line.truncate(line.floor_char_boundary(MAX_LENGTH));
    line
}

/// What the earlier arguments announce for the next one.
#[derive(Clone, Copy, Debug, Default)]
enum Expected {
    #[default]
    Anything,
    /// This many secrets, one argument each.
    Secret(u8),
    /// A user name, perhaps with a password after it.
    Login,
}

#[derive(Default)]
struct Redactor {
    expected: Expected,
    options: SecretOptions,
    is_program_past: bool,
}

impl Redactor {
    fn redact_argument(&mut self, argument: &[u8]) -> String {
        let text = String::from_utf8_lossy(argument).replace(char::is_control, " ");
        match std::mem::take(&mut self.expected) {
            Expected::Secret(times) if options::is_connector(&text) => {
                self.expected = Expected::Secret(times);
                return text;
            }
            Expected::Secret(times) => {
                self.expected = if times > 1 { Expected::Secret(times - 1) } else { Expected::Anything };
                return REDACTED.to_owned();
            }
            Expected::Login => {
                if let Some(end) = options::end_of_user_name(&text) {
                    return redact_from(&text, end);
                }
            }
            Expected::Anything => {}
        }
        let redacted = self.redact_text(&text);
        if redacted.contains(' ') { format!("'{redacted}'") } else { redacted }
    }

    fn redact_text(&mut self, text: &str) -> String {
        // Quotes and backslashes would separate a secret from what precedes it.
        let plain = text.replace(['\'', '"', '\\'], "");
        let start = self.find_secret(&plain);
        let redacted = match (start, UserInfo::find(&plain)) {
            (None, None) => return tokens::redact_tokens(&plain).unwrap_or_else(|| text.to_owned()),
            (Some(start), None) => redact_from(&plain, start),
            (start, Some(user_info)) => user_info.redact(&plain, start),
        };
        tokens::redact_tokens(&redacted).unwrap_or(redacted)
    }

    /// Start of the first secret, judged by what precedes it.
    fn find_secret(&mut self, text: &str) -> Option<usize> {
        let mut first: Option<usize> = None;
        let mut at = 0;
        for word in text.split(' ') {
            let start = self.find_secret_at(text, at, word);
            first = first.into_iter().chain(start).min();
            at += word.len() + 1;
        }
        first
    }

    /// Start of the first secret in or announced by the word at offset `at`.
    fn find_secret_at(&mut self, text: &str, at: usize, word: &str) -> Option<usize> {
        const PUNCTUATION: &[char] = &['(', ')', '[', ']', '{', '}', '<', '>', ';', '|', '&', ',', '`', '$', '!'];
        let trimmed = word.trim_start_matches(PUNCTUATION);
        let start = at + word.len() - trimmed.len();
        let bare = trimmed.trim_end_matches(PUNCTUATION);
        let is_program = !std::mem::replace(&mut self.is_program_past, true);
        self.options.add_program(bare);
        let announced = options::count_announced_secrets(bare).filter(|_| !is_program);
        let secret = [
            options::end_of_key(word).map(|end| (at + end, 1)),
            self.options.end_of_option(bare).map(|end| (start + end, 1)),
            announced.map(|times| (start + bare.len(), times)),
        ];
        let after = secret
            .into_iter()
            .flatten()
            .filter_map(|(end, times)| self.after(text, end, Expected::Secret(times)))
            .min();
        let login = options::end_of_login(bare).and_then(|end| self.after(text, start + end, Expected::Login));
        let login = login.and_then(|from| Some(from + options::end_of_user_name(text.get(from..)?)?));
        let with_host = options::end_of_user_before_host(word).map(|end| at + end);
        [after, login, with_host].into_iter().flatten().min()
    }

    /// Start of the text after `end`. `None` if there is none: then the next argument is
    /// `expected`.
    fn after(&mut self, text: &str, end: usize, expected: Expected) -> Option<usize> {
        let rest = text.get(end..).unwrap_or_default().trim_start();
        if rest.is_empty() {
            self.expected = expected;
            return None;
        }
        Some(text.len() - rest.len())
    }
}

fn redact_from(text: &str, start: usize) -> String {
    format!("{}{REDACTED}", text.get(..start).unwrap_or_default())
}

/// Offsets of the user in the first URL of a text, and of the last `@`, which precedes a host.
struct UserInfo {
    user: usize,
    host: usize,
}

impl UserInfo {
    fn find(text: &str) -> Option<UserInfo> {
        let user = text.find("://")? + 3;
        let host = text.rfind('@').filter(|host| *host >= user)?;
        Some(UserInfo { user, host })
    }

    /// Removes user and password, and everything from `secret`, the start of another secret.
    fn redact(&self, text: &str, secret: Option<usize>) -> String {
        // With several words, the last `@` may belong to another URL.
        let is_alone = !text.get(..self.user).unwrap_or_default().contains(' ');
        if !is_alone || secret.is_some_and(|secret| secret <= self.host) {
            return redact_from(text, secret.map_or(self.user, |secret| secret.min(self.user)));
        }
        let host = text.get(self.host..secret.unwrap_or(text.len())).unwrap_or_default();
        let end = if secret.is_some() { REDACTED } else { "" };
        format!("{}{host}{end}", redact_from(text, self.user))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(arguments: &[&str]) -> String {
        let arguments: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
        redact_command_line(&arguments)
    }

    #[test]
    fn arguments_without_secrets_are_unchanged() {
        for arguments in [
            &["/usr/bin/python3", "-u", "/srv/worker.py", "--queue=mail", "8080"][..],
            &[
                "/usr/lib/jvm/java-17-openjdk-amd64/bin/java",
                "-Xmx1g",
                "-cp",
                "/srv/lib/x86_64-linux-gnu/*",
                "kafka.Kafka",
            ],
            &["ssh", "-p", "22", "host.example"],
            &["rsync", "-a", "/srv/data/2024-10-11/report.csv", "alice@host:/srv"],
            &["curl", "https://host.example/a?b=c"],
            &["postgres", "-D", "/var/lib/postgresql/15/main"],
        ] {
            assert_eq!(line(arguments), arguments.join(" "));
        }
        assert_eq!(line(&["sh", "-c", "sleep 1; echo done"]), "sh -c 'sleep 1; echo done'");
    }

    #[test]
    fn only_the_secret_is_removed() {
        for (arguments, expected) in [
            (&["app", "--password=hunter2", "run"][..], "app --password=*** run"),
            (&["app", "--api-key", "hunter2", "run"], "app --api-key *** run"),
            (&["mysqldump", "-phunter2", "shop"], "mysqldump -p*** shop"),
            (&["sshpass", "-p", "hunter2", "ssh", "host"], "sshpass -p *** ssh host"),
            (&["curl", "-u", "app:hunter2", "http://host/"], "curl -u app:*** http://host/"),
            (&["app", "postgres://app:hunter2@db/shop?sslmode=on"], "app postgres://***@db/shop?sslmode=on"),
            (&["app", "https://db/shop?user=a&password=b@c"], "app https://***"),
            (&["curl", "-H", "Authorization: Bearer hunter2"], "curl -H 'Authorization: ***'"),
            (&["sh", "-c", "sleep 1; mysql -h db -p'hunter 2' shop"], "sh -c 'sleep 1; mysql -h db -p***'"),
            (&["redis-cli", "auth", "default", "hunter2", "ping"], "redis-cli auth *** *** ping"),
            (&["app", "-Djavax.net.ssl.keyStorePassword=hunter2"], "app -Djavax.net.ssl.keyStorePassword=***"),
            (&["app", "--from", "AKIAIOSFODNN7EXAMPLE"], "app --from ***"),
        ] {
            assert_eq!(line(arguments), expected);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let long = "ø".repeat(400);
        assert_eq!(line(&["a", &long]).len(), MAX_LENGTH);
        assert_eq!(line(&[&long]).len(), MAX_LENGTH);
        assert_eq!(line(&["nginx: worker process", "", "", ""]), "'nginx: worker process'");
    }

    /// Command lines with a secret in each known position.
    fn with_secret(secret: &str) -> Vec<Vec<String>> {
        let templates: &[&[&str]] = &[
            &["app", "--password={}"],
            &["app", "DB_PASSWORD={}"],
            &["app", "--api-key", "{}"],
            &["app", "apiKey={}"],
            &["docker", "run", "-e", "MYSQL_ROOT_PASSWORD={}", "mysql"],
            &["mysql", "-p{}"],
            &["sudo", "/usr/bin/mariadb-dump", "-p", "{}"],
            &["sshpass", "-p", "{}", "ssh", "host"],
            &["curl", "-u", "user:{}", "http://host/"],
            &["curl", "-uuser:{}"],
            &["curl", "--user=user:{}"],
            &["smbclient", "-U", "user%{}", "//host/share"],
            &["app", "postgres://user:{}@db/shop?sslmode=on"],
            &["app", "DATABASE_URL=postgres://user:{}@db/shop"],
            &["app", "https://host/cb?x=1&access_token={}&y=2"],
            &["curl", "-H", "Authorization: Bearer {}"],
            &["curl", "-H", "X-Api-Key: {}"],
            &["java", "-Djavax.net.ssl.keyStorePassword={}"],
            &["psql", "host=db user=app password={}"],
            &["app", "{\"user\":\"app\", \"password\": \"{}\"}"],
            &["redis-cli", "-a", "{}", "ping"],
            &["redis-cli", "config", "set", "requirepass", "{}"],
            &["redis-cli", "auth", "default", "{}"],
            &["psql", "-c", "ALTER USER app PASSWORD '{}'"],
            &["mysql", "-e", "CREATE USER app IDENTIFIED BY '{}'"],
        ];
        let fill = |template: &&[&str]| template.iter().map(|argument| argument.replace("{}", secret)).collect();
        templates.iter().map(fill).collect()
    }

    /// Command lines with a token in positions that do not announce a secret.
    fn with_token(secret: &str) -> Vec<Vec<String>> {
        let templates: &[&[&str]] = &[
            &["app", "{}"],
            &["app", "--from={}"],
            &["app", "/srv/data/{}/x"],
            &["app", "see {} now"],
            &["app", "x,{},y"],
            &["app", "https://host/{}"],
        ];
        let fill = |template: &&[&str]| template.iter().map(|argument| argument.replace("{}", secret)).collect();
        templates.iter().map(fill).collect()
    }

    #[derive(Clone, Copy, Debug)]
    enum Quoting {
        Single,
        Double,
        Backslash,
    }

    impl Quoting {
        fn quote(self, argument: &str) -> String {
            let escaped = |is_special: fn(char) -> bool| -> String {
                let escape = |character| is_special(character).then_some('\\').into_iter().chain([character]);
                argument.chars().flat_map(escape).collect()
            };
            match self {
                Quoting::Single => format!("'{}'", argument.replace('\'', "'\"'\"'")),
                Quoting::Double => format!("\"{}\"", escaped(|character| "\"\\$`".contains(character))),
                Quoting::Backslash => escaped(|character| character.is_ascii() && !character.is_ascii_alphanumeric()),
            }
        }

        /// A shell that runs the command line.
        fn shell(self, arguments: &[String]) -> Vec<String> {
            let quoted: Vec<String> = arguments.iter().map(|argument| self.quote(argument)).collect();
            vec!["sh".to_owned(), "-c".to_owned(), quoted.join(" ")]
        }
    }

    fn redacted(arguments: &[String]) -> String {
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        redact_command_line(&arguments)
    }

    fn quotings() -> impl Strategy<Value = Vec<Quoting>> {
        prop::collection::vec(prop::sample::select(vec![Quoting::Single, Quoting::Double, Quoting::Backslash]), 0..3)
    }

    /// Random letters of an alphabet, with at least one digit: words without digits look like
    /// names.
    fn random(alphabet: &str, length: usize) -> impl Strategy<Value = String> {
        let letters = prop::collection::vec(prop::sample::select(alphabet.chars().collect::<Vec<_>>()), length);
        let letters = letters.prop_map(|letters| letters.into_iter().collect::<String>());
        letters.prop_filter("has a digit", |letters| letters.contains(|letter: char| letter.is_ascii_digit()))
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            prop_assert!(redact_command_line(&arguments).len() <= MAX_LENGTH);
        }

        // Every secret contains `ø`, which nothing else does, so that parts of secrets are found
        // too.
        #[test]
        fn secrets_are_removed(secret in "[øa-z1 '\"@:=/&;,%#$`\\\\p-]{0,10}ø[øa-z1 '\"@:=/&;,%#$`\\\\p-]{0,10}", quotings in quotings()) {
            for line in with_secret(&secret) {
                let arguments = quotings.iter().fold(line, |arguments, quoting| quoting.shell(&arguments));
                let line = redacted(&arguments);
                prop_assert!(!line.contains('ø'), "{arguments:?} is shown as {line}");
            }
        }

        #[test]
        fn tokens_are_removed(
            token in prop_oneof![
                "AKIA[A-Z0-9]{16}", "gh[pousr]_[A-Za-z0-9]{36}", "github_pat_[A-Za-z0-9_]{60}", "xox[bp]-[0-9]{10}-[0-9a-zA-Z]{24}",
                "eyJ[A-Za-z0-9]{20}\\.eyJ[A-Za-z0-9_-]{30}\\.[A-Za-z0-9_-]{40}", "[0-9a-f]{32}", "[0-9A-F]{64}",
                random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 43), random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 64),
            ],
            quotings in quotings(),
        ) {
            for line in with_token(&token) {
                let arguments = quotings.iter().fold(line, |arguments, quoting| quoting.shell(&arguments));
                let line = redacted(&arguments);
                let is_shown = (8..=token.len()).any(|end| line.contains(&token[end - 8..end]));
                prop_assert!(!is_shown, "{arguments:?} is shown as {line}");
            }
        }
    }
}
