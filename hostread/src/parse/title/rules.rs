//! Titles of programs that simple patterns describe.

use super::{Title, matches_pattern};

/// A pattern for the title after its prefix, the process type, and the activity or an empty text.
type Rule = (&'static str, &'static str, &'static str);

const SSH: &[Rule] = &[
    ("* [listener]*", "listener", ""),
    ("* [priv]", "monitor", ""),
    ("* [net]", "network", ""),
    ("* [pam]", "monitor", ""),
    ("[accepted]", "network", ""),
    ("[net]", "network", ""),
    ("*@*", "session", ""),
];

const MONITORED: &[Rule] = &[("monitoring pid *", "monitor", "")];

const UNICORN: &[Rule] = &[
    ("master (old)*", "master", "old"),
    ("master", "master", ""),
    ("master *", "master", ""),
    ("worker[*", "worker", ""),
];

/// Programs that rewrite their process title. Each has the prefix of its titles, its name, and
/// rules that turn the rest of a title into a role; the first rule that matches applies.
const PROGRAMS: &[(&str, &str, &[Rule])] = &[
    (
        "nginx: ",
        "nginx",
        &[
            ("master process*", "master", ""),
            ("worker process", "worker", ""),
            ("worker process is shutting down", "worker", "shutting down"),
            ("cache manager process", "cache manager", ""),
            ("cache loader process", "cache loader", ""),
            ("privileged agent process", "privileged agent", ""),
        ],
    ),
    ("php-fpm: ", "php-fpm", &[("master process*", "master", ""), ("pool *", "pool", "")]),
    ("gunicorn: ", "gunicorn", &[("master [*", "master", ""), ("worker [*", "worker", "")]),
    ("unicorn ", "unicorn", UNICORN),
    ("unicorn_rails ", "unicorn", UNICORN),
    ("puma: ", "puma", &[("cluster worker *", "worker", "")]),
    ("puma ", "puma", &[("*.* (*)*", "server", "")]),
    (
        "Passenger ",
        "passenger",
        &[
            ("watchdog*", "watchdog", ""),
            ("core*", "core", ""),
            ("AppPreloader: *", "preloader", ""),
            ("*App: *", "application", ""),
        ],
    ),
    (
        "uWSGI ",
        "uwsgi",
        &[
            ("master*", "master", ""),
            ("worker *", "worker", ""),
            ("http *", "router", ""),
            ("mule *", "mule", ""),
            ("spooler *", "spooler", ""),
        ],
    ),
    ("(squid-", "squid", &[("coord-*", "coordinator", ""), ("disk-*", "disker", ""), ("*)*", "worker", "")]),
    ("[celeryd", "celery", &[("*:MainProcess]*", "main", ""), ("*Worker-*]*", "pool worker", "")]),
    ("[celery ", "celery", &[("beat]*", "beat", "")]),
    ("sidekiq ", "sidekiq", &[("* of * busy] stopping*", "worker", "stopping"), ("* of * busy]*", "worker", "")]),
    (
        "resque-",
        "resque",
        &[
            ("*: Waiting for *", "worker", "waiting"),
            ("*: Forked *", "worker", "forked"),
            ("*: Paused*", "worker", "paused"),
            ("*: Processing *", "job", ""),
        ],
    ),
    (
        "redis-",
        "redis",
        &[
            ("rdb-bgsave*", "rdb-bgsave", ""),
            ("aof-rewrite*", "aof-rewrite", ""),
            ("rdb-to-slaves*", "rdb-to-replicas", ""),
            ("module-fork*", "module-fork", ""),
            ("server * [cluster]", "cluster", ""),
            ("server * [sentinel]", "sentinel", ""),
            ("sentinel * [sentinel]", "sentinel", ""),
        ],
    ),
    (
        "valkey-",
        "valkey",
        &[
            ("rdb-bgsave*", "rdb-bgsave", ""),
            ("aof-rewrite*", "aof-rewrite", ""),
            ("rdb-to-*", "rdb-to-replicas", ""),
            ("server * [cluster]", "cluster", ""),
            ("server * [sentinel]", "sentinel", ""),
        ],
    ),
    ("sshd: ", "sshd", SSH),
    ("sshd-session: ", "sshd", SSH),
    ("sshd-auth: ", "sshd", SSH),
    (
        "vsftpd: ",
        "vsftpd",
        &[
            ("LISTENER", "listener", ""),
            ("*: IDLE", "session", "idle"),
            ("*: RETR *", "session", "RETR"),
            ("*: STOR *", "session", "STOR"),
            ("*: *", "session", ""),
        ],
    ),
    (
        "proftpd: ",
        "proftpd",
        &[
            ("(accepting connections)", "listener", ""),
            ("* - *: IDLE", "session", "idle"),
            ("* - *: RETR *", "session", "RETR"),
            ("* - *: STOR *", "session", "STOR"),
            ("* - *: *", "session", ""),
        ],
    ),
    (
        "sendmail: ",
        "sendmail",
        &[
            ("accepting connections*", "listener", ""),
            ("rejecting connections*", "listener", "rejecting connections"),
            ("Queue runner*", "queue runner", ""),
            ("running queue: *", "queue runner", "running"),
            ("*: *", "session", ""),
        ],
    ),
    (
        "smtpd: ",
        "smtpd",
        &[
            ("control", "control", ""),
            ("klondike", "klondike", ""),
            ("lookup", "lookup", ""),
            ("pony express", "pony express", ""),
            ("queue", "queue", ""),
            ("scheduler", "scheduler", ""),
        ],
    ),
    ("smbd: ", "smbd", &[("notifyd*", "notifyd", ""), ("cleanupd*", "cleanupd", ""), ("client *", "session", "")]),
    ("winbindd: ", "winbindd", &[("domain child *", "domain child", ""), ("idmap child*", "idmap child", "")]),
    ("ovs-vswitchd: ", "openvswitch", MONITORED),
    ("ovsdb-server: ", "openvswitch", MONITORED),
    ("ovn-northd: ", "openvswitch", MONITORED),
    ("ovn-controller: ", "openvswitch", MONITORED),
];

/// Process types of Zabbix. A number and figures follow them in titles.
const ZABBIX: &str = "active checks, agent poller, alert manager, alert syncer, alerter, availability manager, \
                      browser poller, collector, configuration syncer, connector manager, connector worker, \
                      data sender, discoverer, discovery manager, discovery worker, escalator, heartbeat sender, \
                      history poller, history syncer, housekeeper, http agent poller, http poller, icmp pinger, \
                      internal poller, ipmi manager, ipmi poller, java poller, listener, lld manager, lld worker, \
                      odbc poller, poller, preprocessing manager, preprocessing worker, proxy poller, \
                      report manager, self-monitoring, service manager, snmp poller, snmp trapper, task manager, \
                      timer, trapper, unreachable poller";

/// Parses a title by the rules of its program.
pub fn parse_title(text: &[u8]) -> Option<Title> {
    parse_zabbix(text).or_else(|| {
        PROGRAMS.iter().find_map(|(prefix, program, rules)| {
            let rest = text.strip_prefix(prefix.as_bytes())?;
            let (_, process_type, activity) = rules.iter().find(|(pattern, ..)| matches_pattern(rest, pattern))?;
            let activity = Some(*activity).filter(|activity| !activity.is_empty());
            Some(Title { program, process_type, activity: activity.into_iter().collect() })
        })
    })
}

fn parse_zabbix(text: &[u8]) -> Option<Title> {
    let rest = text.strip_prefix(b"zabbix_")?;
    let prefixes: [&[u8]; 4] = [b"server: ", b"proxy: ", b"agentd: ", b"agent2: "];
    let rest = prefixes.iter().find_map(|prefix| rest.strip_prefix(*prefix))?;
    let is_prefix = |process_type: &&str| {
        let after = rest.strip_prefix(process_type.as_bytes());
        after.is_some_and(|after| after.is_empty() || after.starts_with(b" #") || after.starts_with(b" ["))
    };
    let process_type = ZABBIX.split(", ").find(is_prefix)?;
    Some(Title { program: "zabbix", process_type, activity: Vec::new() })
}
