//! Medians, percentiles, and what curve a series follows.

/// The value below which this share of the values lies; 0 if there are none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len().saturating_sub(1)) as f64 * share;
    let (below, above) = (place.floor(), place.ceil());
    // Indexes are small and not negative.
    let at = |place: f64| {
        let found = (0..sorted.len()).find(|index| *index as f64 >= place);
        found.map_or(0.0, |index| sorted[index])
    };
    at(below) + (at(above) - at(below)) * (place - below)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// The median of the ratios of values that belong together.
pub(crate) fn median_ratio(values: &[f64], yardstick: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(yardstick).map(|(a, b)| a / b).collect();
    median(&ratios)
}

/// A part of a cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Term {
    Fixed,
    Log,
    Linear,
}

impl Term {
    fn at(self, size: f64) -> f64 {
        match self {
            Self::Fixed => 1.0,
            Self::Log => size.ln(),
            Self::Linear => size,
        }
    }
}

/// How a cost grows with a size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Growth {
    /// The share of the cost at the largest size that grows with the size itself.
    pub(crate) linear_share: f64,
    /// Cost at the largest size over cost at the smallest.
    pub(crate) factor: f64,
}

/// Above this share of linear cost at the largest size, a curve counts as growing faster than a logarithm. Less
/// cannot be told from noise.
pub(crate) const FLAT: f64 = 0.2;
/// By how much a further term has to lessen what is not explained.
const WORTH: f64 = 0.8;

impl Growth {
    /// Fits `fixed + log * ln(size) + linear * size`, none of them negative, by relative least squares.
    pub(crate) fn of(points: &[(f64, f64)]) -> Self {
        use Term::{Fixed, Linear, Log};
        let mut known = f64::INFINITY;
        let mut linear_share = 0.0;
        let largest = points.iter().map(|(size, _)| *size).fold(1.0, f64::max);
        // Those that say least come first, and stay unless another explains more.
        let forms: [&[Term]; 6] = [
            &[Fixed],
            &[Fixed, Log],
            &[Log],
            &[Fixed, Linear],
            &[Linear],
            &[Fixed, Log, Linear],
        ];
        for terms in forms {
            let Some(factors) = fit(points, terms) else {
                continue;
            };
            if factors.iter().any(|factor| *factor < 0.0) {
                continue;
            }
            let part = |(term, by): (&Term, &f64), size: f64| term.at(size) * by;
            let value = |size: f64| -> f64 {
                terms
                    .iter()
                    .zip(&factors)
                    .map(|pair| part(pair, size))
                    .sum()
            };
            let error: f64 = points
                .iter()
                .map(|(size, cost)| (value(*size) / cost - 1.0).powi(2))
                .sum();
            if error < known * WORTH {
                known = error;
                let at = terms.iter().position(|term| *term == Linear);
                let linear = at.map_or(0.0, |at| factors[at] * largest);
                linear_share = linear / value(largest);
            }
        }
        let ends = points.first().zip(points.last());
        Self {
            linear_share,
            factor: ends.map_or(1.0, |(first, last)| last.1 / first.1),
        }
    }

    pub(crate) fn is_fast(self) -> bool {
        self.linear_share > FLAT
    }
}

/// Solves the normal equations of a weighted fit; `None` if there are too few points.
fn fit(points: &[(f64, f64)], terms: &[Term]) -> Option<Vec<f64>> {
    let n = terms.len();
    if points.len() < n {
        return None;
    }
    // Sizes and costs reach millions: without a common scale the equations lose their digits.
    let largest = |term: &Term| {
        points
            .iter()
            .map(|(size, cost)| term.at(*size) / cost)
            .fold(f64::MIN_POSITIVE, f64::max)
    };
    let scale: Vec<f64> = terms.iter().map(largest).collect();
    let mut rows = vec![vec![0.0; n + 1]; n];
    for (size, cost) in points {
        let scaled: Vec<f64> = (0..n)
            .map(|k| terms[k].at(*size) / scale[k] / cost)
            .collect();
        for i in 0..n {
            for j in 0..n {
                rows[i][j] += scaled[i] * scaled[j];
            }
            rows[i][n] += scaled[i];
        }
    }
    for i in 0..n {
        let pivot = rows[i][i];
        if pivot.abs() < 1e-12 {
            return None;
        }
        for value in &mut rows[i] {
            *value /= pivot;
        }
        let row = rows[i].clone();
        for other in (0..n).filter(|other| *other != i) {
            let by = rows[other][i];
            for (value, own) in rows[other].iter_mut().zip(&row) {
                *value -= own * by;
            }
        }
    }
    Some((0..n).map(|k| rows[k][n] / scale[k]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [f64; 7] = [1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6];

    fn growth(cost: impl Fn(f64) -> f64) -> Growth {
        // Three per cent up and down, as a run has.
        let noisy =
            |(n, size): (usize, f64)| (size, cost(size) * if n % 2 == 0 { 1.03 } else { 0.97 });
        let points: Vec<_> = SIZES.into_iter().enumerate().map(noisy).collect();
        Growth::of(&points)
    }

    #[test]
    fn percentiles_lie_between_values() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((percentile(&[1.0, 2.0], 1.0) - 2.0).abs() < 1e-9);
        assert!(percentile(&[], 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_curve_is_told_from_a_line() {
        assert!(!growth(|_| 4.0).is_fast());
        assert!(!growth(|size| 2.0 + size.ln() / 5.0).is_fast());
        assert!(growth(|size| 4.0 + size / 1e5).is_fast());
        assert!(growth(|size| size / 100.0).is_fast());
        assert!(growth(|size| size.powf(1.1)).is_fast());
    }
}
