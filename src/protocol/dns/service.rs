//! What HTTPS and SVCB records say (RFC 9460): where else a service is, by which addresses, and by which keys its hellos may
//! be encrypted (ECHConfigList of Encrypted Client Hello, version 0xfe0d). In: the data of a record; out: a [`Service`].
//! Bounds: [`MAX_HINTS`], [`MAX_ECH_CONFIGS`]. Does not: protocols (`alpn`), ports, other parameters.

use std::{net::IpAddr, ops::Range};

use super::{array, name};

/// Addresses of a record that are read; real ones have two or four.
pub const MAX_HINTS: usize = 16;
/// Configurations of a record that are read; real ones have one or two.
pub const MAX_ECH_CONFIGS: usize = 8;

/// Keys of parameters (RFC 9460 §14.3.2).
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;

/// The one version of ECHConfig there is.
const ECH_VERSION: u16 = 0xfe0d;

/// Data of a record.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// `None` where the owner's name stands for itself. In alias mode (priority 0) this is all that is said.
    pub target: Option<String>,
    /// Addresses of the target (`ipv4hint`, `ipv6hint`).
    pub hints: Vec<IpAddr>,
    pub ech: Vec<EchConfig>,
}

/// By what a hello may be encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EchConfig {
    /// It stands in the hello too.
    pub config_id: u8,
    /// The name in a hello in place of the encrypted one: lower case, no trailing dot.
    pub public_name: String,
}

impl Service {
    /// `data` is where the record's data stands in the message. `None` when it is malformed.
    pub(super) fn read(message: &[u8], data: Range<usize>) -> Option<Self> {
        let bytes = message.get(..data.end)?;
        let priority = u16::from_be_bytes(array(bytes, data.start)?);
        let (target, at) = name(bytes, data.start + 2)?;
        let mut service = Self { target: Some(target).filter(|target| !target.is_empty()), ..Self::default() };
        if priority == 0 {
            return Some(service);
        }
        let mut rest = bytes.get(at..)?;
        while let Some((key, after)) = split_u16(rest) {
            let (value, next) = split_vector(after)?;
            rest = next;
            match key {
                IPV4_HINT => service.hint(value.as_chunks::<4>().0),
                IPV6_HINT => service.hint(value.as_chunks::<16>().0),
                ECH => service.ech = configs(value),
                _ => {}
            }
        }
        Some(service)
    }

    fn hint<const N: usize>(&mut self, addresses: &[[u8; N]])
    where
        IpAddr: From<[u8; N]>,
    {
        let room = MAX_HINTS.saturating_sub(self.hints.len());
        self.hints.extend(addresses.iter().take(room).map(|address| IpAddr::from(*address)));
    }
}

/// The ECHConfigs of known version in an ECHConfigList.
fn configs(list: &[u8]) -> Vec<EchConfig> {
    let mut configs = Vec::new();
    let Some((mut rest, _)) = split_vector(list) else { return configs };
    while let Some((version, after)) = split_u16(rest)
        && let Some((contents, next)) = split_vector(after)
        && configs.len() < MAX_ECH_CONFIGS
    {
        rest = next;
        if version == ECH_VERSION {
            configs.extend(config(contents));
        }
    }
    configs
}

/// ECHConfigContents: the key's id, method and public key, its suites, the longest name, the public name, extensions.
fn config(contents: &[u8]) -> Option<EchConfig> {
    let ([config_id, _, _], rest) = contents.split_first_chunk::<3>()?;
    let (_public_key, rest) = split_vector(rest)?;
    let (_cipher_suites, rest) = split_vector(rest)?;
    let ([_, length], rest) = rest.split_first_chunk::<2>()?;
    let public_name = rest.get(..usize::from(*length))?;
    let public_name = std::str::from_utf8(public_name).ok().filter(|name| is_host(name))?;
    Some(EchConfig { config_id: *config_id, public_name: public_name.to_ascii_lowercase() })
}

fn is_host(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn split_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk::<2>().map(|(number, rest)| (u16::from_be_bytes(*number), rest))
}

/// A stretch after its length in two bytes.
fn split_vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = split_u16(bytes)?;
    rest.split_at_checked(usize::from(length))
}
