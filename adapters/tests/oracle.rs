//! Compares the ports of the two version orders with the tools themselves, on generated pairs.
//!
//! Runs where `dpkg` resp. `rpm` is present. `AGENT_UPDATER_ORACLE=dpkg` (or `rpm`, or both with a
//! comma) makes a missing tool a failure instead of a skip.
#![allow(clippy::print_stderr, clippy::unwrap_used)]

use adapters::NativeVersion;
use adapters::runner::find_program;
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

const PAIRS: usize = 2500;

#[test]
fn dpkg_orders_as_we_do() {
    if !present("dpkg") {
        return;
    }
    // dpkg compares one pair a call: three calls at most for a pair, all from one shell.
    let script = r#"while read -r a b; do
        if dpkg --compare-versions "$a" lt "$b"; then echo '<'
        elif dpkg --compare-versions "$a" eq "$b"; then echo '='
        else echo '>'; fi
    done"#;
    let pairs = pairs(NativeVersion::debian, ".+~-aAbz019");
    let input: String = pairs.iter().fold(String::new(), |mut text, (one, two)| {
        writeln!(text, "{one} {two}").unwrap();
        text
    });
    agree(&pairs, &answers("sh", &["-c", script], &input));
}

#[test]
fn rpm_orders_as_we_do() {
    if !present("rpm") {
        return;
    }
    let pairs = pairs(NativeVersion::rpm, "._+~^aAbz019");
    // A macro expansion has a limited size, hence a file.
    let file = tempfile::NamedTempFile::new().unwrap();
    for (one, two) in &pairs {
        writeln!(file.as_file(), "{one} {two}").unwrap();
    }
    let script = format!(
        "%{{lua: for line in io.lines('{}') do local a, b = line:match('(%S+) (%S+)') \
         print(({{[-1]='<', [0]='=', [1]='>'}})[rpm.vercmp(a, b)] .. '\\n') end}}",
        file.path().display()
    );
    agree(&pairs, &answers("rpm", &["--eval", &script], ""));
}

fn present(tool: &str) -> bool {
    let present = find_program(tool).is_some();
    let wanted = std::env::var("AGENT_UPDATER_ORACLE").unwrap_or_default();
    assert!(
        present || !wanted.split(',').any(|name| name == tool),
        "{tool} is wanted but missing"
    );
    if !present {
        eprintln!("SKIPPED: {tool} is not here, its order of versions was NOT compared with ours");
    }
    present
}

/// Pairs of valid versions, near to each other, always the same.
fn pairs(
    validate: impl Fn(&str) -> Result<NativeVersion, adapters::version::InvalidVersion>,
    alphabet: &str,
) -> Vec<(NativeVersion, NativeVersion)> {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut state = 20_260_101_u64;
    let mut below = move |limit: usize| {
        // A linear congruential generator (Knuth's constants); its high bits are good enough here.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let mut text = move || {
        let mut part = |longest: usize| -> String {
            (0..=below(longest))
                .map(|_| alphabet[below(alphabet.len())])
                .collect()
        };
        let (version, release) = (part(5), part(3));
        let epoch = ["", "", "", "0:", "1:"][below(5)];
        format!(
            "{epoch}{}{version}-{release}",
            ["1", "1.0", "15.4.3", "0"][below(4)]
        )
    };
    let mut pairs = Vec::new();
    while pairs.len() < PAIRS {
        if let (Ok(one), Ok(two)) = (validate(&text()), validate(&text())) {
            pairs.push((one, two));
        }
    }
    pairs
}

fn answers(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn agree(pairs: &[(NativeVersion, NativeVersion)], answers: &str) {
    let answers: Vec<&str> = answers.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(answers.len(), pairs.len(), "the tool left pairs out");
    for ((one, two), answer) in pairs.iter().zip(answers) {
        let ours = match one.compare(two) {
            Ordering::Less => "<",
            Ordering::Equal => "=",
            Ordering::Greater => ">",
        };
        assert_eq!(ours, answer, "{one} and {two}");
    }
}
