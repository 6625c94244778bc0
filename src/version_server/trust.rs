use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::ServerError;

/// The host's trust store as one file, where Debian, RHEL and SUSE keep it. Reading only this is what makes TLS cheap:
/// the usual probe reads the folder of hashed links besides, that is every authority three times.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];

/// TLS 1.2 and 1.3 with the host's authorities and those of `ca_file`.
pub(super) fn host_config(ca_file: Option<&Path>) -> Result<ClientConfig, ServerError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(host_certificates());
    if let Some(path) = ca_file {
        for certificate in certificates_of(path)? {
            roots.add(certificate).map_err(|error| {
                ServerError::refused(
                    format!("ca_file {}", path.display()),
                    format!("is no authority: {error}"),
                )
            })?;
        }
    }
    if roots.is_empty() {
        return Err(ServerError::Refused {
            what: "the host's trust store".into(),
            reason: "holds no certificate of an authority".into(),
            hint: Some(
                "install the package `ca-certificates`, or name a `version_server.ca_file`".into(),
            ),
        });
    }
    config(roots)
}

/// A configuration that trusts nobody, for clients that never speak TLS: without one, reqwest would load the host's
/// trust store.
pub(super) fn trust_nobody() -> Result<ClientConfig, ServerError> {
    config(RootCertStore::empty())
}

fn config(roots: RootCertStore) -> Result<ClientConfig, ServerError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| ServerError::refused("TLS", error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // One connection in a process that lives for seconds has nothing to resume.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn host_certificates() -> Vec<CertificateDer<'static>> {
    // Administrators know these two from every TLS library; rustls-native-certs honours them.
    let overridden = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    let bundle = BUNDLES.iter().map(Path::new).find(|path| path.is_file());
    let loaded = match bundle {
        Some(bundle) if !overridden => {
            rustls_native_certs::load_certs_from_paths(Some(bundle), None)
        }
        _ => rustls_native_certs::load_native_certs(),
    };
    for error in &loaded.errors {
        tracing::warn!(%error, "part of the host's trust store cannot be read");
    }
    loaded.certs
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, ServerError> {
    let refused =
        |reason: String| ServerError::refused(format!("ca_file {}", path.display()), reason);
    let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| refused(format!("cannot be read: {error}")))?;
    if certificates.is_empty() {
        return Err(refused("holds no PEM certificate".into()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_file_that_adds_nothing_is_refused() {
        let error = host_config(Some(Path::new("/nonexistent/ca.pem"))).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("ca_file /nonexistent/ca.pem: cannot be read"),
            "{error}"
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no certificate\n").unwrap();
        let error = host_config(Some(file.path())).unwrap_err();
        assert!(
            error.to_string().ends_with("holds no PEM certificate"),
            "{error}"
        );
    }
}
