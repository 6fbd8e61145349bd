//! A plain value as the Rust expression that builds it, read off by serde: names of types, variants and fields are those of
//! the source. Knows no type but [`Duration`](std::time::Duration) and what stands for a node; writes no text.

use serde::ser::{self, Serialize};

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// What is one word, such as a number or a unit variant.
    Word(String),
    /// `Name(..)`.
    Call(String, Vec<Self>),
    /// `Name { field: .. }`.
    Fields(String, Vec<(&'static str, Self)>),
    /// `vec![..]`.
    List(Vec<Self>),
    /// `(..)`.
    Tuple(Vec<Self>),
}

/// The expression for a value.
pub(super) fn literal(value: &impl Serialize) -> Literal {
    value.serialize(Reader).expect("plans are plain data: numbers, words, lists, structs and variants")
}

impl Literal {
    fn word(word: impl ToString) -> Self {
        Self::Word(word.to_string())
    }

    /// What is written another way than it is read.
    fn usual(self) -> Self {
        match self {
            Self::Call(name, mut inner) if name == "Target::Node" => match inner.pop() {
                Some(Self::Call(node, id)) if node.starts_with("Node::") => Self::Call("Target::from".to_owned(), id),
                Some(node) => Self::Call("Target::from".to_owned(), vec![node]),
                None => Self::Call(name, inner),
            },
            Self::Call(name, mut inner) if name == "Fault::Upgrade" => {
                let protocol = inner.pop().map(|protocol| Self::Call("Box::new".to_owned(), vec![protocol]));
                inner.extend(protocol);
                Self::Call(name, inner)
            }
            Self::Fields(name, fields) if name == "Duration" => duration(&fields).unwrap_or(Self::Fields(name, fields)),
            other => other,
        }
    }
}

/// A number with its digits in groups of three.
fn grouped(number: impl ToString) -> String {
    let text = number.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let mut grouped = sign.to_owned();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len() > 4 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

/// In the largest unit that says it exactly.
fn duration(fields: &[(&'static str, Literal)]) -> Option<Literal> {
    let number = |nth: usize| match fields.get(nth) {
        Some((_, Literal::Word(word))) => word.replace('_', "").parse::<u64>().ok(),
        _ => None,
    };
    let (seconds, nanos) = (number(0)?, number(1)?);
    let total = seconds.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    let units = [("secs", 1_000_000_000), ("millis", 1_000_000), ("micros", 1_000), ("nanos", 1)];
    let (unit, size) = units.into_iter().find(|(_, size)| total % size == 0)?;
    Some(Literal::Word(format!("Duration::from_{unit}({})", grouped(total / size))))
}

/// Why a value has no expression.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoLiteral(String);

impl ser::Error for NoLiteral {
    fn custom<T: std::fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

struct Reader;

/// Several values of one expression, as far as they were read.
struct Several {
    name: Option<String>,
    values: Vec<Literal>,
    list: bool,
}

/// The fields of a struct, as far as they were read.
struct Named {
    name: String,
    fields: Vec<(&'static str, Literal)>,
}

impl Several {
    fn close(self) -> Literal {
        match self.name {
            Some(name) => Literal::Call(name, self.values).usual(),
            None if self.list => Literal::List(self.values),
            None => Literal::Tuple(self.values),
        }
    }
}

macro_rules! words {
    ($($method:ident: $kind:ty => $word:expr;)*) => {
        $(fn $method(self, value: $kind) -> Result<Literal, NoLiteral> { Ok(Literal::Word($word(value))) })*
    };
}

impl ser::Serializer for Reader {
    type Ok = Literal;
    type Error = NoLiteral;
    type SerializeSeq = Several;
    type SerializeTuple = Several;
    type SerializeTupleStruct = Several;
    type SerializeTupleVariant = Several;
    type SerializeMap = ser::Impossible<Literal, NoLiteral>;
    type SerializeStruct = Named;
    type SerializeStructVariant = Named;

    words! {
        serialize_bool: bool => |value: bool| value.to_string();
        serialize_i8: i8 => grouped;
        serialize_i16: i16 => grouped;
        serialize_i32: i32 => grouped;
        serialize_i64: i64 => grouped;
        serialize_u8: u8 => grouped;
        serialize_u16: u16 => grouped;
        serialize_u32: u32 => grouped;
        serialize_u64: u64 => grouped;
        serialize_f32: f32 => |value| format!("{value:?}");
        serialize_f64: f64 => |value| format!("{value:?}");
        serialize_char: char => |value| format!("{value:?}");
        serialize_str: &str => |value: &str| format!("{value:?}.to_owned()");
        serialize_bytes: &[u8] => |value: &[u8]| format!("vec!{value:?}");
    }

    fn serialize_none(self) -> Result<Literal, NoLiteral> {
        Ok(Literal::word("None"))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Literal, NoLiteral> {
        Ok(Literal::Call("Some".to_owned(), vec![value.serialize(Self)?]))
    }

    fn serialize_unit(self) -> Result<Literal, NoLiteral> {
        Ok(Literal::word("()"))
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Literal, NoLiteral> {
        Ok(Literal::word(name))
    }

    fn serialize_unit_variant(self, name: &'static str, _: u32, variant: &'static str) -> Result<Literal, NoLiteral> {
        Ok(Literal::Word(format!("{name}::{variant}")))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Literal, NoLiteral> {
        Ok(Literal::Call(name.to_owned(), vec![value.serialize(Self)?]))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Literal, NoLiteral> {
        Ok(Literal::Call(format!("{name}::{variant}"), vec![value.serialize(Self)?]).usual())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Several, NoLiteral> {
        Ok(Several { name: None, values: Vec::new(), list: true })
    }

    fn serialize_tuple(self, _: usize) -> Result<Several, NoLiteral> {
        Ok(Several { name: None, values: Vec::new(), list: false })
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Several, NoLiteral> {
        Ok(Several { name: Some(name.to_owned()), values: Vec::new(), list: false })
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Several, NoLiteral> {
        Ok(Several { name: Some(format!("{name}::{variant}")), values: Vec::new(), list: false })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NoLiteral> {
        Err(NoLiteral("a map has no literal".to_owned()))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Named, NoLiteral> {
        Ok(Named { name: name.to_owned(), fields: Vec::new() })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Named, NoLiteral> {
        Ok(Named { name: format!("{name}::{variant}"), fields: Vec::new() })
    }
}

macro_rules! several {
    ($($kind:ident, $method:ident;)*) => {
        $(impl ser::$kind for Several {
            type Ok = Literal;
            type Error = NoLiteral;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoLiteral> {
                self.values.push(value.serialize(Reader)?);
                Ok(())
            }

            fn end(self) -> Result<Literal, NoLiteral> {
                Ok(self.close())
            }
        })*
    };
}

several! {
    SerializeSeq, serialize_element;
    SerializeTuple, serialize_element;
    SerializeTupleStruct, serialize_field;
    SerializeTupleVariant, serialize_field;
}

macro_rules! named {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Named {
            type Ok = Literal;
            type Error = NoLiteral;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NoLiteral> {
                self.fields.push((name, value.serialize(Reader)?));
                Ok(())
            }

            fn end(self) -> Result<Literal, NoLiteral> {
                Ok(Literal::Fields(self.name, self.fields).usual())
            }
        })*
    };
}

named!(SerializeStruct, SerializeStructVariant);
