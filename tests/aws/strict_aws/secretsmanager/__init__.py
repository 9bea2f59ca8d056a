"""Secrets Manager. moto's keeps plaintext, one key a secret and replicas without keys, so the secrets are our own here;
KMS, which seals their values, and the identities are moto's with what the other packages add.
"""
