//! `Sec-WebSocket-Extensions` of the server's answer (RFC 7692 §7.1): the only thing in it that a listener needs.

/// Whether the client's messages are each compressed by themselves. What else may be agreed on (the window's size, the
/// server's messages) changes nothing for a reader with the largest window; and RSV1 tells what is compressed.
pub(in crate::protocol) fn client_no_context_takeover(value: &[u8]) -> bool {
    // The first extension that is taken up is the one that holds.
    let mut extensions = value.split(|byte| *byte == b',').map(|extension| extension.split(|byte| *byte == b';'));
    extensions.any(|mut parts| {
        parts.next().is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"permessage-deflate"))
            && parts.any(|part| part.trim_ascii().eq_ignore_ascii_case(b"client_no_context_takeover"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameter_counts_for_its_own_extension_alone() {
        for (value, expected) in [
            ("permessage-deflate", false),
            ("permessage-deflate; client_max_window_bits=15; client_no_context_takeover", true),
            ("Permessage-Deflate;Client_No_Context_Takeover", true),
            ("permessage-deflate; server_no_context_takeover", false),
            ("x-other; client_no_context_takeover, permessage-deflate", false),
            ("", false),
        ] {
            assert_eq!(client_no_context_takeover(value.as_bytes()), expected, "{value}");
        }
    }
}
