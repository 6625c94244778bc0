use super::*;
use crate::config::load_file;
use crate::decision::Reason;
use crate::report::build::without_facts;
use adapters::{CommandOutput, CommandSpec, Exit, Failure};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;

/// Keeps what programs are told, and ends them as it is told itself; then with 0.
#[derive(Default)]
struct Fake {
    told: RefCell<Vec<String>>,
    ends: RefCell<VecDeque<Exit>>,
}

impl Runner for Fake {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, Failure> {
        let text = command.input.clone().unwrap_or_default();
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = format!("{} {} {}", command.program, event["agent"], event["reason"]);
        self.told.borrow_mut().push(said.replace('"', ""));
        let exit = self.ends.borrow_mut().pop_front();
        Ok(CommandOutput::new(exit.unwrap_or(Exit::Code(0)), "", ""))
    }
}

struct Bench {
    _root: tempfile::TempDir,
    layout: Layout,
    configuration: Configuration,
    fake: Fake,
}

fn now() -> DateTime<Utc> {
    "2026-06-01T02:00:00Z".parse().unwrap()
}

impl Bench {
    fn new(configuration: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let file = root.path().join("config.toml");
        std::fs::write(&file, configuration).unwrap();
        Self {
            configuration: load_file(Path::new("/"), &file),
            layout,
            _root: root,
            fake: Fake::default(),
        }
    }

    /// Records something of an agent.
    fn record(&self, agent: &str, reason: &str, at: DateTime<Utc>) {
        let header = Header::new(("web1", agent), at, "tick", reason, reason);
        crate::state::history::append(&self.layout, &header).unwrap();
    }

    /// A run that finds this of the agent `a`, after another that found that.
    async fn run(&self, found: Reason, before: Reason) -> Vec<String> {
        let document = |reason| {
            let report = without_facts("a", "", reason, String::new(), None);
            Document::new(now(), "web1".to_owned(), vec![report])
        };
        let scene = Scene {
            layout: &self.layout,
            runner: &self.fake,
            configuration: &self.configuration,
            host: "web1",
            called: "tick",
            now: now(),
        };
        deliver(&scene, Some(&document(found)), Some(&document(before))).await;
        self.fake.told.take()
    }

    async fn idle(&self) -> Vec<String> {
        self.run(Reason::UpToDate, Reason::UpToDate).await
    }
}

const ONE: &str = "[agents.a]\non_event = [\"/bin/x\"]\n";

#[tokio::test(flavor = "current_thread")]
async fn it_begins_with_what_happens_from_then_on_and_tells_it_once() {
    let bench = Bench::new(ONE);
    bench.record("a", "old", now());
    assert!(bench.idle().await.is_empty());
    bench.record("a", "one", now());
    bench.record("b", "of another", now());
    bench.record("", "of_all", now());
    bench.record("a", "too_old", now() - OLDEST * 2);
    assert_eq!(bench.idle().await, ["/bin/x a one", "/bin/x  of_all"]);
    let cursor = bench.layout.events().join("a.json");
    let written = std::fs::metadata(&cursor).unwrap().modified().unwrap();
    assert!(bench.idle().await.is_empty());
    let again = std::fs::metadata(&cursor).unwrap().modified().unwrap();
    assert_eq!(written, again, "an idle run writes nothing");
}

#[tokio::test(flavor = "current_thread")]
async fn what_concerns_all_is_told_once_to_each_program() {
    let bench = Bench::new(
        "[defaults]\non_event = [\"/bin/x\"]\n[agents.a]\n[agents.b]\n[agents.c]\non_event = [\"/bin/y\"]\n",
    );
    bench.idle().await;
    bench.record("", "of_all", now());
    bench.record("b", "mine", now());
    assert_eq!(
        bench.idle().await,
        ["/bin/x  of_all", "/bin/x b mine", "/bin/y  of_all"]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_program_that_fails_is_told_again_and_given_up_after_three_runs() {
    let bench = Bench::new(ONE);
    bench.idle().await;
    bench.record("a", "one", now());
    bench.record("a", "two", now());
    let fails = [Exit::Code(3), Exit::DeadlineExceeded];
    bench.fake.ends.borrow_mut().extend(fails);
    assert_eq!(bench.idle().await, ["/bin/x a one"], "the order is kept");
    assert_eq!(bench.idle().await, ["/bin/x a one"]);
    assert_eq!(bench.idle().await, ["/bin/x a one", "/bin/x a two"]);
    bench.record("a", "three", now());
    let fails = [Exit::Code(3), Exit::Signal(9), Exit::Code(1)];
    bench.fake.ends.borrow_mut().extend(fails);
    for _ in 0..3 {
        assert_eq!(bench.idle().await, ["/bin/x a three"]);
    }
    assert!(bench.idle().await.is_empty(), "given up");
}

#[tokio::test(flavor = "current_thread")]
async fn a_fault_that_comes_or_goes_is_told_once_and_again_where_it_was_not_heard() {
    use Reason::{NotOffered, Quarantined, UpToDate, Updated};
    let bench = Bench::new(ONE);
    assert!(bench.run(UpToDate, UpToDate).await.is_empty());
    assert!(bench.run(Updated, UpToDate).await.is_empty());
    bench.fake.ends.borrow_mut().push_back(Exit::Code(1));
    assert_eq!(
        bench.run(NotOffered, Updated).await,
        ["/bin/x a state_changed"]
    );
    assert_eq!(
        bench.run(NotOffered, NotOffered).await,
        ["/bin/x a state_changed"]
    );
    assert!(bench.run(NotOffered, NotOffered).await.is_empty());
    assert_eq!(bench.run(Quarantined, NotOffered).await.len(), 1);
    // A reboot took the findings of the run before.
    assert_eq!(bench.run(UpToDate, UpToDate).await.len(), 1);
    assert!(bench.run(UpToDate, UpToDate).await.is_empty());
}
