"""Values as they lie in the service: under a data key of their own, which lies under the secret's KMS key (D§5.3)."""

import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .caller_kms import CallerKms, encryption_context
from .model import KeyChoice, Sealed, Secret, Version

_NONCE_BYTES = 12


def seal(kms: CallerKms, secret_arn: str, version_id: str, key: KeyChoice, value: bytes) -> Sealed:
    data_key = kms.data_key(key.reference, encryption_context(secret_arn, version_id))
    nonce = os.urandom(_NONCE_BYTES)
    box = nonce + AESGCM(data_key.plaintext).encrypt(nonce, value, None)
    return Sealed(box, data_key.ciphertext, data_key.key_arn, key.default)


def open_value(kms: CallerKms, secret: Secret, version: Version) -> bytes:
    """Under the version's own key, which need not be the secret's (D§5.4)."""
    sealed = version.sealed
    data_key = kms.decrypt(sealed.data_key, encryption_context(secret.arn, version.id))
    return AESGCM(data_key).decrypt(sealed.box[:_NONCE_BYTES], sealed.box[_NONCE_BYTES:], None)


def under_another_key(kms: CallerKms, secret: Secret, version: Version, key: KeyChoice) -> Sealed:
    """The data key alone is encrypted anew: hence kms:Encrypt, which nothing else of Secrets Manager needs (D§5.4)."""
    context = encryption_context(secret.arn, version.id)
    data_key = kms.encrypt(key.reference, kms.decrypt(version.sealed.data_key, context), context)
    return Sealed(version.sealed.box, data_key.ciphertext, data_key.key_arn, key.default)
