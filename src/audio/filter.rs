//! The windowed sinc, which interpolators are made of.

/// The sine of `x` half turns, relative to `x`.
pub fn sinc(x: f64) -> f64 {
    let angle = x * std::f64::consts::PI;
    if angle.abs() < 1e-9 { 1.0 } else { angle.sin() / angle }
}

/// The Kaiser window of that shape at `x` from -1 to 1; nothing beyond.
pub fn kaiser(beta: f64, x: f64) -> f64 {
    let inside = 1.0 - x * x;
    if inside <= 0.0 { 0.0 } else { bessel_i0(beta * inside.sqrt()) / bessel_i0(beta) }
}

/// The modified Bessel function of the first kind, order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..32 {
        term *= (x / (2.0 * f64::from(k))).powi(2);
        sum += term;
    }
    sum
}
