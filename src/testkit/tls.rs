//! TLS sessions that a key log opens, protected as on the wire. In: a cipher suite and what both sides say; out: records,
//! and the lines of the key log. Certificates and signatures are filler: no listener checks them.

use std::{
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use crate::{
    protocol::{
        Dissector, Protocol, Settings, Start,
        tls::{self, Opener, Role, Suite},
    },
    secrets::{KeyLog, Secret},
};

/// Cipher suites of either version, with each cipher that is read.
pub const SUITES: [u16; 6] = [0x1301, 0x1302, 0x1303, 0xc02f, 0xc030, 0xcca8];

const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const LONGEST_PLAINTEXT: usize = 1 << 14;

/// TLS as it is read by whoever has the key log of [`known`] sessions.
pub const KEYED: Protocol = Protocol { open: open_keyed, ..tls::PROTOCOL };

/// A session by this suite that [`KEYED`] can open.
///
/// # Panics
/// The suite is none of [`SUITES`].
#[must_use]
pub fn known(suite: u16) -> Session {
    let place = SUITES.iter().position(|known| *known == suite).expect("one of the suites");
    Session::new(suite, place as u8 + 1)
}

fn open_keyed(settings: &Settings, start: Start) -> Box<dyn Dissector> {
    static KEY_LOG: OnceLock<Arc<KeyLog>> = OnceLock::new();
    let key_log = KEY_LOG.get_or_init(|| {
        let log = KeyLog::new(SUITES.len(), 1 << 30);
        for suite in SUITES {
            log.add(known(suite).key_log().as_bytes());
        }
        Arc::new(log)
    });
    let (key_log, max_undecrypted_bytes) = (Some(Arc::clone(key_log)), 64 << 10);
    (tls::PROTOCOL.open)(&Settings { key_log, max_undecrypted_bytes, ..settings.clone() }, start)
}

/// One session, as both of its sides know it.
pub struct Session {
    number: u16,
    suite: Suite,
    client_random: [u8; 32],
    /// Protects what a side sends next.
    client: Opener,
    server: Opener,
}

impl Session {
    /// A session by this cipher suite; `seed` makes its randoms and secrets.
    ///
    /// # Panics
    /// The suite is none that is read.
    #[must_use]
    pub fn new(number: u16, seed: u8) -> Self {
        let suite = Suite::of(number).expect("a suite that is read");
        let client_random = [seed; 32];
        let opener = |role| match suite.is_tls13 {
            true => Opener::of_traffic_secret(suite, &secret(number, seed, handshake_label(role))),
            false => {
                let master = secret(number, seed, "CLIENT_RANDOM");
                Opener::of_master_secret(suite, &master, &client_random, &server_random(seed), role)
            }
        };
        let [client, server] = [Role::Client, Role::Server].map(|role| opener(role).expect("keys"));
        Self { number, suite, client_random, client, server }
    }

    fn seed(&self) -> u8 {
        self.client_random[0]
    }

    /// The lines of its key log.
    #[must_use]
    pub fn key_log(&self) -> String {
        let labels: &[&str] = if self.suite.is_tls13 {
            &[
                "CLIENT_EARLY_TRAFFIC_SECRET",
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "CLIENT_TRAFFIC_SECRET_0",
                "SERVER_TRAFFIC_SECRET_0",
            ]
        } else {
            &["CLIENT_RANDOM"]
        };
        labels.iter().map(|label| self.key_log_line(label)).collect()
    }

    /// The line of its key log with this label.
    #[must_use]
    pub fn key_log_line(&self, label: &str) -> String {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut digits, byte| {
                let _ = write!(digits, "{byte:02x}");
                digits
            })
        };
        let secret = secret(self.number, self.seed(), label);
        format!("{label} {} {}\n", hex(&self.client_random), hex(secret.bytes()))
    }

    /// The client's first record.
    #[must_use]
    pub fn client_hello(&self, name: &str) -> Vec<u8> {
        let length = |more: usize| ((name.len() + more) as u16).to_be_bytes();
        let server_name = [&[0, 0][..], &length(5), &length(3), &[0], &length(0), name.as_bytes()].concat();
        let versions = [0, 43, 0, 5, 4, 3, 4, 3, 3];
        let extensions = [&server_name[..], &versions].concat();
        let mut body = [&[3, 3][..], &self.client_random, &[0, 0, 2], &self.number.to_be_bytes(), &[1, 0]].concat();
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        clear(&handshake(1, &body))
    }

    /// The server's first records, to the end of its side of the handshake or what it says in the clear.
    #[must_use]
    pub fn server_hello(&mut self) -> Vec<u8> {
        let extensions: &[u8] = if self.suite.is_tls13 { &[0, 43, 0, 2, 3, 4, 0, 41, 0, 2, 0, 0] } else { &[] };
        let random = server_random(self.seed());
        let mut body = [&[3, 3][..], &random, &[0], &self.number.to_be_bytes(), &[0]].concat();
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let hello = handshake(2, &body);
        let certificate = handshake(11, &[5; 700]);
        if !self.suite.is_tls13 {
            return clear(&[hello, certificate, handshake(14, &[])].concat());
        }
        let rest = [handshake(8, &[0, 0]), certificate, handshake(20, &[6; 32])].concat();
        let (first, second) = rest.split_at(300);
        let sealed = [first, second].map(|piece| self.server.seal(HANDSHAKE, piece, 0)).concat();
        self.server = self.application(Role::Server);
        [clear(&hello), CHANGE_CIPHER_SPEC.to_vec(), sealed].concat()
    }

    /// The end of the client's side of the handshake.
    #[must_use]
    pub fn client_finished(&mut self) -> Vec<u8> {
        let exchange = if self.suite.is_tls13 { Vec::new() } else { clear(&handshake(16, &[7; 66])) };
        let finished = self.client.seal(HANDSHAKE, &handshake(20, &[6; 32]), 0);
        if self.suite.is_tls13 {
            self.client = self.application(Role::Client);
        }
        [exchange, CHANGE_CIPHER_SPEC.to_vec(), finished].concat()
    }

    /// What the server says after that: its own Finished in TLS 1.2, a ticket in TLS 1.3.
    #[must_use]
    pub fn server_finished(&mut self) -> Vec<u8> {
        if self.suite.is_tls13 {
            return self.server.seal(HANDSHAKE, &handshake(4, &[3; 120]), 0);
        }
        let finished = self.server.seal(HANDSHAKE, &handshake(20, &[6; 32]), 0);
        [&CHANGE_CIPHER_SPEC[..], &finished].concat()
    }

    /// Early data, which is sent behind the client's hello.
    #[must_use]
    pub fn early(&self, plain: &[u8]) -> Vec<u8> {
        let secret = secret(self.number, self.seed(), "CLIENT_EARLY_TRAFFIC_SECRET");
        let mut opener = Opener::of_traffic_secret(self.suite, &secret).expect("keys");
        [opener.seal(APPLICATION_DATA, plain, 0), opener.seal(HANDSHAKE, &handshake(5, &[]), 0)].concat()
    }

    /// Application data of the client, in as many records as it takes; every other one is padded in TLS 1.3.
    #[must_use]
    pub fn client_says(&mut self, plain: &[u8]) -> Vec<u8> {
        says(&mut self.client, plain, LONGEST_PLAINTEXT)
    }

    #[must_use]
    pub fn server_says(&mut self, plain: &[u8]) -> Vec<u8> {
        says(&mut self.server, plain, LONGEST_PLAINTEXT)
    }

    /// The same in records of at most so many bytes.
    #[must_use]
    pub fn client_says_in(&mut self, size: usize, plain: &[u8]) -> Vec<u8> {
        says(&mut self.client, plain, size)
    }

    /// The client changes its key (TLS 1.3).
    #[must_use]
    pub fn client_updates(&mut self) -> Vec<u8> {
        let update = self.client.seal(HANDSHAKE, &handshake(24, &[0]), 0);
        self.client = self.client.updated().expect("TLS 1.3");
        update
    }

    /// Both sides say that nothing follows: the client's alert, and the server's.
    #[must_use]
    pub fn close(&mut self) -> (Vec<u8>, Vec<u8>) {
        (self.client.seal(ALERT, &[1, 0], 0), self.server.seal(ALERT, &[1, 0], 0))
    }

    fn application(&self, role: Role) -> Opener {
        let label = if role == Role::Client { "CLIENT_TRAFFIC_SECRET_0" } else { "SERVER_TRAFFIC_SECRET_0" };
        Opener::of_traffic_secret(self.suite, &secret(self.number, self.seed(), label)).expect("keys")
    }
}

