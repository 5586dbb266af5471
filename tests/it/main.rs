// SPDX-License-Identifier: GPL-3.0-or-later
//! The program as others meet it: started as a process, watched by real browsers, players and servers.
//!
//! The rig: what stories are told with.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

/// `aerial` as a child: its status lines, its end, and proof that it left nothing behind.
mod rig;

/// Requests over plain sockets, and viewers of the live streams.
mod http;

/// Real browsers.
mod browser;

/// A private desktop with camera and microphone.
mod crowd;
mod desktop;

/// A real Icecast server.
mod icecast;

/// What ffprobe and ffmpeg say about streams and files.
mod media;

/// What is seen in them.
mod eye;

/// What is heard in them.
mod sound;

/// Pictures with numbers, and eyes that read them.
mod numbered;

/// Pictures sent for a while, and what becomes of them.
mod soak;

/// A WebRTC viewer without a browser, through `/whep`.
mod receiver;

/// A GStreamer viewer, through `/signalling`.
mod gst_viewer;

/// A GStreamer guest, through `/whip`.
mod gst_guest;

// The stories.

/// One encode feeds every protocol and any number of viewers.
mod together;

/// Every format over HTTP.
mod formats;

/// Both sizes of HLS at once.
mod hls;

/// Kick, and slow viewers.
mod viewers;

/// The Icecast server goes and comes back.
mod outage;

/// Every format that an Icecast server takes.
mod icecast_formats;

/// Icecast servers that refuse or stand still.
mod icecast_errors;

/// What plays now, at Icecast.
mod icecast_titles;

/// Icecast over TLS.
mod icecast_tls;

/// One broadcast, an Icecast master and its relays.
mod relays;

/// Everything a person can get wrong.
mod mistakes;

/// The codec table, judged by ffmpeg.
mod codecs;

/// Codecs in containers.
mod combinations;

/// A network of its own, whose line can be made narrow and lossy.
mod line;

/// WebRTC viewers on narrow and lossy lines.
mod bandwidth;

/// The watch page, by each way.
mod ways;

/// The watch page, as its viewers use it.
mod watching;

/// The watch page in other pages.
mod embed;

/// The endless GIF.
mod gif;

/// RTMP, SRT: pushed to servers that go and come back.
mod push;

/// All of them at once.
mod push_all;

/// WHIP, Janus and foreign signalling servers: the same.
mod push_webrtc;

/// Viewers point and type.
mod navigation;

/// A Janus, and a signalling server as others run it.
mod peers;

/// Recordings, and the end of a broadcast.
mod recording;

/// Tokens and metrics, for programs.
mod api;

/// Events, as programs and pages hear them.
mod api_events;

/// The API's OpenAPI document against the running server.
mod api_contract;

/// Remote controls made for OBS.
mod api_obs;

/// Old, curious and malicious HTTP clients.
mod manners;

/// Layouts, fades, mixing, films: everything that changes while live.
mod program;

/// Listening to one sound on this computer.
mod listening;

/// Streams of other servers as sources.
mod links;

/// Cameras and microphones that come and go.
mod devices;

/// Who may watch from other computers.
mod sharing;

/// Every route, and who is refused there.
mod walker;

/// Secrets that nobody is told.
mod canary;

/// Pictures from other programs.
mod frames;

/// Screens and windows.
mod screen;

/// Guests come, are seen and heard, and go.
mod guests;

/// The window.
mod window;

/// Files, links and rows, dragged and dropped.
mod dragdrop;

/// Installed, and started as desktops start applications.
mod launch;

/// The examples of the documents.
mod docs;
