//! When misfortunes strike, and how long they last.

use std::time::Duration;

use rand::Rng;
use sim::dice::Draw;

/// How the misfortunes lie in time.
pub(super) enum Tempo {
    /// Anywhere.
    Even(Duration),
    /// Close to one of these moments.
    Bursts(Vec<Duration>),
}

impl Tempo {
    pub(super) fn draw(kind: &mut Draw, span: Duration) -> Self {
        if kind.gen_bool(0.5) {
            return Self::Even(span);
        }
        let bursts = kind.gen_range(1..=3);
        Self::Bursts((0..bursts).map(|_| span.mul_f64(kind.gen_range(0.05..0.8))).collect())
    }

    pub(super) fn moment(&self, draw: &mut Draw) -> Duration {
        match self {
            Self::Even(span) => span.mul_f64(draw.gen_range(0.02..0.95)),
            Self::Bursts(centres) => {
                let centre = centres[draw.gen_range(0..centres.len())];
                centre + span_between(draw, Duration::from_millis(1), Duration::from_secs(4))
            }
        }
    }
}

/// A span between the two, short ones as likely as long ones: uniform in its logarithm.
pub(super) fn span_between(draw: &mut Draw, least: Duration, most: Duration) -> Duration {
    let (least, most) = (least.as_secs_f64().ln(), most.as_secs_f64().ln());
    let micros = draw.gen_range(least..=most).exp() * 1e6;
    Duration::from_micros(micros as u64)
}
