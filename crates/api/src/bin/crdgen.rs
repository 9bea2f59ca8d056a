//! Writes the `CustomResourceDefinition`s into a folder: `crdgen crds`.

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).filter(|folder| !folder.as_encoded_bytes().starts_with(b"-"));
    let folder = PathBuf::from(folder.ok_or("usage: crdgen FOLDER")?);
    fs::create_dir_all(&folder)?;
    for file in sharedkey_api::crd_files()? {
        fs::write(folder.join(file.name), file.yaml)?;
    }
    Ok(())
}
