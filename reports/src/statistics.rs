//! How sure one can be after so many runs: upper bounds on a failure rate, and intervals of a chance.
//!
//! A run is one seed, one fresh cluster: runs are independent, records within a run are not and are never counted as
//! trials. Plain numbers in, a number out.

/// The 95 % upper bound on the chance that one run fails, after `failures` of `runs` failed.
///
/// Without a failure this is exactly `1 - 0.05^(1/runs)`, about `3/runs`; with failures it is the upper end of the
/// two-sided Clopper-Pearson interval, the 0.975 quantile of Beta(failures + 1, runs - failures). Without runs nothing
/// is known: 1.
pub(crate) fn upper_bound_95(failures: u64, runs: u64) -> f64 {
    if failures >= runs {
        return 1.0;
    }
    if failures == 0 {
        // By `exp_m1`: for a million runs the power is so near to 1 that the difference would lose half its digits.
        return -(0.05_f64.ln() / runs as f64).exp_m1();
    }
    beta_quantile(0.975, failures as f64 + 1.0, (runs - failures) as f64)
}

/// The two-sided 95 % interval (Clopper-Pearson) of a chance, after it came true `hits` times of `runs`. Without runs nothing is
/// known: from 0 to 1.
pub(crate) fn interval_95(hits: u64, runs: u64) -> (f64, f64) {
    let (hits, runs) = (hits.min(runs) as f64, runs as f64);
    let from = if hits > 0.0 { beta_quantile(0.025, hits, runs - hits + 1.0) } else { 0.0 };
    let to = if hits < runs { beta_quantile(0.975, hits + 1.0, runs - hits) } else { 1.0 };
    (from, to)
}

/// Where the distribution function of Beta(a, b) reaches `share`, by bisection.
fn beta_quantile(share: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if incomplete_beta(middle, a, b) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

/// The regularised incomplete beta function: the distribution function of Beta(a, b) at `x`.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let weight = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The continued fraction converges fast below the mean, and the function is symmetric.
    if x < (a + 1.0) / (a + b + 2.0) {
        weight * continued_fraction(x, a, b) / a
    } else {
        1.0 - weight * continued_fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for step in 1..10_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut last = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            last = denominator * numerator;
            fraction *= last;
        }
        if (last - 1.0_f64).abs() < 1e-15 {
            break;
        }
    }
    fraction
}

/// The logarithm of the gamma function for positive arguments: Stirling's series, after a shift to where it is exact.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 15.0 {
        shift += x.ln();
        x += 1.0;
    }
    let (inverse, square) = (1.0 / x, 1.0 / (x * x));
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square / 1680.0)));
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64, tolerance: f64) -> bool {
        (left - right).abs() <= tolerance
    }

    #[test]
    fn without_failures_the_bound_is_the_rule_of_three() {
        assert!(near(upper_bound_95(0, 300), 0.009_936, 1e-6));
        assert!(near(upper_bound_95(0, 3_000), 0.000_998_1, 1e-7));
        assert!(near(upper_bound_95(0, 1_000_000) * 1e6, 2.995_728, 1e-4));
        assert!(near(upper_bound_95(0, 1), 0.95, 1e-12));
    }

    #[test]
    fn with_failures_the_bound_is_that_of_clopper_and_pearson() {
        assert!(near(upper_bound_95(58, 4_000), 0.018_7, 5e-5), "{}", upper_bound_95(58, 4_000));
        // The probability of at most 1 failure in 10 at p is 0.025: p = 0.44502.
        assert!(near(upper_bound_95(1, 10), 0.445_016, 1e-6), "{}", upper_bound_95(1, 10));
        assert!(near(upper_bound_95(9, 10), 0.997_471, 1e-6), "{}", upper_bound_95(9, 10));
    }

    #[test]
    fn the_bound_solves_the_binomial_equation_it_stands_for() {
        for (failures, runs) in [(1_u64, 5_u64), (3, 50), (20, 40), (7, 2_000)] {
            let p = upper_bound_95(failures, runs);
            let mut term = (runs as f64 * (1.0 - p).ln()).exp();
            let mut at_most = term;
            for k in 1..=failures {
                term *= (runs - k + 1) as f64 / k as f64 * p / (1.0 - p);
                at_most += term;
            }
            assert!(near(at_most, 0.025, 1e-9), "{failures} of {runs}: {at_most}");
        }
    }

    #[test]
    fn the_two_sided_interval_is_that_of_the_tables() {
        let near_both = |(low, high): (f64, f64), left, right| near(low, left, 1e-4) && near(high, right, 1e-4);
        assert!(near_both(interval_95(1, 10), 0.0025, 0.4450), "{:?}", interval_95(1, 10));
        assert!(near_both(interval_95(5, 10), 0.1871, 0.8129), "{:?}", interval_95(5, 10));
        assert!(near_both(interval_95(0, 10), 0.0, 0.3085), "{:?}", interval_95(0, 10));
        assert!(near_both(interval_95(10, 10), 0.6915, 1.0), "{:?}", interval_95(10, 10));
        assert!(near_both(interval_95(0, 0), 0.0, 1.0));
    }

    #[test]
    fn nothing_is_known_without_runs_and_nothing_is_excluded_when_all_fail() {
        assert!(near(upper_bound_95(0, 0), 1.0, 0.0));
        assert!(near(upper_bound_95(4, 4), 1.0, 0.0));
    }

    #[test]
    fn more_failures_never_lower_the_bound_and_more_runs_never_raise_it() {
        for runs in 1..60 {
            for failures in 0..runs {
                assert!(upper_bound_95(failures, runs) <= upper_bound_95(failures + 1, runs) + 1e-12);
                assert!(upper_bound_95(failures, runs + 1) <= upper_bound_95(failures, runs) + 1e-12);
            }
        }
    }
}
