//! Until when a server's certificate lasts.

use chrono::{DateTime, Utc};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The last moment of a certificate in DER. UTC.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn end(der: &[u8]) -> Result<DateTime<Utc>, String> {
    let certificate = Certificate::from_der(der)
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let end = certificate.tbs_certificate.validity.not_after;
    i64::try_from(end.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
        .ok_or_else(|| "the certificate's end is no date".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_that_of_the_validity() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(["web.example".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2027, 3, 4);
        let certificate = params.self_signed(&key).unwrap();
        let end = end(certificate.der()).unwrap();
        assert_eq!(
            end,
            "2027-03-04T00:00:00Z".parse::<DateTime<Utc>>().unwrap()
        );
        assert!(super::end(b"\x30\x03\x02\x01\x01").is_err());
    }
}
