//! Root causes of a lack of CPU time, of limits of control groups and of full filesystems.

use expect_test::expect;
use scorer::blame;

use super::check;
use crate::fixture::scored_graph;

#[test]
fn a_process_that_lacks_cpu_time_blames_the_process_that_uses_it() {
    check(
        "process web run_delay_pct=1.5
         process loop cpu_pct=1.2
         process db cpu_pct=0.4",
        expect![[r#"
            loop (pid 101): CPU use: 120 %, normally 0 %; 1 other node affected
            1.65 loop initiating
            0.75 web first_failure
            0.40 db initiating
        "#]],
    );
}

#[test]
fn a_lack_of_cpu_time_without_an_abnormal_consumer_has_no_root_cause() {
    check(
        "process web run_delay_pct=1.5\nprocess db cpu_pct=0.4",
        expect![[r#"
        1.50 web initiating
        0.40 db initiating
    "#]],
    );
}

#[test]
fn a_throttled_process_blames_its_group_and_the_group_blames_the_main_consumer() {
    check(
        "process web run_delay_pct=1.6
         process hog cpu_pct=0.7
         cgroup pod throttled_pct=1.5
         cgroup inner
         web > inner member-of
         inner > pod member-of
         hog > pod member-of",
        expect![[r#"
            hog (pid 101): CPU use: 70 %, normally 0 %; 2 other nodes affected
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
            cgroup `pod`: frozen; 1 other node affected
            1.76 pod initiating
            0.80 web first_failure
        "#]],
    );
}

#[test]
fn failed_writes_blame_the_full_filesystem_and_it_blames_the_process_that_fills_it() {
    check(
        "process app failed_writes=1.6
         process filler write_bytes=0.9
         process other write_bytes=0.8
         file disk space_used_pct=1.4
         app > disk opens
         filler > disk opens",
        expect![[r#"
            filler (pid 101): writes to storage: 90 B/s, normally 0 B/s; 1 other node affected
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
            filler (pid 101): bytes added to a nearly full filesystem: 90 B, normally 0 B; 1 other node affected
            1.76 filler initiating
            0.80 app first_failure
            0.70 disk impact
        "#]],
    );
    check(
        "process app failed_writes=1.6\nfile disk space_used_pct=1.4\napp > disk opens",
        expect![[r#"
            file `disk`: space used: 140 %, normally 0 %; 1 other node affected
            1.76 disk initiating
            0.80 app first_failure
        "#]],
    );
}

#[test]
fn a_root_cause_found_along_an_inferred_edge_is_inferred() {
    for (edge, is_observed) in [(">", true), (">?", false)] {
        let sweep =
            format!("process filler filesystem_growth=0.9\nfile disk space_used_pct=1.4\nfiller {edge} disk opens");
        let candidates = blame::find_root_causes(&scored_graph(0, &sweep));
        assert_eq!(
            candidates.iter().map(|candidate| candidate.is_observed).collect::<Vec<_>>(),
            [is_observed],
            "{edge}"
        );
    }
}

#[test]
fn a_process_that_fills_a_filesystem_with_free_space_is_no_root_cause() {
    let sweep = "process writer filesystem_growth=1.4\nfile disk\nwriter > disk opens";
    assert!(blame::find_root_causes(&scored_graph(0, sweep)).is_empty());
}

#[test]
fn processes_that_compete_for_cpu_time_do_not_blame_each_other() {
    check(
        "process hog1 run_delay_pct=1.6 cpu_pct=1.2
         process hog2 run_delay_pct=1.5 cpu_pct=1.1
         process web run_delay_pct=1.4 cpu_pct=0.2",
        expect![[r#"
            hog1 (pid 100): CPU use: 120 %, normally 0 %; 2 other nodes affected
            1.76 hog1 initiating
            0.75 hog2 first_failure
            0.70 web impact
        "#]],
    );
}

#[test]
fn the_process_that_exhausts_the_quota_of_its_group_is_blamed_although_it_is_held_up_itself() {
    check(
        "process worker1 unread_ms=1.7 cpu_pct=0.6
         process worker2 unread_ms=1.5
         cgroup workers throttled_pct=1.4
         worker1 > workers member-of
         worker2 > workers member-of",
        expect![[r#"
            worker1 (pid 100): received data left unread: 170 ms, normally 0 ms; 2 other nodes affected
            1.87 worker1 initiating
            0.75 worker2 first_failure
            0.70 workers impact
        "#]],
    );
}
