//! The durability table (R8) and the debate about fsync (R9), cell by cell; `highwater matrix` prints them with bounds.

use scenarios::matrix::{Cell, Stated};
use scenarios::{Outcome, Verdict, catalogue, run};

/// A run of the nth cell.
fn run_cell(place: usize, round: u64) -> (Cell, Outcome) {
    let cells = Cell::all();
    let seed = place as u64 + round * cells.len() as u64;
    (cells[place], run(&catalogue::for_the_matrix().plan(seed)))
}

#[test]
fn no_cell_loses_where_none_may() {
    for (place, cell) in Cell::all().into_iter().enumerate() {
        if cell.stated() == Stated::Zero {
            let (_, outcome) = run_cell(place, 0);
            assert_eq!(outcome.verdict(), Verdict::Held, "{cell:?}: {:?}", outcome.violations);
            assert_eq!(cell.lost(&outcome.lost), 0, "{cell:?}");
        }
    }
}

/// R9: with one power loss and one partition, replication that does not sync loses only without eligible leader replicas.
#[test]
fn only_without_fsync_and_without_eligible_replicas_the_last_one_standing_loses() {
    let first = Cell::all().len() - Cell::debate().len();
    let lossy: Vec<bool> = (first..Cell::all().len())
        .map(|place| {
            let lost = |round| {
                let (cell, outcome) = run_cell(place, round);
                cell.lost(&outcome.lost) > 0
            };
            (0..12).any(lost)
        })
        .collect();
    let [none_off, none_on, fsync_off, fsync_on] = lossy[..] else { panic!("four switches: {lossy:?}") };
    assert!(none_off, "no fsync, no ELR: the loss was not seen");
    assert!(!none_on && !fsync_off && !fsync_on, "{lossy:?}");
}
