//! Fates
