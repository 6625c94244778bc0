//! What must not be said of a URL: user, password, and tokens among its parameters.

/// What stands in the place of a parameter's value.
const HIDDEN: &str = "hidden";

/// Parts of the names of parameters whose value opens something (`proxypass`, `access_token` …).
const SECRET: [&str; 7] = ["pass", "user", "token", "auth", "secret", "sig", "apikey"];

/// Shortest parameter without a name that is taken for a token, as SUSE's servers hand them out.
const TOKEN: usize = 16;

/// Whether a setting is a secret by its name.
pub(crate) fn is_secret(key: &str) -> bool {
    key.ends_with("password") || key.ends_with("username")
}

/// Whether a URL carries a user, password or token.
pub(crate) fn has_credentials(url: &str) -> bool {
    without_credentials(url) != url
}

/// A text, of which a URL is one, without the secrets of every URL in it. The tools themselves print
/// them when something fails.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut told = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, url) = rest.split_at(at + 3);
        told.push_str(before);
        let ends = |c: char| c.is_whitespace() || "\"'<>)]}".contains(c);
        let (url, after) = url.split_at(url.find(ends).unwrap_or(url.len()));
        // Another URL may follow without a space, as in a list.
        let (url, after) = match url.find("://") {
            Some(next) => rest[at + 3..].split_at(next),
            None => (url, after),
        };
        told.push_str(&one(url));
        rest = after;
    }
    told.push_str(rest);
    told
}

/// A URL after its scheme.
fn one(url: &str) -> String {
    let (authority, path) = url.split_at(url.find(['/', '?', '#']).unwrap_or(url.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let Some((path, parameters)) = path.split_once('?') else {
        return format!("{host}{path}");
    };
    let parameters: Vec<String> = parameters.split('&').map(parameter).collect();
    format!("{host}{path}?{}", parameters.join("&"))
}

fn parameter(text: &str) -> String {
    match text.split_once('=') {
        Some((name, _)) => {
            let lower = name.to_ascii_lowercase();
            if SECRET.iter().any(|word| lower.contains(word)) {
                format!("{name}={HIDDEN}")
            } else {
                text.to_owned()
            }
        }
        None if text.len() >= TOKEN => HIDDEN.to_owned(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_urls_are_not_told() {
        for (text, told) in [
            ("https://example.com/x", "https://example.com/x"),
            ("https://a:b@example.com/x@y", "https://example.com/x@y"),
            ("https://a:b@c@example.com", "https://example.com"),
            ("https://a:b@example.com?x=y@z", "https://example.com?x=y@z"),
            ("mail me@example.com", "mail me@example.com"),
            (
                "E: Failed to fetch http://u:p@h/x  401 [http://u:p@h/y], see https://h/z",
                "E: Failed to fetch http://h/x  401 [http://h/y], see https://h/z",
            ),
            ("proxy=http://u:p@h:3128\nnext", "proxy=http://h:3128\nnext"),
            ("a http://u:p@h,http://v:q@i", "a http://h,http://i"),
            (
                "https://m.example/metalink?repo=el-9&arch=x86_64",
                "https://m.example/metalink?repo=el-9&arch=x86_64",
            ),
            (
                "https://updates.suse.com/x/?0123456789abcdef0123",
                "https://updates.suse.com/x/?hidden",
            ),
            (
                "https://h/x?proxy=a&amp;proxyuser=u&amp;proxypass=p&access_token=t",
                "https://h/x?proxy=a&amp;proxyuser=hidden&amp;proxypass=hidden&access_token=hidden",
            ),
            (
                "https://h/x?credentials=name&ssl_clientkey=/etc/k",
                "https://h/x?credentials=name&ssl_clientkey=/etc/k",
            ),
        ] {
            assert_eq!(without_credentials(text), told);
            assert_eq!(without_credentials(told), told);
        }
    }
}
