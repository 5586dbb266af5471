// SPDX-License-Identifier: GPL-3.0-or-later
//! UDP, many datagrams per system call.
//!
//! Datagrams of one size to one viewer (a frame) leave as one batch, cut by the kernel (GSO). What a socket cannot
//! take at once waits in a bounded backlog.

use std::{
    collections::VecDeque,
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

use crate::error::ServeError;

/// Asked of the kernel for each direction, so that a key frame to many viewers fits. It gives less if so configured.
const BUFFER: usize = 4 << 20;
/// Bytes that wait for a socket at most: about a key frame for 100 viewers. More would only come too late.
const BACKLOG: usize = 8 << 20;
/// The longest datagram of a batch that GSO can carry is bounded by the IP packet.
const BATCH_BYTES: usize = 60_000;
/// Longest datagram taken in; with GRO, several lie in one buffer.
const DATAGRAM: usize = 2048;

/// Equal datagrams to one destination.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Batch {
    source: SocketAddr,
    destination: SocketAddr,
    size: usize,
}

/// Whether the runtime waits for a socket.
enum Io {
    /// Each datagram wakes the thread.
    Watched(UdpSocket),
    /// Nothing does: it is looked at when there is something else to do.
    Quiet(std::net::UdpSocket),
}

impl Io {
    fn as_ref(&self) -> UdpSockRef<'_> {
        match self {
            Io::Watched(socket) => UdpSockRef::from(socket),
            Io::Quiet(socket) => UdpSockRef::from(socket),
        }
    }

    fn try_io<T>(&self, interest: Interest, f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self {
            Io::Watched(socket) => socket.try_io(interest, f),
            Io::Quiet(_) => f(),
        }
    }
}

struct Socket {
    /// Nothing only while it changes from one to the other.
    io: Option<Io>,
    state: UdpSocketState,
    address: SocketAddr,
    /// For programs on this computer only: what comes from elsewhere is not looked at.
    own: bool,
    backlog: VecDeque<(Batch, Vec<u8>)>,
    waiting: usize,
}

/// All sockets of the leg.
pub(in crate::serve) struct Wire {
    sockets: Vec<Socket>,
    watched: bool,
    /// Only this computer may watch.
    loopback: bool,
    batch: Option<Batch>,
    /// The last datagram was shorter, so the batch can take no more.
    full: bool,
    bytes: Vec<u8>,
    lost: u64,
}

impl Wire {
    /// One socket per address, on one port if possible, so that a firewall needs one rule.
    pub(in crate::serve) fn open(ips: &[IpAddr]) -> Result<Vec<std::net::UdpSocket>, ServeError> {
        let mut port = 0;
        let mut sockets = Vec::new();
        let mut failed = None;
        for ip in ips {
            let bound = std::net::UdpSocket::bind((*ip, port))
                .or_else(|_| std::net::UdpSocket::bind((*ip, 0)))
                .and_then(|s| s.set_nonblocking(true).map(|()| s));
            match bound {
                Ok(socket) => {
                    port = socket.local_addr().map_or(port, |a| a.port());
                    sockets.push(socket);
                }
                // One address of several may be gone already (or still be tentative): the others do.
                Err(e) => failed = Some(format!("{ip}: {e}")),
            }
        }
        if sockets.is_empty() {
            let why = failed.unwrap_or_else(|| "there is no address to use".into());
            return Err(ServeError::Udp(why));
        }
        Ok(sockets)
    }

    /// Take over the sockets; inside the runtime that will use them.
    pub(in crate::serve) fn new(sockets: Vec<std::net::UdpSocket>) -> io::Result<Wire> {
        let take = |socket| Socket::new(socket, false);
        let sockets: Vec<_> = sockets.into_iter().map(take).collect::<io::Result<_>>()?;
        Ok(Wire {
            loopback: sockets.iter().all(|s| s.address.ip().is_loopback()),
            sockets,
            watched: true,
            batch: None,
            full: false,
            bytes: Vec::with_capacity(BATCH_BYTES),
            lost: 0,
        })
    }

    /// Be there under these addresses, and under others only for who watches on this computer already.
    pub(in crate::serve) fn listen(&mut self, ips: &[IpAddr]) {
        for socket in &mut self.sockets {
            socket.own = !ips.contains(&socket.address.ip());
        }
        let port = self.sockets.first().map_or(0, |s| s.address.port());
        for ip in ips {
            if self.sockets.iter().any(|s| s.address.ip() == *ip) {
                continue;
            }
            let bound = std::net::UdpSocket::bind((*ip, port))
                .or_else(|_| std::net::UdpSocket::bind((*ip, 0)))
                .and_then(|s| s.set_nonblocking(true).map(|()| s))
                .and_then(|s| Socket::new(s, false));
            match bound {
                Ok(socket) => self.sockets.push(socket),
                Err(e) => tracing::warn!(%ip, error = %e, "no viewer is reached by UDP there"),
            }
        }
        self.loopback = ips.iter().all(IpAddr::is_loopback);
    }

