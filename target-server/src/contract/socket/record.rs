//! What came and went on the WebSockets of a contract, by name? The part of the record that is theirs.

use super::Socket;
use crate::contract::record::{ContractReport, EventReport, MessageReport, SocketReport};

/// The name of frames whose type is not one of the contract's own.
pub(super) const OTHER: &str = "other";

impl ContractReport {
    /// Zero of everything that clients may do on `sockets`.
    pub(in crate::contract) fn know(&mut self, sockets: &[Socket]) {
        for socket in sockets {
            let name = socket.title();
            self.sockets.push(SocketReport { socket: name.to_owned(), ..SocketReport::default() });
            self.messages.extend(socket.messages.iter().map(|message| MessageReport {
                socket: name.to_owned(),
                message: message.name.clone(),
                received: 0,
            }));
        }
    }

    /// An upgrade was accepted.
    pub(super) fn opened(&mut self, socket: &Socket) {
        self.sockets.iter_mut().filter(|one| one.socket == socket.title()).for_each(|one| one.opened += 1);
    }

    /// An upgrade was refused, or closed at once.
    pub(in crate::contract) fn turned_away(&mut self, socket: &Socket) {
        self.sockets.iter_mut().filter(|one| one.socket == socket.title()).for_each(|one| one.refused += 1);
    }

    /// A message came.
    pub(super) fn received(&mut self, socket: &Socket, message: &str) {
        let known = |one: &&mut MessageReport| one.socket == socket.title() && one.message == message;
        self.messages.iter_mut().filter(known).for_each(|one| one.received += 1);
    }

    /// A frame was written.
    pub(super) fn sent(&mut self, socket: &Socket, event: &str) {
        let event = if socket.sends(event) { event } else { OTHER };
        match self.events.iter_mut().find(|one| one.socket == socket.title() && one.event == event) {
            Some(one) => one.sent += 1,
            None => self.events.push(EventReport {
                socket: socket.title().to_owned(),
                event: event.to_owned(),
                sent: 1,
            }),
        }
    }
}
