//! Avro object container files, which every Avro library reads.
//!
//! A file is a header with the schema, then blocks. Blocks are written whole, so that everything
//! recorded before a crash stays readable. A reader accepts all blocks up to the first incomplete
//! one, and reports that one.
//!
//! Blocks are framed here and not by the library: its reader accepts a file that ends within a
//! block's length as complete, and its writer leaves half a record in the block if encoding fails.

mod read;
mod write;

use std::io;

use thiserror::Error;

pub use read::{Block, Reader, RecordPosition};
pub use write::Writer;

use crate::{CodecError, codec::MAX_ALLOCATION_BYTES};

const MAGIC: [u8; 4] = *b"Obj\x01";
const SYNC_BYTES: usize = 16;

/// Why a container file can't be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ContainerError {
    /// An I/O error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A record can't be encoded.
    #[error(transparent)]
    Record(#[from] CodecError),
    /// The file does not begin with the magic of a container file.
    #[error("expected an Avro object container file (`4f 62 6a 01`), found {found}")]
    NotAContainer {
        /// The first bytes, printable.
        found: String,
    },
    /// The header is truncated or invalid.
    #[error("the header of the Avro object container file cannot be read: {reason}")]
    Header {
        /// What is invalid.
        reason: String,
    },
    /// The file contains records of another type.
    #[error("expected records of the schema `{expected}`, found `{found}`")]
    OtherSchema {
        /// Full name of the expected record.
        expected: String,
        /// Full name in the header.
        found: String,
    },
    /// The schema in the file can't be resolved to a known version of the record.
    #[error("the file's schema `{name}` is not compatible with any version of it that is known here: {reason}")]
    Incompatible {
        /// Full name of the record.
        name: String,
        /// What can't be resolved.
        reason: String,
    },
    /// The compression codec is not supported.
    #[error("expected blocks of the codec `null` or `deflate`, found `{found}`")]
    Codec {
        /// Name of the codec.
        found: String,
    },
    /// The file ends within a block.
    #[error("the file is cut off within the block that begins at byte {offset}")]
    Truncated {
        /// Offset of the block.
        offset: u64,
    },
    /// A block is invalid.
    #[error("the block that begins at byte {offset} is damaged: {reason}")]
    Damaged {
        /// Offset of the block.
        offset: u64,
        /// What is invalid.
        reason: String,
    },
    /// A block exceeds the maximum size.
    #[error(
        "the block that begins at byte {offset} is said to have {found} bytes, at most {MAX_ALLOCATION_BYTES} are read"
    )]
    BlockTooLarge {
        /// Offset of the block.
        offset: u64,
        /// Size in bytes.
        found: i64,
    },
}

impl ContainerError {
    /// Whether the error concerns a block: everything before it was valid.
    pub fn is_block_error(&self) -> bool {
        matches!(
            self,
            ContainerError::Truncated { .. } | ContainerError::Damaged { .. } | ContainerError::BlockTooLarge { .. }
        )
    }
}
