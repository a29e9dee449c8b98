//! X.509 certificates as far as names go (RFC 5280 §4.1), unsigned, and the handshake message that carries them. In: names;
//! out: DER, or a Certificate message of TLS 1.2 (RFC 5246 §7.4.2).

/// What a certificate says of whom it is for.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// The dNSNames of subjectAltName; without any the extension is left out.
    pub names: &'a [&'a str],
    pub common_name: &'a str,
}

impl Certificate<'_> {
    /// The certificate; what is no name is made up.
    #[must_use]
    pub fn der(&self) -> Vec<u8> {
        let oid = |bytes: &[u8]| element(0x06, bytes);
        let algorithm = element(0x30, &oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]));
        let name = |common_name: &str| {
            let attribute = [oid(&[0x55, 4, 3]), element(0x0c, common_name.as_bytes())].concat();
            element(0x30, &element(0x31, &element(0x30, &attribute)))
        };
        let validity = element(0x30, &element(0x17, b"260101000000Z").repeat(2));
        let key = element(0x30, &[algorithm.clone(), element(0x03, &[0; 270])].concat());
        let mut fields = vec![
            element(0xa0, &element(0x02, &[2])),
            element(0x02, &[7; 16]),
            algorithm.clone(),
            name("An Authority"),
            validity,
            name(self.common_name),
            key,
        ];
        let mut extensions =
            element(0x30, &[oid(&[0x55, 0x1d, 0x13]), vec![1, 1, 0xff], element(0x04, &[0x30, 0])].concat());
        if !self.names.is_empty() {
            let names: Vec<u8> = self.names.iter().flat_map(|name| element(0x82, name.as_bytes())).collect();
            let value = element(0x04, &element(0x30, &names));
            extensions.extend(element(0x30, &[oid(&[0x55, 0x1d, 0x11]), value].concat()));
        }
        fields.push(element(0xa3, &element(0x30, &extensions)));
        let signature = element(0x03, &[0; 257]);
        element(0x30, &[element(0x30, &fields.concat()), algorithm, signature].concat())
    }
}

/// The Certificate message with these, the server's own first.
#[must_use]
pub fn certificate_message(certificates: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<u8> = certificates.iter().flat_map(|der| [&length(der.len())[..], der].concat()).collect();
    [&[11][..], &length(list.len() + 3), &length(list.len()), &list].concat()
}

fn length(bytes: usize) -> [u8; 3] {
    [(bytes >> 16) as u8, (bytes >> 8) as u8, bytes as u8]
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let size = content.len();
    let length = match size {
        0..=0x7f => vec![size as u8],
        0x80..=0xff => vec![0x81, size as u8],
        _ => vec![0x82, (size >> 8) as u8, size as u8],
    };
    [&[tag][..], &length, content].concat()
}
