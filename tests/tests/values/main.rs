//! What is done with keys by hand, on every store that keeps something.

mod apart;
mod configured;
mod counting;
mod default;
mod ground;
mod invalidated;
mod lasting;
mod many;
mod single;
