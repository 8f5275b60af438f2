//! What stands before a secret.

/// What is part of the name of something that is kept secret, in lower case and without separators.
const SECRET: [&str; 15] = [
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

/// Words behind which a secret comes though nothing else says so.
const BARE: [&str; 16] = [
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

/// How the names of programs begin whose short option takes a secret.
const PROGRAMS: [(&str, &str); 25] = [
    ("mysql", "-p"),
    ("mariadb", "-p"),
    ("mycli", "-p"),
    ("sshpass", "-p"),
    // Of `docker`, `az` and others.
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

/// The options that take a secret, of the programs that were named so far.
#[derive(Default)]
pub struct Options(Vec<&'static str>);

impl Options {
    /// Takes notice of a word, which may name a program.
    pub fn learn(&mut self, word: &str) {
        let name = word.rsplit('/').next().unwrap_or(word);
        for (program, option) in PROGRAMS {
            if name.starts_with(program) && !self.0.contains(&option) {
                self.0.push(option);
            }
        }
    }

    /// Where in a word such an option ends.
    pub fn end(&self, word: &str) -> Option<usize> {
        self.0.iter().find(|option| word.starts_with(**option)).map(|option| option.len())
    }
}

/// How many words behind this one are secret, if it announces any: an option such as `--password`, or a word such as `PASSWORD`.
pub fn announces(word: &str) -> Option<u8> {
    let name = normal(word);
    if is_name(word) && word.starts_with('-') && sounds_secret(word) || BARE.contains(&name.as_str()) {
        return Some(1);
    }
    // Of the user too, perhaps.
    (name == "auth").then_some(2)
}

/// Whether a word only stands between a secret and what announces it.
pub fn connects(word: &str) -> bool {
    const BETWEEN: [&str; 15] =
        ["=", ":", "==", ":=", "=>", "by", "is", "as", "to", "with", "basic", "bearer", "digest", "negotiate", "token"];
    BETWEEN.contains(&word.to_ascii_lowercase().as_str())
}

/// Where in a word a key that sounds secret ends, its separator included: `password=`, `"apiKey":`, `-Dkey.store.pass=`.
pub fn end_of_key(word: &str) -> Option<usize> {
    const CLOSING: &[char] = &[']', '}', ')', '>', '+', ':', '=', '?', '*', '~', '!'];
    let separators = word.char_indices().filter(|(_, character)| matches!(character, '=' | ':'));
    let is_secret = |end: &usize| {
        let before = word.get(..*end).unwrap_or_default().trim_end_matches(CLOSING);
        let key = before.rsplit(|character| !is_in_name(character)).next().unwrap_or_default();
        sounds_secret(key)
    };
    separators.map(|(at, _)| at).find(is_secret).map(|at| at + 1)
}

/// Where in a word the user's name ends in `user:password@host`.
pub fn end_of_name(word: &str) -> Option<usize> {
    let colon = word.find(':').filter(|_| !word.contains("://"))?;
    word.rfind('@').filter(|at| *at > colon).map(|_| colon + 1)
}

/// Where in a word an option ends that takes a user's name, and with some programs the password with it.
pub fn end_of_login(word: &str) -> Option<usize> {
    const OPTIONS: [&str; 4] = ["--user", "--proxy-user", "--username", "--login"];
    let long = OPTIONS.into_iter().find_map(|option| match word.strip_prefix(option)? {
        "" => Some(option.len()),
        rest => rest.starts_with('=').then_some(option.len() + 1),
    });
    let is_short = word.starts_with("-u") || word.starts_with("-U");
    long.or_else(|| is_short.then_some(2))
}

/// Where a user's name ends before the password: `user:password`, `user%password`, `user,password`.
pub fn end_of_user(text: &str) -> Option<usize> {
    text.find([':', '%', ',']).map(|at| at + 1)
}

fn sounds_secret(name: &str) -> bool {
    let name = normal(name);
    SECRET.iter().any(|secret| name.contains(secret))
}

fn is_name(word: &str) -> bool {
    word.chars().all(is_in_name)
}

fn is_in_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-' | '.')
}

fn normal(name: &str) -> String {
    name.chars()
        .filter(|character| !matches!(character, '_' | '-' | '.'))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}
