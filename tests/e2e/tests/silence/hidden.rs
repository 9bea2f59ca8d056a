//! Values that nobody may tell, and whether a text shows one, however it is written down.

use anyhow::Result;
use sharedkey_harness::{MARK, Search};

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
        let words = [(); 2].map(|()| format!("{MARK}{:016x}", rand::random::<u64>()));
        Self { bytes: [words[0].as_bytes(), between, words[1].as_bytes()].concat(), words }
    }
}

/// Looks for values, or a half of one.
pub(crate) fn search_for(hidden: &[&Hidden]) -> Result<Search> {
    Search::of(hidden.iter().flat_map(|hidden| &hidden.words).map(String::as_str))
}

#[test]
fn a_value_is_found_however_it_is_written_down() -> Result<()> {
    use data_encoding::{BASE64, BASE64URL, HEXLOWER};

    for hidden in [Hidden::text(), Hidden::binary()] {
        let search = search_for(&[&Hidden::text(), &hidden])?;
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
