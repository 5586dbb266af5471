// SPDX-License-Identifier: GPL-3.0-or-later
//! `aerial` as a child process. Stories wait for its status lines, never for time.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Condvar, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use studio::{
    Studio, StudioOptions,
    encode::EncodeSettings,
    output::OutputSpec,
    source::{AudioSpec, VideoSpec},
};

use crate::http::{self, Reply};

/// Time for anything to happen on two busy cores. Only a failing test takes this long.
pub const LONG: Duration = Duration::from_secs(90);

/// The program under test.
pub const AERIAL: &str = env!("CARGO_BIN_EXE_aerial");

/// An engine in this process, with a small picture and a tone.
pub fn engine(outputs: Vec<OutputSpec>) -> Studio {
    gst::init().unwrap();
    Studio::start(StudioOptions {
        video: vec![VideoSpec::Test],
        audio: vec![AudioSpec::Tone],
        encoding: EncodeSettings {
            width: 320,
            height: 180,
            ..EncodeSettings::default()
        },
        listen: (Ipv4Addr::LOCALHOST, 0).into(),
        embed: vec![],
        api_token: "token".into(),
        sharing: Default::default(),
        read_token: None,
        token_file: None,
        obs: None,
        outputs,
        now_playing: None,
        scene: None,
        demo: None,
    })
    .unwrap()
}

/// A file of this checkout.
pub fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Sends a signal by name, e.g. `INT`.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("kill -{name} {pid}"))
        .status()
        .unwrap();
    assert!(status.success(), "process {pid} is gone already");
}

/// A TCP port on loopback that nobody uses: below the range from which the system picks ports for clients, so that
/// it can be left and taken again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several test programs may run side by side.
    let start = 20_000 + (std::process::id() % 12) as u16 * 1_000;
    loop {
        // None is given twice in a run: a server that was killed wants its port again.
        let port = start + NEXT.fetch_add(1, Ordering::Relaxed) % 1_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Until this is so, for what gives no sign: other people's programs.
pub fn wait_for(what: &str, mut test: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !test() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        // Looking without a pause would take a processor from those who are waited for.
        thread::park_timeout(LOOK);
    }
}

/// How often other people's programs are looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Stories that are told one beside the other, or one that is told alone.
static STAGE: RwLock<()> = RwLock::new(());

