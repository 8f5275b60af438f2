//! One full record of each type, as in the golden files.

use schemas::*;

pub fn snapshot() -> GraphSnapshot {
    GraphSnapshot {
        host: "web-1".into(),
        cohort: "web".into(),
        boot_id: "0f8f3b1e-5a0c-4d3e-9b52-0c6d1f1c2a77".into(),
        run: "a1b2".into(),
        sequence: 41,
        started_at: Timestamp(1_767_225_600_000),
        ended_at: Timestamp(1_767_225_600_012),
        interval_ms: 1000,
        nodes: vec![
            Node {
                id: "p:812:3344".into(),
                kind: "process".into(),
                role: "/usr/sbin/logrotate".into(),
                name: "logrotate".into(),
                pid: Some(812),
                start_time: Some(3344),
                container: Some("0123456789ab".into()),
                ..Node::default()
            },
            Node {
                id: "f:1:77".into(),
                kind: "file".into(),
                role: "/var/log/app.log".into(),
                name: "app.log".into(),
                path: Some("/var/log/app.log".into()),
                ..Node::default()
            },
            Node {
                id: "e:tcp:127.0.0.1:80".into(),
                kind: "endpoint".into(),
                role: "/usr/sbin/nginx:80".into(),
                name: "127.0.0.1:80".into(),
                endpoint: Some("127.0.0.1:80".into()),
                ..Node::default()
            },
        ],
        edges: vec![
            Edge {
                source: 0,
                target: 1,
                kind: "waits-lock".into(),
                basis: "observed".into(),
                blocked_ms: Some(2500.0),
                latency_ms: None,
                count: 1,
            },
            Edge {
                source: 0,
                target: 2,
                kind: "connects".into(),
                basis: "observed".into(),
                blocked_ms: None,
                latency_ms: Some(0.25),
                count: 17,
            },
        ],
        columns: vec![Column {
            name: "cpu_pct".into(),
            unit: "percent".into(),
            form: "rate".into(),
            nodes: vec![0],
            values: vec![12.5],
            missing: vec![Missing { reason: "denied".into(), nodes: vec![1] }],
        }],
        evidence: vec![Evidence {
            source: "/proc/locks".into(),
            text: "1: FLOCK ADVISORY WRITE 812 00:01:77 0 EOF".into(),
            nodes: vec![0, 1],
        }],
        coverage: vec![Coverage { signal: "process".into(), reason: "gone".into(), count: 2 }],
    }
}

/// The snapshot in version 1, which does not count connections.
pub fn snapshot_1() -> GraphSnapshot {
    let mut snapshot = snapshot();
    snapshot.edges.iter_mut().for_each(|edge| edge.count = 1);
    snapshot
}

pub fn raw_read() -> RawRead {
    RawRead {
        question: "read".into(),
        name: "stat".into(),
        answer: "here".into(),
        bytes: b"17 (sh) S 1".to_vec(),
        numbers: vec![-1, 3],
    }
}

pub fn healthy() -> HealthySnapshot {
    HealthySnapshot {
        host: "web-1".into(),
        cohort: "web".into(),
        generation: 3,
        vouched_by: HealthSource::Learning,
        learned: 7,
        wanted: 60,
        time: Timestamp(1_767_225_600_012),
        snapshot: include_bytes!("../../golden/GraphSnapshot.v1.avro").to_vec(),
    }
}

pub fn release() -> ModelRelease {
    let onnx = vec![8, 7, 0, 255];
    ModelRelease {
        cohort: "web".into(),
        generation: 3,
        created_at: Timestamp(1_767_225_660_000),
        profile: "default".into(),
        recipe: 1,
        columns: vec![ColumnSpec { name: "cpu_pct".into(), unit: "percent".into(), form: "rate".into() }],
        features: 4,
        sha256: release::sha256_hex(&onnx),
        onnx,
        manifest: Manifest {
            parameters: 1819,
            epochs: 100,
            loss_first: 1.5,
            loss_last: 0.25,
            fitted: 45,
            calibrated: 15,
            from: Timestamp(1_767_225_600_000),
            until: Timestamp(1_767_225_659_000),
        },
        calibration: Calibration {
            threshold: 5.5,
            roles: vec![RoleCalibration {
                kind: "process".into(),
                role: String::new(),
                observations: 60,
                centre: vec![1.0],
                spread: vec![10.0],
                residual_centre: vec![0.0],
                residual_spread: vec![1.0],
            }],
            pressure_p99: vec![ColumnLimit { name: "psi_cpu_some".into(), limit: 12.0 }],
        },
    }
}

pub fn suspect(stage: Stage) -> Suspect {
    Suspect {
        rank: 1,
        kind: "process".into(),
        name: "logrotate".into(),
        role: "/usr/sbin/logrotate".into(),
        pid: Some(812),
        start_time: Some(3344),
        path: Some("/var/log/app.log".into()),
        endpoint: None,
        score: 1.5,
        stage,
        why: vec![Reason {
            text: "holds the lock".into(),
            expected: Some(0.0),
            observed: Some(2500.0),
            unit: "ms".into(),
            source: "/proc/locks".into(),
        }],
    }
}

pub fn event() -> RootCauseEvent {
    RootCauseEvent {
        event: EventKind::Opened,
        incident: "3f9c2a1b4d5e6f70".into(),
        host: "web-1".into(),
        time: Timestamp(1_767_225_600_012),
        confidence: 0.75,
        previous: Some("1111222233334444".into()),
        initiating: Some(suspect(Stage::Initiating)),
        first_failure: None,
        impact: vec![suspect(Stage::Impact)],
        summary: "logrotate holds the lock".into(),
    }
}

pub fn incident() -> Incident {
    Incident {
        incident: "3f9c2a1b4d5e6f70".into(),
        host: "web-1".into(),
        cohort: "web".into(),
        state: IncidentState::Open,
        fingerprint: "process|/usr/sbin/logrotate|holds-lock".into(),
        opened_at: Timestamp(1_767_225_600_012),
        updated_at: Timestamp(1_767_225_601_012),
        quiet_sweeps: 0,
        previous: None,
        confidence: 0.75,
        initiating: Some(suspect(Stage::Initiating)),
        first_failure: Some(suspect(Stage::FirstFailure)),
        impact: Vec::new(),
        summary: "logrotate holds the lock".into(),
    }
}

pub fn action() -> OperatorAction {
    OperatorAction {
        action: ActionKind::Baseline,
        host: Some("web-1".into()),
        time: Timestamp(1_767_225_600_012),
        until: Some(Timestamp(1_767_226_200_012)),
        include_incidents: true,
        by: "ada".into(),
        client: "127.0.0.1:52114".into(),
    }
}
