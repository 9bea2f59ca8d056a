//! Somebody who adds and removes statements of his own, and keeps a book of which have to be there.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::{
    ours::Changes,
    policy::{Policy, statement},
};

/// What his Sids begin with.
const SID: &str = "Foreign";
/// As many of his statements stand there at a time.
const STATEMENTS: usize = 5;

/// The other writer of a policy.
pub(crate) struct Foreign<'a> {
    policy: &'a Policy,
    /// What has to be there.
    pub(crate) book: BTreeSet<String>,
    /// Statements that he has made so far: each has a Sid of its own.
    made: usize,
    /// His writes.
    pub(crate) writes: usize,
    /// What he had written and found gone, and what he had removed and found back.
    pub(crate) found: Changes,
}

impl<'a> Foreign<'a> {
    pub(crate) fn new(policy: &'a Policy) -> Self {
        Self { policy, book: BTreeSet::new(), made: 0, writes: 0, found: Changes::default() }
    }

    /// Reads, compares with the book, changes and writes; again and again.
    pub(crate) async fn write_until(mut self, stop: &AtomicBool) -> Result<Self> {
        loop {
            let mut document = self.policy.read().await?;
            let statements = document["Statement"].as_array_mut().context("statements")?;
            self.compare(statements);
            if stop.load(Ordering::Relaxed) {
                return Ok(self);
            }
            self.change(statements);
            self.policy.put(&document).await?;
            self.writes += 1;
        }
    }

    fn compare(&mut self, statements: &mut Vec<Value>) {
        let standing: BTreeSet<String> = statements.iter().filter_map(his).collect();
        self.found.lost.extend(self.book.difference(&standing).cloned());
        self.found.revived.extend(standing.difference(&self.book).cloned());
        self.book.retain(|sid| standing.contains(sid));
        statements.retain(|statement| his(statement).is_none_or(|sid| self.book.contains(&sid)));
    }

    /// Adds a statement, and removes one when there are many.
    fn change(&mut self, statements: &mut Vec<Value>) {
        if self.book.len() >= STATEMENTS
            && let Some(oldest) = self.book.pop_first()
        {
            statements.retain(|statement| statement["Sid"] != oldest);
            return;
        }
        self.made += 1;
        let sid = format!("{SID}{:06}", self.made);
        statements.push(statement(&sid, &self.policy.account, self.policy.actions()[1]));
        self.book.insert(sid);
    }
}

fn his(statement: &Value) -> Option<String> {
    statement["Sid"].as_str().filter(|sid| sid.starts_with(SID)).map(str::to_owned)
}
