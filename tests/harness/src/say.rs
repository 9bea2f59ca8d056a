//! Progress for people.

use std::{
    fmt::Display,
    io::{Write, stderr},
};

/// Says what is going on, on the real stderr: libtest captures `eprintln!`, and a start that takes minutes must not be
/// silent. Nobody reading (a closed stderr) is no reason to fail.
pub fn say(message: impl Display) {
    let _ = writeln!(stderr(), "[harness] {message}");
}
