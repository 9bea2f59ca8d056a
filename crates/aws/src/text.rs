//! AWS' messages, made fit for status: no request ids, which differ each time, and bounded.

use std::error::Error;

/// Longest message that is kept, in bytes. A condition shows several.
const MAX_MESSAGE: usize = 512;

/// A message without request ids, on one line, and bounded.
///
/// A message that names a new request each time would make every reconcile a status write.
pub(crate) fn tidy(message: &str) -> String {
    let mut words = without_request_ids(message).split_whitespace().collect::<Vec<_>>().join(" ");
    if words.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE - '…'.len_utf8()).rev().find(|at| words.is_char_boundary(*at)).unwrap_or_default();
        words.truncate(end);
        words.push('…');
    }
    words
}

/// What an error says, and what its causes add.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    tidy(&text)
}

/// Drops `Request ID: …`, `RequestId=…` and the like, with the separator in front.
fn without_request_ids(message: &str) -> String {
    let mut kept = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = split_at_request_id(rest) {
        kept.push_str(before.trim_end_matches([' ', ';', ',', '(']));
        let closes_group = before.trim_end().ends_with('(') && after.starts_with(')');
        rest = if closes_group { &after[1..] } else { after };
        if before.trim_end().ends_with('(') && !closes_group {
            kept.push_str(" (");
            rest = rest.trim_start_matches([' ', ';', ',']);
        }
    }
    kept.push_str(rest);
    kept
}

/// The text before the first request id, and the text after its value.
fn split_at_request_id(text: &str) -> Option<(&str, &str)> {
    const NAMES: [&str; 3] = ["request id", "requestid", "request-id"];
    // ASCII only: offsets in the lower-cased text are offsets in the text.
    let lower = text.to_ascii_lowercase();
    let candidates = NAMES.iter().flat_map(|name| lower.match_indices(name).map(|(at, name)| (at, at + name.len())));
    let mut candidates: Vec<_> = candidates.collect();
    candidates.sort_unstable();
    candidates.into_iter().find_map(|(start, end)| {
        let value = text[end..].strip_prefix([':', '='])?.trim_start();
        let length = value.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(value.len());
        Some((&text[..start], &value[length..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_leave_messages() {
        for (message, tidied) in [
            ("Rate exceeded", "Rate exceeded"),
            (
                "not allowed (Service: AWSKMS; Status Code: 400; Request ID: 5ab2fd2f-aa; Proxy: null)",
                "not allowed (Service: AWSKMS; Status Code: 400; Proxy: null)",
            ),
            ("not allowed (Service: AWSKMS; Request ID: 5ab2fd2f)", "not allowed (Service: AWSKMS)"),
            ("denied (RequestId=5ab2fd2f)", "denied"),
            ("denied (Request ID: 5ab2fd2f; Proxy: null)", "denied (Proxy: null)"),
            ("denied, request-id: 5ab2fd2f", "denied"),
            ("the request id is missing", "the request id is missing"),
            ("one\n  two", "one two"),
        ] {
            assert_eq!(tidy(message), tidied, "{message}");
        }
    }

    #[test]
    fn key_ids_stay() {
        let message =
            "Key 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' does not exist";
        assert_eq!(tidy(message), message);
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let tidied = tidy(&"é".repeat(MAX_MESSAGE));
        assert!(tidied.len() <= MAX_MESSAGE);
        assert!(tidied.ends_with("é…"));
    }
}
