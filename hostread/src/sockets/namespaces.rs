//! Lists the sockets of all network namespaces of a host.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    os::fd::{AsFd, OwnedFd},
};

use super::{
    listing::{SocketListing, list_sockets},
    sock_diag::SockDiag,
};
use crate::{directory::Directory, proc_root::ProcRoot, seen::Seen, vantage::Vantage};

/// At most this many namespaces are listed beside the host's.
const MAX_NAMESPACES: usize = 256;

/// `sock_diag` connections to the network namespaces of a host, kept from sweep to sweep. A
/// connection stays in the namespace in which it was opened.
#[derive(Default)]
pub struct NetworkNamespaces {
    // By the inode number of the namespace.
    connections: BTreeMap<u64, SockDiag>,
    // Entering a namespace takes `CAP_SYS_ADMIN`; once denied, it is not tried again.
    is_entering_denied: bool,
}

/// The sockets of several network namespaces.
pub struct NamespaceListings {
    /// The sockets of each namespace that could be listed, by its inode number.
    pub listings: BTreeMap<u64, SocketListing>,
    /// Whether the host's namespace could be listed.
    pub host_namespace: Seen<()>,
    /// Number of namespaces that were left out because there are too many.
    pub n_left_out: usize,
    /// Namespaces that could not be listed because descriptors or memory ran out.
    pub exhausted: BTreeSet<u64>,
}

impl NetworkNamespaces {
    /// Lists the sockets of the host's namespace and of `others`: inode numbers of namespaces, each
    /// with the pid of a process in it.
    pub fn list(
        &mut self,
        vantage: &Vantage,
        others: &BTreeMap<u64, u32>,
        root: &ProcRoot,
        buffer: &mut Vec<u8>,
    ) -> NamespaceListings {
        let host = vantage.network_namespace;
        self.connections.retain(|namespace, _| *namespace == host || others.contains_key(namespace));
        let mut listings = BTreeMap::new();
        let open = || if vantage.is_own_network_namespace { SockDiag::open() } else { Err(denied()) };
        let (_, listing) = self.list_one(host, open, || vantage.open_net(root), root, buffer);
        let host_namespace = listing.map(|listing| drop(listings.insert(host, listing)));
        let mut exhausted: BTreeSet<u64> = (host_namespace == Seen::Exhausted).then_some(host).into_iter().collect();
        let others: Vec<_> = others.iter().filter(|(namespace, _)| **namespace != host).collect();
        for (namespace, pid) in others.iter().copied().take(MAX_NAMESPACES) {
            let may_enter = !self.is_entering_denied;
            let open = || if may_enter { open_in_namespace(root, *pid, *namespace) } else { Err(denied()) };
            let open_net = || root.directory.open_dir(format!("{pid}/net"));
            let (opened, listing) = self.list_one(*namespace, open, open_net, root, buffer);
            self.is_entering_denied |= opened == Seen::Denied;
            match listing {
                Seen::Here(listing) => drop(listings.insert(*namespace, listing)),
                Seen::Exhausted => drop(exhausted.insert(*namespace)),
                _ => {}
            }
        }
        let n_left_out = others.len().saturating_sub(MAX_NAMESPACES);
        NamespaceListings { listings, host_namespace, n_left_out, exhausted }
    }

    /// Lists one namespace. Also returns whether a connection exists or could be opened with
    /// `open`.
    fn list_one(
        &mut self,
        namespace: u64,
        open: impl FnOnce() -> io::Result<SockDiag>,
        open_net: impl FnOnce() -> Seen<Directory>,
        root: &ProcRoot,
        buffer: &mut Vec<u8>,
    ) -> (Seen<()>, Seen<SocketListing>) {
        let (opened, mut connection) = match self.connections.remove(&namespace) {
            Some(connection) => (Seen::Here(()), connection),
            None => {
                let mut connection = SockDiag::for_playback();
                let open = || open().map(|opened| connection = opened).into();
                let opened = root.tape.value("netlink-open", &namespace.to_string(), open);
                (opened, connection)
            }
        };
        if opened == Seen::Exhausted {
            return (opened, Seen::Exhausted);
        }
        let listing = list_sockets(&mut connection, open_net, &root.tape, buffer);
        if matches!(&listing, Seen::Here(listing) if !listing.is_fallback) {
            self.connections.insert(namespace, connection);
        }
        (opened, listing)
    }
}

/// Opens a connection in the network namespace of a process. A new thread enters the namespace and
/// exits afterwards.
fn open_in_namespace(root: &ProcRoot, pid: u32, namespace: u64) -> io::Result<SockDiag> {
    let file = root.directory.open_file(&format!("{pid}/ns/net"))?;
    // The process may have changed its namespace, or the pid may be reused.
    if rustix::fs::fstat(&file)?.st_ino != namespace {
        return Err(io::ErrorKind::NotFound.into());
    }
    let enter = move |file: OwnedFd| {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(file.as_fd(), kind)?;
        SockDiag::open()
    };
    let thread = std::thread::Builder::new().name("namespace".to_owned()).spawn(move || enter(file))?;
    thread.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}
