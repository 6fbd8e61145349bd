//! The mistakes that cannot be made yet, or not be seen: the part of Kafka that makes them, or the promise that they break, is not
//! built.

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
    row("B32", "a consumer reads from a follower ahead of what that knows to be committed", "fetching from followers"),
    row("B35", "a follower joins and leaves the in-sync set again and again", "a bound on how often that may be"),
    row("B43", "a coordinator goes on after its partition was moved away", "consumer groups"),
    row("B45", "a leader whose disk fails shrinks the in-sync set first", "several log directories"),
    row("B46", "a log that moves to another directory loses its epochs", "several log directories"),
    row("B51", "a follower refuses what it has no producer's state for", "idempotent producers"),
    row("B53", "a producer goes on in an epoch whose transaction was aborted", "transactions"),
    row("B54", "a marker of a coordinator that was replaced is taken", "transactions"),
    row("B56", "the first batch of a transaction may have any sequence number", "transactions"),
    row("B57", "a producer's state is deleted with its records", "idempotent producers"),
    row("B58", "a producer's epoch runs over", "idempotent producers"),
    row("B59", "offsets of a member that was replaced are committed", "transactions"),
    row("B60", "a coordinator forgets a transaction that has begun", "transactions"),
    row("B61", "the offsets of a transaction are aborted, and it commits", "transactions"),
    row("B63", "open transactions wait for their timeout when a coordinator restarts", "transactions"),
    row(
        "B67",
        "what is written to a new partition before it is found is skipped",
        "consumers that find new partitions",
    ),
    row("B75", "a vote is refused after a leader has resigned", "a bound on an election after an orderly stop"),
    row("P31", "sequence numbers are not looked at", "idempotent producers"),
    row("P33", "the window of sequence numbers holds one batch", "idempotent producers"),
    row("P35", "a marker goes only where the coordinator remembers", "transactions"),
    row("P37", "read_committed reads up to the high watermark", "transactions"),
    row("P39", "a group offset is acknowledged before it is committed", "consumer groups"),
    row("P41", "a member that comes again gets what another one has", "consumer groups"),
    row("P43", "a producer sends again after an error that is final", "idempotent producers"),
];
