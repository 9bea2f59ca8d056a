//! Values that nobody may tell, and whether a text shows one, however it is written down.

use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// A value that is like nothing else, with all ways to write down each of its halves. Whoever tells the whole tells both.
pub(crate) struct Hidden {
    pub(crate) bytes: Vec<u8>,
    spellings: Vec<(&'static str, String)>,
}

/// Ways to write bytes down.
const WAYS: [(&str, fn(&[u8]) -> Vec<String>); 6] = [
    ("text", as_text),
    ("base64", as_base64),
    ("hexadecimal digits", |bytes| vec![HEXLOWER.encode(bytes), HEXUPPER.encode(bytes)]),
    // As the SDK prints bodies.
    ("numbers", |bytes| [", ", ","].map(|between| as_numbers(bytes, between)).into()),
    ("part of a URL", |bytes| vec![percent_encode(bytes, NON_ALPHANUMERIC).to_string()]),
    ("escaped bytes", |bytes| vec![bytes.escape_ascii().to_string()]),
];

impl Hidden {
    fn of(bytes: Vec<u8>) -> Self {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let spelt = |part: &[u8]| -> Vec<_> {
            let spellings = WAYS.iter().flat_map(|(way, spell)| spell(part).into_iter().map(|text| (*way, text)));
            spellings.collect()
        };
        let spellings = [first, second].into_iter().flat_map(spelt).collect();
        Self { bytes, spellings }
    }

    /// A text that every format has to escape in its own way.
    pub(crate) fn text() -> Self {
        Self::of(format!("{}\"\\é\n{}", random(), random()).into_bytes())
    }

    /// Bytes that are no text.
    pub(crate) fn binary() -> Self {
        Self::of([&[0xff, 0xfe], random().as_bytes(), &[0x00, 0x80], random().as_bytes()].concat())
    }

    /// How a text shows it, if it does, and where.
    pub(crate) fn shown_in(&self, text: &str) -> Option<String> {
        let (way, spelling) = self.spellings.iter().find(|(_, spelling)| text.contains(spelling))?;
        let line = text.lines().find(|line| line.contains(spelling)).unwrap_or(text);
        Some(format!("as {way}: {spelling}: in: {line}"))
    }
}

/// Sixteen hexadecimal digits.
fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// As it is, and as a member of a JSON document, of one in another one, and of a debugger's output. Of bytes that are no text, what a
/// text shows of them.
fn as_text(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(['\0', char::REPLACEMENT_CHARACTER]);
    let escaped = |text: &str| text.escape_debug().to_string();
    let json = |text: &str| serde_json::Value::from(text).to_string().trim_matches('"').to_owned();
    vec![text.to_owned(), json(text), json(&json(text)), escaped(text), json(&escaped(text))]
}

fn as_numbers(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between)
}

/// Wherever it begins in what is encoded.
fn as_base64(bytes: &[u8]) -> Vec<String> {
    let spelt = |encoding: &Encoding, before: usize| {
        let encoded = encoding.encode(&[&vec![0; before], bytes].concat());
        // Without the digits that hold other bits as well.
        encoded[(before * 8).div_ceil(6)..(before + bytes.len()) * 8 / 6].to_owned()
    };
    [BASE64, BASE64URL].iter().flat_map(|encoding| (0..3).map(move |before| spelt(encoding, before))).collect()
}

#[test]
fn a_value_is_found_however_it_is_written_down() {
    for hidden in [Hidden::text(), Hidden::binary()] {
        let half = &hidden.bytes[hidden.bytes.len() / 2..];
        for part in [hidden.bytes.as_slice(), half] {
            let document = [b"{\"a\":\"", part, b"\"}"].concat();
            let shown = String::from_utf8_lossy(part).into_owned();
            let json = serde_json::json!({"a": shown}).to_string();
            for text in [
                BASE64.encode(part),
                BASE64.encode(&document),
                BASE64URL.encode(&[&document[1..], part].concat()),
                HEXLOWER.encode(&document),
                format!("{document:?}"),
                percent_encode(&document, NON_ALPHANUMERIC).to_string(),
                document.escape_ascii().to_string(),
                serde_json::json!({"message": json}).to_string(),
                serde_json::json!({"message": format!("{shown:?}")}).to_string(),
                format!("{shown:?}"),
                json,
                shown,
            ] {
                assert!(hidden.shown_in(&format!("a line\nand {text}")).is_some(), "{text}");
            }
        }
        assert_eq!(hidden.shown_in(&BASE64.encode(&Hidden::binary().bytes)), None);
    }
}
