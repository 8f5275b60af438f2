//! From the one who suffers to the one who started it.

use std::fmt::Write;

use expect_test::{Expect, expect};
use scorer::{blame, reasons, suspects};

use crate::fixture::judged;

fn check(sweep: &str, expected: Expect) {
    let judged = judged(0, sweep);
    let cases = blame::cases(&judged);
    let mut text = String::new();
    for case in &cases {
        writeln!(text, "{}", reasons::summary(&judged, case)).unwrap();
    }
    for (node, score, stage) in suspects::rank(&judged, &cases).into_iter().filter(|(_, score, _)| *score > 0.0) {
        writeln!(text, "{score:.2} {} {stage}", judged.graph.nodes()[node].name).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn a_quiet_sweep_blames_nobody() {
    check(
        "process a cpu_pct=0.5\nprocess b",
        expect![[r#"
        0.50 a initiating
    "#]],
    );
}

#[test]
fn the_holder_of_a_lock_outranks_those_who_wait_for_it() {
    check(
        "process writer1 blocked_ms=1.3
         process writer2 blocked_ms=1.4
         process rotator blocks_others_ms=1.2
         file app.log lock_wait_ms=1.4
         writer1 > app.log waits-lock 2000
         writer2 > app.log waits-lock 3000
         writer1 > rotator waits-for 2000
         writer2 > rotator waits-for 3000
         rotator > app.log holds-lock",
        expect![[r#"
            rotator (pid 102): holds the lock on /var/app.log that 2 processes wait for, the longest for 3.0 s
            1.54 rotator initiating
            0.70 writer2 first_failure
            0.70 app.log impact
            0.65 writer1 impact
        "#]],
    );
}

#[test]
fn a_holder_that_is_quiet_itself_is_found_from_its_victims() {
    check(
        "process writer blocked_ms=1.3
         process rotator
         file app.log
         writer > app.log waits-lock 2000
         rotator > app.log holds-lock",
        expect![[r#"
            rotator (pid 101): holds the lock on /var/app.log that 1 process waits for, the longest for 2.0 s
            1.43 rotator initiating
            0.65 writer first_failure
        "#]],
    );
}

#[test]
fn blame_goes_through_a_chain_of_waiters_to_its_end() {
    check(
        "process last blocked_ms=1.2
         process middle blocked_ms=1.5 blocks_others_ms=1.6
         process first blocks_others_ms=1.4
         file a
         file b
         last > middle waits-for 2000
         middle > first waits-for 3000
         last > b waits-lock 2000
         middle > a waits-lock 3000
         middle > b holds-lock
         first > a holds-lock",
        expect![[r#"
            first (pid 102): holds the lock on /var/a that 2 processes wait for, the longest for 3.0 s
            1.76 first initiating
            0.80 middle first_failure
            0.60 last impact
        "#]],
    );
}

#[test]
fn a_ring_of_waiters_ends_the_walk() {
    check(
        "process a blocked_ms=1.2
         process b blocked_ms=1.2
         a > b waits-for 2000
         b > a waits-for 2000",
        expect![[r#"
            a (pid 100): waiting for a lock: 120 ms, normally 0 ms
            b (pid 101): waiting for a lock: 120 ms, normally 0 ms
            1.32 a initiating
            1.32 b initiating
        "#]],
    );
}

#[test]
fn a_holder_that_cannot_be_seen_is_said_to_be_unknown() {
    check(
        "process writer blocked_ms=1.3
         process other
         file app.log
         writer > app.log waits-lock 2000",
        expect![[r#"
            1 process waits for the lock on /var/app.log; who holds it cannot be seen
            1.30 writer initiating
        "#]],
    );
}

#[test]
fn a_stopped_holder_is_blamed_for_being_stopped() {
    check(
        "process writer blocked_ms=1.3
         process db stopped=1.4
         file data
         writer > data waits-lock 2000
         writer > db waits-for 2000
         db > data holds-lock",
        expect![[r#"
            db (pid 101): stopped by a signal; 1 other suffers
            1.54 db initiating
            0.65 writer first_failure
        "#]],
    );
}

#[test]
fn who_starves_for_a_cpu_blames_the_one_that_burns_it() {
    check(
        "process web run_delay_pct=1.5
         process loop cpu_pct=1.2
         process db cpu_pct=0.4",
        expect![[r#"
            loop (pid 101): CPU use: 120 %, normally 0 %; 1 other suffers
            1.65 loop initiating
            0.75 web first_failure
            0.40 db initiating
        "#]],
    );
}

#[test]
fn who_starves_when_nobody_burns_more_than_usual_names_nobody() {
    check(
        "process web run_delay_pct=1.5\nprocess db cpu_pct=0.4",
        expect![[r#"
        1.50 web initiating
        0.40 db initiating
    "#]],
    );
}

#[test]
fn a_service_blames_the_one_that_it_calls_and_that_fails_too() {
    check(
        "service front latency=1.6
         service cart latency=1.4
         service db latency=1.3
         service ads latency=0.3
         front > cart calls
         front > ads calls
         cart > db calls",
        expect![[r#"
            service `db`: latency: 130.000 s, normally 0.000 s; 2 others suffer
            1.76 db initiating
            0.80 front first_failure
            0.70 cart impact
            0.30 ads initiating
        "#]],
    );
}

#[test]
fn workers_of_one_pool_that_all_run_away_are_one_case() {
    check(
        "process worker1 cpu_pct=1.2
         process worker2 cpu_pct=1.3
         process db",
        expect![[r#"
            worker2 (pid 101): CPU use: 130 %, normally 0 %; 1 other suffers
            1.43 worker2 initiating
            0.60 worker1 first_failure
        "#]],
    );
}

#[test]
fn pressure_is_felt_by_a_system_and_never_started_by_it() {
    check("system cpu error_rate=3\nprocess a", expect![[""]]);
}

#[test]
fn who_does_not_read_is_blamed_by_those_who_write_to_it() {
    check(
        "process feeder write_wait_ms=1.4
         process sink blocks_others_ms=1.3
         feeder > sink waits-for 4000",
        expect![[r#"
            sink (pid 101): does not read what is written to it; 1 process waits, the longest for 4.0 s
            1.54 sink initiating
            0.70 feeder first_failure
        "#]],
    );
}

#[test]
fn a_server_that_owes_answers_because_it_waits_for_a_lock_is_not_the_cause() {
    check(
        "process client response_wait_ms=1.8
         process server request_pending_ms=1.7 blocked_ms=1.6
         process rotator blocks_others_ms=1.2
         file app.log lock_wait_ms=1.4
         client > server connects 5000
         server > app.log waits-lock 5000
         server > rotator waits-for 5000
         rotator > app.log holds-lock",
        expect![[r#"
            rotator (pid 102): holds the lock on /var/app.log that 2 processes wait for, the longest for 5.0 s
            1.98 rotator initiating
            0.90 client first_failure
            0.85 server impact
            0.70 app.log impact
        "#]],
    );
}

#[test]
fn clients_that_wait_for_an_answer_blame_the_server_that_stands_still() {
    check(
        "process client1 response_wait_ms=1.6
         process client2 response_wait_ms=0.4
         process db stopped=1.3 request_pending_ms=1.2
         process cache
         client1 > db connects 3000
         client2 > db connects 2000
         client1 > cache connects",
        expect![[r#"
            db (pid 102): stopped by a signal; 2 others suffer
            1.76 db initiating
            0.80 client1 first_failure
            0.20 client2 impact
        "#]],
    );
}

#[test]
fn a_client_whose_server_is_as_always_names_nobody() {
    check(
        "process client response_wait_ms=1.6\nprocess db\nclient > db connects 3000",
        expect![[r#"
        1.60 client initiating
    "#]],
    );
}

#[test]
fn who_is_held_up_by_its_group_blames_the_group_and_that_the_one_that_used_it_up() {
    check(
        "process web run_delay_pct=1.6
         process hog cpu_pct=0.7
         cgroup pod throttled_pct=1.5
         cgroup inner
         web > inner member-of
         inner > pod member-of
         hog > pod member-of",
        expect![[r#"
            hog (pid 101): CPU use: 70 %, normally 0 %; 2 others suffer
            1.76 hog initiating
            0.80 web first_failure
            0.75 pod impact
        "#]],
    );
    check(
        "process web request_pending_ms=1.6
         cgroup pod frozen=1.5
         web > pod member-of",
        expect![[r#"
            cgroup `pod`: frozen; 1 other suffers
            1.76 pod initiating
            0.80 web first_failure
        "#]],
    );
}

#[test]
fn who_cannot_write_blames_the_full_filesystem_and_that_the_one_that_fills_it() {
    check(
        "process app failed_writes=1.6
         process filler write_bytes=0.9
         process other write_bytes=0.8
         file disk space_used_pct=1.4
         app > disk opens
         filler > disk opens",
        expect![[r#"
            filler (pid 101): writes to storage: 90 B/s, normally 0 B/s; 1 other suffers
            1.76 filler initiating
            0.80 app first_failure
            0.80 other initiating
            0.70 disk impact
        "#]],
    );
    check(
        "process app failed_writes=1.6
         process filler filesystem_growth=0.9
         file disk space_used_pct=1.4
         app > disk opens
         filler >? disk opens",
        expect![[r#"
            filler (pid 101): bytes added to a nearly full filesystem: 90 B, normally 0 B; 1 other suffers
            1.76 filler initiating
            0.80 app first_failure
            0.70 disk impact
        "#]],
    );
    check(
        "process app failed_writes=1.6\nfile disk space_used_pct=1.4\napp > disk opens",
        expect![[r#"
            file `disk`: space used: 140 %, normally 0 %; 1 other suffers
            1.76 disk initiating
            0.80 app first_failure
        "#]],
    );
}

#[test]
fn who_is_found_by_an_inferred_edge_is_inferred() {
    for (edge, is_observed) in [(">", true), (">?", false)] {
        let sweep =
            format!("process filler filesystem_growth=0.9\nfile disk space_used_pct=1.4\nfiller {edge} disk opens");
        let cases = blame::cases(&judged(0, &sweep));
        assert_eq!(cases.iter().map(|case| case.is_observed).collect::<Vec<_>>(), [is_observed], "{edge}");
    }
}

#[test]
fn who_writes_to_a_filesystem_that_troubles_nobody_is_not_named() {
    assert!(
        blame::cases(&judged(0, "process writer filesystem_growth=1.4\nfile disk\nwriter > disk opens")).is_empty()
    );
}

#[test]
fn a_reader_that_is_waited_for_does_not_fail_because_of_its_writer() {
    check(
        "process feed write_wait_ms=1.6
         process sink blocks_others_ms=1.6
         feed > sink waits-for 4000
         sink > feed pipes",
        expect![[r#"
            sink (pid 101): does not read what is written to it; 1 process waits, the longest for 4.0 s
            1.76 sink initiating
            0.80 feed first_failure
        "#]],
    );
}

#[test]
fn hogs_that_starve_each_other_are_not_their_own_victims() {
    check(
        "process hog1 run_delay_pct=1.6 cpu_pct=1.2
         process hog2 run_delay_pct=1.5 cpu_pct=1.1
         process web run_delay_pct=1.4 cpu_pct=0.2",
        expect![[r#"
            hog1 (pid 100): CPU use: 120 %, normally 0 %; 2 others suffer
            1.76 hog1 initiating
            0.75 hog2 first_failure
            0.70 web impact
        "#]],
    );
}

#[test]
fn who_used_up_the_quota_of_its_group_is_blamed_though_it_is_held_up_itself() {
    check(
        "process worker1 unread_ms=1.7 cpu_pct=0.6
         process worker2 unread_ms=1.5
         cgroup workers throttled_pct=1.4
         worker1 > workers member-of
         worker2 > workers member-of",
        expect![[r#"
            worker1 (pid 100): received data left unread: 170 ms, normally 0 ms; 2 others suffer
            1.87 worker1 initiating
            0.75 worker2 first_failure
            0.70 workers impact
        "#]],
    );
}
