//! Tests of the producer on real processes of this host.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "what children do and what the kernel counts takes true time")]

mod cgroup;
mod cgroup_trees;
mod children;
mod container;
mod descriptors;
mod faulty_bus;
mod filesystems;
mod fixture;
mod flood;
mod hanging;
mod helpers;
mod host;
mod locks;
mod mounts;
mod namespace;
mod network;
mod network_faults;
mod new_processes;
mod oddities;
mod own_processes;
mod rights;
mod run;
mod signals;
mod stalls;
mod states;
mod tape;
