//! The `.properties` format of Java: names and values, and where each of them stands.
//!
//! This file knows no property.

use super::fault::{ConfigError, Fault, Problem};

/// The lines of one file that set something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// The name of the file.
    pub file: String,
    /// What is set, in order of line; a name may come more than once.
    pub entries: Vec<Entry>,
}

/// One line that sets something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line on which it begins, from 1.
    pub line: u32,
    /// The name, unescaped.
    pub name: String,
    /// The value, unescaped and trimmed.
    pub value: String,
}

impl Properties {
    /// Reads text as `java.util.Properties` does: `#` and `!` begin a comment; `=`, `:` or white space end a name; a
    /// backslash escapes, and at the end of a line continues it. Values are trimmed, as all of Kafka's types do.
    ///
    /// # Errors
    /// [`ConfigError`] with every line that cannot be read: a `\u` without four hexadecimal digits or with half a
    /// character, or a value without a name.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, ConfigError> {
        let (properties, problems) = Self::scan(file_name, text);
        ConfigError::unless_empty(problems)?;
        Ok(properties)
    }

    /// What can be read of a text, and what cannot.
    pub(super) fn scan(file_name: &str, text: &str) -> (Self, Vec<Problem>) {
        let mut properties = Self { file: file_name.to_owned(), entries: Vec::new() };
        let mut problems = Vec::new();
        for (line, logical) in logical_lines(text) {
            match entry(line, &logical) {
                Ok(entry) => properties.entries.push(entry),
                Err(fault) => problems.push(Problem { file: file_name.to_owned(), line, fault }),
            }
        }
        (properties, problems)
    }

    /// A list of names and values that stands in no file: the "line" is the place in the list, from 1.
    #[must_use]
    pub fn from_pairs(what: &str, pairs: &[(String, String)]) -> Self {
        let entries = (1..).zip(pairs).map(|(line, (name, value))| Entry {
            line,
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
        });
        Self { file: what.to_owned(), entries: entries.collect() }
    }
}

/// Joins continued lines and drops comments and blank lines. Escapes stay as they are.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut logical = Vec::new();
    let mut lines = (1..).zip(natural_lines(text));
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while ends_in_continuation(&whole) {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push_str(next.trim_start_matches(is_blank));
        }
        logical.push((number, whole));
    }
    logical
}

/// Splits at `\n`, `\r` and `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

/// Whether an odd number of backslashes stands at the end: an even number are escaped backslashes.
fn ends_in_continuation(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\u{c}')
}

fn entry(line: u32, logical: &str) -> Result<Entry, Fault> {
    let (name, value) = logical.split_at(end_of_name(logical));
    let value = value.trim_start_matches(is_blank);
    let value = value.strip_prefix(['=', ':']).unwrap_or(value);
    let malformed =
        |what: String, remedy: &str| Fault::Malformed { property: name.to_owned(), what, remedy: remedy.to_owned() };
    if name.is_empty() {
        let remedy = "write a property's name before it, or # to make it a comment";
        return Err(Fault::Malformed {
            property: logical.to_owned(),
            what: "no name".to_owned(),
            remedy: remedy.to_owned(),
        });
    }
    let readable = |text: &str| {
        let remedy = "write \\u and four hexadecimal digits, or \\\\ for a backslash";
        unescape(text).map_err(|escape| malformed(format!("`{escape}` is not a character"), remedy))
    };
    Ok(Entry { line, name: readable(name)?, value: readable(value)?.trim().to_owned() })
}

/// The first `=`, `:` or blank that no backslash escapes.
fn end_of_name(logical: &str) -> usize {
    let mut escaped = false;
    for (place, letter) in logical.char_indices() {
        if !escaped && (is_blank(letter) || letter == '=' || letter == ':') {
            return place;
        }
        escaped = !escaped && letter == '\\';
    }
    logical.len()
}

/// Resolves the escapes of Java; on failure, the one that cannot be.
fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(place) = rest.find('\\') {
        plain.push_str(&rest[..place]);
        let escape = &rest[place..];
        let Some(letter) = escape[1..].chars().next() else { return Ok(plain) };
        let mut length = 1 + letter.len_utf8();
        match letter {
            't' => plain.push('\t'),
            'n' => plain.push('\n'),
            'r' => plain.push('\r'),
            'f' => plain.push('\u{c}'),
            'u' => {
                let (character, taken) = unicode(escape)?;
                plain.push(character);
                length = taken;
            }
            other => plain.push(other),
        }
        rest = &escape[length..];
    }
    plain.push_str(rest);
    Ok(plain)
}

