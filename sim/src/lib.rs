//! The world around the model: one seeded event loop, wires, disks that can lose, clocks that lie, hosts that die.
//!
//! **What this crate must not know.** It never looks into a message except to route it; it knows no offset and no epoch
//! beyond what [facts](fact) say, and judges nothing. It is the only crate that knows madsim, and only
//! [`hermetic`](hermetic()) and [`nodes`] do. Every choice comes from one seed through [`dice`]; every misfortune is a
//! [`fault::Fault`] that comes in by one door, [`World::inflict`]; everything that happens is a [`fact::Fact`].

#[cfg(not(madsim))]
compile_error!(
    "`--cfg madsim` is missing, so nothing would be simulated. `.cargo/config.toml` of this repository sets it: run cargo \
     inside the repository, and unset the variable RUSTFLAGS (also CARGO_ENCODED_RUSTFLAGS), which replaces that file's \
     flags even if it is empty"
);

pub mod cast;
pub mod checkpoints;
pub mod clock;
pub mod cluster;
pub mod dice;
pub mod disk;
pub mod fact;
pub mod fault;
pub mod hands;
mod hermetic;
pub mod net;
pub mod nodes;
pub mod script;
pub mod stage;
pub mod story;
pub mod trace;
pub mod world;

pub use cast::Cast;
pub use checkpoints::Checkpoints;
pub use cluster::{Cluster, Topic};
pub use dice::Dice;
pub use fact::{Chapter, Ending, Fact, Moment, What};
pub use fault::{Fault, Sight, Strike, Target, When};
pub use hands::{Hands, Verbs};
pub use hermetic::{Panicked, assert_threads_are_banned, hermetic};
pub use net::Weather;
pub use nodes::{Nodes, on_nodes};
pub use stage::Stage;
pub use trace::Digest;
pub use world::{Observer, World};
