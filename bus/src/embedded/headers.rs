//! Encodes headers as bytes: for each header its name and its value, both preceded by their length
//! in four bytes, little-endian.

/// Encodes `headers`. Returns `None` if a name or value is too long for its length field.
pub fn encode(headers: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        for field in [name.as_bytes(), value] {
            bytes.extend_from_slice(&u32::try_from(field.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(field);
        }
    }
    Some(bytes)
}

/// Decodes headers. Returns `None` if `bytes` are not headers.
pub fn decode(mut bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let name = String::from_utf8(split_off_field(&mut bytes)?.to_vec()).ok()?;
        headers.push((name, split_off_field(&mut bytes)?.to_vec()));
    }
    Some(headers)
}

fn split_off_field<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (field, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(field)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn encoded_headers_are_decoded_unchanged(headers: Vec<(String, Vec<u8>)>) {
            let bytes = encode(&headers);
            prop_assert_eq!(bytes.as_deref().and_then(decode), Some(headers));
        }

        #[test]
        fn any_bytes_that_decode_encode_to_the_same_bytes(bytes: Vec<u8>) {
            if let Some(headers) = decode(&bytes) {
                prop_assert_eq!(encode(&headers), Some(bytes));
            }
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_rejected() {
        assert_eq!(decode(&[9, 0, 0, 0, b'a']), None);
        assert_eq!(decode(&[1, 0, 0]), None);
    }
}
