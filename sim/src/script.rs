//! Transcripts: `command args`, `----`, the answer, a blank line; and their rewriter.
//!
//! A transcript is a play that is also its own test. `UPDATE=1 cargo test` rewrites the answers, and the discipline is to
//! read the diff. This file knows no stage: it asks whoever plays.

use std::fmt::Write;
use std::path::Path;

use crate::stage;

/// One line that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The first word.
    pub name: String,
    /// The other words; `name=value` is one.
    pub arguments: Vec<String>,
}

impl Command {
    /// Reads a line; `None` if it is blank.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        Some(Self { name: words.next()?, arguments: words.collect() })
    }

    /// The arguments that are plain words.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        self.arguments.iter().map(String::as_str).filter(|argument| !argument.contains('=')).collect()
    }

    /// The arguments that are `name=value`.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.arguments.iter().filter_map(|argument| argument.split_once('='))
    }

    /// The value of `name=value`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// A transcript cannot be played.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ScriptError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Plays a transcript and returns it with the answers that were given. Comments and blank lines stay as they are.
///
/// # Errors
/// If it is malformed, or `answer` refuses a command.
pub fn replay(
    transcript: &str,
    mut answer: impl FnMut(&Command) -> Result<String, String>,
) -> Result<String, ScriptError> {
    let mut played = String::new();
    let mut lines = transcript.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let command = if line.starts_with('#') { None } else { Command::parse(line) };
        let Some(command) = command else {
            let _ = writeln!(played, "{}", line.trim_end());
            continue;
        };
        if lines.next_if(|(_, next)| next.trim_end() == "----").is_none() {
            let what = format!("`{}` has no line `----` behind it", line.trim());
            return Err(ScriptError { line: index + 1, what });
        }
        while lines.next_if(|(_, next)| !next.trim().is_empty()).is_some() {}
        let given = answer(&command).map_err(|what| ScriptError { line: index + 1, what })?;
        let _ = writeln!(played, "{}\n----", line.trim_end());
        for told in given.lines() {
            let _ = writeln!(played, "{}", told.trim_end());
        }
    }
    Ok(played)
}

/// Plays a transcript on a stage of its own.
///
/// # Errors
/// If it is malformed, or asks for what there is not.
pub fn play(transcript: &str) -> Result<String, ScriptError> {
    let mut stage = None;
    replay(transcript, |command| stage::run(&mut stage, command))
}

/// Plays the transcript in a file and compares the answers; with `UPDATE=1` in the environment it rewrites them.
///
/// # Panics
/// If the file cannot be read or played, or the answers differ.
pub fn check(path: impl AsRef<Path>) {
    let path = path.as_ref();
    let name = path.display();
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let played = play(&kept).unwrap_or_else(|error| panic!("{name}: {error}"));
    if played == kept {
        return;
    }
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        return std::fs::write(path, played).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let lines = kept.lines().zip(played.lines()).enumerate();
    let differing = lines.into_iter().find(|(_, (kept, played))| kept != played);
    let (line, kept, played) = match differing {
        Some((index, (kept, played))) => (index + 1, kept.to_owned(), played.to_owned()),
        None => (kept.lines().count().min(played.lines().count()) + 1, "(end)".to_owned(), "(end)".to_owned()),
    };
    panic!(
        "{name}:{line}: the transcript says\n  {kept}\nbut now it is\n  {played}\nUPDATE=1 rewrites it; read the diff"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(command: &Command) -> Result<String, String> {
        match command.name.as_str() {
            "fail" => Err("told to".to_owned()),
            _ => Ok(command.arguments.join("\n")),
        }
    }

    #[test]
    fn answers_are_rewritten_and_everything_else_stays() {
        let script = "# a comment\n\nsay one two\n----\nold\nanswer\n\n# more\nsay x=1\n----\n";
        let played = "# a comment\n\nsay one two\n----\none\ntwo\n\n# more\nsay x=1\n----\nx=1\n";
        assert_eq!(replay(script, echo).unwrap(), played);
        assert_eq!(replay(played, echo).unwrap(), played);
    }

    #[test]
    fn what_cannot_be_played_is_an_error_with_its_line() {
        assert_eq!(replay("\nsay one\nold\n", echo).unwrap_err().line, 2);
        assert_eq!(replay("say one\n----\n\nfail\n----\n", echo).unwrap_err().to_string(), "line 4: told to");
    }

    #[test]
    fn words_and_pairs_are_told_apart() {
        let command = Command::parse("deliver all from=b1 to=b2").unwrap();
        assert_eq!((command.words(), command.value("to")), (vec!["all"], Some("b2")));
        assert_eq!(Command::parse("   "), None);
    }
}
