//! Writes the `CustomResourceDefinition`s into a folder: `crdgen crds`.

use std::{env, error::Error, fs, path::PathBuf};

use serde_json::Value;

const HEADER: &str = "# Generated from crates/api by `make crds`; do not edit.\n";

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("usage: crdgen FOLDER")?);
    fs::create_dir_all(&folder)?;
    let crds = sharedkey_api::crds()?;
    let list = sharedkey_api::kustomization(crds.iter().map(|(file, _)| file.as_str()));
    for (file, content) in crds.iter().map(|(file, crd)| (file.as_str(), crd)).chain([("kustomization.yaml", &list)]) {
        fs::write(folder.join(file), yaml(content)?)?;
    }
    Ok(())
}

fn yaml(content: &Value) -> Result<String, serde_yaml_ng::Error> {
    Ok(format!("{HEADER}{}", serde_yaml_ng::to_string(content)?))
}
