//! Dead letters: records that could not be processed or published, with the reason.
//!
//! A dead letter has the key, the headers and the value of its record, and these headers:
//!
//! | header | content |
//! |---|---|
//! | `from` | the origin: topic, partition and offset, as far as the record had them |
//! | `why` | the reason |
//! | `value-bytes` | the complete size of a value that is truncated |
//! | `key-bytes` | the complete size of a key that is truncated |
//! | `headers-removed` | how many other headers were removed |

use schemas::Topic;

use crate::{BusError, Delivery, Record};

/// Longest key and header of a dead letter that has no value left, in bytes.
const MAX_TEXT_BYTES: usize = 512;
/// Headers that a dead letter keeps in any case.
const OWN_HEADERS: [&str; 5] = ["from", "why", "value-bytes", "key-bytes", "headers-removed"];

/// How a rejected record was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// By a dead letter.
    DeadLetter,
    /// By a shorter dead letter: the record was a dead letter itself.
    ShorterDeadLetter,
    /// By nothing: the bus rejected even the shortest dead letter.
    Removed,
}

impl Delivery {
    /// Makes a record for the dead-letter topic: the same bytes and headers, with headers that name
    /// the origin (`from`: topic/partition/offset) and the reason (`why`).
    pub fn to_dead_letter(&self, reason: &str) -> Record {
        let from = format!("{}/{}/{}", self.topic, self.partition, self.offset);
        let mut letter = Record::new(Topic::DeadLetter, self.key.clone(), self.value.clone(), self.time);
        letter.headers.clone_from(&self.headers);
        set_origin(&mut letter, from, reason);
        letter
    }
}

/// Replaces the record that the bus rejected with `error` by a dead letter, and a rejected dead
/// letter by a shorter one, so that a repeated publication succeeds after a few attempts. Logs what
/// is not published as it was.
///
/// Returns `None` and changes nothing if `error` rejects none of `records`.
pub fn replace_rejected(records: &mut Vec<Record>, error: &BusError) -> Option<Replacement> {
    let index = error.rejected_record()?;
    let record = records.get_mut(index)?;
    if record.topic != Topic::DeadLetter {
        let Record { topic, key, .. } = &*record;
        tracing::warn!(%topic, key, %error, hint = error.hint(), "record rejected; moved to the dead letters");
        become_dead_letter(record, &error.to_string());
        return Some(Replacement::DeadLetter);
    }
    if shorten(record) {
        return Some(Replacement::ShorterDeadLetter);
    }
    tracing::error!(key = record.key, %error, hint = error.hint(), "dead letter rejected and lost");
    records.remove(index);
    Some(Replacement::Removed)
}

fn become_dead_letter(record: &mut Record, reason: &str) {
    let from = match record.partition.take() {
        Some(partition) => format!("{}/{partition}", record.topic),
        None => record.topic.to_string(),
    };
    record.topic = Topic::DeadLetter;
    set_origin(record, from, reason);
}

/// Sets origin and reason, and removes headers of the record that look like those of a dead letter.
fn set_origin(letter: &mut Record, from: String, reason: &str) {
    letter.headers.retain(|(name, _)| !OWN_HEADERS.contains(&name.as_str()));
    add_header(letter, "from", from);
    add_header(letter, "why", reason.to_owned());
}

/// Halves the value; without a value, removes what else can be long. Returns false if there is
/// nothing to remove.
fn shorten(letter: &mut Record) -> bool {
    let size = letter.size();
    if letter.value.is_empty() {
        shorten_key_and_headers(letter);
        return letter.size() < size;
    }
    if !letter.headers.iter().any(|(name, _)| name == "value-bytes") {
        add_header(letter, "value-bytes", letter.value.len().to_string());
    }
    letter.value.truncate(letter.value.len() / 2);
    true
}

fn shorten_key_and_headers(letter: &mut Record) {
    let last = |name: &&str| letter.headers.iter().rfind(|(candidate, _)| candidate == name).cloned();
    let mut kept: Vec<_> = OWN_HEADERS.iter().filter_map(last).collect();
    kept.iter_mut().for_each(|(_, value)| value.truncate(MAX_TEXT_BYTES));
    let n_removed = letter.headers.len() - kept.len();
    let key_bytes = letter.key.len();
    letter.headers = kept;
    letter.key.truncate(letter.key.floor_char_boundary(MAX_TEXT_BYTES));
    if n_removed > 0 {
        add_header(letter, "headers-removed", n_removed.to_string());
    }
    if letter.key.len() < key_bytes {
        add_header(letter, "key-bytes", key_bytes.to_string());
    }
}

fn add_header(record: &mut Record, name: &str, value: String) {
    record.headers.push((name.to_owned(), value.into_bytes()));
}
