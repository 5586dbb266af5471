// SPDX-License-Identifier: GPL-3.0-or-later
//! Other people's WebRTC servers: Janus, and the signalling server of gst-plugin-webrtc.

use std::{
    fs,
    io::ErrorKind,
    net::TcpStream,
    process::Command,
    sync::{Arc, Condvar, Mutex},
};

use futures::StreamExt;
use gst::prelude::*;
use gst_plugin_webrtc_signalling::{handlers::Handler, server::Server as Signalling};
use gst_plugin_webrtc_signalling_protocol as p;

use crate::{
    gst_viewer::GstViewer,
    push::Server,
    rig::{Home, LONG, free_port, wait_for},
};

/// The programs that stories with Janus need.
pub const JANUS: &[&str] = &[
    "janus",
    "/usr/lib/x86_64-linux-gnu/janus/transports/libjanus_websockets.so",
];

/// Janus with one room.
pub struct Janus {
    home: Home,
    port: u16,
}

impl Janus {
    pub fn new() -> Janus {
        let home = Home::new();
        let port = free_port();
        let place = home.path("").display().to_string();
        let lib = "/usr/lib/x86_64-linux-gnu/janus";
        let write = |name: &str, text: String| fs::write(home.path(name), text).unwrap();
        write(
            "janus.jcfg",
            format!(
                r#"general: {{ configs_folder = "{place}"; plugins_folder = "{lib}/plugins"; transports_folder = "{lib}/transports";
                    events_folder = "{place}"; loggers_folder = "{place}"; interface = "127.0.0.1"; debug_level = 4 }}
                media: {{ ipv6 = false; no_media_timer = 1 }}
                nat: {{ nice_debug = false; ice_enforce_list = "127.0.0.1"; ice_ignore_list = "vmnet" }}
                transports: {{ disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }}
                plugins: {{ disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }}
                "#
            ),
        );
        write(
            "janus.transport.websockets.jcfg",
            format!(
                r#"general: {{ json = "compact"; ws = true; ws_port = {port}; ws_ip = "127.0.0.1"; wss = false }} admin: {{ admin_ws = false }}"#
            ),
        );
        write(
            "janus.plugin.videoroom.jcfg",
            // The sample's cap of 128 kbit/s would starve the picture.
            r#"room-1234: { description = "Stories"; publishers = 6; bitrate = 8000000; fir_freq = 10; audiocodec = "opus"; videocodec = "vp8,h264"; record = false }"#.into(),
        );
        Janus { home, port }
    }

    pub fn start(&self) -> Server {
        let mut command = Command::new("janus");
        command
            .arg("-F")
            .arg(self.home.path(""))
            .current_dir(self.home.path(""));
        let server = Server::start(&mut command);
        let port = self.port;
        wait_for("Janus", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        server
    }

    /// Where to push to, as a publisher of this number.
    pub fn target(&self, feed: u64) -> String {
        format!("janus+ws://127.0.0.1:{}/?room=1234&feed={feed}", self.port)
    }

    /// Receives what this publisher sends.
    pub fn watch(&self, feed: u64) -> GstViewer {
        let source = GstViewer::source("janusvrwebrtcsrc");
        let signaller = source.property::<glib::Object>("signaller");
        signaller.set_property("janus-endpoint", format!("ws://127.0.0.1:{}", self.port));
        signaller.set_property("room-id", 1234u64);
        signaller.set_property("producer-peer-id", feed);
        GstViewer::receive(source)
    }
}

/// What a signalling server wants to see from producers.
pub const HEADER: (&str, &str) = ("Authorization", "Bearer s1gnal-k3y");

/// The server of gst-plugin-webrtc-signalling, in threads of its own; all its connections break when dropped.
pub struct SignallingServer {
    runtime: Option<tokio::runtime::Runtime>,
    pub port: u16,
    producers: Arc<(Mutex<Vec<String>>, Condvar)>,
    ended: Arc<(Mutex<usize>, Condvar)>,
    /// The last one that a producer made.
    offer: Arc<Mutex<String>>,
}

