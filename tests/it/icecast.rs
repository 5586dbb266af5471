// SPDX-License-Identifier: GPL-3.0-or-later
//! A real Icecast server on a free port of loopback, which can be killed and started again.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
};

use crate::rig::{LONG, free_port};

/// The programs that stories with Icecast need.
pub const NEEDS: &[&str] = &["icecast2"];

/// Seen nowhere but in the command line that the user types.
pub const PASSWORD: &str = "s0urce-h7Xq";
/// The same for the admin interface.
pub const ADMIN: &str = "adm1n-k2Wp";

/// A server.
pub struct Icecast {
    dir: tempfile::TempDir,
    port: u16,
    child: Option<Child>,
}

impl Icecast {
    /// Starts one and waits until it accepts connections.
    pub fn start() -> Icecast {
        let dir = tempfile::Builder::new()
            .prefix("aerial-icecast.")
            .tempdir()
            .unwrap();
        let port = free_port();
        // Icecast refuses to be root; it then becomes nobody.
        let root =
            fs::metadata(dir.path()).is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
        let owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>";
        let path = dir.path().display();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let config = format!(
            "<icecast>
              <limits><clients>200</clients><sources>4</sources><source-timeout>10</source-timeout></limits>
              <authentication><source-password>{PASSWORD}</source-password><relay-password>{PASSWORD}</relay-password>
                <admin-user>admin</admin-user><admin-password>{ADMIN}</admin-password></authentication>
              <hostname>127.0.0.1</hostname>
              <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
              <paths><basedir>{path}</basedir><logdir>{path}</logdir>
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

    /// Where to push to, as typed on the command line.
    pub fn target(&self) -> String {
        format!(
            "icecast://source:{PASSWORD}@{}/live.webm?admin=admin:{ADMIN}",
            self.address()
        )
    }

    /// Where to listen.
    pub fn link(&self) -> String {
        format!("http://{}/live.webm", self.address())
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
