//! Command lines without their secrets.
//!
//! Where a secret begins can be told from what stands before it. Where it ends cannot, with quotes in quotes for one shell after another: so
//! from where one begins the rest of its argument is not shown.

mod options;
mod tokens;

use options::Options;

/// A longer line is cut.
pub const MAX_LENGTH: usize = 512;

/// Stands for what is not shown.
const HIDDEN: &str = "***";

/// The arguments in one line of at most [`LONGEST`] bytes, without what is or may be a secret.
pub fn redact_command_line(arguments: &[&[u8]]) -> String {
    let mut scrubber = Scrubber::default();
    let mut line = String::new();
    // A title that a program has set itself leaves empty arguments behind.
    for argument in arguments.iter().filter(|argument| !argument.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&scrubber.argument(argument));
        if line.len() > MAX_LENGTH {
            break;
        }
    }
    line.truncate(line.floor_char_boundary(MAX_LENGTH));
    line
}

/// What the arguments before say of the next one.
#[derive(Clone, Copy, Debug, Default)]
enum Next {
    #[default]
    Plain,
    /// It and those behind it, so many in all, are secrets.
    Secret(u8),
    /// It is a user's name, and may have the password behind it.
    Login,
}

#[derive(Default)]
struct Scrubber {
    next: Next,
    options: Options,
    is_past_the_program: bool,
}

impl Scrubber {
    fn argument(&mut self, argument: &[u8]) -> String {
        let text = super::text(argument).replace(char::is_control, " ");
        match std::mem::take(&mut self.next) {
            Next::Secret(times) if options::connects(&text) => {
                self.next = Next::Secret(times);
                return text;
            }
            Next::Secret(times) => {
                self.next = if times > 1 { Next::Secret(times - 1) } else { Next::Plain };
                return HIDDEN.to_owned();
            }
            Next::Login => {
                if let Some(end) = options::end_of_user(&text) {
                    return hidden_from(&text, end);
                }
            }
            Next::Plain => {}
        }
        let shown = self.shown(&text);
        if shown.contains(' ') { format!("'{shown}'") } else { shown }
    }

    fn shown(&mut self, text: &str) -> String {
        // Quotes only hide where something begins.
        let plain = text.replace(['\'', '"', '\\'], "");
        let begins = self.find(&plain);
        let shown = match (begins, Userinfo::of(&plain)) {
            (None, None) => return tokens::hidden(&plain).unwrap_or_else(|| text.to_owned()),
            (Some(begins), None) => hidden_from(&plain, begins),
            (begins, Some(userinfo)) => userinfo.hidden(&plain, begins),
        };
        tokens::hidden(&shown).unwrap_or(shown)
    }

    /// Where the first secret begins, by what stands before it.
    fn find(&mut self, text: &str) -> Option<usize> {
        let mut first: Option<usize> = None;
        let mut at = 0;
        for word in text.split(' ') {
            let begins = self.find_in(text, at, word);
            first = first.into_iter().chain(begins).min();
            at += word.len() + 1;
        }
        first
    }

    /// Where the first secret begins that the word at `at` speaks of.
    fn find_in(&mut self, text: &str, at: usize, word: &str) -> Option<usize> {
        const AROUND: &[char] = &['(', ')', '[', ']', '{', '}', '<', '>', ';', '|', '&', ',', '`', '$', '!'];
        let opened = word.trim_start_matches(AROUND);
        let start = at + word.len() - opened.len();
        let bare = opened.trim_end_matches(AROUND);
        let is_program = !std::mem::replace(&mut self.is_past_the_program, true);
        self.options.learn(bare);
        let announced = options::announces(bare).filter(|_| !is_program);
        let secret = [
            options::end_of_key(word).map(|end| (at + end, 1)),
            self.options.end(bare).map(|end| (start + end, 1)),
            announced.map(|times| (start + bare.len(), times)),
        ];
        let behind =
            secret.into_iter().flatten().filter_map(|(end, times)| self.behind(text, end, Next::Secret(times))).min();
        let login = options::end_of_login(bare).and_then(|end| self.behind(text, start + end, Next::Login));
        let login = login.and_then(|from| Some(from + options::end_of_user(text.get(from..)?)?));
        let named = options::end_of_name(word).map(|end| at + end);
        [behind, login, named].into_iter().flatten().min()
    }

    /// Where that begins which stands behind `end`; if nothing does, it is the next argument.
    fn behind(&mut self, text: &str, end: usize, next: Next) -> Option<usize> {
        let rest = text.get(end..).unwrap_or_default().trim_start();
        if rest.is_empty() {
            self.next = next;
            return None;
        }
        Some(text.len() - rest.len())
    }
}

fn hidden_from(text: &str, begins: usize) -> String {
    format!("{}{HIDDEN}", text.get(..begins).unwrap_or_default())
}

/// Where in a text the first URL's user begins, and where the last host that has one in front.
struct Userinfo {
    user: usize,
    host: usize,
}

