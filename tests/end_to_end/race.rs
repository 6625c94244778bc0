//! The host changes between the simulation and the transaction: still nothing but our package changes.

use crate::laboratory::{Host, Output, Setup, must, unique};
use crate::support::test_server::Reply;
use crate::with_each_manager;

/// Something else at work on the host: another process changes the package database after the
/// simulation and the download, just before the transaction.
struct Other<'a> {
    host: &'a Host,
    program: &'static str,
}

impl<'a> Other<'a> {
    fn new(host: &'a Host) -> Self {
        let program = match host.manager {
            "apt" => "/usr/bin/apt-get",
            "yum" => "/usr/bin/dnf",
            _ => "/usr/bin/zypper",
        };
        host.shell(&format!("mv {program} {program}.real"));
        Self { host, program }
    }

    /// What it does in that moment, once.
    fn does(&self, line: &str) {
        self.host.write(
            self.program,
            &format!(
                "#!/bin/sh\ncase \" $* \" in\n*' -s '* | *--assumeno* | *--dry-run* | *download*only*) ;;\n\
                 *demo-agent[=-]4*) [ -e /root/meanwhile ] || {{ {line} && : >/root/meanwhile; }} >&2 ;;\nesac\nexec {}.real \"$@\"\n",
                self.program
            ),
        );
        self.host.shell(&format!(
            "chmod 755 {}; rm -f /root/meanwhile",
            self.program
        ));
    }

    fn is_over(&self) {
        self.host.shell(&format!("mv {0}.real {0}", self.program));
    }
}

/// Whether the package that others care for is installed.
fn has_plugin(host: &Host) -> bool {
    let question: &[&str] = match host.manager {
        "apt" => &["dpkg-query", "-W", "-f=${db:Status-Status}", "demo-plugin"],
        _ => &["rpm", "-q", "demo-plugin"],
    };
    let output = host.exec(question);
    output.code == 0 && !output.stdout.contains("not-installed")
}

with_each_manager! {
    fn no_other_package_changes_even_where_the_host_did_after_the_simulation(setup: Setup) {
        let name = unique("race");
        // 4.0.0 replaces the plugin, 4.1.0 needs it.
        must(&["repository", &name, "--versions", "1.0.0 4.0.0 4.1.0"]);
        let host = Host::up(&Setup { repository: Some(name.clone()), ..setup.clone() });
        let (place, insert, remove) = if host.manager == "apt" {
            ("apt/pool/demo-plugin_1.0.0_$(dpkg --print-architecture).deb", "dpkg -i /root/plugin", "dpkg -r demo-plugin")
        } else {
            ("rpm/demo-plugin-1.0.0-1.$(uname -m).rpm", "rpm -i /root/plugin", "rpm -e demo-plugin")
        };
        host.shell(&format!("curl -sSfo /root/plugin http://10.213.0.1/{name}/{place}"));
        // apt does not name what it would have to remove.
        let says_so = |run: &Output| {
            let message = run.agent()["message"].to_string();
            message.contains("demo-plugin") || message.contains("Packages need to be removed but remove is disabled")
        };
        let other = Other::new(&host);
        for (version, meanwhile, stays) in [("4.0.0", insert, true), ("4.1.0", remove, false)] {
            other.does(meanwhile);
            assert_eq!(has_plugin(&host), !stays);
            host.server.set("/version", Reply::ok(version));
            let run = host.updater(&["run", "--json"]);
            assert_eq!(host.exec(&["test", "-e", "/root/meanwhile"]).code, 0, "it came to the transaction: {}", run.all());
            assert_eq!((run.code, &run.agent()["reason"]), (26, &"would_change_others".into()), "{version}: {}", run.all());
            assert!(says_so(&run), "{version}: {}", run.all());
            assert_eq!(has_plugin(&host), stays, "{version}: {}", run.all());
            host.assert_runs("1.0.0");
            // The next tick's simulation sees what is there now, and names it.
            let run = host.updater(&["run", "--json"]);
            assert_eq!((run.code, &run.agent()["reason"]), (26, &"would_change_others".into()), "{version}: {}", run.all());
            assert!(says_so(&run), "{version}: {}", run.all());
        }
        other.is_over();
        // Where nobody interferes, both go in.
        host.shell(&format!("{insert} >&2"));
        assert_eq!(host.updater(&["run"]).code, 0);
        host.assert_runs("4.1.0");
        host.shell(&format!("{} >&2", if host.manager == "apt" { "dpkg -r --force-depends demo-plugin" } else { "rpm -e --nodeps demo-plugin" }));
        host.server.set("/version", Reply::ok("4.0.0"));
        if host.manager != "apt" {
            let run = host.updater(&["run"]);
            assert_eq!(run.code, 0, "{}", run.all());
            host.assert_runs("4.0.0");
        }
        drop(host);
        must(&["repository", &name, "--remove"]);
    }
}
