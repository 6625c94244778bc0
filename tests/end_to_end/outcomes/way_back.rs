//! The way back when the repository cannot help any more, and when there is none.

use super::{assert_outcome, at_post, host_that_gets};
use crate::laboratory::{Host, Setup, future_window, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// A repository of the test's own, with a host that takes versions from it.
struct Own {
    name: String,
    host: Option<Host>,
}

impl Own {
    fn new(setup: &Setup, versions: &str) -> Self {
        let name = unique("way-back");
        must(&["repository", &name, "--versions", versions]);
        let host = Host::up(&Setup {
            repository: Some(name.clone()),
            ..setup.clone()
        });
        Self {
            name,
            host: Some(host),
        }
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("up to the end")
    }

    fn offers(&self, versions: &str) {
        must(&["repository", &self.name, "--versions", versions]);
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.host = None;
        if !std::thread::panicking() {
            must(&["repository", &self.name, "--remove"]);
        }
    }
}

with_each_manager! {
    fn repository_is_switched_off_meanwhile(setup: Setup) {
        let host = host_that_gets(&setup, "5.2.0", "");
        at_post(&host, "ip route add blackhole 10.213.0.1/32");
        let run = host.updater(&["run", "--json"]);
        assert_ne!(host.exec(&["curl", "-sS", "http://10.213.0.1/trouble/made-from"]).code, 0, "it is off");
        assert_outcome("5.2.0, repository off", &host, &run);
    }

    fn old_version_is_gone_from_the_repository_and_kept_by_us(setup: Setup) {
        let own = Own::new(&setup, "1.0.0 1.1.0");
        let host = own.host();
        assert_eq!(host.updater(&["run"]).code, 0);
        own.offers("5.2.0");
        host.server.set("/version", Reply::ok("5.2.0"));
        let run = host.updater(&["run", "--json"]);
        assert_outcome("5.2.0, old version gone but kept", host, &run);
    }

    fn old_version_cannot_be_had_any_more(setup: Setup) {
        let own = Own::new(&setup, "5.2.0");
        let host = own.host();
        host.server.set("/version", Reply::ok("5.2.0"));
        let run = host.updater(&["run", "--json"]);
        assert_outcome("5.2.0, old version gone", host, &run);
        let agent = run.agent();
        assert!(agent["warnings"].to_string().contains("no way back to 1.0.0"), "{}", run.all());
        assert!(agent["hint"].to_string().contains("no way back to 1.0.0"), "{}", run.all());
        // A version that works is taken at once, outside any window.
        own.offers("1.1.0");
        host.server.set("/version", Reply::ok("1.1.0"));
        host.server.set("/schedule", Reply::ok(future_window()));
        let run = host.updater(&["run", "--json"]);
        assert_eq!((run.code, &run.agent()["reason"]), (0, &"updated".into()), "{}", run.all());
        host.assert_runs("1.1.0");
    }

    fn kept_package_is_lost_meanwhile(setup: Setup) {
        let host = host_that_gets(&setup, "5.2.0", "");
        at_post(&host, "rm -r /var/cache/agent-updater/packages");
        let run = host.updater(&["run", "--json"]);
        assert_outcome("5.2.0, cache lost", &host, &run);
        assert!(run.agent()["hint"].to_string().contains("no way back to 1.0.0"), "{}", run.all());
    }
}