impl SignallingServer {
    /// Starts one. Who does not send the header is let in only if they come as viewers.
    pub fn start(port: u16) -> SignallingServer {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let producers = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let told = producers.clone();
        let ended = Arc::<(Mutex<usize>, Condvar)>::default();
        let end = ended.clone();
        let offer = Arc::<Mutex<String>>::default();
        let offered = offer.clone();
        let allowed: Arc<Mutex<Vec<String>>> = Arc::default();
        let known = allowed.clone();
        runtime.block_on(async {
            let listener = loop {
                match tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
                    Ok(listener) => break listener,
                    Err(e) if e.kind() == ErrorKind::AddrInUse => tokio::task::yield_now().await,
                    Err(e) => panic!("{e}"),
                }
            };
            let server = Signalling::spawn(move |messages| {
                let messages = messages.inspect(move |(peer, message)| {
                    if let Some(p::IncomingMessage::EndSession(_)) = message
                        && told.0.lock().unwrap().contains(peer)
                    {
                        *end.0.lock().unwrap() += 1;
                        end.1.notify_all();
                    }
                    if let Some(p::IncomingMessage::Peer(p::PeerMessage {
                        peer_message: p::PeerMessageInner::Sdp(p::SdpMessage::Offer { sdp }),
                        ..
                    })) = message
                    {
                        *offered.lock().unwrap() = sdp.clone();
                    }
                    let producer = matches!(message, Some(p::IncomingMessage::SetPeerStatus(status)) if status.roles.contains(&p::PeerRole::Producer));
                    if producer && known.lock().unwrap().contains(peer) {
                        told.0.lock().unwrap().push(peer.clone());
                        told.1.notify_all();
                    }
                });
                Handler::new(Box::pin(messages))
            });
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (mut server, allowed) = (server.clone(), allowed.clone());
                    tokio::spawn(async move {
                        let mut head = [0; 4096];
                        let text = loop {
                            let n = stream.peek(&mut head).await.unwrap_or(0);
                            let text = String::from_utf8_lossy(&head[..n]).to_lowercase();
                            if n == 0 || text.contains("\r\n\r\n") {
                                break text;
                            }
                            tokio::task::yield_now().await;
                        };
                        let header = format!("{}: {}", HEADER.0, HEADER.1).to_lowercase();
                        if let Ok(peer) = server.accept_async(stream).await
                            && text.contains(&header)
                        {
                            allowed.lock().unwrap().push(peer);
                        }
                    });
                }
            });
        });
        SignallingServer {
            runtime: Some(runtime),
            port,
            producers,
            ended,
            offer,
        }
    }

    /// Waits for a producer that sent the header, and tells its number.
    pub fn producer(&self) -> String {
        let list = self.producers.0.lock().unwrap();
        let waited = self
            .producers
            .1
            .wait_timeout_while(list, LONG, |l| l.is_empty());
        let (list, time) = waited.unwrap();
        assert!(!time.timed_out(), "no producer came");
        list.last().unwrap().clone()
    }

    /// Waits until a producer has ended so many sessions.
    pub fn wait_ended(&self, sessions: usize) {
        let count = self.ended.0.lock().unwrap();
        let waited = self
            .ended
            .1
            .wait_timeout_while(count, LONG, |n| *n < sessions);
        let (count, time) = waited.unwrap();
        assert!(
            !time.timed_out(),
            "{} of {sessions} sessions were ended",
            *count
        );
    }

    /// Watches the producer of that number.
    pub fn watch(&self, producer: &str) -> GstViewer {
        self.receive(producer, false)
    }

    /// The same, ready to point and type.
    pub fn point(&self, producer: &str) -> GstViewer {
        self.receive(producer, true)
    }

    /// What the producer offered to the last viewer.
    pub fn offer(&self) -> String {
        self.offer.lock().unwrap().clone()
    }

    fn receive(&self, producer: &str, pointing: bool) -> GstViewer {
        let source = GstViewer::source("webrtcsrc");
        source.set_property("enable-data-channel-navigation", pointing);
        let signaller = source.property::<glib::Object>("signaller");
        signaller.set_property("uri", format!("ws://127.0.0.1:{}", self.port));
        signaller.set_property("producer-peer-id", producer);
        GstViewer::receive(source)
    }
}

impl Drop for SignallingServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
