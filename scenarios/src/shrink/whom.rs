//! Whom a fault names. Knows no plan.

use sim::fault::{Aim, Fault, Target};

/// Everybody whom the fault names, in its order.
pub(crate) fn targets(fault: &Fault) -> Vec<Target> {
    match fault.aim() {
        Aim::Nobody => Vec::new(),
        Aim::One(target) => vec![target],
        Aim::Links(one, other) => [one, other].concat(),
    }
}
