//! The value of a secret: from the Kubernetes Secret to AWS and back, and shown nowhere on the way.

use std::fmt;

use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// The value of a secret, which is text or binary (D§5.6). It is wiped from memory when it is dropped, and never printed.
#[derive(Clone)]
pub enum SecretValue {
    /// `SecretString`
    Text(SecretString),
    /// `SecretBinary`
    Binary(SecretSlice<u8>),
}

impl SecretValue {
    /// Text where the bytes are text, as most readers of secrets expect it; binary otherwise.
    pub fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(binary) => Self::Binary(binary.into_bytes().into()),
        }
    }

    /// The bytes, for whoever must see them: the request that carries them, a digest with a key, the Secret they are written to.
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.expose_secret().as_bytes(),
            Self::Binary(bytes) => bytes.expose_secret(),
        }
    }

    /// Whether Secrets Manager holds it as `SecretBinary`.
    pub fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_the_value_nor_its_length() {
        for bytes in [b"hunter2".to_vec(), vec![0xff, 0xfe], Vec::new()] {
            assert_eq!(format!("{:?}", SecretValue::of(bytes)), "[redacted]");
        }
    }

    #[test]
    fn bytes_that_are_text_are_held_as_text() {
        let (text, binary) = (SecretValue::of("grün".into()), SecretValue::of(vec![b'a', 0xff]));
        assert_eq!((text.is_binary(), text.expose()), (false, "grün".as_bytes()));
        assert_eq!((binary.is_binary(), binary.expose()), (true, [b'a', 0xff].as_slice()));
    }
}
