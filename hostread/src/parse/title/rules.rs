//! The titles of programs that need no more than patterns.

use super::{Title, is_like};

/// A pattern of what follows a program's name, the part that it tells, and the activity, if it tells one.
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

/// How a title begins, whose it is, and its rules. The first that fits counts.
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

/// What the processes of Zabbix are, in front of their number and their figures.
const ZABBIX: &str = "active checks, agent poller, alert manager, alert syncer, alerter, availability manager, \
                      browser poller, collector, configuration syncer, connector manager, connector worker, \
                      data sender, discoverer, discovery manager, discovery worker, escalator, heartbeat sender, \
                      history poller, history syncer, housekeeper, http agent poller, http poller, icmp pinger, \
                      internal poller, ipmi manager, ipmi poller, java poller, listener, lld manager, lld worker, \
                      odbc poller, poller, preprocessing manager, preprocessing worker, proxy poller, \
                      report manager, self-monitoring, service manager, snmp poller, snmp trapper, task manager, \
                      timer, trapper, unreachable poller";

/// The title, if it is one of these programs' and a rule fits.
pub fn title(text: &[u8]) -> Option<Title> {
    zabbix(text).or_else(|| {
        PROGRAMS.iter().find_map(|(beginning, program, rules)| {
            let rest = text.strip_prefix(beginning.as_bytes())?;
            let (_, part, activity) = rules.iter().find(|(pattern, ..)| is_like(rest, pattern))?;
            let activity = Some(*activity).filter(|activity| !activity.is_empty());
            Some(Title { program, process_type: part, activity: activity.into_iter().collect() })
        })
    })
}

fn zabbix(text: &[u8]) -> Option<Title> {
    let rest = text.strip_prefix(b"zabbix_")?;
    let beginnings: [&[u8]; 4] = [b"server: ", b"proxy: ", b"agentd: ", b"agent2: "];
    let rest = beginnings.iter().find_map(|beginning| rest.strip_prefix(*beginning))?;
    let is_followed = |part: &&str| {
        let after = rest.strip_prefix(part.as_bytes());
        after.is_some_and(|after| after.is_empty() || after.starts_with(b" #") || after.starts_with(b" ["))
    };
    ZABBIX.split(", ").find(is_followed).map(|part| Title {
        program: "zabbix",
        process_type: part,
        activity: Vec::new(),
    })
}
