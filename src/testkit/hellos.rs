//! ClientHellos of TLS 1.3 (RFC 8446 §4.1.2), with or without a name, with or without an encrypted one inside. In: those; out:
//! a handshake message, or a record that holds it.

/// What a hello says; by default nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hello<'a> {
    pub name: Option<&'a str>,
    /// The config_id of an outer encrypted_client_hello (RFC 9849 §5), of a real one or of GREASE.
    pub ech: Option<u8>,
}

impl Hello<'_> {
    /// The handshake message.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut extensions = vec![0x00, 0x2b, 0x00, 0x03, 0x02, 0x03, 0x04];
        if let Some(name) = self.name {
            let length = |more: usize| (name.len() as u16 + more as u16).to_be_bytes();
            extensions.extend([&[0, 0][..], &length(5), &length(3), &[0], &length(0), name.as_bytes()].concat());
        }
        if let Some(config_id) = self.ech {
            let outer = [&[0, 0, 1, 0, 1, config_id, 0, 32][..], &[9; 32], &[0, 48], &[8; 48]].concat();
            extensions.extend([0xfe, 0x0d, 0, outer.len() as u8]);
            extensions.extend(outer);
        }
        let mut body = [&[0x03, 0x03][..], &[7; 32], &[0, 0x00, 0x02, 0x13, 0x01, 0x01, 0x00]].concat();
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        [&[0x01, 0x00], &(body.len() as u16).to_be_bytes()[..], &body].concat()
    }

    /// The same in one record.
    #[must_use]
    pub fn record(&self) -> Vec<u8> {
        let message = self.message();
        [&[0x16, 0x03, 0x01], &(message.len() as u16).to_be_bytes()[..], &message].concat()
    }
}
