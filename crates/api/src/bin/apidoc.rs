//! Writes the API reference into a file: `apidoc docs/reference/api.md`.

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).ok_or("usage: apidoc FILE")?;
    fs::write(file, sharedkey_api::reference()?)?;
    Ok(())
}
