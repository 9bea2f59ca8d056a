//! Where the checkout is.

use std::path::PathBuf;

/// The root of the checkout that this harness was built from.
///
/// # Panics
/// Never: the harness lies two folders below it.
pub fn repo_root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map_or_else(PathBuf::new, PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::repo_root;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(repo_root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }
}
