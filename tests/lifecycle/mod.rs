//! The life of a grant: races, lost answers, faults, and a model that it has to agree with.

mod careless_stores;
mod damaged_records;
mod device_races;
mod ending;
mod exhaustive;
mod faults;
mod lost_answers;
mod memory_store;
mod proofs;
mod pushed_races;
mod races;
mod reference_model;
mod rotation_under_load;
mod spent_tokens;
mod store_contract;
