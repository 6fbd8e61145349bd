//! What a broker promises, rule by rule: one broker, or two or three, driven by hand on a disk that forgets.

mod cleaning;
mod cluster;
mod crashing;
mod deleting;
mod fetching;
mod following;
mod hosting;
mod leading;
mod lifecycle;
mod listing;
mod messages;
mod obeying;
mod observing;
mod parking;
mod producing;
mod proposing;
mod removing;
mod retaining;
mod serving;
mod stage;
mod traces;
