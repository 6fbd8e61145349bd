//! The mistakes that cannot be made yet: the part of Kafka that makes them is not built.

/// A mistake that waits for a part.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Its number.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Which part it waits for.
    pub part: &'static str,
}

const fn row(id: &'static str, name: &'static str, part: &'static str) -> Waiting {
    Waiting { id, name, part }
}

/// All of them.
pub const WAITING: &[Waiting] = &[
    row("B18", "a retry is appended twice", "idempotent producers"),
    row("B19", "a batch that is sent again is overtaken by a later one", "idempotent producers"),
    row("B20", "the window of sequence numbers is lost in a failover", "idempotent producers"),
    row("B21", "sequence numbers are given anew while an earlier batch is under way", "idempotent producers"),
    row("B22", "a late EndTxn decides a later transaction", "transactions"),
    row("B23", "a transaction hangs", "transactions"),
    row("B24", "read_committed returns what was aborted, or is undecided", "transactions"),
    row("B25", "a committed group offset is lost, or a partition has two owners", "consumer groups"),
];
