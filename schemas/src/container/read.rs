//! Reads container files, block by block.

use std::{
    io::{self, BufReader, Read, Seek, SeekFrom},
    marker::PhantomData,
};

use apache_avro::{Codec, DeflateSettings, Schema, schema::Name, schema_compatibility::SchemaCompatibility};

use super::{ContainerError, MAGIC, SYNC_BYTES};
use crate::{
    codec::{MAX_ALLOCATION_BYTES, Record, hex},
    number::{read_byte, read_long, read_number},
};

/// Maximum size of a header, which contains little beside the schema.
const MAX_HEADER_BYTES: u64 = 4 << 20;

/// Reads records of one type from a container file.
pub struct Reader<R, F> {
    file: BufReader<F>,
    /// Offset of the next block.
    offset: u64,
    codec: Codec,
    sync: [u8; SYNC_BYTES],
    /// Schema of the file, unless its binary layout is that of the current version.
    writer_schema: Option<Schema>,
    record: PhantomData<fn() -> R>,
}

/// A block of encoded records.
pub struct Block {
    offset: u64,
    count: i64,
    data: Vec<u8>,
}

/// Position of a record in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPosition {
    /// Offset of its block in the file.
    pub block: u64,
    /// Offset within the decompressed block.
    pub at: u32,
}

impl<R: Record, F: Read + Seek> Reader<R, F> {
    /// Reads the header. The records can be of any version that resolves to the current one.
    pub fn open(file: F) -> Result<Self, ContainerError> {
        let mut header = Header { file: BufReader::new(file).take(MAX_HEADER_BYTES) };
        header.magic()?;
        let mut schema = None;
        let mut codec = None;
        header.entries(|key, value| match key {
            b"avro.schema" => schema = Some(value),
            b"avro.codec" => codec = Some(value),
            _ => {}
        })?;
        let sync = header.sync()?;
        let schema = schema.ok_or_else(|| header_error("it has no `avro.schema`"))?;
        let codec = parse_codec(codec.as_deref().unwrap_or(b"null"))?;
        let writer_schema = parse_schema::<R>(&schema)?;
        let mut file = header.file.into_inner();
        let offset = file.stream_position()?;
        Ok(Reader { file, offset, codec, sync, writer_schema, record: PhantomData })
    }

    /// Reads the next block; `None` after the last one.
    ///
    /// # Errors
    /// If the next block is truncated or invalid. The reader must not be used afterwards.
    pub fn next_block(&mut self) -> Result<Option<Block>, ContainerError> {
        let offset = self.offset;
        let whole = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ContainerError::Truncated { offset },
            io::ErrorKind::InvalidData => ContainerError::Damaged { offset, reason: error.to_string() },
            _ => ContainerError::Io(error),
        };
        let Some(first) = read_byte(&mut self.file)? else { return Ok(None) };
        let count = read_long(first, &mut self.file).map_err(whole)?;
        let length = read_number(&mut self.file).map_err(whole)?;
        if count < 0 || length < 0 {
            let reason = format!("it is said to have {count} records in {length} bytes");
            return Err(ContainerError::Damaged { offset, reason });
        }
        if length > MAX_ALLOCATION_BYTES as i64 {
            return Err(ContainerError::BlockTooLarge { offset, found: length });
        }
        let mut data = read_bytes(length, &mut self.file).map_err(whole)?;
        let mut sync = [0; SYNC_BYTES];
        self.file.read_exact(&mut sync).map_err(whole)?;
        if sync != self.sync {
            let reason = format!("expected the file's mark `{}` at its end, found `{}`", hex(&self.sync), hex(&sync));
            return Err(ContainerError::Damaged { offset, reason });
        }
        self.offset = self.file.stream_position()?;
        let damaged = |error: apache_avro::Error| ContainerError::Damaged { offset, reason: error.to_string() };
        self.codec.decompress(&mut data).map_err(damaged)?;
        Ok(Some(Block { offset, count, data }))
    }

    /// Reads the block at that offset.
    ///
    /// # Errors
    /// If no block begins there.
    pub fn block_at(&mut self, offset: u64) -> Result<Block, ContainerError> {
        self.offset = self.file.seek(SeekFrom::Start(offset))?;
        self.next_block()?.ok_or(ContainerError::Truncated { offset })
    }

    /// Decodes the block's records with their positions. Iteration ends after the first error.
    pub fn records<'a>(
        &'a self,
        block: &'a Block,
    ) -> impl Iterator<Item = Result<(RecordPosition, R), ContainerError>> + 'a {
        let mut rest = block.data.as_slice();
        let mut left = block.count;
        std::iter::from_fn(move || {
            if left == 0 {
                let unread = std::mem::take(&mut rest).len();
                return (unread > 0).then(|| Err(block.damaged(format!("{unread} bytes follow its last record"))));
            }
            left -= 1;
            let at = block.data.len() - rest.len();
            let record = self.decode(block, &mut rest).and_then(|record| Ok((block.position(at)?, record)));
            if record.is_err() {
                (rest, left) = (&[], 0);
            }
            Some(record)
        })
    }

    /// Decodes the record at an offset within this block.
    pub fn record_at(&self, block: &Block, at: u32) -> Result<R, ContainerError> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let mut data = block.data.get(start..).ok_or_else(|| block.damaged("it has become shorter".to_owned()))?;
        self.decode(block, &mut data)
    }

    fn decode(&self, block: &Block, data: &mut &[u8]) -> Result<R, ContainerError> {
        let record = match &self.writer_schema {
            None => R::versions().read(data),
            Some(schema) => R::versions().resolve(schema, data),
        };
        record.map_err(|error| block.damaged(error.to_string()))
    }
}

