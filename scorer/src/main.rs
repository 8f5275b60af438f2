//! `detective-scorer`: stands here until its turn comes.

fn main() {}