enum Turn {
    #[expect(dead_code, reason = "held until the story's thread ends")]
    Beside(RwLockReadGuard<'static, ()>),
    #[expect(dead_code, reason = "held until the story's thread ends")]
    Alone(RwLockWriteGuard<'static, ()>),
}

thread_local! {
    static TURN: RefCell<Option<Turn>> = const { RefCell::new(None) };
}

/// As [`have`], for a story that has the computer for itself: one that judges every frame or sound, or runs many
/// servers at once.
pub fn have_alone(story: &str, programs: &[&str]) -> bool {
    // Another story may have been told in this thread before.
    TURN.take();
    let turn = STAGE.write().unwrap_or_else(PoisonError::into_inner);
    TURN.set(Some(Turn::Alone(turn)));
    installed(story, programs)
}

/// Whether the parts of a story are installed. Without them it is skipped by name, but not where everything must be
/// there (`CI=true`). Waits for a story that is told alone.
pub fn have(story: &str, programs: &[&str]) -> bool {
    beside();
    installed(story, programs)
}

/// Waits for a story that is told alone, unless this is it.
fn beside() {
    if TURN.with_borrow(Option::is_none) {
        let turn = STAGE.read().unwrap_or_else(PoisonError::into_inner);
        TURN.set(Some(Turn::Beside(turn)));
    }
}

fn installed(story: &str, programs: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = |program: &str| {
        let program = Path::new(program);
        program.is_absolute() && program.exists()
            || path
                .split(':')
                .any(|dir| Path::new(dir).join(program).exists())
    };
    let missing: Vec<_> = programs.iter().filter(|p| !found(p)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{story}: {missing:?} must be installed here"
    );
    eprintln!("SKIPPED {story}: {missing:?} not installed");
    false
}

/// Folders of one run: settings, caches and temporary files of nobody else.
pub struct Home {
    dir: tempfile::TempDir,
    mark: String,
}

impl Home {
    pub fn new() -> Home {
        beside();
        static RUN: AtomicU32 = AtomicU32::new(0);
        let dir = tempfile::Builder::new()
            .prefix("aerial-it.")
            .tempdir()
            .unwrap();
        for sub in ["config", "data", "state", "cache", "run", "tmp"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        let run = RUN.fetch_add(1, Ordering::Relaxed);
        Home {
            dir,
            mark: format!("{}.{run}", std::process::id()),
        }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `aerial` with these arguments, in these folders. With a desktop's variables it is in that desktop.
    pub fn aerial(&self, args: &[&str], desktop: Option<&HashMap<String, String>>) -> Command {
        let mut command = Command::new(AERIAL);
        command.args(args).current_dir(self.dir.path());
        for gone in [
            "DISPLAY",
            "WAYLAND_DISPLAY",
            "DBUS_SESSION_BUS_ADDRESS",
            "PULSE_SERVER",
            "PIPEWIRE_REMOTE",
            "AERIAL_API_TOKEN",
            "AERIAL_READ_TOKEN",
            "AERIAL_OBS_PASSWORD",
            "AERIAL_ICECAST_PASSWORD",
            "RUST_LOG",
            "RUST_BACKTRACE",
            // Meant for the pipelines of the tests.
            "GST_DEBUG",
            "GST_DEBUG_FILE",
        ] {
            command.env_remove(gone);
        }
        let folder = |sub: &str| self.dir.path().join(sub);
        command
            .env("LC_ALL", "C.UTF-8")
            .env("XDG_CONFIG_HOME", folder("config"))
            .env("XDG_DATA_HOME", folder("data"))
            .env("XDG_STATE_HOME", folder("state"))
            .env("XDG_CACHE_HOME", folder("cache"))
            .env("XDG_RUNTIME_DIR", folder("run"))
            .env("TMPDIR", folder("tmp"))
            // Found by everything this run starts, however far down.
            .env("AERIAL_TEST_RUN", &self.mark)
            // What is only slow to make anew: the list of GStreamer's plugins.
            .env(
                "GST_REGISTRY",
                Path::new(env!("CARGO_TARGET_TMPDIR")).join("gst-registry.bin"),
            );
        if let Some(desktop) = desktop {
            command.envs(desktop);
        }
        command
    }

    /// Processes of this run that are alive.
    pub fn processes(&self) -> Vec<String> {
        let mark = format!("AERIAL_TEST_RUN={}\0", self.mark);
        let mut found = vec![];
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(environment) = fs::read(entry.path().join("environ")) else {
                continue;
            };
            if environment
                .windows(mark.len())
                .any(|w| w == mark.as_bytes())
            {
                let line = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
                found.push(format!(
                    "{:?} {}",
                    entry.file_name(),
                    line.replace('\0', " ")
                ));
            }
        }
        found
    }

    /// Fails when the run left a process or a temporary file.
    pub fn assert_nothing_left(&self) {
        // A child that was told to end may still be on its way out.
        let end = Instant::now() + Duration::from_secs(5);
        while !self.processes().is_empty() && Instant::now() < end {
            thread::park_timeout(LOOK);
        }
        assert_eq!(
            self.processes(),
            Vec::<String>::new(),
            "processes left behind"
        );
        let files: Vec<_> = fs::read_dir(self.path("tmp"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        assert!(files.is_empty(), "temporary files left behind: {files:?}");
    }
}

/// What a child said so far.
#[derive(Default)]
struct Said {
    serving: Option<Value>,
    statuses: Vec<Arc<Value>>,
    stdout: String,
    stderr: String,
    /// Both its outputs are closed: it ended.
    closed: u8,
}

#[derive(Default)]
struct Ear {
    said: Mutex<Said>,
    heard: Condvar,
}

impl Ear {
    fn listen(self: &Arc<Self>, pipe: impl Read + Send + 'static, line: fn(&mut Said, &str)) {
        let ear = self.clone();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            let mut bytes = vec![];
            while pipe.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
                line(
                    &mut ear.said.lock().unwrap(),
                    String::from_utf8_lossy(&bytes).trim_end(),
                );
                ear.heard.notify_all();
                bytes.clear();
            }
            ear.said.lock().unwrap().closed += 1;
            ear.heard.notify_all();
        });
    }
}

/// A running `aerial live`.
pub struct Aerial {
    child: Child,
    ear: Arc<Ear>,
    home: Home,
    ended: bool,
}

impl Aerial {
    /// Starts `aerial live ARGS` on a free port and waits until it is on the air.
    pub fn live(args: &[&str]) -> Aerial {
        Aerial::live_in(Home::new(), args, None)
    }

    /// The same with folders made before, and in a desktop.
    pub fn live_in(home: Home, args: &[&str], desktop: Option<&HashMap<String, String>>) -> Aerial {
        Aerial::live_fed(home, args, desktop, Stdio::null())
    }

    /// The same with something on its standard input.
    pub fn live_fed(
        home: Home,
        args: &[&str],
        desktop: Option<&HashMap<String, String>>,
        input: Stdio,
    ) -> Aerial {
        let mut all = vec!["live", "--status", "json"];
        if !args.contains(&"--listen") {
            all.extend(["--listen", "127.0.0.1:0"]);
        }
        all.extend(args);
        let mut child = home
            .aerial(&all, desktop)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ear = Arc::new(Ear::default());
        ear.listen(child.stdout.take().unwrap(), |said, line| {
            said.stdout.push_str(line);
            said.stdout.push('\n');
            let object: Value = match serde_json::from_str(line) {
                Ok(object) => object,
                // Seen in the panic of whoever waits next.
                Err(error) => {
                    return said
                        .stderr
                        .push_str(&format!("[not JSON: {error}: {line}]\n"));
                }
            };
            if object["event"] == "serving" {
                said.serving = Some(object);
            } else if object.get("air").is_some() {
                said.statuses.push(Arc::new(object));
            }
        });
        ear.listen(child.stderr.take().unwrap(), |said, line| {
            said.stderr.push_str(line);
            said.stderr.push('\n');
        });
        let aerial = Aerial {
            child,
            ear,
            home,
            ended: false,
        };
        aerial.wait("the broadcast to be live", |s| s["air"] == "live");
        aerial
    }

    /// Its standard input, if that is a pipe of ours.
    pub fn input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("its input is a pipe")
    }

    /// The port it serves on, from the links it printed first.
    pub fn address(&self) -> SocketAddr {
        let said = self.ear.said.lock().unwrap();
        let serving = said
            .serving
            .as_ref()
            .expect("the links come before the first status line");
        let link = serving["links"]
            .as_object()
            .and_then(|links| links.values().find_map(|l| l.as_str()))
            .unwrap_or_else(|| panic!("no links in {serving}"));
        let host = link.split('/').nth(2).unwrap();
        host.parse().unwrap_or_else(|e| panic!("{link}: {e}"))
    }

    /// `http://HOST:PORT` and a path.
    pub fn link(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The links and all that it printed with them.
    pub fn serving(&self) -> Value {
        let said = self.ear.said.lock().unwrap();
        said.serving.clone().unwrap_or_default()
    }

    /// The token that it printed with the links.
    pub fn token(&self) -> String {
        let said = self.ear.said.lock().unwrap();
        let token = said.serving.as_ref().and_then(|s| s["api_token"].as_str());
        token.expect("the token comes with the links").to_string()
    }

    /// A request to the API with the right token.
    pub fn api(&self, method: &str, path: &str) -> Reply {
        http::request(
            self.address(),
            method,
            path,
            &[("Authorization", &format!("Bearer {}", self.token()))],
            b"",
        )
    }

    /// The same with a body of JSON.
    pub fn api_with(&self, method: &str, path: &str, json: &str) -> Reply {
        let token = format!("Bearer {}", self.token());
        let headers = [
            ("Authorization", &*token),
            ("Content-Type", "application/json"),
        ];
        http::request(self.address(), method, path, &headers, json.as_bytes())
    }

    /// Waits for a status of which this is true, beginning with the newest one.
    pub fn wait(&self, what: &str, test: impl Fn(&Value) -> bool) -> Arc<Value> {
        let first = self
            .ear
            .said
            .lock()
            .unwrap()
            .statuses
            .len()
            .saturating_sub(1);
        self.wait_from(first, what, test)
    }

    /// Waits for a status that was made after this call.
    pub fn wait_anew(&self, what: &str, test: impl Fn(&Value) -> bool) -> Arc<Value> {
        // The next line may have been on its way already.
        let first = self.ear.said.lock().unwrap().statuses.len() + 1;
        self.wait_from(first, what, test)
    }

    fn wait_from(&self, first: usize, what: &str, test: impl Fn(&Value) -> bool) -> Arc<Value> {
        let end = Instant::now() + LONG;
        let mut next = first;
        let mut said = self.ear.said.lock().unwrap();
        loop {
            while let Some(status) = said.statuses.get(next).cloned() {
                if test(&status) {
                    return status;
                }
                next += 1;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || said.closed == 2 {
                let why = if left.is_zero() {
                    "waited in vain"
                } else {
                    "it ended while waiting"
                };
                let last = said
                    .statuses
                    .last()
                    .map(|s| serde_json::to_string_pretty(&**s).unwrap());
                let stderr = said.stderr.clone();
                drop(said);
                panic!(
                    "{why} for {what}\nlast status: {}\nstderr: {stderr}",
                    last.unwrap_or_default()
                );
            }
            said = self.ear.heard.wait_timeout(said, left).unwrap().0;
        }
    }

    /// Every status so far.
    pub fn statuses(&self) -> Vec<Arc<Value>> {
        self.ear.said.lock().unwrap().statuses.clone()
    }

    /// Everything it printed but the links (which hold the API token on purpose).
    pub fn said(&self) -> String {
        let said = self.ear.said.lock().unwrap();
        let stdout = said
            .stdout
            .lines()
            .filter(|l| !l.contains("\"serving\""))
            .collect::<Vec<_>>()
            .join("\n");
        format!("{stdout}\n{}", said.stderr)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A path in its folders.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// Waits for it to end.
    pub fn wait_end(&mut self) -> ExitStatus {
        let end = Instant::now() + LONG;
        let mut said = self.ear.said.lock().unwrap();
        while said.closed < 2 {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it does not end\nstderr: {}", said.stderr);
            said = self.ear.heard.wait_timeout(said, left).unwrap().0;
        }
        drop(said);
        let status = self.child.wait().unwrap();
        self.ended = true;
        status
    }

    /// Ctrl-C: it must end by itself with 0 and leave nothing behind. Returns how long it took.
    pub fn stop(&mut self) -> Duration {
        let asked = Instant::now();
        signal(self.pid(), "INT");
        let status = self.wait_end();
        let took = asked.elapsed();
        assert_eq!(
            status.code(),
            Some(0),
            "after Ctrl-C: {status}\n{}",
            self.said()
        );
        // GStreamer's own complaints about how it is used.
        assert!(!self.said().contains("CRITICAL"), "{}", self.said());
        self.home.assert_nothing_left();
        took
    }

    /// Pulls the plug.
    pub fn kill(&mut self) {
        signal(self.pid(), "KILL");
        self.wait_end();
    }
}

impl Drop for Aerial {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if thread::panicking() {
            eprintln!(
                "aerial said: {}",
                self.ear
                    .said
                    .lock()
                    .map(|s| s.stderr.clone())
                    .unwrap_or_default()
            );
        }
    }
}

/// Viewer rows of a status with this transport.
pub fn viewers<'a>(status: &'a Value, transport: &str) -> Vec<&'a Value> {
    let all = status["viewers"].as_array().unwrap();
    all.iter().filter(|v| v["transport"] == transport).collect()
}

/// The viewer at this address, if it is listed.
pub fn viewer_at(status: &Value, address: SocketAddr) -> Option<&Value> {
    let address = address.to_string();
    status["viewers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|v| v["address"] == address.as_str())
}

/// The number of a viewer row.
pub fn id(viewer: &Value) -> u64 {
    viewer["id"].as_u64().unwrap()
}

/// The output of this kind; null if there is none (yet).
pub fn output<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let all = status["outputs"].as_array().unwrap();
    all.iter()
        .find(|o| o["kind"] == kind)
        .unwrap_or(&Value::Null)
}
