//! A broken promise, told: the file that keeps it and the text that prints it.
//!
//! A [`Failure`] is self-contained: whoever has the file can run the same story again, without the campaign that found it,
//! and, as far as it still can be told, with a program that has changed since.
//! The text is at most 25 lines and says first and last how to see it again. This room runs nothing and judges nothing.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::run::{Outcome, Plan};
use crate::story;
use crate::tape::{self, Checkpoints};

/// What marks a file as one of ours.
const FORMAT: &str = "highwater-failure";
/// The version of the format that this program writes. It reads the older ones, too.
pub const VERSION: u32 = 2;
/// How many lines of story fit between the lines around it.
pub const STORY_LINES: usize = 19;

/// Everything there is to know about one broken promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What marks the file as one of ours.
    format: String,
    /// The version of the format.
    version: u32,
    /// What to run to see it again.
    pub plan: Plan,
    /// The broken guarantee's id, or `panic`.
    pub guarantee: String,
    /// What two failures share that have the same cause, as far as one can tell.
    pub fingerprint: String,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// What the cluster had promised, in one line.
    pub promised: String,
    /// The digest of the run's trace.
    pub digest: String,
    /// What it was made smaller from.
    pub shrunk: Option<ShrunkFrom>,
    /// The facts that matter, a line each.
    pub story: Vec<String>,
    /// The version of the program that made it.
    #[serde(default)]
    pub program: String,
    /// Digests along the way, for whoever runs it again.
    #[serde(default)]
    pub checkpoints: Checkpoints,
}

/// How much larger the run was that first broke the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShrunkFrom {
    /// Faults in the storm, before and after.
    pub faults: (u64, u64),
    /// Messages delivered, before and after.
    pub messages: (u64, u64),
    /// Runs that it took.
    pub runs: u32,
}

/// Why a failure file could not be read or written.
#[derive(Debug, Error)]
pub enum FailureError {
    /// The file cannot be read.
    #[error("{path}: cannot be read ({source}); name a file that `highwater run` kept, such as DIR/failures/*.json")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not JSON, or its fields are not those of a failure.
    #[error(
        "{path}:{line}:{column}: not a failure of highwater ({what}); restore the file, or make a new one with `highwater run`"
    )]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// The file is JSON, but says that it is something else.
    #[error(
        "{path}: field \"format\" is not \"{FORMAT}\"; name a file that `highwater run` kept, such as DIR/failures/*.json"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The file was written by another version of this program.
    #[error(
        "{path}: field \"version\" is {found}, this program reads 1 to {VERSION}; replay it with the program that wrote it"
    )]
    OtherVersion {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
    /// The file cannot be written.
    #[error("{path}: cannot be written ({source}); choose a folder that can, with --out DIR")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Failure {
    /// What came of this plan, if it failed. The story is told if the outcome has its trace.
    #[must_use]
    pub fn of(plan: &Plan, outcome: &Outcome) -> Option<Self> {
        let (guarantee, sentence) = match (&outcome.panicked, outcome.violations.first()) {
            (Some(panicked), _) => ("panic".to_owned(), panicked.to_string()),
            (None, Some(violation)) => (violation.guarantee.id().to_owned(), violation.sentence.clone()),
            (None, None) => return None,
        };
        let story = outcome.trace.as_ref().zip(outcome.violations.first());
        Some(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            promised: plan.promised(),
            plan: plan.clone(),
            guarantee,
            fingerprint: outcome.fingerprint()?,
            sentence,
            digest: outcome.digest.clone(),
            shrunk: None,
            story: story.map(|(trace, violation)| story::story(trace, violation)).unwrap_or_default(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
            checkpoints: outcome.trace.as_deref().map(Checkpoints::of).unwrap_or_default(),
        })
    }

    /// A name for the file: the guarantee and eight digits of the digest, or the seed where a panic left no digest.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self.digest.get(..8) {
            Some(digits) => format!("{}-{digits}.json", self.guarantee),
            None => format!("{}-seed-{}.json", self.guarantee, self.plan.seed),
        }
    }

    /// Reads a failure.
    ///
    /// # Errors
    /// [`FailureError`], which names the place and what to do.
    pub fn load(path: &Path) -> Result<Self, FailureError> {
        Self::load_noting(path).map(|(failure, _)| failure)
    }

    /// Reads a failure, and says what of it is of another version and had to be left out or made up.
    ///
    /// # Errors
    /// [`FailureError`], which names the place and what to do.
    pub fn load_noting(path: &Path) -> Result<(Self, Vec<String>), FailureError> {
        let path_buf = || path.to_owned();
        let text = fs::read_to_string(path).map_err(|source| FailureError::Unreadable { path: path_buf(), source })?;
        let malformed = |error: serde_json::Error| FailureError::Malformed {
            path: path_buf(),
            line: error.line(),
            column: error.column(),
            what: without_place(&error),
        };
        // The frame is read first: a file of another version may well have other fields.
        let frame: serde_json::Value = serde_json::from_str(&text).map_err(malformed)?;
        if frame.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(FailureError::Foreign { path: path_buf() });
        }
        match frame.get("version").and_then(serde_json::Value::as_u64) {
            Some(found) if !(1..=u64::from(VERSION)).contains(&found) => {
                Err(FailureError::OtherVersion { path: path_buf(), found })
            }
            _ => match (tape::read(frame), serde_json::from_str(&text)) {
                (Some(tape::Reading { value, notes }), _) => Ok((value, notes)),
                // Read as it stands, it says where it cannot be.
                (None, Err(error)) => Err(malformed(error)),
                (None, Ok(failure)) => Ok((failure, Vec::new())),
            },
        }
    }

    /// Writes the failure into `folder` under [`Failure::file_name`] and says where. A file that is there already is
    /// replaced only when the new one is complete.
    ///
    /// # Errors
    /// [`FailureError::Unwritable`].
    pub fn save(&self, folder: &Path) -> Result<PathBuf, FailureError> {
        let path = folder.join(self.file_name());
        self.save_as(&path)?;
        Ok(path)
    }

    /// Writes the failure there, likewise.
    ///
    /// # Errors
    /// [`FailureError::Unwritable`].
    pub fn save_as(&self, path: &Path) -> Result<(), FailureError> {
        let unwritable = |source| FailureError::Unwritable { path: path.to_owned(), source };
        let mut text = serde_json::to_string_pretty(self).map_err(|error| unwritable(error.into()))?;
        text.push('\n');
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unwritable)?;
        }
        let draft = path.with_extension("json.part");
        fs::write(&draft, text).map_err(unwritable)?;
        fs::rename(&draft, path).map_err(unwritable)
    }

    /// The failure as people read it. `replay` is the command that shows it again, `kept` where it is kept.
    #[must_use]
    pub fn text(&self, replay: &str, kept: Option<&Path>) -> String {
        Telling {
            guarantee: &self.guarantee,
            promised: &self.promised,
            sentence: &self.sentence,
            replay,
            kept,
            shrunk: self.shrunk,
            story: &self.story,
            digest: &self.digest,
        }
        .to_string()
    }
}

