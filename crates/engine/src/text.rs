//! Lists in sentences.

/// The items, and how many more there are beyond `max`.
pub(crate) fn few(items: &[String], max: usize) -> String {
    few_joined(items, max, ", ")
}

/// The same for items that have commas of their own.
pub(crate) fn few_joined(items: &[String], max: usize, separator: &str) -> String {
    match items.len().checked_sub(max).filter(|more| *more > 0) {
        None => items.join(separator),
        Some(more) => format!("{} and {more} more", items[..max].join(separator)),
    }
}

#[cfg(test)]
mod tests {
    use super::few;

    #[test]
    fn a_long_list_is_counted_where_it_ends() {
        let items = ["a", "b", "c"].map(String::from);
        assert_eq!(few(&items, 3), "a, b, c");
        assert_eq!(few(&items, 1), "a and 2 more");
        assert_eq!(few(&[], 1), "");
    }
}
