//! Avro's variable-length integers: zigzag, then seven bits per byte, least significant first.

use std::io::{self, Read};

/// Appends an integer.
pub fn push_long(number: i64, bytes: &mut Vec<u8>) {
    let mut rest = (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned();
    while rest > 0x7f {
        bytes.push(0x80 | (rest & 0x7f) as u8);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// Reads the next byte; `None` at the end of input.
pub fn read_byte(from: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    loop {
        match from.read(&mut byte) {
            Ok(read) => return Ok((read == 1).then_some(byte[0])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads an integer.
pub fn read_number(from: &mut impl Read) -> io::Result<i64> {
    let first = read_byte(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    read_long(first, from)
}

/// Reads an integer whose first byte was read already.
pub fn read_long(first: u8, from: &mut impl Read) -> io::Result<i64> {
    const BITS: u32 = 7;
    let mut byte = first;
    let mut number = 0_u64;
    for at in 0..10 {
        number |= u64::from(byte & 0x7f) << (at * BITS);
        if byte & 0x80 == 0 {
            return Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed());
        }
        byte = read_byte(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a number has more than 64 bits"))
}
