//! The folder of tapes.

use std::fs;
use std::path::PathBuf;

use scenarios::failure::Failure;

/// A tape and its name.
pub(crate) struct Tape {
    pub(crate) name: String,
    pub(crate) failure: Failure,
    /// What of it is of another version.
    pub(crate) notes: Vec<String>,
}

/// Where they lie.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions")
}

/// All of them, by name.
pub(crate) fn tapes() -> Vec<Tape> {
    let files = fs::read_dir(folder()).expect("there is a folder of tapes");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let tape = |path: PathBuf| {
        let (failure, notes) = Failure::load_noting(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        Tape { name, failure, notes }
    };
    paths.into_iter().map(tape).collect()
}