impl Userinfo {
    fn of(text: &str) -> Option<Userinfo> {
        let user = text.find("://")? + 3;
        let host = text.rfind('@').filter(|host| *host >= user)?;
        Some(Userinfo { user, host })
    }

    /// The text without user and password, and from another secret on.
    fn hidden(&self, text: &str, begins: Option<usize>) -> String {
        // A URL among other words may not be the one that the last `@` belongs to.
        let is_alone = !text.get(..self.user).unwrap_or_default().contains(' ');
        if !is_alone || begins.is_some_and(|begins| begins <= self.host) {
            return hidden_from(text, begins.map_or(self.user, |begins| begins.min(self.user)));
        }
        let host = text.get(self.host..begins.unwrap_or(text.len())).unwrap_or_default();
        let end = if begins.is_some() { HIDDEN } else { "" };
        format!("{}{host}{end}", hidden_from(text, self.user))
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
    fn what_is_no_secret_is_shown_as_it_is() {
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
    fn of_what_has_a_secret_the_rest_is_shown() {
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
    fn a_line_is_cut_between_characters() {
        let long = "ø".repeat(400);
        assert_eq!(line(&["a", &long]).len(), MAX_LENGTH);
        assert_eq!(line(&[&long]).len(), MAX_LENGTH);
        assert_eq!(line(&["nginx: worker process", "", "", ""]), "'nginx: worker process'");
    }

    /// Command lines with a secret in each place that is known to hold some.
    fn places(secret: &str) -> Vec<Vec<String>> {
        let places: &[&[&str]] = &[
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
        let place = |place: &&[&str]| place.iter().map(|argument| argument.replace("{}", secret)).collect();
        places.iter().map(place).collect()
    }

    /// Tokens that are told by their look, in places that say nothing.
    fn plain_places(secret: &str) -> Vec<Vec<String>> {
        let places: &[&[&str]] = &[
            &["app", "{}"],
            &["app", "--from={}"],
            &["app", "/srv/data/{}/x"],
            &["app", "see {} now"],
            &["app", "x,{},y"],
            &["app", "https://host/{}"],
        ];
        let place = |place: &&[&str]| place.iter().map(|argument| argument.replace("{}", secret)).collect();
        places.iter().map(place).collect()
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

        /// The command line as the argument of a shell.
        fn shell(self, arguments: &[String]) -> Vec<String> {
            let quoted: Vec<String> = arguments.iter().map(|argument| self.quote(argument)).collect();
            vec!["sh".to_owned(), "-c".to_owned(), quoted.join(" ")]
        }
    }

    fn shown(arguments: &[String]) -> String {
        let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        redact_command_line(&arguments)
    }

    fn quotings() -> impl Strategy<Value = Vec<Quoting>> {
        prop::collection::vec(prop::sample::select(vec![Quoting::Single, Quoting::Double, Quoting::Backslash]), 0..3)
    }

    /// Letters of an alphabet by chance. One in thousands has no digit at all, as names have; those are left out.
    fn random(alphabet: &str, length: usize) -> impl Strategy<Value = String> {
        let letters = prop::collection::vec(prop::sample::select(alphabet.chars().collect::<Vec<_>>()), length);
        let letters = letters.prop_map(|letters| letters.into_iter().collect::<String>());
        letters.prop_filter("has a digit", |letters| letters.contains(|letter: char| letter.is_ascii_digit()))
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(arguments in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6)) {
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            prop_assert!(redact_command_line(&arguments).len() <= MAX_LENGTH);
        }

        // The letter that every secret has is in nothing else, so that not a part of one gets out either.
        #[test]
        fn a_secret_never_gets_out(secret in "[øa-z1 '\"@:=/&;,%#$`\\\\p-]{0,10}ø[øa-z1 '\"@:=/&;,%#$`\\\\p-]{0,10}", quotings in quotings()) {
            for place in places(&secret) {
                let arguments = quotings.iter().fold(place, |arguments, quoting| quoting.shell(&arguments));
                let line = shown(&arguments);
                prop_assert!(!line.contains('ø'), "{arguments:?} is shown as {line}");
            }
        }

        #[test]
        fn a_token_never_gets_out(
            token in prop_oneof![
                "AKIA[A-Z0-9]{16}", "gh[pousr]_[A-Za-z0-9]{36}", "github_pat_[A-Za-z0-9_]{60}", "xox[bp]-[0-9]{10}-[0-9a-zA-Z]{24}",
                "eyJ[A-Za-z0-9]{20}\\.eyJ[A-Za-z0-9_-]{30}\\.[A-Za-z0-9_-]{40}", "[0-9a-f]{32}", "[0-9A-F]{64}",
                random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 43), random("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 64),
            ],
            quotings in quotings(),
        ) {
            for place in plain_places(&token) {
                let arguments = quotings.iter().fold(place, |arguments, quoting| quoting.shell(&arguments));
                let line = shown(&arguments);
                let is_shown = (8..=token.len()).any(|end| line.contains(&token[end - 8..end]));
                prop_assert!(!is_shown, "{arguments:?} is shown as {line}");
            }
        }
    }
}
