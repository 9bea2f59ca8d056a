//! The same attacker, who states and forges ExternalSecrets: a table of what is refused, what he writes beside specs, and Kubernetes
//! Secrets that are not to be read or overwritten for him.

mod anew;
mod forged;
mod kubernetes;
mod neighbours;
mod specs;
mod vault;
