//! The tests that `highwater shrink --emit test` tells of the tapes in `regressions/`, as anybody would paste them. They are
//! written anew by `UPDATE=1 cargo test -p scenarios --test regressions`, which this binary must not be needed for.

#[rustfmt::skip]
mod tapes;
