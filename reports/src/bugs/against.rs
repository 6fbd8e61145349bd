//! What the guided search is worth: its hits against those of the uniform one, where a bug was hunted by both.
//!
//! Compared are hits per seed and hits per CPU-second, over all hunts of a cell, so that hunts which found nothing count.

use std::fmt;

use scenarios::search::Strategy;
use serde::Serialize;

use super::board::{Board, Cell};

/// One bug, hunted by both.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Against {
    pub(crate) id: &'static str,
    pub(crate) guided: Hits,
    pub(crate) uniform: Hits,
    /// How many times as many hits per seed; `None` if the guided search had none.
    pub(crate) per_seed: Option<f64>,
    /// How many times as many hits per CPU-second; likewise.
    pub(crate) per_cpu_second: Option<f64>,
    /// The uniform search had no hit: both numbers are as if it had had one at the very end, and thus too low.
    pub(crate) at_least: bool,
}

/// What all hunts of a cell came to.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Hits {
    pub(crate) hits: u64,
    pub(crate) seeds: u64,
    pub(crate) cpu_seconds: f64,
}

/// All bugs that were hunted by both.
pub(crate) fn against(board: &Board) -> Vec<Against> {
    let of = |id: &str, strategy: Strategy| {
        board.cells_of(id).find(|cell| cell.strategy == strategy.name()).map(Hits::of).filter(|hits| hits.seeds > 0)
    };
    let both = board
        .bugs
        .iter()
        .filter_map(|bug| Some(Against::of(bug.id, of(bug.id, Strategy::Guided)?, of(bug.id, Strategy::Uniform)?)));
    both.collect()
}

impl Hits {
    fn of(cell: &Cell) -> Self {
        Self { hits: cell.found, seeds: cell.seeds_in_all, cpu_seconds: cell.cpu_seconds_in_all }
    }
}

impl Against {
    fn of(id: &'static str, guided: Hits, uniform: Hits) -> Self {
        let (hits, others) = (guided.hits as f64, uniform.hits.max(1) as f64);
        let times = |effort: f64, other: f64| (guided.hits > 0).then(|| hits / effort / (others / other));
        Self {
            id,
            guided,
            uniform,
            per_seed: times(guided.seeds as f64, uniform.seeds as f64),
            per_cpu_second: times(guided.cpu_seconds.max(f64::EPSILON), uniform.cpu_seconds.max(f64::EPSILON)),
            at_least: uniform.hits == 0,
        }
    }
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |hits: &Hits| format!("{} hits in {} seeds, {:.1} CPU-s", hits.hits, hits.seeds, hits.cpu_seconds);
        write!(f, "guided against uniform: {}: {} against {}: ", self.id, said(&self.guided), said(&self.uniform))?;
        match (self.per_seed, self.per_cpu_second) {
            (Some(seeds), Some(cpu)) => {
                let least = if self.at_least { "more than " } else { "" };
                write!(f, "{least}{seeds:.1} times as many per seed, {least}{cpu:.1} times per CPU-second")
            }
            _ => f.write_str("guided found nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunts_that_found_nothing_count() {
        let hits = |hits, seeds, cpu_seconds| Hits { hits, seeds, cpu_seconds };
        let both = Against::of("B03", hits(4, 100, 2.0), hits(2, 500, 5.0));
        assert_eq!((both.per_seed, both.per_cpu_second, both.at_least), (Some(10.0), Some(5.0), false));
        let never = Against::of("B04", hits(3, 300, 3.0), hits(0, 400, 4.0));
        assert_eq!((never.per_seed, never.at_least), (Some(4.0), true), "as if the last seed had hit");
        assert!(
            never.to_string().ends_with("more than 4.0 times as many per seed, more than 4.0 times per CPU-second")
        );
        let nothing = Against::of("B06", hits(0, 300, 3.0), hits(1, 400, 4.0));
        assert_eq!((nothing.per_seed, nothing.per_cpu_second), (None, None));
    }
}
