//! `/metrics`, `/healthz` and `/readyz` over HTTP/1. In: scrapes; out: text. One request a connection, one connection at
//! a time: it serves a scraper on the same machine, and no more.
//! Bounds: [`MAX_HEAD_BYTES`] of a request, [`PATIENCE`] for it to come.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Shared, metrics};

const MAX_HEAD_BYTES: usize = 8 * 1024;
const PATIENCE: Duration = Duration::from_secs(2);

/// Listens on `address` from now on, on a thread that ends with the process.
pub(super) fn serve(address: SocketAddr, shared: &Arc<Shared>) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let shared = Arc::clone(shared);
    let answer = move || {
        for stream in listener.incoming() {
            // Whoever left before the answer does not miss it.
            let _ = stream.and_then(|stream| handle(stream, &shared));
        }
    };
    std::thread::Builder::new().name("metrics".into()).spawn(answer).map(drop)
}

fn handle(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut chunk)?;
        if read == 0 || head.len() + read > MAX_HEAD_BYTES {
            return answer(&mut stream, "400 Bad Request", "text/plain", b"no request\n");
        }
        head.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let path = match request.parse(&head) {
        Ok(_) if request.method == Some("GET") => request.path.unwrap_or_default(),
        Ok(_) => return answer(&mut stream, "405 Method Not Allowed", "text/plain", b"GET alone\n"),
        Err(_) => return answer(&mut stream, "400 Bad Request", "text/plain", b"no request\n"),
    };
    let said = |good: bool| if good { ("200 OK", &b"ok\n"[..]) } else { ("503 Service Unavailable", &b"no\n"[..]) };
    match path.split('?').next().unwrap_or_default() {
        "/metrics" => {
            let text = metrics::render(shared);
            answer(&mut stream, "200 OK", "text/plain; version=0.0.4", text.as_bytes())
        }
        "/healthz" => {
            let (status, body) = said(shared.healthy.load(Ordering::Relaxed));
            answer(&mut stream, status, "text/plain", body)
        }
        "/readyz" => {
            let up = shared.board.read().readers.iter().all(|reader| reader.counters.capture.is_up);
            let (status, body) = said(up && shared.ready.load(Ordering::Relaxed));
            answer(&mut stream, status, "text/plain", body)
        }
        _ => answer(&mut stream, "404 Not Found", "text/plain", b"/metrics, /healthz, /readyz\n"),
    }
}

fn answer(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(body)
}
