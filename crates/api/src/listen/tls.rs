//! TLS: certificates from PEM files that may be renewed while we run, or one made on the spot for a trial.
//!
//! TLS 1.2 and 1.3 through rustls with ring. A file that changes to something unusable is reported and the certificate
//! in use stays: a failed renewal must not take the server down.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A certificate chain and its key, as PEM text.
#[derive(Clone, PartialEq, Eq)]
pub struct PemPair {
    /// The chain, the server's own certificate first.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

/// The certificate that is served, and where it comes from.
#[derive(Debug)]
pub struct Certificates {
    serving: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
    files: Option<Files>,
}

#[derive(Debug)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
    seen: Mutex<Option<[Stamp; 2]>>,
}

/// What tells that a file is another one: renewal tools replace or rewrite files, or change where a link points.
type Stamp = (Option<SystemTime>, u64, u64);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// No certificate in the PEM text.
    #[error("{0} holds no certificate (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate(String),
    /// No private key in the PEM text.
    #[error("{0} holds no private key (`-----BEGIN PRIVATE KEY-----`), or an encrypted one")]
    NoKey(String),
    /// Key and certificate do not fit, or are of a kind that is not supported.
    #[error("the certificate {certificate} and the key {key} cannot be used together: {error}")]
    Unusable {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
        /// What rustls said.
        error: rustls::Error,
    },
    /// Making a certificate failed.
    #[error("cannot make a certificate for {names}: {error}")]
    Make {
        /// For which names.
        names: String,
        /// What rcgen said.
        error: rcgen::Error,
    },
    /// rustls refused our settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// A certificate that vouches for itself, for `names` (DNS names and IP addresses). Browsers warn about it; whoever
/// calls keeps it, so that the warning is not another one after every start.
///
/// # Errors
/// A name that cannot be in a certificate.
pub fn self_signed(names: &[String]) -> Result<PemPair, TlsError> {
    let failed = |error| TlsError::Make { names: names.join(", "), error };
    let mut wanted = CertificateParams::new(names).map_err(failed)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Mainstay, self-signed");
    wanted.distinguished_name = subject;
    wanted.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = wanted.self_signed(&key).map_err(failed)?;
    Ok(PemPair { certificate: certificate.pem(), key: key.serialize_pem() })
}

// === impl Certificates ===

impl Certificates {
    /// From PEM files, which [`Certificates::reload`] reads again when they change.
    ///
    /// # Errors
    /// Unreadable, not PEM, or a key that is not the certificate's.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        let provider = provider();
        let files =
            Files { certificate: certificate.to_owned(), key: key.to_owned(), seen: Mutex::new(None) };
        *files.seen.lock() = files.stamps();
        let serving = ArcSwap::from_pointee(files.read(&provider)?);
        Ok(Arc::new(Self { serving, provider, files: Some(files) }))
    }

    /// From PEM text.
    ///
    /// # Errors
    /// Not PEM, or a key that is not the certificate's.
    pub fn from_pem(pair: &PemPair) -> Result<Arc<Self>, TlsError> {
        let provider = provider();
        let key =
            certified(&provider, (pair.certificate.as_bytes(), "given"), (pair.key.as_bytes(), "given"))?;
        Ok(Arc::new(Self { serving: ArcSwap::from_pointee(key), provider, files: None }))
    }

    /// Reads the files again if they have changed since the last look; says whether another certificate is served now.
    /// Connections that are open keep theirs.
    ///
    /// # Errors
    /// They changed to something unusable; what was served before still is. Reported once for each change.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let Some(files) = &self.files else { return Ok(false) };
        let stamps = files.stamps();
        {
            let mut seen = files.seen.lock();
            // A file that is missing for a moment, in the middle of a renewal, is looked at again later.
            if stamps.is_none() || *seen == stamps {
                return Ok(false);
            }
            *seen = stamps;
        }
        let read = files.read(&self.provider)?;
        let changed = read.cert != self.serving.load().cert;
        self.serving.store(Arc::new(read));
        Ok(changed)
    }

    /// The server's side of a handshake: this certificate, HTTP/2 and HTTP/1.1.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, TlsError> {
        let resolver: Arc<Self> = Arc::clone(self);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.serving.load_full())
    }
}

// === impl Files, PemPair ===

impl Files {
    fn read(&self, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| TlsError::Read { path: path.to_owned(), error })
        };
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        let (certificate_name, key_name) =
            (self.certificate.display().to_string(), self.key.display().to_string());
        certified(provider, (&certificate, &certificate_name), (&key, &key_name))
    }

    fn stamps(&self) -> Option<[Stamp; 2]> {
        Some([stamp(&self.certificate)?, stamp(&self.key)?])
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok(), found.len(), found.ino()))
}

impl std::fmt::Debug for PemPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PemPair(…)")
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Each text comes with the name of where it is from.
fn certified(
    provider: &CryptoProvider,
    certificate: (&[u8], &str),
    key: (&[u8], &str),
) -> Result<CertifiedKey, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.0)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::NoCertificate(certificate.1.to_owned()))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.1.to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(key.0).map_err(|_| TlsError::NoKey(key.1.to_owned()))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| TlsError::Unusable {
        certificate: certificate.1.to_owned(),
        key: key.1.to_owned(),
        error,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> PemPair {
        self_signed(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
    }

    #[test]
    fn what_is_wrong_with_a_certificate_is_said() {
        let (one, other) = (pair(), pair());
        let both = |certificate: &str, key: &str| PemPair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        };
        for (given, expected) in [
            (both("", &one.key), "holds no certificate"),
            (both(&one.key, &one.key), "holds no certificate"),
            (both(&one.certificate, ""), "holds no private key"),
            (both(&one.certificate, &one.certificate), "holds no private key"),
            (both(&one.certificate, &other.key), "cannot be used together"),
            (
                both("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n", &one.key),
                "no certificate",
            ),
        ] {
            let error = Certificates::from_pem(&given).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Certificates::from_pem(&one).is_ok());
        assert!(self_signed(&["bad\u{e9}".to_owned()]).is_err());
    }

    #[test]
    fn a_changed_file_is_served_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let write = |pair: &PemPair| {
            // As renewal tools do: a new file under another name, then renamed over the old one.
            for (path, text) in [(&certificate, &pair.certificate), (&key, &pair.key)] {
                let new = path.with_extension("new");
                std::fs::write(&new, text).unwrap();
                std::fs::rename(new, path).unwrap();
            }
        };
        let first = pair();
        assert!(matches!(Certificates::from_files(&certificate, &key), Err(TlsError::Read { .. })));
        write(&first);
        let served = Certificates::from_files(&certificate, &key).unwrap();
        let before = served.serving.load_full();
        assert!(!served.reload().unwrap(), "nothing has changed");
        write(&first);
        assert!(!served.reload().unwrap(), "another file, the same certificate");
        write(&PemPair { certificate: "half wri".to_owned(), ..first });
        let error = served.reload().unwrap_err().to_string();
        assert!(error.contains("cert.pem holds no certificate"), "{error}");
        assert!(!served.reload().unwrap(), "said once");
        assert_eq!(served.serving.load().cert, before.cert);
        std::fs::remove_file(&key).unwrap();
        assert!(!served.reload().unwrap(), "in the middle of a renewal");
        write(&pair());
        assert!(served.reload().unwrap());
        assert_ne!(served.serving.load().cert, before.cert);
    }
}
