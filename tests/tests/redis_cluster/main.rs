//! The Redis store on a cluster, beyond what every store must do.

mod copies;
mod eras;
mod failover;
mod ground;
mod moving;
mod opening;
mod replicas;
