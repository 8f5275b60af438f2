//! Assembly of a snapshot, and its delivery to the bus.

pub mod assemble;
pub mod builder;
pub mod columns;
pub mod delivery;
pub mod outbox;
pub mod record;
