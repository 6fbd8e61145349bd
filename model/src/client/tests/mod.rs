//! What the clients guarantee, a file per client, each driven by hand on the stage.

mod accumulator;
mod admin;
mod asking;
mod connection;
mod consumer;
mod producer;
mod promises;
mod sender;
