//! A kept failure in other words: as a test, as a sequence diagram, as a transcript for the stage.
//!
//! Plain functions from a failure, and where they need it the trace of its run, to text. They run no plan and judge
//! nothing; what they say is what the plan and the facts say.

mod diagram;
mod literal;
mod play;
mod source;
mod test;

pub use diagram::diagram;
pub use play::transcript;
pub use test::{name, test};
