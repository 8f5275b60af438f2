//! Quantiles and robust spreads.

/// Standard deviation of a normal distribution, in median absolute deviations.
const MAD_TO_SIGMA: f32 = 1.4826;

/// The `q`-quantile by linear interpolation, or `None` for no values. Sorts `values`.
pub fn quantile(values: &mut [f32], q: f64) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let low = values[at.floor() as usize];
    let high = values[at.ceil() as usize];
    Some(low + (high - low) * at.fract() as f32)
}

/// The median absolute deviation from `centre`, scaled to the standard deviation of a normal
/// distribution. 0 for no values.
pub fn robust_spread(values: &[f32], centre: f32) -> f32 {
    let mut deviations: Vec<f32> = values.iter().map(|value| (value - centre).abs()).collect();
    quantile(&mut deviations, 0.5).unwrap_or(0.0) * MAD_TO_SIGMA
}
