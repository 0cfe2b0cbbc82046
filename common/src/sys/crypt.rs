//! crypt(3) of libxcrypt: one hash, computed in memory that is ours and wiped.
#![expect(unsafe_code, reason = "a function of a C library")]

use std::ffi::{CStr, c_char, c_int, c_void};

use nix::errno::Errno;
use zeroize::Zeroizing;

/// The size of `struct crypt_data`, the same on all machines; the function is told and checks it.
const DATA: usize = 32 * 1024;

#[link(name = "crypt")]
unsafe extern "C" {
    /// crypt(3) without memory of its own; NULL is a failure, where crypt_r(3) may give a text that is no hash.
    fn crypt_rn(
        phrase: *const c_char,
        setting: *const c_char,
        data: *mut c_void,
        size: c_int,
    ) -> *mut c_char;
}

/// Hashes a phrase as the setting says, which may be a whole hash. The result's memory is wiped with it.
///
/// # Errors
/// `EINVAL` for a setting that is none, `ERANGE` for a phrase that is too long, `ENOMEM`.
pub fn crypt(phrase: &CStr, setting: &CStr) -> Result<Zeroizing<Vec<u8>>, Errno> {
    // As large as the structure and aligned for whatever is in it.
    let mut data = Zeroizing::new(vec![0u64; DATA / size_of::<u64>()]);
    let size = c_int::try_from(DATA).map_err(|_| Errno::EINVAL)?;
    // SAFETY: both texts are C strings and only read; the memory is ours, writable, zeroed as the manual wants it, and as large
    // as the size says.
    let hash = unsafe {
        crypt_rn(
            phrase.as_ptr(),
            setting.as_ptr(),
            data.as_mut_ptr().cast(),
            size,
        )
    };
    if hash.is_null() {
        return Err(Errno::last());
    }
    // SAFETY: what is not NULL is a C string within the memory above, which nobody changes before it is copied.
    let hash = unsafe { CStr::from_ptr(hash) };
    Ok(Zeroizing::new(hash.to_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_its_own_setting() {
        let hash = |setting: &CStr| crypt(c"hunter2", setting).map(|hash| hash.to_vec());
        let first = hash(c"$6$rounds=1000$somesalt").unwrap();
        assert!(first.starts_with(b"$6$rounds=1000$somesalt$"));
        let whole = std::ffi::CString::new(first.clone()).unwrap();
        assert_eq!(hash(&whole), Ok(first));
        assert_eq!(hash(c"*0"), Err(Errno::EINVAL));
        let long = std::ffi::CString::new(vec![b'x'; 1000]).unwrap();
        assert!(crypt(&long, c"$6$somesalt").is_err());
    }
}
