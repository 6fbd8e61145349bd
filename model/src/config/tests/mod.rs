//! What a configuration promises its author: Kafka's defaults, and a clear word about everything that is wrong.

mod file;
mod tables;
