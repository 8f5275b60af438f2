//! Titles of PostgreSQL processes, versions 13 to 18.
//!
//! The title of a backend has its user, its database, the address of its client, and what it is
//! doing. Names can contain any characters, spaces included, so the title is parsed from its end.

use super::{Title, matches_pattern};
use crate::parse::words;

/// Processes that serve no client: pattern, process type and activity.
const HELPERS: [(&str, &str, &[&str]); 44] = [
    ("checkpointer", "checkpointer", &[]),
    ("checkpointer performing * checkpoint", "checkpointer", &["performing checkpoint"]),
    ("checkpointer performing * restartpoint", "checkpointer", &["performing restartpoint"]),
    ("background writer", "background writer", &[]),
    ("walwriter", "walwriter", &[]),
    ("walsummarizer", "walsummarizer", &[]),
    ("autovacuum launcher", "autovacuum launcher", &[]),
    ("autovacuum worker waiting", "autovacuum worker", &["waiting"]),
    ("autovacuum worker", "autovacuum worker", &[]),
    ("autovacuum worker * waiting", "autovacuum worker", &["waiting"]),
    ("autovacuum worker *", "autovacuum worker", &[]),
    ("stats collector", "stats collector", &[]),
    ("logger", "logger", &[]),
    ("archiver", "archiver", &[]),
    ("archiver archiving *", "archiver", &["archiving"]),
    ("archiver failed on *", "archiver", &["failed"]),
    ("archiver last was *", "archiver", &[]),
    ("startup", "startup", &[]),
    ("startup recovering * waiting", "startup", &["recovering", "waiting"]),
    ("startup recovering *", "startup", &["recovering"]),
    ("startup waiting for *", "startup", &["waiting"]),
    ("startup performing * checkpoint", "startup", &["performing checkpoint"]),
    ("startup *waiting", "startup", &["waiting"]),
    ("walreceiver", "walreceiver", &[]),
    ("walreceiver idle", "walreceiver", &["idle"]),
    ("walreceiver streaming *", "walreceiver", &["streaming"]),
    ("walreceiver restarting at *", "walreceiver", &["restarting"]),
    ("slotsync worker", "slotsync worker", &[]),
    ("io worker", "io worker", &[]),
    ("io worker *", "io worker", &[]),
    ("logical replication launcher", "logical replication launcher", &[]),
    ("logical replication worker for subscription *", "logical replication worker", &[]),
    ("logical replication apply worker for subscription * waiting", "logical replication apply worker", &["waiting"]),
    ("logical replication apply worker for subscription *", "logical replication apply worker", &[]),
    ("logical replication parallel apply worker for subscription *", "logical replication parallel apply worker", &[]),
    ("logical replication tablesync worker for subscription *", "logical replication tablesync worker", &[]),
    ("parallel worker for PID * waiting", "parallel worker", &["waiting"]),
    ("parallel worker for PID *", "parallel worker", &[]),
    ("autoprewarm leader", "autoprewarm leader", &[]),
    ("autoprewarm worker", "autoprewarm worker", &[]),
    ("pg_cron launcher", "pg_cron launcher", &[]),
    ("TimescaleDB Background Worker Launcher", "TimescaleDB launcher", &[]),
    ("TimescaleDB Background Worker Scheduler", "TimescaleDB scheduler", &[]),
    ("Citus Maintenance Daemon*", "Citus maintenance daemon", &[]),
];

/// States of a backend that are not SQL commands, and commands of the replication protocol.
const STATES: [&str; 18] = [
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "initializing",
    "authentication",
    "startup",
    "notify interrupt",
    "catchup interrupt",
    "PARSE",
    "BIND",
    "<FASTPATH>",
    "IDENTIFY_SYSTEM",
    "BASE_BACKUP",
    "CREATE_REPLICATION_SLOT",
    "DROP_REPLICATION_SLOT",
    "READ_REPLICATION_SLOT",
    "START_REPLICATION",
    "TIMELINE_HISTORY",
];

/// The first words of SQL commands.
const VERBS: &str = "ALTER ANALYZE BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE DEALLOCATE DECLARE DELETE DISCARD DO \
                     DROP EXECUTE EXPLAIN FETCH GRANT IMPORT INSERT LISTEN LOAD LOCK MERGE MOVE NOTIFY PREPARE REASSIGN REFRESH \
                     REINDEX RELEASE RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW START TRUNCATE UNLISTEN UPDATE VACUUM";

