//! Protobuf fields and the envelopes of gRPC and Connect for tests. In: values; out: bytes as on the wire.

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field with a length: a string, bytes or a message.
#[must_use]
pub fn bytes_field(number: u32, value: &[u8]) -> Vec<u8> {
    [&varint(u64::from(number) << 3 | 2)[..], &varint(value.len() as u64), value].concat()
}

/// Fields one after another.
#[must_use]
pub fn message(fields: &[Vec<u8>]) -> Vec<u8> {
    fields.concat()
}

/// A message in its envelope; flag 1: compressed.
#[must_use]
pub fn envelope(flag: u8, message: &[u8]) -> Vec<u8> {
    [&[flag][..], &u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes(), message].concat()
}
