//! Root causes, rankings and summaries of graphs given as text.

mod resources;

use std::fmt::Write;

use expect_test::{Expect, expect};
use scorer::{blame, reasons, suspects};

use crate::fixture::scored_graph;

/// Compares the summaries of all root causes and the ranking of all nodes with a score.
fn check(sweep: &str, expected: Expect) {
    let scored = scored_graph(0, sweep);
    let candidates = blame::find_root_causes(&scored);
    let mut text = String::new();
    for candidate in &candidates {
        writeln!(text, "{}", reasons::summary(&scored, candidate)).unwrap();
    }
    for ranked in suspects::rank(&scored, &candidates).into_iter().filter(|ranked| ranked.score > 0.0) {
        let name = &scored.graph.nodes()[ranked.node].name;
        writeln!(text, "{:.2} {name} {}", ranked.score, ranked.stage).unwrap();
    }
    expected.assert_eq(&text);
}

#[test]
fn a_sweep_without_alarms_has_no_root_cause() {
    check(
        "process a cpu_pct=0.5\nprocess b",
        expect![[r#"
        0.50 a initiating
    "#]],
    );
}

#[test]
fn the_holder_of_a_lock_outranks_its_waiters() {
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
            rotator (pid 102): holds the lock on /var/app.log; 2 processes wait for it, the longest for 3.0 s
            1.54 rotator initiating
            0.70 writer2 first_failure
            0.70 app.log impact
            0.65 writer1 impact
        "#]],
    );
}

#[test]
fn a_process_that_only_inherited_the_locked_file_is_not_blamed() {
    check(
        "process writer blocked_ms=1.3
         process rotator blocks_others_ms=1.2
         process sleeper
         file app.log lock_wait_ms=1.6
         writer > app.log waits-lock 2000
         writer > rotator waits-for 2000
         writer >? sleeper waits-for 2000
         rotator > app.log holds-lock
         sleeper >? app.log holds-lock",
        expect![[r#"
            rotator (pid 101): holds the lock on /var/app.log; 1 process waits for it, the longest for 2.0 s
            1.76 rotator initiating
            0.80 app.log impact
            0.65 writer first_failure
        "#]],
    );
}

#[test]
fn a_holder_without_an_alarm_is_found_from_its_waiters() {
    check(
        "process writer blocked_ms=1.3
         process rotator
         file app.log
         writer > app.log waits-lock 2000
         rotator > app.log holds-lock",
        expect![[r#"
            rotator (pid 101): holds the lock on /var/app.log; 1 process waits for it, the longest for 2.0 s
            1.43 rotator initiating
            0.65 writer first_failure
        "#]],
    );
}

#[test]
fn blame_follows_a_chain_of_waiters_to_its_end() {
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
            first (pid 102): holds the lock on /var/a; 2 processes wait for it, the longest for 3.0 s
            1.76 first initiating
            0.80 middle first_failure
            0.60 last impact
        "#]],
    );
}

#[test]
fn a_cycle_of_waiters_ends_the_blame_path() {
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
fn an_invisible_holder_is_inconclusive() {
    check(
        "process writer blocked_ms=1.3
         process other
         file app.log
         writer > app.log waits-lock 2000",
        expect![[r#"
            1 process waits for the lock on /var/app.log; its holder is not visible
            1.30 writer initiating
        "#]],
    );
}

#[test]
fn a_stopped_holder_has_the_symptom_stopped() {
    check(
        "process writer blocked_ms=1.3
         process db stopped=1.4
         file data
         writer > data waits-lock 2000
         writer > db waits-for 2000
         db > data holds-lock",
        expect![[r#"
            db (pid 101): stopped by a signal; 1 other node affected
            1.54 db initiating
            0.65 writer first_failure
        "#]],
    );
}

#[test]
fn a_service_blames_a_failing_dependency() {
    check(
        "service front latency=1.6
         service cart latency=1.4
         service db latency=1.3
         service ads latency=0.3
         front > cart calls
         front > ads calls
         cart > db calls",
        expect![[r#"
            service `db`: latency: 130.000 s, normally 0.000 s; 2 other nodes affected
            1.76 db initiating
            0.80 front first_failure
            0.70 cart impact
            0.30 ads initiating
        "#]],
    );
}

#[test]
fn abnormal_workers_of_one_pool_are_one_root_cause() {
    check(
        "process worker1 cpu_pct=1.2
         process worker2 cpu_pct=1.3
         process db",
        expect![[r#"
            worker2 (pid 101): CPU use: 130 %, normally 0 %; 1 other node affected
            1.43 worker2 initiating
            0.60 worker1 first_failure
        "#]],
    );
}

#[test]
fn a_system_node_is_never_a_root_cause() {
    check("system cpu error_rate=3\nprocess a", expect![[""]]);
}

#[test]
fn writers_blame_a_reader_that_does_not_read() {
    check(
        "process feeder write_wait_ms=1.4
         process sink blocks_others_ms=1.3
         feeder > sink waits-for 4000",
        expect![[r#"
            sink (pid 101): does not read its input; 1 process waits to write to it, the longest for 4.0 s
            1.54 sink initiating
            0.70 feeder first_failure
        "#]],
    );
}

#[test]
fn a_server_with_pending_requests_that_waits_for_a_lock_is_not_the_root_cause() {
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
            rotator (pid 102): holds the lock on /var/app.log; 2 processes wait for it, the longest for 5.0 s
            1.98 rotator initiating
            0.90 client first_failure
            0.85 server impact
            0.70 app.log impact
        "#]],
    );
}

#[test]
fn clients_that_wait_for_a_response_blame_the_stopped_server() {
    check(
        "process client1 response_wait_ms=1.6
         process client2 response_wait_ms=0.4
         process db stopped=1.3 request_pending_ms=1.2
         process cache
         client1 > db connects 3000
         client2 > db connects 2000
         client1 > cache connects",
        expect![[r#"
            db (pid 102): stopped by a signal; 2 other nodes affected
            1.76 db initiating
            0.80 client1 first_failure
            0.20 client2 impact
        "#]],
    );
}

#[test]
fn a_wait_for_a_normal_server_has_no_root_cause() {
    check(
        "process client response_wait_ms=1.6\nprocess db\nclient > db connects 3000",
        expect![[r#"
        1.60 client initiating
    "#]],
    );
}

#[test]
fn a_reader_does_not_blame_the_writer_that_waits_for_it() {
    check(
        "process feed write_wait_ms=1.6
         process sink blocks_others_ms=1.6
         feed > sink waits-for 4000
         sink > feed pipes",
        expect![[r#"
            sink (pid 101): does not read its input; 1 process waits to write to it, the longest for 4.0 s
            1.76 sink initiating
            0.80 feed first_failure
        "#]],
    );
}
