//! The sockets of a host's network namespaces.

mod listing;
mod namespaces;
mod sock_diag;

pub use listing::{SocketListing, list};
pub use namespaces::{NamespaceListings, Namespaces};
pub use sock_diag::SockDiag;