impl Block {
    /// Offset of the block in its file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Size of its decompressed records in bytes.
    pub fn size(&self) -> usize {
        self.data.len()
    }

    fn position(&self, at: usize) -> Result<RecordPosition, ContainerError> {
        let at = u32::try_from(at).map_err(|_| self.damaged("it is too large".to_owned()))?;
        Ok(RecordPosition { block: self.offset, at })
    }

    fn damaged(&self, reason: String) -> ContainerError {
        ContainerError::Damaged { offset: self.offset, reason }
    }
}

/// Everything before the blocks: magic, metadata map, sync marker.
struct Header<F> {
    file: io::Take<BufReader<F>>,
}

impl<F: Read> Header<F> {
    fn magic(&mut self) -> Result<(), ContainerError> {
        let mut magic = Vec::new();
        self.file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut magic)?;
        if magic == MAGIC {
            return Ok(());
        }
        let found = if magic.is_empty() { "nothing".to_owned() } else { format!("`{}`", hex(&magic)) };
        Err(ContainerError::NotAContainer { found })
    }

    fn entries(&mut self, mut visit: impl FnMut(&[u8], Vec<u8>)) -> Result<(), ContainerError> {
        loop {
            let mut count = read_number(&mut self.file).map_err(header_read_error)?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // The length in bytes, which lets readers skip the block.
                read_number(&mut self.file).map_err(header_read_error)?;
                count = count.saturating_neg();
            }
            for _ in 0..count {
                visit(&self.bytes()?, self.bytes()?);
            }
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>, ContainerError> {
        let length = read_number(&mut self.file).map_err(header_read_error)?;
        read_bytes(length, &mut self.file).map_err(header_read_error)
    }

    fn sync(&mut self) -> Result<[u8; SYNC_BYTES], ContainerError> {
        let mut sync = [0; SYNC_BYTES];
        self.file.read_exact(&mut sync).map_err(header_read_error)?;
        Ok(sync)
    }
}

fn header_error(reason: impl ToString) -> ContainerError {
    ContainerError::Header { reason: reason.to_string() }
}

fn header_read_error(error: io::Error) -> ContainerError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            header_error(format!("it has no end within {MAX_HEADER_BYTES} bytes or the file"))
        }
        io::ErrorKind::InvalidData => header_error(error),
        _ => ContainerError::Io(error),
    }
}

fn parse_codec(name: &[u8]) -> Result<Codec, ContainerError> {
    match name {
        b"null" => Ok(Codec::Null),
        b"deflate" => Ok(Codec::Deflate(DeflateSettings::default())),
        other => Err(ContainerError::Codec { found: String::from_utf8_lossy(other).into_owned() }),
    }
}

/// The file's schema, unless its binary layout is that of the record's current version.
fn parse_schema<R: Record>(text: &[u8]) -> Result<Option<Schema>, ContainerError> {
    let text = std::str::from_utf8(text).map_err(header_error)?;
    let schema = Schema::parse_str(text).map_err(header_error)?;
    let versions = R::versions();
    if versions.is_current(&schema) {
        return Ok(None);
    }
    let current = versions.current();
    let name = |schema: &Schema| match schema.name() {
        Some(name) => name.fullname(None),
        None => schema.canonical_form(),
    };
    let expected = name(current);
    let found = name(&schema);
    if expected != found {
        return Err(ContainerError::OtherSchema { expected, found });
    }
    // Values of a recursive schema could nest so deeply that decoding overflows the stack.
    if is_recursive(&schema, &mut Vec::new()) {
        return Err(ContainerError::Incompatible { name: found, reason: "it is recursive".to_owned() });
    }
    match SchemaCompatibility::can_read(&schema, current) {
        Ok(_) => Ok(Some(schema)),
        Err(error) => Err(ContainerError::Incompatible { name: found, reason: error.to_string() }),
    }
}

fn is_recursive(schema: &Schema, within: &mut Vec<Name>) -> bool {
    match schema {
        Schema::Ref { name } => within.contains(name),
        Schema::Array(array) => is_recursive(&array.items, within),
        Schema::Map(map) => is_recursive(&map.types, within),
        Schema::Union(union) => union.variants().iter().any(|variant| is_recursive(variant, within)),
        Schema::Record(record) => {
            within.push(record.name.clone());
            let holds = record.fields.iter().any(|field| is_recursive(&field.schema, within));
            within.pop();
            holds
        }
        _ => false,
    }
}

/// Reads `length` bytes. A forged length allocates no more memory than the file has.
fn read_bytes(length: i64, from: &mut impl Read) -> io::Result<Vec<u8>> {
    let negative = |_| io::Error::new(io::ErrorKind::InvalidData, format!("a length is {length}"));
    let length = u64::try_from(length).map_err(negative)?;
    let mut bytes = Vec::new();
    from.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
