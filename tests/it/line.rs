// SPDX-License-Identifier: GPL-3.0-or-later
//! A line between this computer and another, which is a network namespace: as narrow and as lossy as a story wants.

use std::process::{Command, Output};

use crate::rig::checkout;

/// The programs that it needs.
pub const NEEDS: &[&str] = &["ip", "tc"];

/// Chance of a random number of 32 bits to be below this times a share.
const RANDOM: f64 = 4_294_967_296.0;

/// A pair of network devices, one of them in a namespace; both go when dropped.
pub struct Line {
    /// Of the namespace, and without its last letter of the devices.
    name: String,
    net: u32,
}

fn run(command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace();
    let out = Command::new(words.next().unwrap()).args(words).output();
    let Output { status, stderr, .. } = out.map_err(|e| format!("{command}: {e}"))?;
    let said = String::from_utf8_lossy(&stderr);
    match status.success() {
        true => Ok(()),
        false => Err(format!("{command}: {}", said.trim())),
    }
}

impl Line {
    /// Lays it. The error says what this computer does not allow.
    fn lay() -> Result<Line, String> {
        let id = std::process::id();
        let line = Line {
            name: format!("aer{id}"),
            net: id % 250,
        };
        let Line { name, .. } = &line;
        run(&format!("ip netns add {name}"))?;
        run(&format!(
            "ip link add {name}a type veth peer name {name}b netns {name}"
        ))?;
        run(&format!("ip addr add {}/30 dev {name}a", line.here()))?;
        // What leaves in batches arrives one by one, as from another computer.
        run(&format!("ip link set {name}a gso_max_segs 1 up"))?;
        let there = format!("ip -n {name}");
        run(&format!("{there} addr add {}/30 dev {name}b", line.there()))?;
        run(&format!("{there} link set {name}b up"))?;
        run(&format!("{there} link set lo up"))?;
        Ok(line)
    }

    /// Lays it, or says why this story is skipped. Where everything must be there (`CI=true`), it must be possible.
    pub fn laid(story: &str) -> Option<Line> {
        match Line::lay() {
            Ok(line) => Some(line),
            Err(why) => {
                assert!(
                    std::env::var("CI").as_deref() != Ok("true"),
                    "{story}: {why}"
                );
                eprintln!("SKIPPED {story}: {why}");
                None
            }
        }
    }

    /// Address of this computer.
    pub fn here(&self) -> String {
        format!("10.213.{}.1", self.net)
    }

    /// Address of the other one.
    fn there(&self) -> String {
        format!("10.213.{}.2", self.net)
    }

    /// `browser-view` on the other computer.
    pub fn browser(&self) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]);
        command.arg(checkout("tests/bed/browser-view"));
        command
    }

    /// Makes it as narrow as this, e.g. `1.2mbit`, with a buffer of 100 ms.
    pub fn narrow(&self, rate: &str) {
        let Line { name, .. } = self;
        let shape = format!("tbf rate {rate} burst 10kb latency 100ms");
        run(&format!("tc qdisc replace dev {name}a root {shape}")).unwrap();
    }

    /// Makes it wide again.
    pub fn widen(&self) {
        run(&format!("tc qdisc del dev {}a root", self.name)).unwrap();
    }

    /// Loses this share of what arrives there: netem's random loss, on kernels without it too.
    pub fn lose(&self, share: f64) {
        let Line { name, .. } = self;
        let tc = format!("tc -n {name}");
        run(&format!("{tc} qdisc replace dev {name}b clsact")).unwrap();
        // A random number; below the limit, drop (2), else go on (-1).
        let limit = (share * RANDOM) as u32;
        let code = format!("4,32 0 0 4294963256,53 0 1 {limit},6 0 0 4294967295,6 0 0 2");
        let filter = ["filter", "replace", "dev", &format!("{name}b"), "ingress"];
        let out = Command::new("tc")
            .args(["-n", name])
            .args(filter)
            .args(["prio", "1", "handle", "1", "bpf", "da", "bytecode", &code])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "tc filter: {said}");
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The device on the other side goes with this one.
        let _ = run(&format!("ip link del {}a", self.name));
        let _ = run(&format!("ip netns del {}", self.name));
    }
}
