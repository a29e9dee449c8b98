//! Situations of flows, a recorder of what a table tells, and the laws that hold for all traffic.

mod corpus;
mod laws;
mod life;
mod reassembly;
mod recorder;
