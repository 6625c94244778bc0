use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The last good answer to one question, as it lies in the state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// What the server said.
    pub value: T,
    /// Which question: a kept answer of another server or channel is none.
    pub url: String,
    /// The server's name for this very answer; asked with it, an unchanged server sends no body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When the server last said so, or last confirmed it.
    pub fetched_at: DateTime<Utc>,
}

/// An answer, and what its transport says beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What is to be kept. After [`not_modified`](Self::not_modified) this is the earlier value with a new time.
    pub kept: Kept<T>,
    /// The server confirmed the kept answer instead of repeating it.
    pub not_modified: bool,
    /// The server's clock, from its `Date` header.
    pub server_date: Option<DateTime<Utc>>,
    /// The answer came over TLS, so that its date is worth something.
    pub over_tls: bool,
}

#[cfg(test)]
mod tests {
    use super::super::VersionAnswer;
    use super::*;

    /// State files outlive the binary that wrote them; this text is never edited.
    #[test]
    fn the_stored_form_is_stable() {
        let json = r#"{"value":"1.2.3","url":"https://h.example/version","etag":"\"abc\"","fetched_at":"2026-03-07T02:00:00Z"}"#;
        let kept: Kept<VersionAnswer> = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&kept).unwrap(), json);
        let newer = r#"{"value":"none","url":"u","fetched_at":"2026-03-07T02:00:00Z","unknown":1}"#;
        assert_eq!(
            serde_json::from_str::<Kept<VersionAnswer>>(newer)
                .unwrap()
                .etag,
            None
        );
    }
}
