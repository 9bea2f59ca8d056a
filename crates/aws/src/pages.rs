//! Lists that come in pages. AWS may return fewer items than it has on any page, an empty one included (D§4.3).

use std::future::Future;

use sharedkey_engine::problem::Reading;

/// One page of a list.
pub(crate) struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn new(items: Vec<T>, is_truncated: bool, marker: Option<String>) -> Self {
        Self { items, next: marker.filter(|_| is_truncated) }
    }
}

/// All items of all pages.
pub(crate) async fn all<T, F>(mut page: impl FnMut(Option<String>) -> F) -> Reading<Vec<T>>
where
    F: Future<Output = Reading<Page<T>>>,
{
    let mut items = Vec::new();
    let mut marker = None;
    loop {
        let answer = page(marker.clone()).await?;
        items.extend(answer.items);
        // The marker of the page just read would lead here for ever.
        if answer.next.is_none() || answer.next == marker {
            return Ok(items);
        }
        marker = answer.next;
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn a_list_is_read_to_its_end_over_short_and_empty_pages() {
        let pages = |marker: Option<String>| {
            ready(Ok(match marker.as_deref() {
                None => Page::new(vec![1, 2], true, Some("a".into())),
                Some("a") => Page::new(vec![], true, Some("b".into())),
                _ => Page::new(vec![3], false, Some("stale".into())),
            }))
        };
        assert_eq!(all(pages).await, Ok(vec![1, 2, 3]));
    }

    #[tokio::test]
    async fn a_marker_that_leads_to_itself_ends_the_list() {
        let pages = |_| ready(Ok(Page::new(vec![1], true, Some("same".into()))));
        assert_eq!(all(pages).await, Ok(vec![1, 1]));
    }
}
