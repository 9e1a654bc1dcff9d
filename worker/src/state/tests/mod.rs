//! The worker's rules, told as stories.

mod fixture;
mod leases;
mod links;
mod offers;
mod purity;
mod results;
mod stops;
mod verdicts;
