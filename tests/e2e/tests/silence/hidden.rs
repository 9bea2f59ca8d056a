//! Values that nobody may tell, and whether a text shows one, however it is written down.

use aho_corasick::AhoCorasick;
use anyhow::Result;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};

/// A value that is like nothing else. Each of its halves is a word that no format has to escape, so that it is found in all of them; what
/// is between the words has to be.
pub(crate) struct Hidden {
    pub(crate) bytes: Vec<u8>,
    words: [String; 2],
}

impl Hidden {
    pub(crate) fn text() -> Self {
        Self::of("\"\\é\n".as_bytes())
    }

    /// Bytes that are no text.
    pub(crate) fn binary() -> Self {
        Self::of(&[0xff, 0x00, 0x80, 0xfe])
    }

    fn of(between: &[u8]) -> Self {
        let words = [(); 2].map(|()| format!("{:016x}", rand::random::<u64>()));
        Self { bytes: [words[0].as_bytes(), between, words[1].as_bytes()].concat(), words }
    }
}

/// Looks for values, or a half of one, as they are, as digits, in the base64 of something, and in both of them after the other, as the
/// SDK prints bodies.
pub(crate) struct Search(AhoCorasick);

impl Search {
    pub(crate) fn of(hidden: &[&Hidden]) -> Result<Self> {
        let words = hidden.iter().flat_map(|hidden| &hidden.words);
        Ok(Self(AhoCorasick::new(words.flat_map(|word| encoded(word)).flat_map(|once| spelt(&once)))?))
    }

    /// The line in which a text shows one of them, if it does.
    pub(crate) fn found_in<'a>(&self, text: &'a str) -> Option<&'a str> {
        let start = self.0.find(text)?.start();
        let (before, after) = text.split_at(start);
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(text.len(), |at| start + at);
        Some(&text[begin..end])
    }
}

/// As it is and in base64.
fn encoded(word: &str) -> Vec<String> {
    std::iter::once(word.to_owned()).chain(as_base64(word)).collect()
}

fn spelt(text: &str) -> Vec<String> {
    let numbers = |between: &str| text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(between);
    let digits = [HEXLOWER, HEXUPPER].map(|digits| digits.encode(text.as_bytes()));
    encoded(text).into_iter().chain(digits).chain([numbers(", "), numbers(",")]).collect()
}

/// Wherever it begins in what is encoded, without the digits that hold bits of something else as well.
fn as_base64(text: &str) -> impl Iterator<Item = String> {
    let spelt = |encoding: &Encoding, before: usize| {
        let encoded = encoding.encode(&[&vec![0; before], text.as_bytes()].concat());
        encoded[(before * 8).div_ceil(6)..(before + text.len()) * 8 / 6].to_owned()
    };
    [BASE64_NOPAD, BASE64URL_NOPAD]
        .into_iter()
        .flat_map(move |encoding| [0, 1, 2].map(|before| spelt(&encoding, before)))
}

#[test]
fn a_value_is_found_however_it_is_written_down() -> Result<()> {
    use data_encoding::{BASE64, BASE64URL};

    for hidden in [Hidden::text(), Hidden::binary()] {
        let search = Search::of(&[&Hidden::text(), &hidden])?;
        let half = &hidden.bytes[hidden.bytes.len() / 2..];
        for part in [hidden.bytes.as_slice(), half] {
            let shown = String::from_utf8_lossy(part).into_owned();
            let json = serde_json::json!({"a": shown}).to_string();
            let document = serde_json::json!({"ab": BASE64.encode(part)}).to_string();
            for text in [
                BASE64.encode(part),
                BASE64URL.encode(json.as_bytes()),
                BASE64.encode(&json.as_bytes()[1..]),
                HEXLOWER.encode(json.as_bytes()),
                format!("{part:?} {:?}", json.as_bytes()),
                format!("{:?}", document.as_bytes()),
                BASE64.encode(document.as_bytes()),
                serde_json::json!({"message": json}).to_string(),
                serde_json::json!({"message": format!("{shown:?}")}).to_string(),
                part.escape_ascii().to_string(),
                json,
                shown.replace('\n', " "),
            ] {
                assert_eq!(search.found_in(&format!("a line\n{text}\nanother one")), Some(text.as_str()));
            }
        }
        assert_eq!(search.found_in(&BASE64.encode(&Hidden::binary().bytes)), None);
    }
    Ok(())
}
