//! Writes container files, block by block.

use std::{io::Write, marker::PhantomData};

use apache_avro::{Codec, DeflateSettings};

use super::{ContainerError, SYNC_BYTES};
use crate::{
    CodecError,
    codec::{MAX_RECORD_BYTES, Record},
    number::push_long,
};

/// A block is written once its records reach this size.
const BLOCK_BYTES: usize = 256 << 10;

/// Writes records of one type to a container file.
pub struct Writer<R, W> {
    out: W,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    block: Vec<u8>,
    count: i64,
    records_written: u64,
    bytes_written: u64,
    record: PhantomData<fn(&R)>,
}

impl<R: Record, W: Write> Writer<R, W> {
    /// Writes the header. From here on the file is readable.
    pub fn create(mut out: W) -> Result<Self, ContainerError> {
        let codec = Codec::Deflate(DeflateSettings::default());
        let reason = |error: apache_avro::Error| ContainerError::Header { reason: error.to_string() };
        let mut header = apache_avro::Writer::with_codec(R::versions().current(), Vec::new(), codec).map_err(reason)?;
        header.flush().map_err(reason)?;
        let header = header.into_inner().map_err(reason)?;
        out.write_all(&header)?;
        out.flush()?;
        Ok(Writer {
            out,
            codec,
            // The header ends with the marker.
            sync: apache_avro::read_marker(&header),
            block: Vec::new(),
            count: 0,
            records_written: 0,
            bytes_written: header.len() as u64,
            record: PhantomData,
        })
    }

    /// Appends a record. It is written with its block: when that is large enough, or by
    /// [`Writer::finish_block`].
    pub fn append(&mut self, record: &R) -> Result<(), ContainerError> {
        let before = self.block.len();
        if let Err(error) = R::versions().write(record, &mut self.block) {
            self.block.truncate(before);
            return Err(error.into());
        }
        let found = self.block.len() - before;
        if found > MAX_RECORD_BYTES {
            self.block.truncate(before);
            return Err(CodecError::TooLarge { record: R::NAME, found }.into());
        }
        self.count += 1;
        if self.block.len() >= BLOCK_BYTES { self.finish_block() } else { Ok(()) }
    }

    /// Writes the records appended since the last block, if any.
    pub fn finish_block(&mut self) -> Result<(), ContainerError> {
        if self.count == 0 {
            return Ok(());
        }
        let mut data = std::mem::take(&mut self.block);
        let count = std::mem::take(&mut self.count);
        let damaged = |error: apache_avro::Error| ContainerError::Damaged {
            offset: self.bytes_written,
            reason: error.to_string(),
        };
        self.codec.compress(&mut data).map_err(damaged)?;
        let mut framed = Vec::with_capacity(data.len() + 20 + SYNC_BYTES);
        push_long(count, &mut framed);
        push_long(i64::try_from(data.len()).unwrap_or(i64::MAX), &mut framed);
        framed.extend_from_slice(&data);
        framed.extend_from_slice(&self.sync);
        // A single write, so that a crash can't leave half a block behind a whole one.
        self.out.write_all(&framed)?;
        self.out.flush()?;
        self.bytes_written += framed.len() as u64;
        self.records_written += count.unsigned_abs();
        Ok(())
    }

    /// Number of bytes written, in the header and whole blocks.
    pub fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    /// Number of records written, in whole blocks.
    pub fn records_written(&self) -> u64 {
        self.records_written
    }

    /// The underlying writer.
    pub fn get_ref(&self) -> &W {
        &self.out
    }
}
