//! What only a follower knows: whom it follows. How it fetches is the business of the broker's fetchers.

use crate::names::BrokerId;

/// The role of a replica that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follower {
    /// The leader; nobody while there is none.
    pub leader: Option<BrokerId>,
}
