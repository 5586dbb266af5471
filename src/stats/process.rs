// SPDX-License-Identifier: GPL-3.0-or-later
//! What this program takes of the computer.

use std::{fs, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Processor and memory of this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// Time that its threads ran, added up.
    pub cpu: Duration,
    /// Memory in use, in bytes.
    pub memory: u64,
    /// Open files and connections.
    pub files: u64,
    /// Threads.
    pub threads: u64,
}

impl Process {
    /// As it is now.
    pub fn now() -> Process {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let number = |word: &str| -> u64 {
            let line = status.lines().find_map(|l| l.strip_prefix(word));
            let number = line.and_then(|l| l.split_whitespace().next());
            number.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        Process {
            cpu: Duration::new(
                cpu.tv_sec.try_into().unwrap_or(0),
                cpu.tv_nsec.try_into().unwrap_or(0),
            ),
            memory: number("VmRSS:") * 1024,
            // One is this listing.
            files: fs::read_dir("/proc/self/fd").map_or(0, |all| all.count() as u64 - 1),
            threads: number("Threads:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_program_takes_something() {
        let now = Process::now();
        assert!(now.memory > 1 << 20 && now.files > 2 && now.threads > 0);
        assert!(now.cpu > Duration::ZERO && Process::now().cpu >= now.cpu);
    }
}
