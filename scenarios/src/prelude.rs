//! Everything that a test needs which was told by `highwater shrink --emit test`. Holds nothing of its own.

pub use std::time::Duration;

pub use model::config::Acks;
pub use model::names::{BrokerId, ClientId, ControllerId, Node};
pub use model::protocol::*;
pub use model::wire::{AdminRequest, AlteredResource};
pub use sim::cluster::Cluster;
pub use sim::disk::{DiskTimings, Side};
pub use sim::fault::{Fault, Sight, Stopping, Strike, Target, When};
pub use sim::net::Weather;

pub use crate::load::Load;
pub use crate::run::Plan;
pub use crate::storm::Storm;
