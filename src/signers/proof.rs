//! A text with good signatures of keys that nobody has: what shows that the programs work here.

/// What is signed.
pub(super) const TEXT: &[u8] = include_bytes!("proof/text");

/// Whose signatures these are.
#[cfg(test)]
pub(super) const NAME: &str = "proof@deploy-by-code.invalid";

/// The SSH signature.
pub(super) const SSH_SIGNATURE: &[u8] = include_bytes!("proof/ssh.sig");

/// The file of allowed signers that names its key.
pub(super) const ALLOWED_SIGNERS: &[u8] = include_bytes!("proof/allowed_signers");

/// The OpenPGP signature.
pub(super) const OPENPGP_SIGNATURE: &[u8] = include_bytes!("proof/openpgp.sig");

/// The keyring that has its key.
pub(super) const KEYRING: &[u8] = include_bytes!("proof/keyring.gpg");
