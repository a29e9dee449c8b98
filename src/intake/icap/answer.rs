//! What the server says (RFC 3507 §4.3.3, §4.10). In: nothing of the wire but where sections begin; out: heads of
//! answers. The service never changes a message, so its tag never changes either.

use super::{
    Fault,
    head::{Encapsulated, Method},
};

/// Bytes of a body that a client shall show before it asks whether to go on: small uploads end within it.
pub const PREVIEW_BYTES: usize = 4096;
/// So long a client may go by one answer to OPTIONS, in seconds.
const OPTIONS_TTL_SECONDS: u32 = 3600;
/// The same in every answer (§4.7).
const TAG: &str = concat!("ISTag: \"shadowtap-", env!("CARGO_PKG_VERSION"), "\"\r\n");

pub(super) const CONTINUE: &[u8] = b"ICAP/1.0 100 Continue\r\n\r\n";

/// What the service says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Connections that a client may open.
    pub max_connections: usize,
}

impl Service {
    pub(super) fn options(self, service: Method, out: &mut Vec<u8>) {
        let method = if service == Method::Respmod { "RESPMOD" } else { "REQMOD" };
        let connections = self.max_connections;
        out.extend_from_slice(
            format!(
                "ICAP/1.0 200 OK\r\nMethods: {method}\r\nService: shadowtap\r\n{TAG}Encapsulated: null-body=0\r\n\
                 Max-Connections: {connections}\r\nOptions-TTL: {OPTIONS_TTL_SECONDS}\r\nAllow: 204\r\n\
                 Preview: {PREVIEW_BYTES}\r\nTransfer-Preview: *\r\n\r\n"
            )
            .as_bytes(),
        );
    }
}

/// The message stays as it is (§4.3.3).
pub(super) fn unchanged(out: &mut Vec<u8>) {
    out.extend_from_slice(format!("ICAP/1.0 204 No Content\r\n{TAG}Encapsulated: null-body=0\r\n\r\n").as_bytes());
}

/// The message itself follows.
pub(super) fn same_again(encapsulated: &Encapsulated, out: &mut Vec<u8>) {
    let back = &encapsulated.back;
    out.extend_from_slice(format!("ICAP/1.0 200 OK\r\n{TAG}Encapsulated: {back}\r\n\r\n").as_bytes());
}

pub(super) fn fault(fault: Fault, out: &mut Vec<u8>) {
    let status = match fault {
        Fault::Malformed | Fault::TooLong => "400 Bad Request",
        Fault::Method => "405 Method Not Allowed",
        Fault::Version => "505 ICAP Version Not Supported",
    };
    out.extend_from_slice(last(status).as_bytes());
}

/// To those for whom there is no room.
#[must_use]
pub fn overloaded() -> String {
    last("503 Service Overloaded")
}

fn last(status: &str) -> String {
    format!("ICAP/1.0 {status}\r\n{TAG}Connection: close\r\nEncapsulated: null-body=0\r\n\r\n")
}
