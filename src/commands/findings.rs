//! What the last run found, for `status` and monitoring.

use crate::report::Document;
use crate::state::{Layout, files};
use anyhow::{Context as _, Result};

/// What the run before left for `status`; one that cannot be read is as good as none: it is replaced.
pub(super) fn last_document(layout: &Layout) -> Option<Document> {
    let kept = files::read_if_there(&layout.status()).unwrap_or_default()?;
    serde_json::from_str(&kept).ok()
}

/// Writes the document for `status` and monitoring, which need neither root nor a network.
///
/// A run over some agents leaves what is known of the others, and the age of that.
pub(super) fn publish(layout: &Layout, document: &Document, configured: &[&String]) -> Result<()> {
    let whole = joined(document, last_document(layout).as_ref(), configured);
    let text = serde_json::to_string(&whole).context("render the status")?;
    files::replace(&layout.status(), text.as_bytes(), 0o644)
}

/// The findings of all configured agents: of this run, or where it was over some, of the run before.
pub(super) fn joined(
    document: &Document,
    kept: Option<&Document>,
    configured: &[&String],
) -> Document {
    let of = |document: &Document, name: &str| {
        let mut agents = document.agents.iter();
        agents.find(|agent| agent.name == name).cloned()
    };
    let mut generated_at = document.generated_at;
    let reports = configured.iter().filter_map(|name| {
        of(document, name).or_else(|| {
            let kept = kept?;
            generated_at = generated_at.min(kept.generated_at);
            of(kept, name)
        })
    });
    let reports = reports.collect();
    Document::new(generated_at, document.host.clone(), reports)
}
