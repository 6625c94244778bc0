//! The tick under test, with one of its processes under strace.
//!
//! In PID 1's way it is a service of the name that it has in life, but not shut in: there nothing can
//! be traced.

use crate::laboratory::{FILL, Output, lab, wait_for};
use crate::scene::{SHARED, STRACE, Scene, Side, UPDATER};
use std::fs;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The tick with the exit code of every fault.
const PLAIN: &str = "/opt/updater/agent-updater run";
const SERVICE: &str =
    "systemd-run --wait --pipe --collect --quiet --unit=agent-updater.service -- /bin/sh";

/// How long a tick may take, on a busy machine under strace.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

impl Scene {
    /// Begins the tick; the chosen process comes by way of `before`, a line that ends in the options
    /// of strace.
    fn begin(&self, before: &str, tick: &str, after: &str) -> Child {
        let exec = if after.is_empty() { "exec " } else { "" };
        let (decider, line) = match self.side {
            Side::Alone | Side::Decider => (format!("{before} {tick}\n"), String::new()),
            Side::Installer => (
                format!("{exec}{tick}\n{after}\n"),
                format!("{before} \"$@\"\n"),
            ),
        };
        if self.side == Side::Installer {
            fs::write(self.shared("installer"), line).expect("the shared folder");
        }
        fs::write(self.shared("decider"), decider).expect("the shared folder");
        let shell = match self.side {
            Side::Alone => "/bin/sh",
            Side::Decider | Side::Installer => SERVICE,
        };
        let line = format!("exec {shell} {SHARED}/decider");
        lab(&["exec", &self.host.name, "--", "sh", "-c", &line])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the laboratory")
    }

    /// Runs the update under strace, which watches the chosen process alone.
    pub(crate) fn run_traced(&self, options: &str) -> (Output, String) {
        self.run(options, UPDATER)
    }

    /// The same with the exit code of every fault.
    pub(crate) fn run_failing(&self, options: &str) -> (Output, String) {
        self.run(&format!("-s 200 {options}"), PLAIN)
    }

    fn run(&self, options: &str, tick: &str) -> (Output, String) {
        // From the tick before, where this is not the first.
        let _ = fs::remove_file(self.shared("own"));
        let before = format!("exec {STRACE} -D -o {SHARED}/own {options}");
        let output = end(self.begin(&before, tick, ""));
        // Where nothing was to be done, no installer was started.
        let has_trace = self.side != Side::Installer || self.shared("by-way-of").exists();
        let text = if has_trace {
            self.whole_trace()
        } else {
            String::new()
        };
        self.trace_no_more();
        (output, text)
    }

    /// The installer of a later tick is one as in life; the script that it would come by is there where
    /// none was started, and the one that it came by where one was.
    pub(crate) fn trace_no_more(&self) {
        for name in ["installer", "by-way-of"] {
            let _ = fs::remove_file(self.shared(name));
        }
    }

    /// Runs the update; once the chosen call has returned the disk is full.
    pub(crate) fn run_filled(&self, call: &str, nth: usize, options: &str) -> (Output, String) {
        let before = format!(
            "echo $$ >{SHARED}/ours; exec {STRACE} -D -s 200 -o {SHARED}/own {options} \
             -e inject={call}:signal=STOP:when={nth}"
        );
        let child = self.begin(&before, PLAIN, "");
        let running = thread::spawn(|| end(child));
        let deadline = Instant::now() + PATIENCE;
        while !running.is_finished() {
            assert!(Instant::now() < deadline, "the tick does not end");
            let seen = fs::read(self.shared("own")).unwrap_or_default();
            if String::from_utf8_lossy(&seen).contains("--- stopped by SIGSTOP") {
                let line = format!(
                    "( {FILL} ) || echo 'the disk is not full'; kill -CONT \"$(cat {SHARED}/ours)\""
                );
                let filled = self.host.exec(&["sh", "-c", &line]);
                let mut output = running.join().expect("the tick");
                output.stderr += &filled.all();
                let text = self.whole_trace();
                self.trace_no_more();
                return (output, text);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let output = running.join().expect("the tick");
        let text = self.whole_trace();
        self.trace_no_more();
        (output, text)
    }

    /// What strace wrote, once it has written how its process ended: it outlives it for a moment.
    fn whole_trace(&self) -> String {
        let mut text = String::new();
        wait_for("strace has written the end of its process", || {
            let bytes = fs::read(self.shared("own")).unwrap_or_default();
            text = String::from_utf8_lossy(&bytes).into_owned();
            let last = text.lines().last().unwrap_or_default();
            last.starts_with("+++ ") && text.ends_with('\n')
        });
        text
    }

    /// What the last run of the whole tree printed.
    pub(crate) fn printed(&self) -> String {
        fs::read_to_string(self.shared("printed")).unwrap_or_default()
    }

    /// Begins the update with the chosen process and all its children under strace, which writes to
    /// `pipe`.
    pub(crate) fn begin_traced_whole(&self, calls: &str) -> Child {
        // The tracer is nobody's parent, so that the unit ends with our process and not with it.
        let before = format!(
            "cat /proc/self/cgroup >{SHARED}/group.new && mv {SHARED}/group.new {SHARED}/group
             exec {STRACE} -D -f -s 40 --seccomp-bpf -e trace={calls} -o {SHARED}/pipe"
        );
        // Where no installer was started, whoever reads the pipe would wait for ever.
        let after = format!("code=$?; [ -e {SHARED}/by-way-of ] || : >{SHARED}/pipe; exit $code");
        self.begin(&before, &format!("{PLAIN} >{SHARED}/printed 2>&1"), &after)
    }
}

/// Waits for the end of a tick.
pub(crate) fn end(child: Child) -> Output {
    let output = child.wait_with_output().expect("wait for the laboratory");
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
