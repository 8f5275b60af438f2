//! Files of records: Avro object container files, which every Avro library reads.
//!
//! A file is a header with the schema, then blocks. A block is written whole, so that what was recorded before is readable however
//! the writer ended; a reader takes the blocks up to the first that is not whole, and says so.
//!
//! The blocks are framed here and not by the library: its reader takes a file that ends within a block's length for one that is
//! complete, and its writer leaves half a record in the block when a record cannot be written.

mod read;
mod write;

use std::io;

use thiserror::Error;

pub use read::{Block, Place, Reader};
pub use write::Writer;

use crate::{CodecError, codec::MAX_ALLOCATION_BYTES};

const MAGIC: [u8; 4] = *b"Obj\x01";
const SYNC_BYTES: usize = 16;

/// Why a file of records cannot be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// The file system refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A record cannot be written.
    #[error(transparent)]
    Record(#[from] CodecError),
    /// It does not begin as a container file does.
    #[error("expected an Avro object container file (`4f 62 6a 01`), found {found}")]
    NotAContainer {
        /// How it begins, for people.
        found: String,
    },
    /// The header is not whole, or does not say what it must.
    #[error("the header of the Avro object container file cannot be read: {reason}")]
    Header {
        /// What is wrong with it.
        reason: String,
    },
    /// It holds other records.
    #[error("expected records of the schema `{expected}`, found `{found}`")]
    OtherSchema {
        /// The record's full name.
        expected: String,
        /// The name that the header tells.
        found: String,
    },
    /// It holds such records in a form that cannot be told from its schema.
    #[error("the file's schema `{name}` is not compatible with any version of it that is known here: {reason}")]
    Incompatible {
        /// The record's full name.
        name: String,
        /// What cannot be resolved.
        reason: String,
    },
    /// Its blocks are compressed in a way that is not read here.
    #[error("expected blocks of the codec `null` or `deflate`, found `{found}`")]
    Codec {
        /// The codec's name.
        found: String,
    },
    /// The file ends within a block.
    #[error("the file is cut off within the block that begins at byte {offset}")]
    Cut {
        /// Where the block begins.
        offset: u64,
    },
    /// A block is not what it says.
    #[error("the block that begins at byte {offset} is damaged: {reason}")]
    Damaged {
        /// Where the block begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A block is larger than any that is read here.
    #[error(
        "the block that begins at byte {offset} is said to have {found} bytes, at most {MAX_ALLOCATION_BYTES} are read"
    )]
    BlockTooLarge {
        /// Where the block begins.
        offset: u64,
        /// Its length in bytes.
        found: i64,
    },
}

impl ContainerError {
    /// Whether the file is sound up to a place, and what follows there cannot be read.
    pub fn is_about_a_block(&self) -> bool {
        matches!(
            self,
            ContainerError::Cut { .. } | ContainerError::Damaged { .. } | ContainerError::BlockTooLarge { .. }
        )
    }
}
