//! The cheapest HTTP/1.1 client that tells the truth: one connection, kept alive, whole answers.
//!
//! It shares the processors with the server it measures, so it parses the status and the length
//! and nothing else.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Context as _, Failure};

/// Longer than any answer takes; a server that hangs fails the run.
const ANSWER_WITHIN: Duration = Duration::from_secs(300);
/// How much of a body that is not kept is read at once. Bytes.
const DRAIN_BYTES: usize = 256 << 10;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// One kept-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What is read of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All of it.
    Whole,
    /// The head: it answers a `HEAD`.
    Head,
    /// All of it, of which the body is not kept.
    Drained,
}

/// An answer.
pub struct Answer<'c> {
    /// The status code.
    pub status: u16,
    /// The length of the body as the head says it, in bytes.
    pub length: usize,
    /// The body; empty when it was not kept.
    pub body: &'c [u8],
    head: &'c [u8],
}

impl Answer<'_> {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(self.head).ok()?;
        let mut headers = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }
}

impl Connection {
    /// Opens a connection.
    ///
    /// # Errors
    /// As the system refuses it.
    pub fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).context("connecting")?;
        stream.set_nodelay(true).context("connecting")?;
        stream.set_read_timeout(Some(ANSWER_WITHIN)).context("connecting")?;
        Ok(Self { stream, buffer: vec![0; 64 << 10], filled: 0 })
    }

    /// Sends a request and reads its answer, which must say its length.
    ///
    /// # Errors
    /// A broken connection, or an answer that is not HTTP/1.1 with a length.
    pub fn exchange(&mut self, request: &[u8], reading: Reading) -> Result<Answer<'_>, Failure> {
        self.stream.write_all(request).context("sending a request")?;
        self.filled = 0;
        let head_bytes = loop {
            self.fill()?;
            let seen = self.buffer.get(..self.filled).unwrap_or_default();
            if let Some(end) = seen.windows(HEAD_END.len()).position(|w| w == HEAD_END) {
                break end + HEAD_END.len();
            }
        };
        let head = self.buffer.get(..head_bytes).unwrap_or_default();
        let (status, length) = parse_head(head)?;
        let end = head_bytes + length;
        match reading {
            Reading::Head => {}
            Reading::Whole => {
                if self.buffer.len() < end {
                    self.buffer.resize(end, 0);
                }
                while self.filled < end {
                    self.fill()?;
                }
            }
            Reading::Drained => self.drain(head_bytes, end - self.filled)?,
        }
        let kept = if reading == Reading::Whole { end } else { head_bytes };
        let head = self.buffer.get(..head_bytes).unwrap_or_default();
        let body = self.buffer.get(head_bytes..kept).unwrap_or_default();
        Ok(Answer { status, length, body, head })
    }

    /// Reads so many more bytes over and over into the room behind the head.
    fn drain(&mut self, head_bytes: usize, mut left: usize) -> Result<(), Failure> {
        if self.buffer.len() < DRAIN_BYTES {
            self.buffer.resize(DRAIN_BYTES, 0);
        }
        while left > 0 {
            let room = self.buffer.get_mut(head_bytes..).unwrap_or_default();
            let most = left.min(room.len());
            let room = room.get_mut(..most).unwrap_or_default();
            match self.stream.read(room).context("reading an answer")? {
                0 => return Err("the server closed the connection".into()),
                count => left -= count,
            }
        }
        Ok(())
    }

    fn fill(&mut self) -> Result<(), Failure> {
        let rest = self.buffer.get_mut(self.filled..).unwrap_or_default();
        match self.stream.read(rest).context("reading an answer")? {
            0 => Err("the server closed the connection".into()),
            count => {
                self.filled += count;
                Ok(())
            }
        }
    }
}

fn parse_head(head: &[u8]) -> Result<(u16, usize), Failure> {
    let head = std::str::from_utf8(head).context("reading the head of an answer")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok((status, length)),
        _ => Err(format!("expected HTTP/1.1 with a Content-Length, found {head}").into()),
    }
}
