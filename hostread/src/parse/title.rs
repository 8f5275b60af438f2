//! Process titles, such as `postgres: app shop [local] idle`: what kind of process it is, and what
//! it is doing.
//!
//! Programs write titles over their arguments, including names of users, databases, clients and
//! paths. Only words of fixed lists are taken from a title, so that none of these get out.

mod postgres;
mod rules;

use std::fmt;

/// A parsed process title. All words are from the lists in this module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// The program, such as `postgres`.
    pub program: &'static str,
    /// The kind of process within the program, which never changes: `checkpointer`, `backend`,
    /// `worker`.
    pub process_type: &'static str,
    /// What it is doing, such as `idle in transaction`, or `INSERT` and `waiting`. Empty if the
    /// title does not say.
    pub activity: Vec<&'static str>,
}

/// Only the beginning of a longer title is parsed, in bytes.
const MAX_LENGTH: usize = 4096;

impl Title {
    /// What the process is doing, in one text. `None` if the title does not say.
    pub fn activity(&self) -> Option<String> {
        (!self.activity.is_empty()).then(|| self.activity.join(" "))
    }
}

impl fmt::Display for Title {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.program, self.process_type)?;
        match self.activity() {
            Some(activity) => write!(formatter, ": {activity}"),
            None => Ok(()),
        }
    }
}

/// Parses a process title, which is the first argument. `None` if it is not the title of a known
/// program.
pub fn parse_title(arguments: &[&[u8]]) -> Option<Title> {
    let text = arguments.first()?.trim_ascii();
    let text = without_directory(text.get(..MAX_LENGTH).unwrap_or(text));
    postgres::parse_title(text).or_else(|| rules::parse_title(text))
}

/// Removes the directory from titles such as `/usr/sbin/zabbix_server: poller #1`.
fn without_directory(text: &[u8]) -> &[u8] {
    let path = text.split(|byte| matches!(byte, b' ' | b':')).next().unwrap_or_default();
    let name = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    text.get(name..).unwrap_or_default()
}

