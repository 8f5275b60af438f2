//! Headers as bytes: for each its name and its value, both behind their length in four bytes, little-endian.

/// The bytes of `headers`; none if one of them is too long for its length to be written.
pub fn encode(headers: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        for part in [name.as_bytes(), value] {
            bytes.extend_from_slice(&u32::try_from(part.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(part);
        }
    }
    Some(bytes)
}

/// The headers that `bytes` are, if they are headers.
pub fn decode(mut bytes: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::new();
    while !bytes.is_empty() {
        let name = String::from_utf8(take(&mut bytes)?.to_vec()).ok()?;
        headers.push((name, take(&mut bytes)?.to_vec()));
    }
    Some(headers)
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn headers_come_back_as_they_were(headers: Vec<(String, Vec<u8>)>) {
            let bytes = encode(&headers);
            prop_assert_eq!(bytes.as_deref().and_then(decode), Some(headers));
        }

        #[test]
        fn any_bytes_are_headers_or_are_not(bytes: Vec<u8>) {
            if let Some(headers) = decode(&bytes) {
                prop_assert_eq!(encode(&headers), Some(bytes));
            }
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_no_header() {
        assert_eq!(decode(&[9, 0, 0, 0, b'a']), None);
        assert_eq!(decode(&[1, 0, 0]), None);
    }
}
