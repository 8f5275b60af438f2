//! A title that a program sets itself: what a process is in its program, and what it says it is doing.
//!
//! Programs write their titles over their arguments, with names of users, databases, clients and paths in them. Of a title only words get
//! out that stand in the lists below this file.

mod postgres;
mod rules;

use std::fmt;

/// What a process says of itself, in words that are this program's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title {
    /// Whose title it is.
    pub program: &'static str,
    /// What the process is in its program, the same for all its life: `checkpointer`, `backend`, `worker`.
    pub process_type: &'static str,
    /// The words of what it is doing, such as `idle in transaction` or `INSERT` and `waiting`; none if it does not say.
    pub activity: Vec<&'static str>,
}

/// A longer title is none: the words that count would not be found in it.
const LONGEST: usize = 4096;

impl Title {
    /// What it is doing, if it says.
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

/// The title that the first of these arguments is, if it is one of a program that is known to set titles.
pub fn parse_title(arguments: &[&[u8]]) -> Option<Title> {
    let text = arguments.first()?.trim_ascii();
    let text = without_folder(text.get(..LONGEST).unwrap_or(text));
    postgres::title(text).or_else(|| rules::title(text))
}

/// Some programs begin with the path that they were started by: `/usr/sbin/zabbix_server: poller #1`.
fn without_folder(text: &[u8]) -> &[u8] {
    let path = text.split(|byte| matches!(byte, b' ' | b':')).next().unwrap_or_default();
    let folder = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    text.get(folder..).unwrap_or_default()
}

/// Whether a text is like a pattern, in which each `*` stands for any bytes, or none.
fn is_like(text: &[u8], pattern: &str) -> bool {
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

    /// A title and what it means, as `program: part: activity`.
    fn check(text: &str, expected: &str) {
        let title = parse_title(&[text.as_bytes()]);
        assert_eq!(title.map(|title| title.to_string()).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn web_servers_say_what_each_of_their_processes_is() {
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
    fn job_runners_and_stores_say_what_each_of_their_processes_is() {
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
    fn servers_for_people_say_what_each_of_their_processes_is() {
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
    fn what_is_no_title_says_nothing() {
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
    fn a_star_stands_for_anything() {
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
            assert_eq!(is_like(text.as_bytes(), pattern), expected, "{text} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_title(&[&text]);
        }

        // The type holds words of the lists alone; what is checked is that the lists have none that a title brought along.
        #[test]
        fn nothing_that_only_a_title_holds_gets_out(
            before in prop::sample::select(vec![
                "postgres: ", "postgres: 14/main: ", "nginx: ", "php-fpm: pool ", "sshd: ", "[celeryd: ", "puma: cluster worker ", "resque-1: ",
                "sidekiq 7 ", "vsftpd: ", "proftpd: ", "sendmail: ", "gunicorn: worker [", "redis-rdb-bgsave ", "zabbix_server: poller #",
            ]),
            theirs in "[ø:()@/ \\[\\]]{0,12}ø[ø:()@/ \\[\\]]{0,12}",
            after in prop::sample::select(vec![
                "", " [local] idle", " [local] INSERT waiting", "(5432) COMMIT", "@pts/0", " [priv]", ":MainProcess] -active-", ": 1 [x]", "]",
                ": IDLE", " - host: RETR x", " [1 of 2 busy]", " connections",
            ]),
        ) {
            let text = format!("{before}{theirs}{after}");
            if let Some(title) = parse_title(&[text.as_bytes()]) {
                prop_assert!(title.to_string().is_ascii(), "{text} says {title}");
            }
        }
    }
}
