//! What nobody may log: each value that a story puts into a secret has a mark, and the log of each operator is searched for it as it
//! grows.

use std::{
    fs::File,
    io::Read as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use aho_corasick::AhoCorasick;
use anyhow::Result;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};

use crate::say;

/// Stands in every value that a story puts into a secret. No format has to escape it.
pub const MARK: &str = "hidden-from-logs";

/// How often a log is read on.
const PAUSE: Duration = Duration::from_millis(100);

/// Looks for words as they are, as digits, in the base64 of something, and in both of them after the other, as the SDK prints bodies.
#[derive(Debug)]
pub struct Search(AhoCorasick);

impl Search {
    /// For words that no format has to escape.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let encoded = words.into_iter().flat_map(encoded);
        Ok(Self(AhoCorasick::new(encoded.flat_map(|once| spelt(&once)))?))
    }

    /// The line in which a text shows one of them, if it does.
    pub fn found_in<'a>(&self, text: &'a str) -> Option<&'a str> {
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

/// Reads a log until it is dropped, and then to its end.
#[derive(Debug)]
pub(crate) struct Watch {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Ends the whole test binary, whichever story is being told, at the first line with a marked value.
    pub(crate) fn on(log: &Path) -> Result<Self> {
        Self::with(log, |line| {
            say(format_args!("the operator logs a value: {line}"));
            std::process::exit(1);
        })
    }

    fn with(log: &Path, found: impl Fn(&str) + Send + 'static) -> Result<Self> {
        let (log, search, ended) = (File::open(log)?, Search::of([MARK])?, Arc::<AtomicBool>::default());
        let until = ended.clone();
        let thread = thread::spawn(move || follow(log, &search, &until, found));
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn follow(mut log: File, search: &Search, ended: &AtomicBool, found: impl Fn(&str)) {
    let mut text = Vec::new();
    loop {
        let last = ended.load(Ordering::Relaxed);
        if let Err(error) = log.read_to_end(&mut text) {
            found(&format!("its log cannot be read: {error}"));
        }
        let whole = if last { text.len() } else { text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
        if let Some(line) = search.found_in(&String::from_utf8_lossy(&text[..whole])) {
            found(line);
        }
        text.drain(..whole);
        if last {
            return;
        }
        thread::park_timeout(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write as _, sync::mpsc};

    use data_encoding::BASE64;

    use super::*;
    use crate::Scratch;

    #[test]
    fn a_log_is_searched_line_by_line_as_it_grows_and_to_its_end() {
        let folder = Scratch::new("hush").unwrap();
        let path = folder.path().join("operator.log");
        let mut log = File::create(&path).unwrap();
        let (told, lines) = mpsc::channel();
        let watch = Watch::with(&path, move |line| told.send(line.to_owned()).unwrap()).unwrap();
        let (begin, end) = MARK.split_at(5);
        write!(log, "all is well\nhere {begin}").unwrap();
        writeln!(log, "{end} it is\nand").unwrap();
        assert_eq!(lines.recv_timeout(Duration::from_secs(10)).unwrap(), format!("here {MARK} it is"));
        for before in ["", "x", "xy"] {
            let value = BASE64.encode(format!("{before}{MARK}{before}").as_bytes());
            writeln!(log, "{{\"data\":\"{value}\"}}").unwrap();
            assert!(lines.recv_timeout(Duration::from_secs(10)).unwrap().contains(&value));
        }
        write!(log, "{MARK} without an end").unwrap();
        drop(watch);
        assert_eq!(lines.try_iter().collect::<Vec<_>>(), [format!("{MARK} without an end")]);
        assert!(fs::exists(path).unwrap());
    }
}
