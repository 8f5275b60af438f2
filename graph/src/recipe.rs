//! Which columns are read, and how a raw value is transformed before it is compared.

use std::collections::BTreeMap;

use schemas::{ColumnSpec, Form, GraphSnapshot, Unit};
use serde::{Deserialize, Serialize};

/// Version of the transformations below and of the encoder. A release pins it: change one, raise this.
pub const RECIPE_VERSION: i32 = 3;

/// Which features a model reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Every column of the snapshot, against what is normal for the node's role.
    #[default]
    Default,
    /// The eleven features of the original design.
    Classic,
}

impl Profile {
    /// The word that a release carries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Classic => "classic",
        }
    }

    /// The profile of that word.
    pub fn of_name(name: &str) -> Option<Profile> {
        [Profile::Default, Profile::Classic].into_iter().find(|profile| profile.as_str() == name)
    }
}

/// The columns that an encoder reads, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Which features are made of them.
    pub profile: Profile,
    /// The columns; `classic` has its own and needs none listed.
    pub columns: Vec<ColumnSpec>,
}

impl Recipe {
    /// A recipe for every column that these snapshots declare, by name.
    pub fn for_snapshots<'a>(profile: Profile, snapshots: impl IntoIterator<Item = &'a GraphSnapshot>) -> Recipe {
        if profile == Profile::Classic {
            return Recipe { profile, columns: Vec::new() };
        }
        let mut columns = BTreeMap::new();
        for column in snapshots.into_iter().flat_map(|snapshot| &snapshot.columns) {
            columns.entry(column.name.as_str()).or_insert_with(|| ColumnSpec {
                name: column.name.clone(),
                unit: column.unit.clone(),
                form: column.form.clone(),
            });
        }
        Recipe { profile, columns: columns.into_values().collect() }
    }

    /// Width F of what the encoder makes.
    pub fn width(&self) -> usize {
        match self.profile {
            Profile::Classic => crate::classic::FEATURES.len(),
            // A value and a missing flag each, then in- and out-degree.
            Profile::Default => 2 * self.columns.len() + 2,
        }
    }
}

/// How values of one column are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    curve: Curve,
    /// The least spread: a smaller change, in transformed units, matters to nobody.
    pub floor: f32,
    /// The least spread as a part of the centre.
    pub relative_floor: f32,
    /// The side on which a deviation is trouble.
    pub trouble: Side,
    /// Whether a high level by itself says nothing of a role that is not known yet: a new process of 500 MB is no trouble, one
    /// that grows is.
    pub is_level: bool,
}

/// The side on which a deviation is trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// More than usual.
    High,
    /// Less than usual.
    Low,
    /// Either.
    Both,
    /// Neither: the value is context for the model.
    Neither,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Curve {
    Linear,
    /// `-ln(1.01 - x / 100)` of a percentage of a limit: what is left counts, and half of it is a step wherever that is.
    Fullness,
    /// `sign(x) ln(1 + min(|x|, most) / unit)`: linear far below the unit, logarithmic far above it.
    Log {
        unit: f32,
        most: f32,
    },
}

const MIB: f32 = 1_048_576.0;

impl Measure {
    /// The measure of a column, by its unit and, where a name says more, by its name.
    ///
    /// The floors are physical: what an operator would not call a change. They are the same for every host and are not fitted
    /// to anything.
    pub fn of(column: &ColumnSpec) -> Measure {
        let log = |unit| Curve::Log { unit, most: f32::MAX };
        let rate = column.form == Form::Rate;
        let (curve, floor, relative_floor) = match column.unit {
            Unit::Percent => (Curve::Linear, 10.0, 0.35),
            // Nearly all is good while all is well, so what counts is how much is not, in steps of as much again.
            Unit::PercentGood => (Curve::Fullness, 0.4, 0.0),
            Unit::Bytes => (log(MIB), 0.25, 0.0),
            Unit::BytesPerSecond => (log(MIB), 0.4, 0.0),
            // Beyond a minute a wait is long, however long.
            Unit::Milliseconds => (Curve::Log { unit: 80.0, most: 60_000.0 }, 0.4, 0.0),
            Unit::Count => (log(1.0), 0.4, 0.0),
            Unit::PerSecond => (log(1.0), 0.7, 0.0),
            Unit::Flag => (Curve::Linear, 0.125, 0.0),
            Unit::Other(_) => (log(1.0), 0.02, 0.1),
        };
        let known = !matches!(curve, Curve::Log { .. }) || floor > 0.02;
        let trouble = match column.unit {
            Unit::PercentGood => Side::Low,
            _ if known => Side::High,
            _ => Side::Both,
        };
        let is_level = !rate && matches!(column.unit, Unit::Bytes | Unit::Count);
        let measure = Measure { curve, floor, relative_floor, trouble, is_level };
        match column.name.as_str() {
            // Running is what processes do; a moment in disk wait, or between exit and reaping, is common.
            "running" => Measure { trouble: Side::Neither, floor: 1.0, ..measure },
            "disk_wait" | "zombie" | "traced" => Measure { floor: 0.3, ..measure },
            "memory_available" => Measure { trouble: Side::Low, ..measure },
            // Who shares a file or a group is nobody's trouble; what they do there is.
            "open_by" | "processes" => Measure { trouble: Side::Neither, ..measure },
            // More load, a start, or what the members of a group are told of themselves: context, and nobody's trouble.
            "minor_faults" | "switches" | "host_switches" | "tasks_running" | "oom_score" | "uptime_ms"
            | "space_free" | "cpu_quota_used_pct" | "group_memory" | "group_read_bytes" | "group_write_bytes" => {
                Measure { trouble: Side::Neither, ..measure }
            }
            name if name.starts_with("group_psi_") => Measure { trouble: Side::Neither, ..measure },
            "fds_pct"
            | "accept_queue_pct"
            | "conntrack_pct"
            | "space_used_pct"
            | "inodes_used_pct"
            | "memory_limit_used_pct"
            | "pids_limit_used_pct" => Measure { curve: Curve::Fullness, floor: 0.4, relative_floor: 0.0, ..measure },
            // Every start of a program that is not in memory yet faults for a moment.
            "major_faults" => Measure { floor: 1.0, ..measure },
            // Bulk I/O by itself is somebody's backup; it is trouble when others wait.
            "read_bytes" | "write_bytes" => Measure { floor: 0.8, ..measure },
            // So are bytes that go to a pipe or stay in memory, and children that come and go.
            "written" | "children_faults" => Measure { floor: 1.0, ..measure },
            _ => measure,
        }
    }

    /// The value as it is compared.
    pub fn transform(&self, raw: f32) -> f32 {
        match self.curve {
            Curve::Linear => raw,
            Curve::Fullness => -(1.01 - raw.clamp(0.0, 100.0) / 100.0).ln(),
            Curve::Log { unit, most } => raw.signum() * (raw.abs().min(most) / unit).ln_1p(),
        }
    }

    /// The raw value of a transformed one.
    pub fn invert(&self, transformed: f32) -> f32 {
        match self.curve {
            Curve::Linear => transformed,
            Curve::Fullness => (1.01 - (-transformed).exp()) * 100.0,
            Curve::Log { unit, .. } => transformed.signum() * transformed.abs().exp_m1() * unit,
        }
    }

    /// The part of a deviation (in spreads) that is trouble, at least 0.
    pub fn trouble_in(&self, deviation: f32) -> f32 {
        match self.trouble {
            Side::High => deviation.max(0.0),
            Side::Low => (-deviation).max(0.0),
            Side::Both => deviation.abs(),
            Side::Neither => 0.0,
        }
    }
}
