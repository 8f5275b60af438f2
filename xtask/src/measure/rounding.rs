//! Rounding of printed figures.

/// Rounds to one decimal.
pub fn to_tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Rounds to two decimals.
pub fn to_hundredth(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Rounds to three decimals.
pub fn to_thousandth(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
