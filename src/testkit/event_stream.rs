//! Messages of AWS event streams for tests. In: headers and payload; out: bytes as on the wire.

/// A message with string headers.
#[must_use]
pub fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let header = |(name, value): &(&str, &str)| {
        let length = (value.len() as u16).to_be_bytes();
        [&[name.len() as u8][..], name.as_bytes(), &[7], &length, value.as_bytes()].concat()
    };
    let headers: Vec<u8> = headers.iter().flat_map(header).collect();
    let total = (headers.len() + payload.len() + 16) as u32;
    let mut bytes = [total.to_be_bytes(), (headers.len() as u32).to_be_bytes()].concat();
    bytes.extend(checksum(&bytes));
    bytes.extend(headers);
    bytes.extend_from_slice(payload);
    bytes.extend(checksum(&bytes));
    bytes
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}
