//! Nothing that fails these validators ever becomes part of a command line: in all three tools a
//! name or version such as `pkg=1.0-`, `pkg-1.*` or `--setopt=…` means something else, and `--`
//! stops none of them.

mod debian;
mod name;
mod native;
mod rpm;
mod select;
mod target;
#[cfg(test)]
mod tests;

pub use name::{InvalidName, PackageName};
pub use native::{Family, InvalidVersion, NativeVersion};
pub use select::select;
pub use target::{InvalidTarget, PreRelease, Stage, TargetVersion};

/// Whether `text` is `first`, then `middle` characters, then an alphanumeric one: the shape of
/// every name and version here. A single character is allowed.
fn has_shape(text: &str, first: fn(char) -> bool, middle: &str, longest: usize) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || middle.contains(c);
    (1..=longest).contains(&text.len())
        && text.starts_with(first)
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(inside)
}

/// Whether a tool would take `text` for a package file.
fn looks_like_a_file(text: &str) -> bool {
    text.rsplit_once('.').is_some_and(|(_, extension)| {
        extension.eq_ignore_ascii_case("rpm") || extension.eq_ignore_ascii_case("deb")
    })
}
