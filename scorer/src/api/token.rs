//! The token of the API: a secret in a file that only its owner can read.

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::{fs::OFlags, process::geteuid};

/// Bytes of randomness in a token; its text is hexadecimal.
const RANDOM_BYTES: usize = 32;

/// A token. Its debug form does not show it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads the token from a file, and creates the file if there is none.
    ///
    /// # Errors
    /// If the file cannot be read or created, others can access it, or its content is no token.
    pub fn read_or_create(path: &Path) -> io::Result<Token> {
        match Token::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create(path)?;
                Token::read(path)
            }
            read => read,
        }
    }

    /// Reads the token from a file.
    ///
    /// # Errors
    /// If the file cannot be read, others can access it, or its content is no token.
    pub fn read(path: &Path) -> io::Result<Token> {
        const MAX_BYTES: u64 = 256;
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = File::options().read(true).custom_flags(flags.bits() as i32).open(path)?;
        let metadata = file.metadata()?;
        let is_private = metadata.is_file() && metadata.mode() & 0o077 == 0;
        if !is_private || metadata.uid() != geteuid().as_raw() {
            let expected = "expected a file of this user that others cannot access: delete it, and start again";
            return Err(io::Error::new(ErrorKind::PermissionDenied, expected));
        }
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text)?;
        let text = text.trim_end();
        if text.len() != 2 * RANDOM_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(io::Error::new(ErrorKind::InvalidData, "expected 64 hexadecimal digits"));
        }
        Ok(Token(text.to_owned()))
    }

    /// Whether `sent` is this token. The time does not depend on where they differ.
    pub fn is(&self, sent: &str) -> bool {
        let differences = self.0.bytes().zip(sent.bytes()).fold(0, |differences, (a, b)| differences | (a ^ b));
        differences == 0 && self.0.len() == sent.len()
    }

    /// The text that clients send.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl From<String> for Token {
    fn from(text: String) -> Token {
        Token(text)
    }
}

/// Creates the file under another name first, so that no reader finds a part of it.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut random = [0; RANDOM_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let new = path.with_added_extension("new");
    // One of a process that was killed.
    let _ = fs::remove_file(&new);
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&new)?;
    writeln!(file, "{text}")?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_token_is_created_once_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data").join("api.token");
        let token = Token::read_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(Token::read_or_create(&path).unwrap().is(token.as_str()));
        let other = Token::read_or_create(&folder.path().join("other")).unwrap();
        assert!(!other.is(token.as_str()) && !other.is("") && !other.is(&format!("{}0", other.as_str())));
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn a_file_that_others_can_access_or_choose_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.token");
        Token::read_or_create(&path).unwrap();
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(Token::read_or_create(&link).is_err());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(Token::read_or_create(&path).unwrap_err().kind(), ErrorKind::PermissionDenied);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(Token::read_or_create(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
