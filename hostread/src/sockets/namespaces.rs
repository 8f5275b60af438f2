//! The network namespaces of a host, each asked once a sweep.

use std::{collections::BTreeMap, io, os::fd::OwnedFd};

use super::{
    listing::{SocketListing, list_sockets},
    sock_diag::SockDiag,
};
use crate::{directory::Directory, proc_root::ProcRoot, seen::Seen, vantage::Vantage};

/// So many are listed at most.
const MOST: usize = 256;

/// The conversations that are held, by the number of the namespace. A socket stays in the namespace that it was made in, whoever uses it.
#[derive(Default)]
pub struct NetworkNamespaces {
    conversations: BTreeMap<u64, SockDiag>,
    // Entering a namespace takes a right that does not come by itself.
    is_refused: bool,
}

/// The sockets of all namespaces, by number, and how many namespaces were left out.
pub struct NamespaceListings {
    /// Those that could be listed.
    pub listings: BTreeMap<u64, SocketListing>,
    /// Whether the namespace of the place could be.
    pub home: Seen<()>,
    /// How many could not be, because they are too many.
    pub left_out: usize,
}

impl NetworkNamespaces {
    /// Lists the namespace of `vantage` and those of `others`, which names a process in each.
    pub fn list(
        &mut self,
        vantage: &Vantage,
        others: &BTreeMap<u64, u32>,
        root: &ProcRoot,
        buffer: &mut Vec<u8>,
    ) -> NamespaceListings {
        self.conversations.retain(|number, _| *number == vantage.network_namespace || others.contains_key(number));
        let mut listings = BTreeMap::new();
        let begin =
            || if vantage.is_own_network { SockDiag::open() } else { Err(io::ErrorKind::PermissionDenied.into()) };
        let (_, home) = self.list_one(vantage.network_namespace, begin, || vantage.open_net(root), root, buffer);
        let home = home.map(|listing| drop(listings.insert(vantage.network_namespace, listing)));
        let others: Vec<_> = others.iter().filter(|(number, _)| **number != vantage.network_namespace).collect();
        for (number, pid) in others.iter().copied().take(MOST) {
            let may_enter = !self.is_refused;
            let begin = || {
                if may_enter { begin_within(root, *pid, *number) } else { Err(io::ErrorKind::PermissionDenied.into()) }
            };
            let net = || root.directory.open_dir(&format!("{pid}/net"));
            let (begun, listing) = self.list_one(*number, begin, net, root, buffer);
            self.is_refused |= begun == Seen::Denied;
            if let Seen::Here(listing) = listing {
                listings.insert(*number, listing);
            }
        }
        NamespaceListings { listings, home, left_out: others.len().saturating_sub(MOST) }
    }

    fn list_one(
        &mut self,
        number: u64,
        begin: impl FnOnce() -> io::Result<SockDiag>,
        net: impl FnOnce() -> Seen<Directory>,
        root: &ProcRoot,
        buffer: &mut Vec<u8>,
    ) -> (Seen<()>, Seen<SocketListing>) {
        let (answer, mut conversation) = match self.conversations.remove(&number) {
            Some(conversation) => (Seen::Here(()), conversation),
            None => {
                let mut begun = SockDiag::for_playback();
                let name = number.to_string();
                let open = || begin().map(|conversation| begun = conversation).into();
                (root.tape.value("netlink-open", &name, open), begun)
            }
        };
        let listing = list_sockets(&mut conversation, net, &root.tape, buffer);
        if matches!(&listing, Seen::Here(listing) if !listing.is_fallback) {
            self.conversations.insert(number, conversation);
        }
        (answer, listing)
    }
}

/// Begins a conversation in the namespace of a process. A thread of its own enters it, and ends there.
fn begin_within(root: &ProcRoot, pid: u32, number: u64) -> io::Result<SockDiag> {
    let namespace = root.directory.open_file(&format!("{pid}/ns/net"))?;
    // It may have gone elsewhere since, or be another process.
    if rustix::fs::fstat(&namespace)?.st_ino != number {
        return Err(io::ErrorKind::NotFound.into());
    }
    let enter = move |namespace: OwnedFd| {
        let kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind)?;
        SockDiag::open()
    };
    let entering = std::thread::Builder::new().name("namespace".to_owned()).spawn(move || enter(namespace))?;
    entering.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
}
