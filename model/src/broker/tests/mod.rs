//! What a broker promises, rule by rule: one broker, or two or three, driven by hand on a disk that forgets.

mod cluster;
mod crashing;
mod fetching;
mod following;
mod leading;
mod lifecycle;
mod messages;
mod obeying;
mod parking;
mod producing;
mod proposing;
mod serving;
mod stage;
mod traces;
