//! `detective-trainer`: stands here until its turn comes.

fn main() {}
