//! How values are compared: the curve they are mapped by, the least spread, and the abnormal side.

use schemas::Unit;

/// How values of one unit are compared.
///
/// The floors are physical: a smaller change is none to an operator. They are the same for every
/// host and are not fitted to any data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// The curve that a raw value is mapped by.
    pub curve: Curve,
    /// The least spread of a baseline, in mapped units.
    pub floor: f32,
    /// The least spread of a baseline, as a fraction of its centre.
    pub relative_floor: f32,
}

/// The curve that maps a raw value to the value that is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Curve {
    /// The value itself.
    Linear,
    /// `-ln(1.01 - x / 100)` of a percentage of a limit: half of what is left is a step, wherever
    /// that is.
    LimitUse,
    /// `sign(x) ln(1 + min(|x|, max) / unit)`: linear far below `unit`, logarithmic far above it.
    Log {
        /// Where the curve turns from linear to logarithmic.
        unit: f32,
        /// Larger values count as this one.
        max: f32,
    },
}

/// The side of a baseline on which a deviation is abnormal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// More than usual.
    High,
    /// Less than usual.
    Low,
    /// More or less than usual.
    Both,
    /// Neither: the value is context for the model.
    Neither,
}

const MIB: f32 = 1_048_576.0;

/// A percentage of a limit.
pub(crate) const LIMIT_USE: Scale = Scale { curve: Curve::LimitUse, floor: 0.4, relative_floor: 0.0 };

impl Scale {
    /// The scale of a column in an unknown unit.
    pub const UNKNOWN: Scale = Scale { curve: log(1.0), floor: 0.02, relative_floor: 0.1 };

    /// The scale of a known unit.
    pub const fn for_unit(unit: &Unit) -> Option<Scale> {
        let (curve, floor, relative_floor) = match unit {
            Unit::Percent => (Curve::Linear, 10.0, 0.35),
            // Most is good while the system is healthy, so what counts is the rest, in doublings.
            Unit::PercentGood => (Curve::LimitUse, 0.4, 0.0),
            Unit::Bytes => (log(MIB), 0.25, 0.0),
            Unit::BytesPerSecond => (log(MIB), 0.4, 0.0),
            // Beyond a minute a wait is simply long.
            Unit::Milliseconds => (Curve::Log { unit: 80.0, max: 60_000.0 }, 0.4, 0.0),
            Unit::Count => (log(1.0), 0.4, 0.0),
            Unit::PerSecond => (log(1.0), 0.7, 0.0),
            Unit::Flag => (Curve::Linear, 0.125, 0.0),
            Unit::Other(_) => return None,
        };
        Some(Scale { curve, floor, relative_floor })
    }
}

const fn log(unit: f32) -> Curve {
    Curve::Log { unit, max: f32::MAX }
}

impl Curve {
    /// Maps a raw value.
    pub fn apply(self, raw: f32) -> f32 {
        match self {
            Curve::Linear => raw,
            Curve::LimitUse => -(1.01 - raw.clamp(0.0, 100.0) / 100.0).ln(),
            Curve::Log { unit, max } => raw.signum() * (raw.abs().min(max) / unit).ln_1p(),
        }
    }

    /// The raw value of a mapped value.
    pub fn invert(self, mapped: f32) -> f32 {
        match self {
            Curve::Linear => mapped,
            Curve::LimitUse => (1.01 - (-mapped).exp()) * 100.0,
            Curve::Log { unit, .. } => mapped.signum() * mapped.abs().exp_m1() * unit,
        }
    }
}

impl Side {
    /// The side of a column that is in no catalogue: more is worse, less is worse of what is good,
    /// and nothing is known of an unknown unit.
    pub const fn for_unit(unit: &Unit) -> Side {
        match unit {
            Unit::PercentGood => Side::Low,
            Unit::Other(_) => Side::Both,
            _ => Side::High,
        }
    }

    /// The abnormal part of a deviation, at least 0.
    pub fn abnormal_part(self, deviation: f32) -> f32 {
        match self {
            Side::High => deviation.max(0.0),
            Side::Low => (-deviation).max(0.0),
            Side::Both => deviation.abs(),
            Side::Neither => 0.0,
        }
    }

    /// The side in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::High => "high",
            Side::Low => "low",
            Side::Both => "both",
            Side::Neither => "none",
        }
    }
}
