//! ZooKeeper mode (§3.10): what Kafka 0.8 to 3.x kept in ZooKeeper, the ensemble that keeps it, and the parts of a broker
//! that are there for it.
//!
//! `ensemble` is one machine that stands for the whole service. `session` is a broker's end of a session. `controller` is
//! what a broker does that was elected controller. `znodes` is what they all know: paths and contents. This room must not
//! know how a replica leads or follows.

pub mod assignment;
pub(crate) mod controller;
pub mod ensemble;
pub(crate) mod session;
pub mod znodes;

pub use ensemble::Ensemble;
