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
    ids: RefCell<Vec<String>>,
    ends: RefCell<VecDeque<Exit>>,
}

impl Runner for Fake {
    async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, Failure> {
        let text = command.input.clone().unwrap_or_default();
        let event: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = format!("{} {} {}", command.program, event["agent"], event["reason"]);
        self.told.borrow_mut().push(said.replace('"', ""));
        self.ids.borrow_mut().push(event["id"].to_string());
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
        self.runs(now(), found, Some(before)).await
    }

    /// A run that begins at this moment.
    async fn runs(
        &self,
        began: DateTime<Utc>,
        found: Reason,
        before: Option<Reason>,
    ) -> Vec<String> {
        let document = |reason| {
            let report = without_facts("a", "", reason, String::new(), None);
            Document::new(began, "web1".to_owned(), vec![report])
        };
        let scene = Scene {
            layout: &self.layout,
            runner: &self.fake,
            configuration: &self.configuration,
            host: "web1",
            called: "tick",
            began,
            now: began + TimeDelta::seconds(5),
        };
        let earlier = before.map(document);
        deliver(&scene, Some(&document(found)), earlier.as_ref()).await;
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
    bench.record("a", "old", now() - TimeDelta::milliseconds(1));
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

#[tokio::test(flavor = "current_thread")]
async fn the_first_command_is_heard_too() {
    use Reason::{NotOffered, UpToDate};
    let bench = Bench::new(ONE);
    bench.record("a", "old", now() - TimeDelta::seconds(1));
    bench.record("a", "first", now() + TimeDelta::seconds(3));
    let heard = bench.runs(now(), NotOffered, None).await;
    assert_eq!(heard, ["/bin/x a first", "/bin/x a state_changed"]);
    assert!(bench.run(NotOffered, NotOffered).await.is_empty());
    // A fault that was there before anybody wanted to hear of it is no news, and that it goes is.
    let bench = Bench::new(ONE);
    assert!(bench.run(NotOffered, NotOffered).await.is_empty());
    assert_eq!(bench.run(UpToDate, NotOffered).await.len(), 1);
    // Where the line before it was not heard, the fault is told by the run after.
    let bench = Bench::new(ONE);
    bench.record("a", "first", now());
    bench.fake.ends.borrow_mut().push_back(Exit::Code(1));
    let heard = bench.runs(now(), NotOffered, None).await;
    assert_eq!(heard, ["/bin/x a first"]);
    assert_eq!(
        bench.run(NotOffered, NotOffered).await,
        ["/bin/x a first", "/bin/x a state_changed"]
    );
}

#[tokio::test(flavor = "current_thread")]
async fn a_change_of_state_is_told_again_as_the_same_event_and_in_order() {
    use Reason::{NotOffered, UpToDate};
    let bench = Bench::new(ONE);
    bench.idle().await;
    let later = |minutes| now() + TimeDelta::minutes(minutes);
    let fails = [Exit::Code(1), Exit::Code(1)];
    bench.fake.ends.borrow_mut().extend(fails);
    for minutes in 1..=2 {
        let heard = bench.runs(later(minutes), NotOffered, Some(UpToDate)).await;
        assert_eq!(heard, ["/bin/x a state_changed"]);
    }
    // It is over meanwhile, and something else has happened.
    bench.record("a", "one", later(3));
    let heard = bench.runs(later(3), UpToDate, Some(NotOffered)).await;
    let changed = "/bin/x a state_changed";
    assert_eq!(heard, [changed, "/bin/x a one", changed]);
    let ids = bench.fake.ids.take();
    assert_eq!(ids.len(), 5);
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{ids:?}");
    assert_ne!(ids[2], ids[4]);
    // Each has its own count: what failed for a line is not held against a state.
    bench.record("a", "two", later(4));
    let fails = [1, 1, 0, 1, 1, 1].map(Exit::Code);
    bench.fake.ends.borrow_mut().extend(fails);
    let mut heard = Vec::new();
    for minutes in 4..=9 {
        heard.extend(bench.runs(later(minutes), NotOffered, None).await);
    }
    assert_eq!(
        heard,
        [
            "/bin/x a two",
            "/bin/x a two",
            "/bin/x a two",
            changed,
            changed,
            changed
        ]
    );
}
