//! The emitted tests are those of the tapes: `UPDATE=1 cargo test -p scenarios --test regressions` writes them anew.

use std::fs;
use std::path::PathBuf;

use scenarios::retold;

use crate::kept::tapes;
use crate::tapes::is_planted;

/// How the file begins.
const HEAD: &str = "\
//! What `highwater shrink --emit test` says of each tape of a planted bug, word by word. Written by `fresh`: do not edit.
";

#[test]
fn the_emitted_tests_are_those_of_the_tapes() {
    let tests = tapes().into_iter().filter(is_planted).map(|tape| format!("\n{}", retold::test(&tape.failure)));
    let text = format!("{HEAD}{}", tests.collect::<String>());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/emitted/tapes.rs");
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(&path, text).expect("the file can be written");
    }
    let kept = fs::read_to_string(&path).expect("the file of emitted tests is there");
    let differing = kept.lines().zip(text.lines()).find(|(kept, text)| kept != text);
    assert!(kept == text, "UPDATE=1 writes it anew; it says and should say: {differing:?}");
}

#[test]
fn at_least_ten_known_bugs_have_an_emitted_test() {
    assert!(tapes().iter().filter(|tape| is_planted(tape)).count() >= 10);
}
