//! Lists the sockets of a host's network namespaces.

mod listing;
mod namespaces;
mod sock_diag;

pub use listing::{SocketListing, list_sockets};
pub use namespaces::{NamespaceListings, NetworkNamespaces};
pub use sock_diag::SockDiag;
