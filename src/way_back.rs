//! The way back: the present version's package in our own cache, before it is replaced.

use crate::packages;
use crate::proof::Refused;
use crate::repository::Offer;
use crate::state::agent::AgentState;
use crate::state::journal::KeptPackage;
use crate::transaction::Scene;
use crate::update::Fetched;
use adapters::{Change, Runner};

/// The present version's package: the one that is kept, else fetched from the repository and
/// proven like any other.
///
/// # Errors
/// It cannot be had any more; the text says why. That is no reason against the update: a host must
/// always be able to go forward.
pub(crate) async fn secure<R: Runner>(
    scene: &Scene<'_, R>,
    offer: &Offer,
    change: &Change,
    state: &mut AgentState,
) -> Result<KeptPackage, String> {
    if let Some(package) = packages::find(state, &change.from) {
        return Ok(package.clone());
    }
    let present = Change {
        to: change.from.clone(),
        ..change.clone()
    };
    let fetched = fetch(scene, offer, &present)
        .await
        .map_err(|refused| refused.failure.to_string())?;
    let place = (scene.context.layout, scene.agent);
    let version = (&present.to, present.architecture.as_str());
    let now = scene.context.later();
    let package = packages::keep(place, &fetched.file, version, &fetched.proof, now)
        .map_err(|error| format!("{error:#}"))?;
    packages::remember(state, package.clone());
    Ok(package)
}

async fn fetch<R: Runner>(
    scene: &Scene<'_, R>,
    offer: &Offer,
    present: &Change,
) -> Result<Fetched, Refused> {
    let now = scene.context.later();
    let listed = offer.proven.listed(present, now)?;
    let manager = scene.manager;
    let command = manager.download(&offer.view, present);
    let output = scene.context.runner.run(&command).await?;
    manager.read_download(present, &output)?;
    let (file, proof) =
        offer
            .proven
            .prove_file(&offer.view, manager.kind(), &listed, present, now)?;
    Ok(Fetched {
        file,
        proof,
        took: None,
    })
}
