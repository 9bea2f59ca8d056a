//! What is done to one object, and what comes of it.

use anyhow::Result;
use futures::future::LocalBoxFuture;
use sharedkey_e2e::Stage;

/// What is done to an object of either kind. Each round has another object, with a name of its own.
pub(crate) trait Plot {
    /// Where it is done.
    fn stage(&self) -> &Stage;

    /// What it is called where it goes wrong.
    fn title(&self) -> String;

    /// How many writes it takes in the owner's account, and in the partner's.
    fn writes(&self) -> [u32; 2];

    /// The object is as it is before.
    fn begin<'a>(&'a mut self, name: &'a str) -> LocalBoxFuture<'a, Result<()>>;

    /// Something else is asked for from now on.
    fn turn<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<()>>;

    /// Whether it is done, as far as the operator tells.
    fn is_done<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<bool>>;

    /// What was asked for stands in AWS and nothing else does; and when the object is deleted, nothing of it.
    fn comes_true<'a>(&'a self, name: &'a str) -> LocalBoxFuture<'a, Result<()>>;
}
