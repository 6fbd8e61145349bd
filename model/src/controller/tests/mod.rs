//! The rules of the controller, one by one, and together.
