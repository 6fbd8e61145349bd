//! Every check is seen to hold and seen to fail, on facts written by hand. A test is named by the guarantee.

mod clients;
mod losses;
mod replication;
