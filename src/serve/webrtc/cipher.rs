// SPDX-License-Identifier: GPL-3.0-or-later
//! Encryption of what is sent to viewers.
//!
//! Packets are encrypted with AES-GCM by ring, which takes half the time that OpenSSL does for packets this small. The rest is
//! OpenSSL's: the handshake, the keys, and AES-CM with SHA-1 for who has no GCM.

use std::fmt;

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};
use str0m::{
    config::CryptoProvider,
    crypto::{
        self, AeadAes128GcmCipher, AeadAes256GcmCipher, CryptoError, SrtpProvider,
        SupportedAeadAes128Gcm, SupportedAeadAes256Gcm, SupportedAes128CmSha1_80,
    },
};

const TAG: usize = 16;

/// What sessions are to use.
pub(in crate::serve) fn provider() -> CryptoProvider {
    CryptoProvider {
        srtp_provider: &Srtp,
        ..crypto::from_feature_flags()
    }
}

#[derive(Debug)]
struct Srtp;

impl SrtpProvider for Srtp {
    fn aes_128_cm_sha1_80(&self) -> &'static dyn SupportedAes128CmSha1_80 {
        crypto::from_feature_flags()
            .srtp_provider
            .aes_128_cm_sha1_80()
    }

    fn aead_aes_128_gcm(&self) -> &'static dyn SupportedAeadAes128Gcm {
        &Srtp
    }

    fn aead_aes_256_gcm(&self) -> &'static dyn SupportedAeadAes256Gcm {
        &Srtp
    }

    fn srtp_aes_128_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        let openssl = crypto::from_feature_flags().srtp_provider;
        openssl.srtp_aes_128_ecb_round(key, input, output);
    }

    fn srtp_aes_256_ecb_round(&self, key: &[u8], input: &[u8], output: &mut [u8]) {
        let openssl = crypto::from_feature_flags().srtp_provider;
        openssl.srtp_aes_256_ecb_round(key, input, output);
    }
}

impl SupportedAeadAes128Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 16], _: bool) -> Box<dyn AeadAes128GcmCipher> {
        Box::new(Gcm::new(&AES_128_GCM, &key))
    }
}

impl SupportedAeadAes256Gcm for Srtp {
    fn create_cipher(&self, key: [u8; 32], _: bool) -> Box<dyn AeadAes256GcmCipher> {
        Box::new(Gcm::new(&AES_256_GCM, &key))
    }
}

/// One direction of one session. The protocol stack sees to it that no nonce comes twice.
struct Gcm {
    key: LessSafeKey,
    /// What is authenticated beside the payload, where it comes in pieces.
    beside: Vec<u8>,
}

impl Gcm {
    fn new(algorithm: &'static Algorithm, key: &[u8]) -> Gcm {
        let key = UnboundKey::new(algorithm, key).expect("the array is as long as the key");
        Gcm {
            key: LessSafeKey::new(key),
            beside: Vec::new(),
        }
    }

    fn seal(
        &self,
        iv: &[u8; 12],
        aad: &[u8],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<(), CryptoError> {
        let (text, tag) = output
            .split_at_mut_checked(input.len())
            .and_then(|(text, rest)| Some((text, rest.get_mut(..TAG)?)))
            .ok_or_else(|| wrong("no room for a sealed packet"))?;
        text.copy_from_slice(input);
        let nonce = Nonce::assume_unique_for_key(*iv);
        let made = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), text)
            .map_err(|_| wrong("a packet cannot be sealed"))?;
        tag.copy_from_slice(made.as_ref());
        Ok(())
    }

    fn open(
        &mut self,
        iv: &[u8; 12],
        aads: &[&[u8]],
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let (sealed, tag) = input
            .split_last_chunk::<TAG>()
            .ok_or_else(|| wrong("too short for a sealed packet"))?;
        let text = output
            .get_mut(..sealed.len())
            .ok_or_else(|| wrong("no room for an opened packet"))?;
        text.copy_from_slice(sealed);
        self.beside.clear();
        aads.iter()
            .for_each(|aad| self.beside.extend_from_slice(aad));
        let nonce = Nonce::assume_unique_for_key(*iv);
        let tag = Tag::from(*tag);
        self.key
            .open_in_place_separate_tag(nonce, Aad::from(&self.beside), tag, text, 0..)
            .map(|text| text.len())
            .map_err(|_| wrong("a packet is not from who it should be"))
    }
}

fn wrong(what: &str) -> CryptoError {
    CryptoError::Other(what.into())
}

impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The key is nobody's business.
        f.debug_struct("Gcm").finish_non_exhaustive()
    }
}

/// Both lengths of key are used in the same way.
macro_rules! cipher {
    ($length:ident) => {
        impl $length for Gcm {
            fn encrypt(
                &mut self,
                iv: &[u8; 12],
                aad: &[u8],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<(), CryptoError> {
                self.seal(iv, aad, input, output)
            }

            fn decrypt(
                &mut self,
                iv: &[u8; 12],
                aads: &[&[u8]],
                input: &[u8],
                output: &mut [u8],
            ) -> Result<usize, CryptoError> {
                self.open(iv, aads, input, output)
            }
        }
    };
}

cipher!(AeadAes128GcmCipher);
cipher!(AeadAes256GcmCipher);

#[cfg(test)]
mod tests {
    use super::*;

    /// The same packet by ring and by OpenSSL, sealed by one and opened by the other.
    #[test]
    fn what_is_sealed_here_is_what_openssl_seals_and_opens() {
        let (ours, openssl) = (
            provider().srtp_provider,
            crypto::from_feature_flags().srtp_provider,
        );
        let (iv, aad, text) = ([7; 12], [9; 12], [5; 1170]);
        macro_rules! check {
            ($factory:ident, $key:expr) => {{
                let mut sealed = [[0; 1170 + TAG]; 2];
                let mut here = ours.$factory().create_cipher($key, true);
                let mut there = openssl.$factory().create_cipher($key, true);
                here.encrypt(&iv, &aad, &text, &mut sealed[0]).unwrap();
                there.encrypt(&iv, &aad, &text, &mut sealed[1]).unwrap();
                assert_eq!(sealed[0], sealed[1]);

                let mut opening = ours.$factory().create_cipher($key, false);
                let mut opened = [0; 1170];
                let parts: [&[u8]; 2] = [&aad[..5], &aad[5..]];
                let many = opening
                    .decrypt(&iv, &parts, &sealed[1], &mut opened)
                    .unwrap();
                assert_eq!((many, opened), (1170, text));

                sealed[1][3] ^= 1;
                assert!(
                    opening
                        .decrypt(&iv, &parts, &sealed[1], &mut opened)
                        .is_err()
                );
                assert!(
                    opening
                        .decrypt(&iv, &parts, &sealed[1][..9], &mut opened)
                        .is_err()
                );
                assert!(here.encrypt(&iv, &aad, &text, &mut [0; 1170]).is_err());
            }};
        }
        check!(aead_aes_128_gcm, [3; 16]);
        check!(aead_aes_256_gcm, [3; 32]);
    }
}
