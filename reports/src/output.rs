//! Where a report goes: first into a folder of its own beside the one that was asked for, then, complete, in its place.
//!
//! A folder that is there already is replaced only if it is a report or empty, and only when the new one is complete.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;

use crate::cli::Refusal;
use crate::exit::Exit;

/// The file that marks a folder as a report.
const MARK: &str = "report.json";

/// A report's folder that is not complete yet. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Draft {
    folder: PathBuf,
    goal: PathBuf,
    kept: bool,
    mark: &'static str,
}

/// Why a report cannot be written where it was asked for.
#[derive(Debug, Error)]
pub(crate) enum OutputError {
    /// There is something else.
    #[error("{path}: {what}, so it is left alone; choose another folder with --out DIR, or remove it yourself")]
    Occupied {
        /// Where.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// It cannot be written.
    #[error("{path}: cannot be written ({source}); choose a folder that can, with --out DIR")]
    Unwritable {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl OutputError {
    /// Why the program ends like this.
    pub(crate) fn refusal(&self, exit: Exit) -> Refusal {
        Refusal { exit, text: format!("error: {self}") }
    }
}

impl Draft {
    /// Begins a report that is to stand at `goal`. To be called before anything long is done: everything that can be
    /// known to be in the way is found now.
    ///
    /// # Errors
    /// If something else is there, or nothing can be written beside it.
    pub(crate) fn begin(goal: &Path) -> Result<Self, OutputError> {
        Self::begin_marked(goal, MARK)
    }

    /// The same for a report of another kind, which this file marks: it replaces none but its own kind.
    ///
    /// # Errors
    /// As for [`Draft::begin`].
    pub(crate) fn begin_marked(goal: &Path, mark: &'static str) -> Result<Self, OutputError> {
        let goal = absolute(goal)?;
        may_be_replaced(&goal, mark)?;
        let name = goal.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let parent = goal.parent().unwrap_or(&goal).to_owned();
        let folder = parent.join(format!(".{name}.{}.part", std::process::id()));
        let unwritable = |source| OutputError::Unwritable { path: goal.clone(), source };
        fs::create_dir_all(&parent).map_err(unwritable)?;
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(unwritable)?;
        }
        fs::create_dir(&folder).map_err(unwritable)?;
        Ok(Self { folder, goal, kept: false, mark })
    }

    /// Writes one file, with the folders in which it stands.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, file: &str, content: &str) -> Result<(), OutputError> {
        let path = self.folder.join(file);
        let unwritable = |source| OutputError::Unwritable { path: path.clone(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(unwritable)?;
        }
        fs::write(&path, content).map_err(unwritable)
    }

    /// The report is complete: it takes its place, and an older one is removed.
    ///
    /// # Errors
    /// If the place was taken meanwhile, or cannot be written; an older report then stays.
    pub(crate) fn publish(mut self) -> Result<PathBuf, OutputError> {
        may_be_replaced(&self.goal, self.mark)?;
        let unwritable = |source| OutputError::Unwritable { path: self.goal.clone(), source };
        let mut old = None;
        if self.goal.exists() {
            let aside = self.folder.with_extension("old");
            fs::rename(&self.goal, &aside).map_err(unwritable)?;
            old = Some(aside);
        }
        if let Err(source) = fs::rename(&self.folder, &self.goal) {
            if let Some(aside) = old {
                // Back to how it was; if even that fails, the older report is still there under its other name.
                let _ = fs::rename(aside, &self.goal);
            }
            return Err(unwritable(source));
        }
        self.kept = true;
        if let Some(aside) = old {
            // The new report stands; an old one that cannot be removed is no reason to fail.
            let _ = fs::remove_dir_all(aside);
        }
        Ok(self.goal.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Plain data as the text of a file.
pub(crate) fn json(value: &impl Serialize) -> String {
    let text =
        serde_json::to_string_pretty(value).expect("what a report is made of is plain data, which always serialises");
    text + "\n"
}

fn absolute(goal: &Path) -> Result<PathBuf, OutputError> {
    // By the names, not by the links: the goal need not exist.
    let path = std::path::absolute(goal).map_err(|source| OutputError::Unwritable { path: goal.to_owned(), source })?;
    let path = path.canonicalize().unwrap_or(path);
    if path.file_name().is_none() {
        return Err(OutputError::Occupied { path, what: "this is no folder of its own" });
    }
    Ok(path)
}

fn may_be_replaced(goal: &Path, mark: &str) -> Result<(), OutputError> {
    let occupied = |what| Err(OutputError::Occupied { path: goal.to_owned(), what });
    let unwritable = |source| OutputError::Unwritable { path: goal.to_owned(), source };
    match fs::metadata(goal) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(unwritable(source)),
        Ok(metadata) if !metadata.is_dir() => return occupied("this is a file"),
        Ok(_) => {}
    }
    if fs::read_dir(goal).map_err(unwritable)?.next().is_none() {
        return Ok(());
    }
    let mark = fs::read_to_string(goal.join(mark)).ok();
    let mark = mark.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    match mark.as_ref().and_then(|mark| mark.pointer("/program/name")).and_then(serde_json::Value::as_str) {
        Some("highwater") => Ok(()),
        _ => occupied("this folder has something in it and is not a report of highwater of this kind"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder of the test's own, removed at its end.
    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let next = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("highwater-output-{}-{next}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const REPORT: &str = r#"{"program":{"name":"highwater"}}"#;

    fn publish(goal: &Path, extra: &str) {
        let draft = Draft::begin(goal).unwrap();
        draft.write(MARK, REPORT).unwrap();
        draft.write(extra, "x").unwrap();
        draft.publish().unwrap();
    }

    #[test]
    fn a_report_replaces_an_older_one_as_a_whole() {
        let place = Place::new();
        let goal = place.0.join("deep/report");
        publish(&goal, "failures/old.json");
        publish(&goal, "figures/new.svg");
        assert!(goal.join("figures/new.svg").exists());
        assert!(!goal.join("failures").exists(), "nothing of the older report is left");
        assert_eq!(fs::read_dir(place.0.join("deep")).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn until_the_new_one_is_complete_the_older_one_stays() {
        let place = Place::new();
        let goal = place.0.join("report");
        publish(&goal, "old");
        let draft = Draft::begin(&goal).unwrap();
        draft.write(MARK, "half of").unwrap();
        assert_eq!(fs::read_to_string(goal.join(MARK)).unwrap(), REPORT);
        drop(draft);
        assert!(goal.join("old").exists());
        assert_eq!(fs::read_dir(&place.0).unwrap().count(), 1, "a draft that was given up leaves nothing behind");
    }

    #[test]
    fn what_is_not_a_report_is_left_alone() {
        let place = Place::new();
        fs::write(place.0.join("thesis.txt"), "years of work").unwrap();
        let error = Draft::begin(&place.0).unwrap_err().to_string();
        assert!(error.contains("not a report of highwater") && error.contains("--out"), "{error}");
        let error = Draft::begin(&place.0.join("thesis.txt")).unwrap_err().to_string();
        assert!(error.contains("this is a file"), "{error}");
        fs::write(place.0.join(MARK), r#"{"program":{"name":"another"}}"#).unwrap();
        assert!(Draft::begin(&place.0).is_err());
        assert!(place.0.join("thesis.txt").exists());
    }

    #[test]
    fn an_empty_folder_may_be_used() {
        let place = Place::new();
        let goal = place.0.join("empty");
        fs::create_dir(&goal).unwrap();
        publish(&goal, "x");
        assert!(goal.join("x").exists());
    }

    #[test]
    fn a_folder_below_a_file_cannot_be_written() {
        let place = Place::new();
        fs::write(place.0.join("file"), "").unwrap();
        let error = Draft::begin(&place.0.join("file/report")).unwrap_err().to_string();
        assert!(error.contains("cannot be written") && error.contains("--out"), "{error}");
    }
}
