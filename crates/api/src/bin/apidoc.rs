//! Writes the API reference and the catalogue of reasons: `apidoc docs/reference/api.md docs/reference/reasons.md`.

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = env::args_os().skip(1);
    let (Some(reference), Some(catalogue), None) = (files.next(), files.next(), files.next()) else {
        return Err("usage: apidoc API_FILE REASONS_FILE".into());
    };
    fs::write(reference, sharedkey_api::reference()?)?;
    fs::write(catalogue, sharedkey_api::catalogue())?;
    Ok(())
}