/// Whether a text matches a pattern, in which each `*` stands for any bytes or none.
fn matches_pattern(text: &[u8], pattern: &str) -> bool {
    let mut parts = pattern.as_bytes().split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts.filter(|part| !part.is_empty()) {
        match rest.windows(part.len()).position(|window| window == part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Compares a title with `program: process type: activity`.
    fn check(text: &str, expected: &str) {
        let title = parse_title(&[text.as_bytes()]);
        assert_eq!(title.map(|title| title.to_string()).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn titles_of_web_servers_are_parsed() {
        for (text, expected) in [
            ("nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", "nginx: master"),
            ("nginx: worker process", "nginx: worker"),
            ("nginx: worker process is shutting down", "nginx: worker: shutting down"),
            ("nginx: cache manager process", "nginx: cache manager"),
            ("php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)", "php-fpm: master"),
            ("php-fpm: pool www", "php-fpm: pool"),
            ("gunicorn: master [shop.wsgi]", "gunicorn: master"),
            ("gunicorn: worker [shop.wsgi]", "gunicorn: worker"),
            ("unicorn master -c /srv/shop/unicorn.rb -E production", "unicorn: master"),
            ("unicorn master (old) -c /srv/shop/unicorn.rb", "unicorn: master: old"),
            ("unicorn worker[3] -c /srv/shop/unicorn.rb", "unicorn: worker"),
            ("puma 6.4.2 (tcp://0.0.0.0:3000) [shop]", "puma: server"),
            ("puma: cluster worker 0: 4711 [shop]", "puma: worker"),
            ("Passenger RubyApp: /srv/shop (production)", "passenger: application"),
            ("uWSGI worker 12", "uwsgi: worker"),
            ("(squid-1) --kid squid-1 -sYC", "squid: worker"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn titles_of_job_runners_and_databases_are_parsed() {
        for (text, expected) in [
            ("[celeryd: celery@db7:MainProcess] -active- (worker -A shop)", "celery: main"),
            ("[celeryd: celery@db7:ForkPoolWorker-3]", "celery: pool worker"),
            ("[celery beat]", "celery: beat"),
            ("sidekiq 6.5.1 shop [3 of 25 busy]", "sidekiq: worker"),
            ("sidekiq 6.5.1 shop [3 of 25 busy] stopping", "sidekiq: worker: stopping"),
            ("resque-2.0.0: Waiting for mail,default", "resque: worker: waiting"),
            ("resque-2.0.0: Processing mail since 1700000000 [Invoice]", "resque: job"),
            ("redis-rdb-bgsave *:6379", "redis: rdb-bgsave"),
            ("redis-server *:6379 [cluster]", "redis: cluster"),
            (
                "/usr/sbin/zabbix_server: history syncer #4 [processed 0 values in 0.000012 sec]",
                "zabbix: history syncer",
            ),
            ("/usr/sbin/zabbix_agentd: collector [idle 1 sec]", "zabbix: collector"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn titles_of_login_file_and_mail_servers_are_parsed() {
        for (text, expected) in [
            ("sshd: /usr/sbin/sshd -D [listener] 3 of 10-100 startups", "sshd: listener"),
            ("sshd: alice [priv]", "sshd: monitor"),
            ("sshd: unknown [net]", "sshd: network"),
            ("sshd: alice@pts/0", "sshd: session"),
            ("sshd-session: alice@notty", "sshd: session"),
            ("vsftpd: LISTENER", "vsftpd: listener"),
            ("vsftpd: 203.0.113.9/alice: IDLE", "vsftpd: session: idle"),
            ("proftpd: alice - host.example: STOR secret.txt", "proftpd: session: STOR"),
            (
                "sendmail: rejecting connections on daemon MTA: load average: 20",
                "sendmail: listener: rejecting connections",
            ),
            ("smtpd: pony express", "smtpd: pony express"),
            ("ovs-vswitchd: monitoring pid 812 (healthy)", "openvswitch: monitor"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn other_arguments_are_not_titles() {
        for text in [
            "",
            "nginx",
            "/usr/bin/redis-server",
            "redis-server *:6379",
            "pg_dump",
            "rpc.statd",
            "nginx: pool www",
            "php-fpm:",
        ] {
            assert_eq!(parse_title(&[text.as_bytes()]), None, "{text}");
        }
        assert_eq!(parse_title(&[]), None);
    }

    #[test]
    fn a_star_matches_any_bytes() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abcd", "abc", false),
            ("abc", "a*", true),
            ("abc", "*c", true),
            ("a", "a*a", false),
            ("abxbc", "a*b*c", true),
            ("abxc", "a*bx*bx*c", false),
            ("ab", "a**b", true),
        ] {
            assert_eq!(matches_pattern(text.as_bytes(), pattern), expected, "{text} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_accepted(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_title(&[&text]);
        }

        // The type of `Title` allows only static words; this checks that the lists hold nothing of
        // the input.
        #[test]
        fn only_words_of_the_lists_get_out(
            before in prop::sample::select(vec![
                "postgres: ", "postgres: 14/main: ", "nginx: ", "php-fpm: pool ", "sshd: ", "[celeryd: ", "puma: cluster worker ", "resque-1: ",
                "sidekiq 7 ", "vsftpd: ", "proftpd: ", "sendmail: ", "gunicorn: worker [", "redis-rdb-bgsave ", "zabbix_server: poller #",
            ]),
            names in "[ø:()@/ \\[\\]]{0,12}ø[ø:()@/ \\[\\]]{0,12}",
            after in prop::sample::select(vec![
                "", " [local] idle", " [local] INSERT waiting", "(5432) COMMIT", "@pts/0", " [priv]", ":MainProcess] -active-", ": 1 [x]", "]",
                ": IDLE", " - host: RETR x", " [1 of 2 busy]", " connections",
            ]),
        ) {
            let text = format!("{before}{names}{after}");
            if let Some(title) = parse_title(&[text.as_bytes()]) {
                prop_assert!(title.to_string().is_ascii(), "{text} says {title}");
            }
        }
    }
}
