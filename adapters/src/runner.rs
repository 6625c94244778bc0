//! One place runs commands, so that environment, deadlines, limits and logging exist once.

use crate::command::{CommandOutput, CommandSpec, Exit, Interruption};
use crate::failure::Failure;
use crate::processes::{lives, signal_scripts};
use crate::secret::without_credentials;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Where programs are looked for; the caller's PATH never counts.
const SYSTEM_FOLDERS: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The whole environment of every command, but for proxies. `LC_ALL` alone is not enough for
/// English output (`LANGUAGE` still translates), hence nothing is inherited. `HOME` is missing in
/// a systemd service. needrestart is told to leave services alone: restarting is our decision.
pub const ENVIRONMENT: [(&str, &str); 9] = [
    ("PATH", SYSTEM_FOLDERS),
    ("HOME", "/root"),
    ("LC_ALL", "C.UTF-8"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("APT_LISTBUGS_FRONTEND", "none"),
    ("NEEDRESTART_SUSPEND", "1"),
    ("ZYPP_LOCK_TIMEOUT", "60"),
];

/// How many bytes of each stream are kept: the first half and the last half, because a tool names
/// its error at the end.
const KEPT: usize = 16 * 1024 * 1024;

/// How long a process group has between SIGTERM and SIGKILL.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a killed group may take to die: a process that waits for a disk does so later.
const DEATH: Duration = Duration::from_secs(10);

/// How often a killed group is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How long the pipes are still read after the program has ended. A daemon that it left behind
/// (gpg-agent) may keep them open for ever.
const AFTERMATH: Duration = Duration::from_secs(5);

/// How long after a hanging script was ended another one may hang before it is ended, too.
const NEXT_SCRIPT: Duration = Duration::from_secs(60);

/// Runs commands.
pub trait Runner {
    /// Runs one command to its end, or to its deadline if it may be killed. An error means that it
    /// could not be run; how it ended is in the output.
    fn run(&self, command: &CommandSpec) -> impl Future<Output = Result<CommandOutput, Failure>>;
}

/// Runs commands as child processes, each in a session of its own, without terminal and input.
#[derive(Clone, Debug, Default)]
pub struct ProcessRunner {
    proxies: Vec<(String, String)>,
}

impl ProcessRunner {
    /// A runner that passes nothing of the caller's environment on.
    pub fn new() -> Self {
        Self::default()
    }

    /// Passes proxies on, such as `https_proxy` and its value.
    #[must_use]
    pub fn with_proxies(proxies: Vec<(String, String)>) -> Self {
        Self { proxies }
    }

    #[allow(unsafe_code)]
    fn prepare(&self, program: PathBuf, command: &CommandSpec) -> Command {
        let mut prepared = Command::new(program);
        prepared
            .args(&command.arguments)
            .env_clear()
            .envs(ENVIRONMENT)
            .envs(
                command
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .envs(self.proxies.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(match (&command.input, &command.transcript) {
                (Some(_), None) => Stdio::piped(),
                _ => Stdio::null(),
            })
            .kill_on_drop(command.interruption == Interruption::Allowed);
        // SAFETY: between fork and exec only async-signal-safe calls are allowed; setsid and umask
        // are plain system calls, and nothing is allocated. The new session takes the terminal
        // away and makes the child the leader of a process group that can be killed as a whole.
        unsafe {
            prepared.pre_exec(|| {
                rustix::process::setsid()?;
                rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
                Ok(())
            });
        }
        prepared
    }
}

/// Finds a program in the system folders, or at its absolute path.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let findable = name.starts_with('/') || !name.contains('/');
    findable
        .then(|| which::which_in(name, Some(SYSTEM_FOLDERS), "/").ok())
        .flatten()
}

impl Runner for ProcessRunner {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, Failure> {
        let program = find_program(&command.program).ok_or_else(|| missing(&command.program))?;
        tracing::debug!(purpose = command.purpose, "running {command}");
        let start = Instant::now();
        let cannot = |error: std::io::Error| {
            let text = format!("cannot run `{}`: {error}", command.program);
            if error.kind() == ErrorKind::StorageFull {
                Failure::DiskFull(text)
            } else {
                Failure::Unexpected(text)
            }
        };
        let mut prepared = self.prepare(program, command);
        let output = match &command.transcript {
            None => {
                prepared.stdout(Stdio::piped()).stderr(Stdio::piped());
                piped(prepared.spawn().map_err(cannot)?, command, start).await
            }
            Some(path) => recorded(prepared, path, command, start).await,
        };
        let output = output.map_err(cannot)?;
        tracing::debug!(
            purpose = command.purpose,
            milliseconds = output.duration.as_millis(),
            omitted = output.omitted,
            "{}: {}",
            command.program,
            output.exit
        );
        Ok(output)
    }
}

/// Runs with pipes, which are read while the program runs.
async fn piped(
    mut child: Child,
    command: &CommandSpec,
    start: Instant,
) -> std::io::Result<CommandOutput> {
    let (mut stdout, mut stderr) = (Capture::default(), Capture::default());
    let pipes = (child.stdout.take(), child.stderr.take());
    let (input, words) = (child.stdin.take(), command.input.as_deref());
    let ended = {
        let mut reading = std::pin::pin!(async {
            tokio::join!(
                say(input, words),
                stdout.read(pipes.0),
                stderr.read(pipes.1)
            );
        });
        let mut waiting = std::pin::pin!(wait(&mut child, command, start));
        let (ended, read) = tokio::select! {
            ended = &mut waiting => (ended, false),
            () = &mut reading => (waiting.await, true),
        };
        if !read && timeout(AFTERMATH, reading).await.is_err() {
            tracing::debug!(
                purpose = command.purpose,
                "a process it left behind holds its output open"
            );
        }
        ended?
    };
    Ok(CommandOutput {
        exit: ended.exit,
        omitted: stdout.omitted + stderr.omitted,
        stdout: stdout.into_text(),
        stderr: stderr.into_text(),
        duration: start.elapsed(),
        ended_scripts: ended.scripts,
    })
}

/// Writes standard input and closes it. A program need not read what it is told.
async fn say(pipe: Option<ChildStdin>, words: Option<&str>) {
    if let (Some(mut pipe), Some(words)) = (pipe, words) {
        let _ = pipe.write_all(words.as_bytes()).await;
    }
}

/// Runs with files for its output, which go on when this program does not.
async fn recorded(
    mut prepared: Command,
    transcript: &Path,
    command: &CommandSpec,
    start: Instant,
) -> std::io::Result<CommandOutput> {
    let create = |ending: &str| {
        let mut path = transcript.as_os_str().to_owned();
        path.push(ending);
        let path = PathBuf::from(path);
        OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| {
                let text = format!("create its transcript {}: {error}", path.display());
                std::io::Error::new(error.kind(), text)
            })
    };
    let (out, err) = (create(".out")?, create(".err")?);
    // What an earlier step of the same transaction said stays before it.
    let starts = (out.metadata()?.len(), err.metadata()?.len());
    prepared.stdout(out.try_clone()?).stderr(err.try_clone()?);
    let mut child = prepared.spawn()?;
    let ended = wait(&mut child, command, start).await?;
    let (stdout, stderr) = (Capture::of(out, starts.0)?, Capture::of(err, starts.1)?);
    Ok(CommandOutput {
        exit: ended.exit,
        omitted: stdout.omitted + stderr.omitted,
        stdout: stdout.into_text(),
        stderr: stderr.into_text(),
        duration: start.elapsed(),
        ended_scripts: ended.scripts,
    })
}

fn missing(program: &str) -> Failure {
    let package = match program {
        "apt-get" | "apt-cache" | "apt-mark" => "apt",
        "dpkg-query" => "dpkg",
        "rpmkeys" => "rpm",
        other => other,
    };
    Failure::Unexpected(format!(
        "the program `{program}` is in none of {SYSTEM_FOLDERS}; the package `{package}` has it"
    ))
}

/// How a command ended, and the scripts below it that were ended on the way.
struct Ended {
    exit: Exit,
    scripts: Vec<String>,
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Self {
        Self {
            exit,
            scripts: Vec::new(),
        }
    }
}

/// Waits for the end, and does what is due at the deadline.
async fn wait(child: &mut Child, command: &CommandSpec, start: Instant) -> std::io::Result<Ended> {
    let group = child
        .id()
        .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    tokio::select! {
        status = child.wait() => return Ok(exit_of(status?).into()),
        () = sleep_until(start + command.deadline) => {}
    }
    let seconds = command.deadline.as_secs();
    if let Interruption::ScriptsOnly(marks) = command.interruption {
        return end_scripts(child, command, marks).await;
    }
    tracing::warn!(
        purpose = command.purpose,
        "`{}` killed after {seconds} s",
        command.program
    );
    if let Some(group) = group {
        // The group may be gone already; then there is nothing to do.
        let _ = kill_process_group(group, Signal::TERM);
        let ended = timeout(FAREWELL, child.wait()).await.is_ok();
        // Whoever ignored SIGTERM, grandchildren too.
        let _ = kill_process_group(group, Signal::KILL);
        if !ended {
            child.wait().await?;
        }
        if timeout(DEATH, dead(group)).await.is_err() {
            tracing::warn!(
                purpose = command.purpose,
                "processes of `{}` still run {} s after they were killed",
                command.program,
                DEATH.as_secs()
            );
        }
    }
    Ok(Exit::DeadlineExceeded.into())
}

/// Waits until nothing of a killed group runs: until then it holds its files and locks, and whoever
/// comes next would meet them.
async fn dead(group: Pid) {
    while lives(group) {
        sleep(LOOK).await;
    }
}

/// Ends whatever script of the package hangs, again and again, until the transaction is over by
/// itself.
async fn end_scripts(
    child: &mut Child,
    command: &CommandSpec,
    marks: &[&str],
) -> std::io::Result<Ended> {
    let mut scripts: Vec<String> = Vec::new();
    let exit = loop {
        let Some(root) = child.id() else {
            break exit_of(child.wait().await?);
        };
        let ended = signal_scripts(root, marks, Signal::TERM);
        for script in &ended {
            tracing::warn!(
                purpose = command.purpose,
                "the package's script `{script}` has not ended within {} s and is ended",
                command.deadline.as_secs()
            );
        }
        scripts.extend(ended.iter().cloned());
        if ended.is_empty() {
            tracing::warn!(
                purpose = command.purpose,
                "`{}` has been running for more than {} s; a transaction is never killed, waiting on",
                command.program,
                command.deadline.as_secs()
            );
        } else if let Ok(status) = timeout(FAREWELL, child.wait()).await {
            break exit_of(status?);
        } else {
            // Whoever ignored SIGTERM.
            signal_scripts(root, marks, Signal::KILL);
        }
        if let Ok(status) = timeout(NEXT_SCRIPT, child.wait()).await {
            break exit_of(status?);
        }
    };
    Ok(Ended { exit, scripts })
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(status.into_raw()),
    }
}

