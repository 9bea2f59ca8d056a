//! Wildcards of AWS policies: `*` is any run of characters, `?` is one character, nothing else is special.

use std::str::Chars;

/// Whether `text` as a whole matches `pattern`. Case matters.
///
/// Only the last `*` is ever retried, so the cost is bounded by pattern × text, whatever a policy author writes.
pub fn glob_match(pattern: &str, text: &str) -> bool {
    glob_match_by(pattern, text, |wanted, found| wanted == found)
}

/// Whether a pattern has no wildcard and so matches one text alone.
pub(crate) fn is_literal(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

/// The same where `equal` says which characters are equal.
pub(crate) fn glob_match_by(pattern: &str, text: &str, equal: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Up to the first wildcard nothing is retried, and most texts end there.
    while let Some(wanted) = pattern.clone().next().filter(|&wanted| !matches!(wanted, '*' | '?')) {
        if !text.next().is_some_and(|found| equal(wanted, found)) {
            return false;
        }
        pattern.next();
    }
    let mut last_star: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let (mut pattern_rest, mut text_rest) = (pattern.clone(), text.clone());
        match (pattern_rest.next(), text_rest.next()) {
            (Some('*'), _) => {
                last_star = Some((pattern_rest.clone(), text.clone()));
                pattern = pattern_rest;
            }
            (Some(wanted), Some(found)) if wanted == '?' || equal(wanted, found) => {
                (pattern, text) = (pattern_rest, text_rest);
            }
            (None, None) => return true,
            (Some(_), None) => return false,
            (_, Some(_)) => {
                let Some((after_star, skipped)) = &mut last_star else { return false };
                skipped.next();
                (pattern, text) = (after_star.clone(), skipped.clone());
            }
        }
    }
}

/// Matches two ARNs part by part, as `ArnLike` and the `Resource` of identity policies do: a wildcard never crosses
/// one of the first five colons, and parts that the pattern leaves out match anything.
pub(crate) fn arn_match(pattern: &str, arn: &str) -> bool {
    let mut patterns = pattern.splitn(6, ':');
    let matches = |part| {
        let pattern = patterns.next().unwrap_or("*");
        // Most parts have no wildcard, and every verdict asks.
        if is_literal(pattern) { pattern == part } else { glob_match(pattern, part) }
    };
    arn.splitn(6, ':').all(matches) && patterns.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_whole_texts() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("?", "é", true),
            ("kms:ReEncrypt*", "kms:ReEncryptFrom", true),
            ("kms:ReEncrypt*", "kms:Encrypt", false),
            ("*Key", "GenerateDataKeyPairKey", true),
            ("a*b*c", "a--b--b--c", true),
            ("a*b*c", "a--b--b--d", false),
            ("a**?", "ab", true),
            ("a**?", "a", false),
            ("secret:name-??????", "secret:name-AbCdEf", true),
            ("a*", "*a", false),
        ] {
            assert_eq!(glob_match(pattern, text), expected, "{pattern} against {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_pattern_times_text() {
        let (pattern, text) = (format!("{}b", "a*".repeat(200)), "a".repeat(20_000));
        assert!(!glob_match(&pattern, &text));
    }

    #[test]
    fn wildcards_do_not_cross_the_colons_of_an_arn() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1";
        for (pattern, expected) in [
            ("*", true),
            (key, true),
            ("arn:aws:kms:*:111122223333:key/mrk-1", true),
            ("arn:aws:kms", true),
            ("arn:aws:kms:*:key/mrk-1", false),
            ("arn:aws:kms:eu-west-1:111122223333:alias/*", false),
            ("arn:aws-cn:kms:*:111122223333:key/*", false),
        ] {
            assert_eq!(arn_match(pattern, key), expected, "{pattern}");
        }
    }
}
