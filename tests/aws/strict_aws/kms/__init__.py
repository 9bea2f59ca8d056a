"""KMS: moto's keys and ciphertexts, with AWS's authorization, validation and key states."""
