//! Every check is seen to hold and seen to fail, on facts written by hand. A test is named by the guarantee.

mod clients;
mod compaction;
mod deletion;
mod losses;
mod quorum;
mod replication;
mod storage;

const CHECKS: &[&str] = &[
    include_str!("../acknowledgement.rs"),
    include_str!("../compaction.rs"),
    include_str!("../delete_records.rs"),
    include_str!("../derived.rs"),
    include_str!("../durability.rs"),
    include_str!("../epochs.rs"),
    include_str!("../history.rs"),
    include_str!("../in_sync.rs"),
    include_str!("../listings.rs"),
    include_str!("../logs.rs"),
    include_str!("../order.rs"),
    include_str!("../progress.rs"),
    include_str!("../quorum.rs"),
    include_str!("../reads.rs"),
    include_str!("../recovery.rs"),
    include_str!("../retention.rs"),
    include_str!("../storage.rs"),
    include_str!("../unheard.rs"),
    include_str!("../watermarks.rs"),
];

const TESTS: &[&str] = &[
    include_str!("clients.rs"),
    include_str!("compaction.rs"),
    include_str!("deletion.rs"),
    include_str!("losses.rs"),
    include_str!("quorum.rs"),
    include_str!("replication.rs"),
    include_str!("storage.rs"),
];

/// The names of everything that can be broken: what is quoted in a check, has hyphens and nothing else but letters.
fn kinds(check: &str) -> impl Iterator<Item = &str> {
    let is_kind =
        |text: &&str| text.contains('-') && text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
    check.split('"').filter(is_kind)
}

#[test]
fn whatever_can_be_broken_is_seen_to_break() {
    let all: Vec<&str> = CHECKS.iter().flat_map(|check| kinds(check)).collect();
    assert!(all.len() > 95, "{}", all.len());
    let unseen: Vec<&str> = all.into_iter().filter(|kind| !TESTS.iter().any(|test| test.contains(kind))).collect();
    assert_eq!(unseen, Vec::<&str>::new(), "no test sees these break");
}
