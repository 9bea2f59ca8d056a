//! The keys and certificates of one control plane, made on the spot and thrown away with it.

use std::path::PathBuf;

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, RsaKeySize,
};

use crate::Scratch;

/// Files for kube-apiserver's command line, and the authority that its clients must trust.
pub(super) struct Pki {
    pub(super) authority_pem: String,
    pub(super) serving_cert: PathBuf,
    pub(super) serving_key: PathBuf,
    /// Signs ServiceAccount tokens; kube-apiserver takes the public half out of it.
    pub(super) service_account_key: PathBuf,
}

impl Pki {
    pub(super) fn make(folder: &Scratch) -> Result<Self> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority_key = KeyPair::generate()?;
        let authority_pem = authority.self_signed(&authority_key)?.pem();
        let authority = Issuer::new(authority, authority_key);

        let mut serving = CertificateParams::new(vec![String::from("127.0.0.1"), String::from("localhost")])?;
        serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let serving_key = KeyPair::generate()?;
        let serving_cert = serving.signed_by(&serving_key, &authority)?;

        // RSA, as EKS signs them: every verifier of web identities knows RS256.
        let service_account_key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        Ok(Self {
            authority_pem,
            serving_cert: folder.write("serving.crt", serving_cert.pem())?,
            serving_key: folder.write("serving.key", serving_key.serialize_pem())?,
            service_account_key: folder.write("service-account.key", service_account_key.serialize_pem())?,
        })
    }
}
