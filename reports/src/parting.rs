//! Where two runs part, in words: what both say, what each says then, and in what the first of it differs.
//!
//! Takes facts, gives lines; runs nothing.

use sim::Fact;

use crate::chart::grouped;
use crate::lockstep::Parting;

/// Fields of the first facts that differ, at most.
const FIELDS: usize = 8;
/// Letters of a value.
const LETTERS: usize = 60;

/// The first difference in one line.
pub(crate) fn line(parting: &Parting) -> String {
    let said = |facts: &[Fact]| facts.first().map_or_else(|| "nothing".to_owned(), plain);
    let (left, right) = (said(&parting.left), said(&parting.right));
    let mut line = format!("fact {} is `{left}` once and `{right}` the other time", parting.agreed);
    if left == right {
        let differing = fields(parting.left.first(), parting.right.first());
        line.push_str(&format!(", and {} differs", names(&differing)));
    }
    line
}

/// All of it. `names` are those of the two runs.
pub(crate) fn text(parting: &Parting, names: (&str, &str)) -> String {
    let mut lines = vec![format!("both, up to {} facts", grouped(parting.agreed))];
    let mut last = None;
    for fact in &parting.before {
        if last.is_some_and(|last| last + 1 < fact.number) {
            lines.push("            …".to_owned());
        }
        last = Some(fact.number);
        lines.push(numbered(fact));
    }
    if parting.before.is_empty() {
        lines.push("            nothing".to_owned());
    }
    for (name, facts) in [(names.0, &parting.left), (names.1, &parting.right)] {
        lines.push(format!("then {name}"));
        lines.extend(facts.iter().map(numbered));
        if facts.is_empty() {
            lines.push("            has ended".to_owned());
        }
    }
    let differing = fields(parting.left.first(), parting.right.first());
    if !differing.is_empty() {
        lines.push("the first of these differ in".to_owned());
        let wide = differing.iter().map(|field| field.path.len()).max().unwrap_or(0);
        let shown = differing.iter().take(FIELDS);
        lines.extend(shown.map(|Field { path, left, right }| format!("  {path:<wide$}  {left}  |  {right}")));
        if differing.len() > FIELDS {
            lines.push(format!("  and {} fields more", differing.len() - FIELDS));
        }
    }
    if let Some((left, right)) = &parting.said {
        lines.push("which is only when, or the how-manieth; the first that says something else is".to_owned());
        for (name, fact) in [(names.0, left), (names.1, right)] {
            lines.push(fact.as_ref().map_or_else(|| format!("            nothing, {name} has ended"), numbered));
        }
    } else if !parting.left.is_empty() && differing.iter().all(|field| field.is_when()) && !differing.is_empty() {
        lines.push(
            "and in nothing else, here or in what follows: they say the same at other times or by other numbers"
                .to_owned(),
        );
    }
    lines.join("\n")
}

/// A value of a fact that two facts do not share.
struct Field {
    path: String,
    left: String,
    right: String,
}

impl Field {
    fn is_when(&self) -> bool {
        self.path == "at" || self.path == "number"
    }
}

fn numbered(fact: &Fact) -> String {
    format!("  {:>9} {}", fact.number, sim::story::line(fact))
}

fn plain(fact: &Fact) -> String {
    sim::story::line(fact).trim().to_owned()
}

fn names(fields: &[Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    names.join(", ")
}

/// In what two facts differ, as their JSON has it.
fn fields(left: Option<&Fact>, right: Option<&Fact>) -> Vec<Field> {
    let (Some(left), Some(right)) = (left, right) else { return Vec::new() };
    let value = |fact: &Fact| serde_json::to_value(fact).unwrap_or_default();
    let mut fields = Vec::new();
    collect(String::new(), &value(left), &value(right), &mut fields);
    fields
}

fn collect(path: String, left: &serde_json::Value, right: &serde_json::Value, fields: &mut Vec<Field>) {
    use serde_json::Value::{Array, Object};
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (left, right) {
        (left, right) if left == right => {}
        (Object(one), Object(other)) if one.keys().eq(other.keys()) => {
            for (name, value) in one {
                collect(below(name), value, &other[name], fields);
            }
        }
        (Array(one), Array(other)) if one.len() == other.len() => {
            for (place, (one, other)) in one.iter().zip(other).enumerate() {
                collect(below(&place.to_string()), one, other, fields);
            }
        }
        _ => fields.push(Field { path, left: short(left), right: short(right) }),
    }
}

fn short(value: &serde_json::Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= LETTERS { text } else { text.chars().take(LETTERS).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use model::names::BrokerId;
    use sim::{Ending, Moment, What};

    use super::*;

    fn fact(number: u64, at: u64, what: What) -> Fact {
        Fact { number, at: Moment(at), node: Some(BrokerId(1).into()), what }
    }

    fn parting(left: Fact, right: Fact) -> Parting {
        let before = vec![fact(3, 5, What::Paused), fact(6, 7, What::Resumed)];
        Parting { agreed: 7, before, left: vec![left], right: vec![right], said: None }
    }

    #[test]
    fn it_is_said_what_both_say_then_what_each_says_and_in_what_that_differs() {
        let (crashed, exited) = (What::Stopped { how: Ending::Crashed }, What::Stopped { how: Ending::Exited });
        let text = text(&parting(fact(7, 9_000_000, crashed), fact(7, 9_000_000, exited)), ("A", "B"));
        let expected = "\
both, up to 7 facts
          3    0.0000s  b1   stands still
            …
          6    0.0000s  b1   goes on
then A
          7    0.0090s  b1   crashed
then B
          7    0.0090s  b1   exited
the first of these differ in
  what.Stopped.how  \"Crashed\"  |  \"Exited\"";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_nanosecond_is_enough() {
        let parting = parting(fact(7, 9_000_000, What::Paused), fact(7, 9_000_001, What::Paused));
        assert!(line(&parting).ends_with("and at differs"), "{}", line(&parting));
        let text = text(&parting, ("A", "B"));
        assert!(text.contains("  at  9000000  |  9000001\nand in nothing else"), "{text}");
    }
}
