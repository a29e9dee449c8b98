//! The socket of a connection, plain or within TLS, never waiting. In: a socket that does not block; out: bytes as the
//! client meant them, or [`io::ErrorKind::WouldBlock`].
//! Bounds: rustls' own on what waits in a TLS connection (64 KiB of records each way).

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::Tls;

pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Transport {
    pub(super) fn new(socket: TcpStream, tls: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        let Some(config) = tls else { return Ok(Self::Plain(socket)) };
        let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }

    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            // A client that leaves without saying so has left all the same.
            Self::Tls(stream) => match stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            // Not rustls' own `Stream::write`: while the socket takes nothing, it may read instead, and then says that it
            // wrote nothing, as if the client were gone.
            Self::Tls(stream) => {
                flush(stream)?;
                match stream.conn.writer().write(bytes)? {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    written => Ok(written),
                }
            }
        }
    }

    /// Writes what TLS still holds; nothing of it is left when this is `Ok`.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => flush(stream),
        }
    }

    /// Says that nothing more comes.
    pub(super) fn say_goodbye(&mut self) {
        if let Self::Tls(stream) = self {
            stream.conn.send_close_notify();
            // Whoever left already does not miss it.
            let _ = self.flush();
        }
    }
}

fn flush(stream: &mut StreamOwned<ServerConnection, TcpStream>) -> io::Result<()> {
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    Ok(())
}

/// A file of [`Tls`] that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", file.display())]
pub struct TlsFault {
    pub file: PathBuf,
    pub why: String,
}

/// What the service is to clients, out of its files.
pub(super) fn server_config(tls: &Tls) -> Result<Arc<ServerConfig>, TlsFault> {
    let fault = |file: &Path, why: String| TlsFault { file: file.to_path_buf(), why };
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .map_err(|error| fault(&tls.certificate, format!("no certificate in PEM can be read: {error}")))?;
    if certificates.is_empty() {
        return Err(fault(&tls.certificate, "holds no certificate in PEM".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| fault(&tls.key, format!("no private key in PEM can be read: {error}")))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, key))
        .map_err(|error| fault(&tls.key, format!("does not fit {}: {error}", tls.certificate.display())))?;
    Ok(Arc::new(config))
}
