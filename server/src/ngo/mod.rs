//! What staff see of their families and do for them: case code, roles, zones, counts and times, never a name and never
//! what was said.
//!
//! Read in this order: who somebody is and what they may ask for (`staff`; with a browser by a link (`sign_in`), for a while
//! (`sessions`)), that they asked (`audit`), who else works there (`colleagues`), and what they are answered: whom to ring first (`worklist`), what is done for one family (`family`), that somebody met it (`visits`), where
//! it goes (`transfer`), the programme's places (`sites`), what came of contact (`report`, of weeks and months (`period`)
//! added up (`sums`), and over several of them, for the programme's page (`overview`)), by what it is judged (`thresholds`), what holds of consent (`consent_settings`), and what of it leaves as files (`export`). Shapes are
//! `jiashu_api`'s, `listener::api` speaks HTTP, and what the answers are reckoned from is `contact`'s.

pub mod staff;

pub mod sign_in;

pub mod sessions;

pub mod colleagues;

pub mod caseload;

pub mod audit;

pub mod sites;

pub mod worklist;

pub mod tasks;

pub mod case;

pub mod suspension;

pub mod mail;

pub mod period;

pub mod sums;

mod seen;

pub mod report;

pub mod overview;

pub mod consent_settings;
pub mod thresholds;

pub mod family;

pub mod visits;

pub mod transfer;

pub mod export;

pub mod leaving;

#[cfg(test)]
mod subtraction_tests;
