//! rustls's two kinds of connections, as one: a server's end and a client's differ in nothing once they are made.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
};
use rustls::{CommonState, Error, ServerConfig};

use crate::tls::buffer::Buffer;
use crate::tls::{Fault, Upstream};

/// Which end this is, and how it speaks.
#[derive(Clone, Debug)]
pub enum Side {
    Server(Arc<ServerConfig>),
    /// The client of this server.
    Client(Upstream),
}

impl From<Arc<ServerConfig>> for Side {
    fn from(config: Arc<ServerConfig>) -> Side {
        Side::Server(config)
    }
}

impl From<Upstream> for Side {
    fn from(upstream: Upstream) -> Side {
        Side::Client(upstream)
    }
}

pub(super) enum Connection {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// Records that are wanted.
#[derive(Clone, Copy)]
pub(super) enum Make<'a> {
    Data(&'a [u8]),
    CloseNotify,
}

/// What one step came to.
pub(super) struct Stepped {
    /// So many octets of what came in are done with.
    pub(super) discard: usize,
    /// So many were opened to where they were wanted.
    pub(super) count: usize,
    pub(super) reached: Reached,
}

pub(super) enum Reached {
    /// Data was opened.
    Data,
    /// Records were made.
    Made,
    /// More has to come in.
    Waiting,
    /// The other end has said that it was all.
    End,
}

impl Connection {
    pub(super) fn new(side: Side) -> Result<Connection, Fault> {
        Ok(match side {
            Side::Server(config) => Connection::Server(UnbufferedServerConnection::new(config)?),
            Side::Client(Upstream { config, name }) => {
                let connection = UnbufferedClientConnection::new(config, name);
                Connection::Client(connection.map_err(Fault::of_server)?)
            }
        })
    }

    pub(super) fn is_server(&self) -> bool {
        matches!(self, Connection::Server(_))
    }

    pub(super) fn state(&self) -> &CommonState {
        match self {
            Connection::Server(connection) => connection,
            Connection::Client(connection) => connection,
        }
    }

    /// Goes one step through the records that came in: data goes to `out`, and what does not fit there to `rest`.
    pub(super) fn step(
        &mut self,
        incoming: &mut [u8],
        out: &mut [u8],
        rest: &mut Buffer,
        outgoing: &mut Buffer,
    ) -> Result<Stepped, Fault> {
        match self {
            Connection::Server(connection) => {
                let status = connection.process_tls_records(incoming);
                step(status, Fault::from, out, rest, outgoing)
            }
            Connection::Client(connection) => {
                let status = connection.process_tls_records(incoming);
                step(status, Fault::of_server, out, rest, outgoing)
            }
        }
    }

    /// Makes records where nothing else has to come before; the octets of what came in that are done with, or none if it cannot.
    pub(super) fn write(
        &mut self,
        incoming: &mut [u8],
        make: Make<'_>,
        outgoing: &mut Buffer,
    ) -> Option<usize> {
        match self {
            Connection::Server(connection) => {
                write(connection.process_tls_records(incoming), make, outgoing)
            }
            Connection::Client(connection) => {
                write(connection.process_tls_records(incoming), make, outgoing)
            }
        }
    }

    /// Makes the record of an alert; false if there is none to be made.
    pub(super) fn encode_alert(&mut self, outgoing: &mut Buffer) -> bool {
        match self {
            Connection::Server(connection) => {
                encode_alert(connection.process_tls_records(&mut []), outgoing)
            }
            Connection::Client(connection) => {
                encode_alert(connection.process_tls_records(&mut []), outgoing)
            }
        }
    }
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    fault: fn(Error) -> Fault,
    out: &mut [u8],
    rest: &mut Buffer,
    outgoing: &mut Buffer,
) -> Result<Stepped, Fault> {
    let UnbufferedStatus {
        mut discard, state, ..
    } = status;
    let mut count = 0;
    let reached = match state.map_err(fault)? {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let record = record.map_err(fault)?;
                discard += record.discard;
                let fits = record.payload.len().min(out.len() - count);
                let (head, tail) = record.payload.split_at(fits);
                out[count..count + fits].copy_from_slice(head);
                count += fits;
                rest.put(tail);
            }
            Reached::Data
        }
        ConnectionState::EncodeTlsData(data) => {
            encode(data, outgoing)?;
            Reached::Made
        }
        // It has its place among what is sent.
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Reached::Made
        }
        ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => Reached::Waiting,
        ConnectionState::PeerClosed | ConnectionState::Closed => Reached::End,
        // Early data is never offered.
        _ => return Err(Fault::Ours),
    };
    Ok(Stepped {
        discard,
        count,
        reached,
    })
}

fn encode<Data>(mut data: EncodeTlsData<'_, Data>, outgoing: &mut Buffer) -> Result<(), Fault> {
    let mut least = 1;
    let written = loop {
        match data.encode(outgoing.room(least)) {
            Ok(written) => break written,
            Err(EncodeError::InsufficientSize(size)) => least = size.required_size,
            Err(EncodeError::AlreadyEncoded) => return Err(Fault::Ours),
        }
    };
    outgoing.filled(written);
    Ok(())
}

fn write<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    make: Make<'_>,
    outgoing: &mut Buffer,
) -> Option<usize> {
    let UnbufferedStatus { discard, state, .. } = status;
    let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
        return None;
    };
    let mut least = 1;
    let written = loop {
        let room = outgoing.room(least);
        let made = match make {
            Make::Data(octets) => traffic.encrypt(octets, room),
            Make::CloseNotify => traffic.queue_close_notify(room),
        };
        match made {
            Ok(written) => break written,
            Err(EncryptError::InsufficientSize(size)) => least = size.required_size,
            Err(EncryptError::EncryptExhausted) => return None,
        }
    };
    outgoing.filled(written);
    Some(discard)
}

fn encode_alert<Data>(status: UnbufferedStatus<'_, '_, Data>, outgoing: &mut Buffer) -> bool {
    match status.state {
        Ok(ConnectionState::EncodeTlsData(data)) => encode(data, outgoing).is_ok(),
        _ => false,
    }
}