fn says(opener: &mut Opener, plain: &[u8], size: usize) -> Vec<u8> {
    plain.chunks(size).enumerate().flat_map(|(n, piece)| opener.seal(APPLICATION_DATA, piece, n % 2 * 7)).collect()
}

fn handshake_label(role: Role) -> &'static str {
    if role == Role::Client { "CLIENT_HANDSHAKE_TRAFFIC_SECRET" } else { "SERVER_HANDSHAKE_TRAFFIC_SECRET" }
}

fn server_random(seed: u8) -> [u8; 32] {
    [!seed; 32]
}

/// As long as the suite's hash makes it.
fn secret(number: u16, seed: u8, label: &str) -> Secret {
    let length = if matches!(number, 0x1301 | 0x1303) { 32 } else { 48 };
    let bytes: Vec<u8> = label.bytes().cycle().take(length).map(|byte| byte ^ seed).collect();
    Secret::new(&bytes).expect("no longer than any")
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = (body.len() as u32).to_be_bytes();
    [&[kind][..], &length, body].concat()
}

/// Handshake bytes in a record that nobody protects.
fn clear(bytes: &[u8]) -> Vec<u8> {
    [&[HANDSHAKE, 3, 3][..], &(bytes.len() as u16).to_be_bytes(), bytes].concat()
}