/// The other words in the names of SQL commands.
const OBJECTS: &str = "ACCESS AGGREGATE ALL AS CAST CLASS COLLATION CONFIGURATION CONSTRAINT CONSTRAINTS CONVERSION CURSOR DATA DATABASE \
                       DEFAULT DICTIONARY DOMAIN EVENT EXTENSION FAMILY FOR FOREIGN FROM FUNCTION INDEX INTO KEY LABEL LANGUAGE LARGE \
                       MAPPING MATERIALIZED METHOD NO OBJECT OPERATOR OWNED PARSER PLANS POLICY PREPARED PRIVILEGES PROCEDURE \
                       PUBLICATION ROLE ROUTINE RULE SCHEMA SEARCH SEQUENCE SEQUENCES SERVER SHARE STATISTICS SUBSCRIPTION SYSTEM \
                       TABLE TABLESPACE TEMP TEMPLATE TEXT TRANSACTION TRANSFORM TRIGGER TYPE UPDATE USER VIEW WRAPPER";

/// Parses a title of PostgreSQL.
pub fn parse_title(text: &[u8]) -> Option<Title> {
    let mut rest = text.strip_prefix(b"postgres: ")?;
    // The name of a cluster comes first: `postgres: 14/main: checkpointer`.
    loop {
        if let Some((process_type, activity)) = parse_backend(rest).or_else(|| parse_helper(rest)) {
            return Some(Title { program: "postgres", process_type, activity });
        }
        let colon = rest.windows(2).position(|window| window == b": ")?;
        rest = rest.get(colon + 2..)?;
    }
}

/// Process type and activity.
type Parsed = (&'static str, Vec<&'static str>);

fn parse_helper(text: &[u8]) -> Option<Parsed> {
    let (_, process_type, activity) = HELPERS.iter().find(|(pattern, ..)| matches_pattern(text, pattern))?;
    Some((process_type, activity.to_vec()))
}

/// Parses the title of a process that serves a client. The last word that looks like the address of
/// a client ends the names.
fn parse_backend(text: &[u8]) -> Option<Parsed> {
    let words: Vec<&[u8]> = words(text).collect();
    let client = words.iter().rposition(|word| is_client_address(word)).filter(|client| *client > 0)?;
    let doing = words.get(client + 1..).unwrap_or_default();
    if words.first() == Some(&b"walsender".as_slice()) {
        let activity = match doing {
            [b"streaming", ..] => vec!["streaming"],
            [b"sending", b"backup", ..] => vec!["sending backup"],
            _ => parse_activity(doing).unwrap_or_default(),
        };
        return Some(("walsender", activity));
    }
    Some(("backend", parse_activity(doing).unwrap_or_default()))
}

/// Whether a word is `[local]`, or an address with a port in parentheses.
fn is_client_address(word: &[u8]) -> bool {
    let port = || {
        let open = word.iter().rposition(|byte| *byte == b'(')?;
        word.get(open + 1..)?.strip_suffix(b")").filter(|_| open > 0)
    };
    word == b"[local]" || port().is_some_and(|port| crate::parse::number(port).is_some())
}

fn parse_activity(doing: &[&[u8]]) -> Option<Vec<&'static str>> {
    // A backend waits for a lock, or for a replica to confirm a commit.
    let (doing, wait) = match doing {
        [doing @ .., b"waiting"] => (doing, Some("waiting")),
        [doing @ .., b"waiting", b"for", _] => (doing, Some("waiting for a replica")),
        doing => (doing, None),
    };
    let mut activity =
        if doing.is_empty() { Vec::new() } else { parse_state(doing).or_else(|| parse_command(doing))? };
    activity.extend(wait);
    Some(activity)
}

fn parse_state(doing: &[&[u8]]) -> Option<Vec<&'static str>> {
    let is_same = |state: &&&str| state.split(' ').map(str::as_bytes).eq(doing.iter().copied());
    STATES.iter().find(is_same).map(|state| vec![*state])
}

fn parse_command(doing: &[&[u8]]) -> Option<Vec<&'static str>> {
    const MAX_OBJECTS: usize = 4;
    let (verb, objects) = doing.split_first().filter(|(_, objects)| objects.len() <= MAX_OBJECTS)?;
    let objects = objects.iter().map(|object| find_word(object, OBJECTS));
    std::iter::once(find_word(verb, VERBS)).chain(objects).collect()
}