/// What serde says is wrong, without the place, which is said separately.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text[..end].to_owned()
}

/// The parts of the failure text; its `Display` is the text, at most 25 lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Telling<'a> {
    /// The broken guarantee's id, or `panic`.
    pub(crate) guarantee: &'a str,
    /// What the cluster had promised.
    pub(crate) promised: &'a str,
    /// What is wrong.
    pub(crate) sentence: &'a str,
    /// How to see it again.
    pub(crate) replay: &'a str,
    /// Where it is kept.
    pub(crate) kept: Option<&'a Path>,
    /// What it was made smaller from.
    pub(crate) shrunk: Option<ShrunkFrom>,
    /// The facts that matter.
    pub(crate) story: &'a [String],
    /// The digest of the trace.
    pub(crate) digest: &'a str,
}

impl fmt::Display for Telling<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "VIOLATED  {}: {}", self.guarantee, self.promised)?;
        write!(f, "  replay   {}", self.replay)?;
        if let Some(kept) = self.kept {
            write!(f, "            (kept as {})", kept.display())?;
        }
        writeln!(f)?;
        writeln!(f, "  because  {}", self.sentence.lines().next().unwrap_or_default())?;
        if let Some(ShrunkFrom { faults, messages, runs }) = self.shrunk {
            let (before, after) = (grouped(messages.0), grouped(messages.1));
            writeln!(
                f,
                "  shrunk   {} → {} faults, {before} → {after} messages   (in {runs} runs)",
                faults.0, faults.1
            )?;
        }
        for (at, line) in self.story.iter().take(STORY_LINES).enumerate() {
            writeln!(f, "  {}{line}", if at == 0 { "story    " } else { "         " })?;
        }
        writeln!(f, "  digest   {}", self.digest)?;
        write!(f, "  replay   {}", self.replay)
    }
}

/// `61204` as `61,204`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
