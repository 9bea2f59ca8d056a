//! JSON without loss: one level at a time over borrowed text, so that spellings and order survive.
//!
//! A general JSON value would turn `1.0` into a float and drop all but the last of two equal keys. In a policy the first
//! changes a foreign statement and the second hides half of one.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Levels below a statement's element. Policies need three; without a bound, opening level by level would be quadratic.
const MAX_DEPTH: usize = 12;

/// One level of a JSON text.
pub(crate) enum Json<'a> {
    Null,
    /// A string, decoded.
    Text(String),
    /// A number or boolean, as spelled.
    Literal(&'a str),
    List(Vec<&'a str>),
    Object(Vec<(String, &'a str)>),
}

/// Why a level could not be opened.
#[derive(Debug)]
pub(crate) enum JsonError {
    Syntax(serde_json::Error),
    DuplicateKey(String),
    TooDeep,
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax(error)
    }
}

/// Opens the outermost level of `text`; what is inside stays text, with its syntax checked.
pub(crate) fn open(text: &str) -> Result<Json<'_>, JsonError> {
    match text.trim_start_matches(is_whitespace).bytes().next() {
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text)?;
            let mut seen = BTreeSet::new();
            match entries.iter().find(|(key, _)| !seen.insert(key)) {
                Some((key, _)) => Err(JsonError::DuplicateKey(key.clone())),
                None => Ok(Json::Object(entries)),
            }
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text)?;
            Ok(Json::List(items.into_iter().map(RawValue::get).collect()))
        }
        Some(b'"') => Ok(Json::Text(serde_json::from_str(text)?)),
        _ => match serde_json::from_str::<&RawValue>(text)?.get() {
            "null" => Ok(Json::Null),
            literal => Ok(Json::Literal(literal)),
        },
    }
}

/// The same value with sorted keys and strings spelled one way. The order of lists stays: nothing is known about them.
pub(crate) fn canonical(text: &str) -> Result<String, JsonError> {
    canonical_at(text, 0)
}

fn canonical_at(text: &str, depth: usize) -> Result<String, JsonError> {
    if depth > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    Ok(match open(text)? {
        Json::Null => "null".to_owned(),
        Json::Text(text) => quote(&text),
        Json::Literal(literal) => literal.to_owned(),
        Json::List(items) => {
            let items: Vec<String> =
                items.into_iter().map(|item| canonical_at(item, depth + 1)).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(","))
        }
        Json::Object(mut entries) => {
            entries.sort();
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| Ok(format!("{}:{}", quote(&key), canonical_at(value, depth + 1)?)))
                .collect::<Result<_, JsonError>>()?;
            format!("{{{}}}", entries.join(","))
        }
    })
}

/// An object with another value under one of its keys; a text that is no object stays as it is.
pub(crate) fn replace_value(object: &str, key: &str, value: &str) -> String {
    let Ok(Json::Object(entries)) = open(object) else { return object.to_owned() };
    let entries: Vec<String> = entries
        .iter()
        .map(|(name, old)| format!("{}:{}", quote(name), if name == key { value } else { old }))
        .collect();
    format!("{{{}}}", entries.join(","))
}

/// A string as JSON.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Drops the whitespace between tokens and nothing else.
pub(crate) fn minify(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if is_whitespace(character) {
            continue;
        } else {
            in_string = character == '"';
        }
        kept.push(character);
    }
    kept
}

fn is_whitespace(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// The entries of an object in the order in which they stand, equal keys included.
struct Entries<'a>(Vec<(String, &'a str)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((key, value.get()));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whitespace_between_tokens_goes() {
        for (text, expected) in [
            (" { \"a b\" :\t[ 1.50 ,\r\n true ] } ", r#"{"a b":[1.50,true]}"#),
            (r#"{ "quote \" { }" : "back \\" , "x" : 1E3 }"#, r#"{"quote \" { }":"back \\","x":1E3}"#),
        ] {
            assert_eq!(minify(text), expected);
        }
    }

    #[test]
    fn equal_keys_are_found_however_they_are_spelled() {
        assert!(matches!(open(r#"{"Sid":"a","\u0053id":"b"}"#), Err(JsonError::DuplicateKey(key)) if key == "Sid"));
    }

    #[test]
    fn the_canonical_text_ignores_key_order_and_spelling_of_strings() {
        let (left, right) = (r#"{"b":[2,1],"a":"\u0041"}"#, r#"{ "a": "A", "b": [2, 1] }"#);
        assert_eq!(canonical(left).unwrap(), canonical(right).unwrap());
        assert_ne!(canonical("[2,1]").unwrap(), canonical("[1,2]").unwrap());
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
        assert!(matches!(canonical(&deep), Err(JsonError::TooDeep)));
    }
}