    /// While somebody watches on loopback: be there under this computer's other addresses too, for this computer
    /// alone. GStreamer's webrtcbin (libnice) uses no loopback address, and cannot even send to one.
    pub(in crate::serve) fn open_own(&mut self) {
        if !self.loopback || self.sockets.iter().any(|s| s.own) {
            return;
        }
        let any = IpAddr::from([0u16; 8]);
        let others = crate::serve::reachable(any).into_iter();
        for ip in others.filter(|ip| !ip.is_loopback()) {
            let bound = std::net::UdpSocket::bind((ip, 0))
                .and_then(|s| s.set_nonblocking(true).map(|()| s))
                .and_then(|s| Socket::new(s, true));
            // Browsers do without.
            self.sockets.extend(bound.ok());
        }
    }

    /// Nobody watches any more.
    pub(in crate::serve) fn close_own(&mut self) {
        self.sockets.retain(|s| !s.own);
    }

    /// Where viewers reach us.
    pub(in crate::serve) fn addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.sockets.iter().map(|s| s.address)
    }

    /// Send a datagram, now or with others of its kind.
    pub(in crate::serve) fn send(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
    ) {
        let fits = self.batch.is_some_and(|batch| {
            batch.source == source
                && batch.destination == destination
                && !self.full
                && datagram.len() <= batch.size
                && self.bytes.len() + datagram.len() <= BATCH_BYTES
                && self.bytes.len() / batch.size < self.segments(source)
        });
        if !fits {
            self.flush();
        }
        let size = match self.batch {
            Some(batch) => batch.size,
            None => {
                self.batch = Some(Batch {
                    source,
                    destination,
                    size: datagram.len(),
                });
                datagram.len()
            }
        };
        self.full = datagram.len() < size;
        self.bytes.extend_from_slice(datagram);
    }

    fn segments(&self, source: SocketAddr) -> usize {
        self.sockets
            .iter()
            .find(|s| s.address == source)
            .map_or(1, |s| s.state.max_gso_segments())
    }

    /// Send what was collected.
    pub(in crate::serve) fn flush(&mut self) {
        let Some(batch) = self.batch.take() else {
            return;
        };
        if let Some(socket) = self.sockets.iter_mut().find(|s| s.address == batch.source) {
            let sent = socket.waiting == 0 && socket.try_send(batch, &self.bytes);
            if !sent {
                if socket.waiting + self.bytes.len() <= BACKLOG {
                    socket.waiting += self.bytes.len();
                    socket.backlog.push_back((batch, self.bytes.clone()));
                } else {
                    // The viewer asks again for what it needs.
                    self.lost += self.bytes.len().div_ceil(batch.size) as u64;
                }
            }
        }
        self.bytes.clear();
        self.full = false;
    }

    /// Datagrams that no socket would take.
    pub(in crate::serve) fn lost(&self) -> u64 {
        self.lost
    }

    /// Have datagrams wake whoever waits for [`Wire::poll_ready`], or not: then they are to be looked for now and then.
    /// A socket that could not send all is watched in any case.
    pub(in crate::serve) fn watch(&mut self, wanted: bool) {
        let wanted = wanted || self.sockets.iter().any(|s| s.waiting > 0);
        if self.watched != wanted {
            self.watched = wanted;
            self.sockets.iter_mut().for_each(|s| s.watch(wanted));
        }
    }

    /// Ready when a socket that is watched has something to read, or can take more of its backlog.
    pub(in crate::serve) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        for socket in &self.sockets {
            let Some(Io::Watched(io)) = &socket.io else {
                continue;
            };
            if io.poll_recv_ready(cx).is_ready()
                || (socket.waiting > 0 && io.poll_send_ready(cx).is_ready())
            {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Send of the backlog what can be sent.
    pub(in crate::serve) fn drain_backlog(&mut self) {
        for socket in &mut self.sockets {
            while let Some((batch, bytes)) = socket.backlog.pop_front() {
                if socket.try_send(batch, &bytes) {
                    socket.waiting -= bytes.len();
                } else {
                    socket.backlog.push_front((batch, bytes));
                    break;
                }
            }
        }
    }

    /// Read once from each socket that has something; `false` when there is nothing left.
    pub(in crate::serve) fn receive(&mut self, inbox: &mut Inbox) -> bool {
        inbox.datagrams.clear();
        let room = (DATAGRAM * self.gro()).min(65_536);
        inbox
            .buffers
            .resize_with(BATCH_SIZE * self.sockets.len(), || vec![0; room]);
        for (n, socket) in self.sockets.iter().enumerate() {
            let buffers = &mut inbox.buffers[n * BATCH_SIZE..(n + 1) * BATCH_SIZE];
            let mut slices = buffers.iter_mut().map(|b| IoSliceMut::new(b));
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| slices.next().unwrap_or(IoSliceMut::new(&mut [])));
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let Some(io) = &socket.io else { continue };
            let got = io.try_io(Interest::READABLE, || {
                socket.state.recv(io.as_ref(), &mut slices, &mut metas)
            });
            // An error is either "nothing there" or an old ICMP message, which clears itself.
            for (slot, meta) in metas.iter().enumerate().take(got.unwrap_or(0)) {
                if socket.own && meta.addr.ip() != socket.address.ip() {
                    continue;
                }
                let mut start = 0;
                while start < meta.len {
                    let end = meta.len.min(start + meta.stride.max(1));
                    inbox.datagrams.push(Datagram {
                        source: meta.addr,
                        destination: socket.address,
                        buffer: n * BATCH_SIZE + slot,
                        start,
                        end,
                    });
                    start = end;
                }
            }
        }
        !inbox.datagrams.is_empty()
    }

    fn gro(&self) -> usize {
        let segments = self.sockets.iter().map(|s| s.state.gro_segments());
        segments.max().unwrap_or(1)
    }
}

