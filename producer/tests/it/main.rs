//! The producer on real processes of this very host.

#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods, reason = "what children do and what the kernel counts takes true time")]

mod cgroup;
mod cgroup_trees;
mod children;
mod container;
mod filesystems;
mod fixture;
mod hanging;
mod host;
mod locks;
mod moody;
mod mounts;
mod namespace;
mod network;
mod oddities;
mod own;
mod parts;
mod rights;
mod run;
mod signals;
mod stalls;
mod states;
mod tape;
mod trouble;
mod young;
