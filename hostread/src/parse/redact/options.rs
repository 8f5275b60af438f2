//! Options, keys and words that precede a secret.

/// Parts of names of secrets, in lower case and without separators.
const SECRET_NAMES: [&str; 15] = [
    "pass",
    "pw",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "bearer",
    "cookie",
    "session",
    "signature",
    "jwt",
    "private",
    "salt",
    "dsn",
];

/// Words after which a secret follows.
const SECRET_WORDS: [&str; 16] = [
    "pass",
    "passwd",
    "password",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "bearer",
    "authorization",
    "credential",
    "credentials",
    "apikey",
    "requirepass",
    "masterauth",
    "identified",
    "cookie",
];

/// Prefixes of program names, with a short option that takes a secret.
const PROGRAMS: [(&str, &str); 25] = [
    ("mysql", "-p"),
    ("mariadb", "-p"),
    ("mycli", "-p"),
    ("sshpass", "-p"),
    // `docker login`, `az login` and others.
    ("login", "-p"),
    ("mongo", "-p"),
    ("cqlsh", "-p"),
    ("cypher-shell", "-p"),
    ("rabbitmqadmin", "-p"),
    ("rdesktop", "-p"),
    ("7z", "-p"),
    ("rar", "-p"),
    ("unrar", "-p"),
    ("redis-cli", "-a"),
    ("valkey-cli", "-a"),
    ("ldap", "-w"),
    ("sqlcmd", "-P"),
    ("bcp", "-P"),
    ("tsql", "-P"),
    ("mosquitto_", "-P"),
    ("ipmitool", "-P"),
    ("zip", "-P"),
    ("unzip", "-P"),
    ("snmp", "-A"),
    ("snmp", "-X"),
];

/// The options that take a secret, for the programs in a command line so far.
#[derive(Default)]
pub struct SecretOptions(Vec<&'static str>);

impl SecretOptions {
    /// Adds the options of a program, if the word is the name of one.
    pub fn add_program(&mut self, word: &str) {
        let name = word.rsplit('/').next().unwrap_or(word);
        for (program, option) in PROGRAMS {
            if name.starts_with(program) && !self.0.contains(&option) {
                self.0.push(option);
            }
        }
    }

    /// End of such an option at the start of a word.
    pub fn end_of_option(&self, word: &str) -> Option<usize> {
        self.0.iter().find(|option| word.starts_with(**option)).map(|option| option.len())
    }
}

/// How many secrets follow a word such as `--password` or `PASSWORD`. `None` for other words.
pub fn count_announced_secrets(word: &str) -> Option<u8> {
    let name = normalize(word);
    if is_name(word) && word.starts_with('-') && is_secret_name(word) || SECRET_WORDS.contains(&name.as_str()) {
        return Some(1);
    }
    // A user name may come before the password.
    (name == "auth").then_some(2)
}

/// Whether a word can come between a secret and what announces it, such as `=` or `by`.
pub fn is_connector(word: &str) -> bool {
    const CONNECTORS: [&str; 15] =
        ["=", ":", "==", ":=", "=>", "by", "is", "as", "to", "with", "basic", "bearer", "digest", "negotiate", "token"];
    CONNECTORS.contains(&word.to_ascii_lowercase().as_str())
}

/// End of a key that names a secret, including its separator: `password=`, `"apiKey":`,
/// `-Dkey.store.pass=`.
pub fn end_of_key(word: &str) -> Option<usize> {
    const CLOSING: &[char] = &[']', '}', ')', '>', '+', ':', '=', '?', '*', '~', '!'];
    let separators = word.char_indices().filter(|(_, character)| matches!(character, '=' | ':'));
    let is_secret = |end: &usize| {
        let before = word.get(..*end).unwrap_or_default().trim_end_matches(CLOSING);
        let key = before.rsplit(|character| !is_name_character(character)).next().unwrap_or_default();
        is_secret_name(key)
    };
    separators.map(|(at, _)| at).find(is_secret).map(|at| at + 1)
}

/// End of the user name in `user:password@host`, including the colon.
pub fn end_of_user_before_host(word: &str) -> Option<usize> {
    let colon = word.find(':').filter(|_| !word.contains("://"))?;
    word.rfind('@').filter(|at| *at > colon).map(|_| colon + 1)
}

/// End of an option that takes a user name, with some programs together with a password.
pub fn end_of_login(word: &str) -> Option<usize> {
    const OPTIONS: [&str; 4] = ["--user", "--proxy-user", "--username", "--login"];
    let long = OPTIONS.into_iter().find_map(|option| match word.strip_prefix(option)? {
        "" => Some(option.len()),
        rest => rest.starts_with('=').then_some(option.len() + 1),
    });
    let is_short = word.starts_with("-u") || word.starts_with("-U");
    long.or_else(|| is_short.then_some(2))
}

/// End of a user name before a password, including the separator: `user:password`, `user%password`,
/// `user,password`.
pub fn end_of_user_name(text: &str) -> Option<usize> {
    text.find([':', '%', ',']).map(|at| at + 1)
}

fn is_secret_name(name: &str) -> bool {
    let name = normalize(name);
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

fn is_name(word: &str) -> bool {
    word.chars().all(is_name_character)
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

fn normalize(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-' | '.'))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}
