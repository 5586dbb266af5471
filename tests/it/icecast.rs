// SPDX-License-Identifier: GPL-3.0-or-later
//! A real Icecast server on a free port of loopback, which can be killed and started again.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use serde_json::Value;

use crate::{
    http,
    rig::{LONG, free_port},
};

/// The programs that stories with Icecast need.
pub const NEEDS: &[&str] = &["icecast2"];

/// Seen nowhere but in the command line that the user types.
pub const PASSWORD: &str = "s0urce-h7Xq";
/// The same for the admin interface.
pub const ADMIN: &str = "adm1n-k2Wp";

/// What a server is like.
#[derive(Clone)]
pub struct Setup {
    /// Sources it takes.
    pub sources: u32,
    /// Mounts it relays from there; all of them if none is named.
    pub relays: Option<SocketAddr>,
    /// A certificate and its key, for a second port.
    pub certificate: Option<PathBuf>,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            sources: 12,
            relays: None,
            certificate: None,
        }
    }
}

/// A server.
pub struct Icecast {
    dir: tempfile::TempDir,
    port: u16,
    tls_port: u16,
    child: Option<Child>,
}

impl Icecast {
    /// Starts one and waits until it accepts connections.
    pub fn start() -> Icecast {
        Icecast::start_as(Setup::default())
    }

    /// The same with other limits, as a relay, or with TLS.
    pub fn start_as(setup: Setup) -> Icecast {
        let dir = tempfile::Builder::new()
            .prefix("aerial-icecast.")
            .tempdir()
            .unwrap();
        let (port, tls_port) = (free_port(), free_port());
        // Icecast refuses to be root; it then becomes nobody.
        let root =
            fs::metadata(dir.path()).is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        let owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>";
        let path = dir.path().display();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let Setup {
            sources,
            relays,
            certificate,
        } = setup;
        let relays = relays.map_or(String::new(), |master| {
            let (host, port) = (master.ip(), master.port());
            format!(
                "<master-server>{host}</master-server><master-server-port>{port}</master-server-port>
                 <master-username>relay</master-username><master-password>{PASSWORD}</master-password>
                 <master-update-interval>1</master-update-interval>"
            )
        });
        let (mut socket, mut pair) = (String::new(), String::new());
        if let Some(certificate) = certificate {
            socket = format!(
                "<listen-socket><port>{tls_port}</port><bind-address>127.0.0.1</bind-address><ssl>1</ssl></listen-socket>"
            );
            pair = format!(
                "<ssl-certificate>{}</ssl-certificate>",
                certificate.display()
            );
        }
        let config = format!(
            "<icecast>
              <limits><clients>200</clients><sources>{sources}</sources><source-timeout>10</source-timeout></limits>
              <authentication><source-password>{PASSWORD}</source-password><relay-password>{PASSWORD}</relay-password>
                <admin-user>admin</admin-user><admin-password>{ADMIN}</admin-password></authentication>
              <hostname>127.0.0.1</hostname>{relays}
              <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>{socket}
              <paths><basedir>{path}</basedir><logdir>{path}</logdir>{pair}
                <webroot>/usr/share/icecast2/web</webroot><adminroot>/usr/share/icecast2/admin</adminroot></paths>
              <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>3</loglevel></logging>
              <security><chroot>0</chroot>{}</security>
            </icecast>",
            if root { owner } else { "" }
        );
        fs::write(dir.path().join("icecast.xml"), config).unwrap();
        let mut icecast = Icecast {
            dir,
            port,
            tls_port,
            child: None,
        };
        icecast.start_again();
        icecast
    }

    /// Starts it (again) on the same port.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none());
        let mut child = Command::new("icecast2")
            .arg("-c")
            .arg(self.dir.path().join("icecast.xml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It listens before it says so. All it says is read, or it would stand still.
        let log = BufReader::new(child.stderr.take().unwrap());
        let (started, is_started) = mpsc::channel();
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let _ = started.send(line);
            }
        });
        self.child = Some(child);
        let mut said = String::new();
        while !said.contains("server started") {
            match is_started.recv_timeout(LONG) {
                Ok(line) => said += &(line + "\n"),
                Err(e) => panic!("icecast2 did not start ({e}): {said}"),
            }
        }
    }

    /// Kills it outright.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Its address for encrypted connections.
    pub fn tls_address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.tls_port).into()
    }

    /// Where to push to, as typed on the command line.
    pub fn target(&self) -> String {
        self.target_at("live.webm?")
    }

    /// The same with another mount: `live.ogg?name=Radio`.
    pub fn target_at(&self, mount: &str) -> String {
        format!(
            "icecast://source:{PASSWORD}@{}/{mount}&admin=admin:{ADMIN}",
            self.address()
        )
    }

    /// Where to listen.
    pub fn link(&self) -> String {
        self.link_to("live.webm")
    }

    /// Where to listen to another mount.
    pub fn link_to(&self, mount: &str) -> String {
        format!("http://{}/{mount}", self.address())
    }

    /// A page of its admin interface.
    pub fn admin(&self, page: &str) -> String {
        let login = format!(
            "Basic {}",
            glib::base64_encode(format!("admin:{ADMIN}").as_bytes())
        );
        let path = format!("/admin/{page}");
        let headers = [("Authorization", login.as_str())];
        let reply = http::request(self.address(), "GET", &path, &headers, b"");
        String::from_utf8(reply.body).unwrap()
    }

    /// What it tells everybody about this mount; null if there is no such mount.
    pub fn tells(&self, mount: &str) -> Value {
        let reply = http::request(self.address(), "GET", "/status-json.xsl", &[], b"");
        let status: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let source = &status["icestats"]["source"];
        let all = source.as_array().cloned().unwrap_or(vec![source.clone()]);
        let ending = format!("/{mount}");
        let ours = |s: &&Value| {
            s["listenurl"]
                .as_str()
                .is_some_and(|u| u.ends_with(&ending))
        };
        all.iter().find(ours).cloned().unwrap_or_default()
    }
}

impl Drop for Icecast {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