/// One stream: its first and its last bytes, and how many were left out between them.
#[derive(Default)]
struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
}

impl Capture {
    async fn read(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = vec![0; 16 * 1024];
        // A pipe that fails is a pipe that ended: how the program ended is what counts.
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            self.keep(&buffer[..count]);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (KEPT / 2).saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..room]);
        self.tail.extend(&bytes[room..]);
        let excess = self.tail.len().saturating_sub(KEPT / 2);
        self.tail.drain(..excess);
        self.omitted += excess as u64;
    }

    /// What was written to the file from that byte on.
    fn of(mut file: File, from: u64) -> std::io::Result<Self> {
        let mut capture = Self::default();
        file.seek(SeekFrom::Start(from))?;
        let mut buffer = vec![0; 64 * 1024];
        while let count @ 1.. = file.read(&mut buffer)? {
            capture.keep(&buffer[..count]);
        }
        Ok(capture)
    }

    fn into_text(self) -> String {
        let mut bytes = self.head;
        if self.omitted > 0 {
            bytes.extend(format!("\n[{} bytes left out]\n", self.omitted).bytes());
        }
        bytes.extend(self.tail);
        // Nobody behind this point has a use for a password; the reports and logs are for others.
        without_credentials(&String::from_utf8_lossy(&bytes))
    }
}
