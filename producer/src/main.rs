//! `detective-producer`: watches this host and publishes what it sees.

fn main() {}
