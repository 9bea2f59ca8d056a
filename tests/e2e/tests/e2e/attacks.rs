//! What somebody tries who may write anything in one namespace, by real RBAC: none of it reaches a key, a principal or an account
//! beyond the allow rules, and what he is told is nothing that he did not know.

mod anew;
mod forged;
mod secrets;
mod siege;
mod specs;
