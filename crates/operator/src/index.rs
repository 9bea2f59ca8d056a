//! Who names what, found without a look at every object.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
};

/// Things, and who names them.
#[derive(Debug)]
pub(crate) struct Index<O, N> {
    names: HashMap<O, BTreeSet<N>>,
    naming: HashMap<N, BTreeSet<O>>,
}

impl<O, N> Default for Index<O, N> {
    fn default() -> Self {
        Self { names: HashMap::new(), naming: HashMap::new() }
    }
}

impl<O: Clone + Eq + Hash + Ord, N: Clone + Eq + Hash + Ord> Index<O, N> {
    /// One names these things now, and no others.
    pub(crate) fn set(&mut self, one: O, names: BTreeSet<N>) {
        if self.names.get(&one) == Some(&names) {
            return;
        }
        self.remove(&one);
        for name in &names {
            self.naming.entry(name.clone()).or_default().insert(one.clone());
        }
        self.names.insert(one, names);
    }

    /// One is gone.
    pub(crate) fn remove(&mut self, one: &O) {
        for name in self.names.remove(one).unwrap_or_default() {
            if let Some(naming) = self.naming.get_mut(&name) {
                naming.remove(one);
                if naming.is_empty() {
                    self.naming.remove(&name);
                }
            }
        }
    }

    /// Those that are not among these are gone.
    pub(crate) fn keep(&mut self, these: &BTreeSet<O>) {
        let gone: Vec<O> = self.names.keys().filter(|one| !these.contains(one)).cloned().collect();
        for one in &gone {
            self.remove(one);
        }
    }

    /// Those that name something, in their order.
    pub(crate) fn naming(&self, name: &N) -> impl Iterator<Item = &O> {
        self.naming.get(name).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(index: &Index<u8, &'static str>, name: &'static str) -> Vec<u8> {
        index.naming(&name).copied().collect()
    }

    #[test]
    fn what_is_named_last_counts() {
        let mut index = Index::default();
        index.set(1, ["owner", "partner"].into());
        index.set(2, ["owner"].into());
        assert_eq!((naming(&index, "owner"), naming(&index, "partner")), (vec![1, 2], vec![1]));
        index.set(1, ["other"].into());
        assert_eq!((naming(&index, "owner"), naming(&index, "partner")), (vec![2], vec![]));
    }

    #[test]
    fn nothing_is_left_of_who_is_gone() {
        let mut index = Index::default();
        index.set(1, ["owner"].into());
        index.set(2, ["owner"].into());
        index.set(3, ["partner"].into());
        index.remove(&1);
        index.keep(&[3].into());
        assert_eq!((naming(&index, "owner"), naming(&index, "partner")), (vec![], vec![3]));
        assert_eq!(index.naming.len(), 1);
    }
}