/// The character that one `\uXXXX`, or a surrogate pair of them, stands for, and how many bytes it takes.
fn unicode(escape: &str) -> Result<(char, usize), String> {
    let unit = |from: usize| {
        let digits = escape.get(from..)?.strip_prefix("\\u")?.get(..4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        u16::from_str_radix(digits, 16).ok()
    };
    let refused = || escape.chars().take(6).collect::<String>();
    let first = unit(0).ok_or_else(refused)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Ok((character, 6));
    }
    let pair = [first, unit(6).ok_or_else(refused)?];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => Ok((character, 12)),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(u32, String, String)> {
        let properties = Properties::parse("a.properties", text).unwrap_or_else(|error| panic!("{error}"));
        properties.entries.into_iter().map(|entry| (entry.line, entry.name, entry.value)).collect()
    }

    fn check(text: &str, expected: &[(u32, &str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(line, name, value)| (*line, (*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(read(text), expected, "{text:?}");
    }

    #[test]
    fn a_name_ends_at_equals_colon_or_white_space() {
        check("a=1\nb:2\nc 3\nd\t4\n", &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", "4")]);
        check("  a  =  1  \n b : 2\n", &[(1, "a", "1"), (2, "b", "2")]);
        check("a==1\nb= :2\nc = = 3", &[(1, "a", "=1"), (2, "b", ":2"), (3, "c", "= 3")]);
        check("a\nb=\nc :", &[(1, "a", ""), (2, "b", ""), (3, "c", "")]);
    }

    #[test]
    fn comments_and_blank_lines_are_counted_and_left_out() {
        check("# one\n\n  ! two \\\n \t\na=1 # not a comment\n", &[(5, "a", "1 # not a comment")]);
    }

    #[test]
    fn every_line_ending_of_java_ends_a_line() {
        check("a=1\r\nb=2\rc=3\n\rd=4", &[(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (5, "d", "4")]);
    }

    #[test]
    fn a_backslash_continues_a_line_unless_it_is_escaped() {
        check("a=1,\\\n   2,\\\n\t3\nb=4", &[(1, "a", "1,2,3"), (4, "b", "4")]);
        check("a=1\\\r\n  2\r\nb=3", &[(1, "a", "12"), (3, "b", "3")]);
        check("a=c:\\\\\nb=2", &[(1, "a", "c:\\"), (2, "b", "2")]);
        check("a=c:\\\\\\\nb=2", &[(1, "a", "c:\\b=2")]);
        check("lo\\\n  ng=1", &[(1, "long", "1")]);
        // As in Java, a comment sign that begins a continuation is part of the value, and a blank line ends it.
        check("a=1\\\n#2\nb=3", &[(1, "a", "1#2"), (3, "b", "3")]);
        check("a=1\\\n\nb=3", &[(1, "a", "1"), (3, "b", "3")]);
        check("a=1\\", &[(1, "a", "1")]);
    }

    #[test]
    fn escapes_are_resolved_in_names_and_values() {
        check("a\\ b\\=c\\:d=1", &[(1, "a b=c:d", "1")]);
        check("a=x\\ty\\nz\\q\\\\", &[(1, "a", "x\ty\nzq\\")]);
        check("a=\\u00e9\\u20AC \\uD83D\\uDE00!", &[(1, "a", "é€ 😀!")]);
        check("\\#a=1\n\\!b=2", &[(1, "#a", "1"), (2, "!b", "2")]);
    }

    #[test]
    fn every_line_that_cannot_be_read_is_reported_at_once() {
        let text = "a=\\u12\nb=1\nc=\\uD83D\nd=\\uD83Dx\n=5\ne\\u00zz=1\nf=\\u+123\n";
        let error = Properties::parse("broken.properties", text).expect_err("nothing of this can be read");
        let remedy = "write \\u and four hexadecimal digits, or \\\\ for a backslash";
        assert_eq!(
            error.to_string(),
            format!(
                "broken.properties:1: a: `\\u12` is not a character; {remedy}\n\
                 broken.properties:3: c: `\\uD83D` is not a character; {remedy}\n\
                 broken.properties:4: d: `\\uD83D` is not a character; {remedy}\n\
                 broken.properties:5: =5: no name; write a property's name before it, or # to make it a comment\n\
                 broken.properties:6: e\\u00zz: `\\u00zz` is not a character; {remedy}\n\
                 broken.properties:7: f: `\\u+123` is not a character; {remedy}"
            )
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange_to_be_read_or_refused(text in "[a =:\\\\u0D8\n\r#!\u{c}\t😀é.]{0,60}") {
            let (properties, problems) = Properties::scan("any", &text);
            let lines = |line: u32| line >= 1 && line as usize <= text.split(['\n', '\r']).count();
            prop_assert!(properties.entries.iter().all(|entry| lines(entry.line) && !entry.name.is_empty()));
            prop_assert!(properties.entries.windows(2).all(|pair| pair[0].line < pair[1].line));
            prop_assert!(problems.iter().all(|problem| lines(problem.line)));
        }

        #[test]
        fn what_is_escaped_comes_back(name in "[a-z.=: \\\\#!é]{1,12}", value in "[a-z.=:\\\\#!é😀]{0,12}") {
            let escape = |text: &str| text.chars().flat_map(|letter| ['\\', letter]).collect::<String>();
            // An escaped t, n, r, f or u means something else.
            prop_assume!(!format!("{name}{value}").contains(['t', 'n', 'r', 'f', 'u']));
            prop_assert_eq!(read(&format!("{}={}", escape(&name), escape(&value))), vec![(1, name, value)]);
        }
    }
}
