//! What has been found out about a list of properties so far: what is wrong, and what is worth saying.
//!
//! This file knows no property by name.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{ConfigError, Fault, Notice, Problem};
use super::properties::{Entry, Properties};
use super::table::{Table, Taken};
use super::topic::TopicConfig;

/// One pass over a list of properties.
pub(super) struct Reading<'a> {
    properties: &'a Properties,
    /// For every name the line that counts: of several the last, as in Java.
    lines: BTreeMap<&'a str, u32>,
    refused: BTreeSet<&'a str>,
    problems: Vec<Problem>,
    notices: Vec<Notice>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(properties: &'a Properties) -> Self {
        let lines = properties.entries.iter().map(|entry| (entry.name.as_str(), entry.line)).collect();
        Self { properties, lines, refused: BTreeSet::new(), problems: Vec::new(), notices: Vec::new() }
    }

    /// Adds what was wrong before any property was looked at.
    pub(super) fn with_problems(mut self, problems: Vec<Problem>) -> Self {
        self.problems.extend(problems);
        self
    }

    /// The entries that count, in order of line. The others are noted.
    pub(super) fn effective(&mut self) -> Vec<&'a Entry> {
        let mut effective = Vec::new();
        for entry in &self.properties.entries {
            let by_line = self.lines[entry.name.as_str()];
            if by_line == entry.line {
                effective.push(entry);
            } else {
                let (file, property) = (self.properties.file.clone(), entry.name.clone());
                self.notices.push(Notice::Overridden { file, line: entry.line, property, by_line });
            }
        }
        effective
    }

    /// Whether some line sets the property, soundly or not.
    pub(super) fn mentions(&self, property: &str) -> bool {
        self.lines.contains_key(property)
    }

    /// Keeps what became of an entry.
    pub(super) fn record(&mut self, entry: &'a Entry, outcome: Result<Taken, Fault>) {
        let (file, line, property) = (self.properties.file.clone(), entry.line, entry.name.clone());
        match outcome {
            Ok(Taken::Applied) => {}
            Ok(Taken::Ignored(reason)) => {
                self.notices.push(Notice::Ignored { file, line, property, reason: reason.to_owned() });
            }
            Ok(Taken::BelowKafkaMinimum(minimum)) => {
                let value = entry.value.clone();
                self.notices.push(Notice::BelowKafkaMinimum { file, line, property, value, minimum });
            }
            Err(fault) => {
                self.refused.insert(&entry.name);
                self.problems.push(Problem { file, line, fault });
            }
        }
    }

    /// Notes a topic-level name that stands among a server's; only a supported one can have an effect worth noting.
    pub(super) fn note_topic_level(&mut self, entry: &Entry) {
        if let Some(broker_property) = TopicConfig::broker_property(&entry.name) {
            let (file, line, property) = (self.properties.file.clone(), entry.line, entry.name.clone());
            self.notices.push(Notice::TopicLevel { file, line, property, broker_property });
        }
    }

    /// Notes that `property`, which no line sets, was moved to `value` because of `causes`.
    pub(super) fn note_adjusted(&mut self, property: &str, value: String, causes: &[&str]) {
        let Some((line, _)) = self.last_line("", causes) else { return };
        self.notices.push(Notice::Adjusted {
            file: self.properties.file.clone(),
            line,
            property: property.to_owned(),
            value,
            reason: format!("it may not be less than {}", causes.join(" + ")),
        });
    }

    /// Keeps the contradictions in a configuration, each on the last of the lines that it concerns. One that concerns
    /// a value that was refused is passed over: nobody knows what its author meant.
    pub(super) fn reconcile<C: Table>(&mut self, config: &C, prefix: &str) {
        for contradiction in config.contradictions(prefix) {
            let names = contradiction.properties;
            if names.iter().any(|name| self.refused.contains(format!("{prefix}{name}").as_str())) {
                continue;
            }
            let Some((line, name)) = self.last_line(prefix, names) else { continue };
            let fault = contradiction.at(format!("{prefix}{name}"));
            self.problems.push(Problem { file: self.properties.file.clone(), line, fault });
        }
    }

    /// The last line that sets one of these properties, and which.
    fn last_line<'n>(&self, prefix: &str, names: &[&'n str]) -> Option<(u32, &'n str)> {
        let line_of = |name: &&'n str| Some((*self.lines.get(format!("{prefix}{name}").as_str())?, *name));
        names.iter().filter_map(line_of).max()
    }

    /// What is to be noted, in order of line, unless something is wrong.
    pub(super) fn finish(mut self) -> Result<Vec<Notice>, ConfigError> {
        ConfigError::unless_empty(self.problems)?;
        self.notices.sort_by_key(Notice::line);
        Ok(self.notices)
    }
}