fn find_word(word: &[u8], words: &'static str) -> Option<&'static str> {
    words.split(' ').find(|known| known.as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, process_type: &'static str, activity: &str) {
        let title = parse_title(text.as_bytes());
        let parsed = title.as_ref().map(|title| (title.process_type, title.activity().unwrap_or_default()));
        assert_eq!(parsed, Some((process_type, activity.to_owned())), "{text}");
    }

    #[test]
    fn the_activity_of_a_backend_is_parsed_without_names() {
        check("postgres: app shop [local] idle", "backend", "idle");
        check("postgres: app shop [local] idle in transaction", "backend", "idle in transaction");
        check(
            "postgres: app shop ::1(41236) idle in transaction (aborted)",
            "backend",
            "idle in transaction (aborted)",
        );
        check("postgres: app shop 10.0.0.7(51234) INSERT waiting", "backend", "INSERT waiting");
        check("postgres: app shop [local] COMMIT waiting for 0/3000148", "backend", "COMMIT waiting for a replica");
        check(
            "postgres: app shop db7.example(51234) ALTER TEXT SEARCH CONFIGURATION",
            "backend",
            "ALTER TEXT SEARCH CONFIGURATION",
        );
        check("postgres: app shop [local] SELECT FOR UPDATE waiting", "backend", "SELECT FOR UPDATE waiting");
        check("postgres: app shop [local] VACUUM", "backend", "VACUUM");
        check("postgres: app shop [local] SELECT FOR NO KEY UPDATE", "backend", "SELECT FOR NO KEY UPDATE");
        check("postgres: app shop [local] SELECT FOR NO KEY UPDATE TABLE", "backend", "");
        check("postgres: app shop [local] startup waiting", "backend", "startup waiting");
        check("postgres: app shop [local]", "backend", "");
        check("postgres: app shop [local] hunter2", "backend", "");
        check("postgres: 14/main: app shop [local] BIND", "backend", "BIND");
        check("postgres: eu: 1: app my db [local] authentication", "backend", "authentication");
    }

    #[test]
    fn names_that_look_like_titles_are_skipped() {
        check("postgres: checkpointer shop [local] idle", "backend", "idle");
        check("postgres: app DROP TABLE [local] idle [local] SELECT", "backend", "SELECT");
        check("postgres: startup shop [local] INSERT waiting", "backend", "INSERT waiting");
        check("postgres: x(1) idle db [local] idle in transaction", "backend", "idle in transaction");
    }

    #[test]
    fn helper_processes_are_recognised() {
        check("postgres: checkpointer", "checkpointer", "");
        check("postgres: checkpointer performing end-of-recovery checkpoint", "checkpointer", "performing checkpoint");
        check("postgres: 14/main: background writer", "background writer", "");
        check("postgres: walwriter", "walwriter", "");
        check("postgres: autovacuum launcher", "autovacuum launcher", "");
        check("postgres: autovacuum worker shop", "autovacuum worker", "");
        check("postgres: autovacuum worker shop waiting", "autovacuum worker", "waiting");
        check("postgres: stats collector", "stats collector", "");
        check("postgres: archiver failed on 000000010000000000000003", "archiver", "failed");
        check("postgres: startup recovering 000000010000000000000003", "startup", "recovering");
        check("postgres: startup recovering 000000010000000000000003 waiting", "startup", "recovering waiting");
        check("postgres: walreceiver streaming 0/3000148", "walreceiver", "streaming");
        check("postgres: walsender repl 10.0.0.8(40112) streaming 0/3000148", "walsender", "streaming");
        check("postgres: walsender repl [local] sending backup \"nightly secret\"", "walsender", "sending backup");
        check("postgres: walsender repl shop [local] START_REPLICATION", "walsender", "START_REPLICATION");
        check("postgres: logical replication launcher", "logical replication launcher", "");
        check(
            "postgres: logical replication apply worker for subscription 16390",
            "logical replication apply worker",
            "",
        );
        check(
            "postgres: logical replication tablesync worker for subscription 16390 sync 16385",
            "logical replication tablesync worker",
            "",
        );
        check("postgres: parallel worker for PID 4711", "parallel worker", "");
        check("postgres: walsummarizer", "walsummarizer", "");
        check("postgres: slotsync worker", "slotsync worker", "");
        check("postgres: io worker 2", "io worker", "");
    }

    #[test]
    fn workers_of_unknown_extensions_are_not_recognised() {
        assert_eq!(parse_title(b"postgres: some extension's worker"), None);
        assert_eq!(parse_title(b"postgres -D /srv/data"), None);
    }

    proptest! {
        #[test]
        fn the_activity_is_found_after_any_names(
            user in "[a-z_@. -]{1,20}", database in "[a-z_ -]{0,20}", address in prop::sample::select(vec!["[local]", "::1(7)", "h.example(65535)"]),
            state in prop::sample::select(STATES.to_vec()), waits in any::<bool>(),
        ) {
            let waiting = if waits { " waiting" } else { "" };
            let text = format!("postgres: u{user} {database} {address} {state}{waiting}");
            let title = parse_title(text.as_bytes()).map(|title| title.to_string());
            prop_assert_eq!(title, Some(format!("postgres: backend: {state}{waiting}")));
        }
    }
}