impl Socket {
    fn new(socket: std::net::UdpSocket, own: bool) -> io::Result<Socket> {
        let address = socket.local_addr()?;
        let io = UdpSocket::from_std(socket)?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        // A smaller buffer works too.
        let _ = state.set_send_buffer_size(UdpSockRef::from(&io), BUFFER);
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&io), BUFFER);
        Ok(Socket {
            io: Some(Io::Watched(io)),
            state,
            address,
            own,
            backlog: VecDeque::new(),
            waiting: 0,
        })
    }

    fn watch(&mut self, wanted: bool) {
        self.io = self.io.take().and_then(|io| match (io, wanted) {
            (Io::Quiet(socket), true) => UdpSocket::from_std(socket).map(Io::Watched).ok(),
            (Io::Watched(socket), false) => socket.into_std().map(Io::Quiet).ok(),
            (io, _) => Some(io),
        });
    }

    /// `false` when the socket is full.
    fn try_send(&self, batch: Batch, bytes: &[u8]) -> bool {
        let transmit = Transmit {
            destination: batch.destination,
            ecn: None,
            contents: bytes,
            segment_size: (bytes.len() > batch.size).then_some(batch.size),
            src_ip: None,
        };
        // One that the runtime did not take back is as good as a network that is gone.
        let Some(io) = &self.io else { return true };
        let send = || self.state.try_send(io.as_ref(), &transmit);
        match io.try_io(Interest::WRITABLE, send) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) if transmit.segment_size.is_some() => {
                // This interface refuses batches (quinn-udp remembers that): one by one.
                for datagram in bytes.chunks(batch.size) {
                    let one = Transmit {
                        contents: datagram,
                        segment_size: None,
                        ..transmit.clone()
                    };
                    let _ = self.state.try_send(io.as_ref(), &one);
                }
                true
            }
            // Unreachable and the like: as good as lost on the way.
            Err(_) => true,
        }
    }
}

/// Buffers for incoming datagrams, and where they lie.
#[derive(Default)]
pub(in crate::serve) struct Inbox {
    buffers: Vec<Vec<u8>>,
    datagrams: Vec<Datagram>,
}

#[derive(Clone, Copy)]
struct Datagram {
    source: SocketAddr,
    destination: SocketAddr,
    buffer: usize,
    start: usize,
    end: usize,
}

impl Inbox {
    /// Source, destination and bytes of each.
    pub(in crate::serve) fn datagrams(
        &self,
    ) -> impl Iterator<Item = (SocketAddr, SocketAddr, &[u8])> {
        self.datagrams.iter().map(|d| {
            let bytes = &self.buffers[d.buffer][d.start..d.end];
            (d.source, d.destination, bytes)
        })
    }
}
