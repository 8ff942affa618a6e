// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why something was refused, and how that becomes a number in the caller's register.

use fakemon_abi::status;

/// Why a platform or a service refuses, in PSCI's terms (Arm DEN 0022, 5.2.2). SMCCC and TRNG share
/// the first few. A protocol with codes of its own has a type of its own for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Error {
    /// There is no such function or feature.
    NotSupported = status::NOT_SUPPORTED,
    /// An argument is out of range or malformed.
    InvalidParameters = status::INVALID_PARAMETERS,
    /// The call is understood and refused.
    Denied = status::DENIED,
    /// The CPU runs already.
    AlreadyOn = status::ALREADY_ON,
    /// The CPU has been asked to run and has not started yet.
    OnPending = status::ON_PENDING,
    /// The platform failed.
    InternalFailure = status::INTERNAL_FAILURE,
    /// There is no such CPU.
    NotPresent = status::NOT_PRESENT,
    /// The CPU or feature is disabled.
    Disabled = status::DISABLED,
    /// An address is not one that the caller may hand over.
    InvalidAddress = status::INVALID_ADDRESS,
}

impl Error {
    /// All of them.
    pub const ALL: [Error; 9] = [
        Error::NotSupported,
        Error::InvalidParameters,
        Error::Denied,
        Error::AlreadyOn,
        Error::OnPending,
        Error::InternalFailure,
        Error::NotPresent,
        Error::Disabled,
        Error::InvalidAddress,
    ];

    /// Returns the error of a number; a number that is none is a failure of whoever has given it.
    pub const fn from_code(code: i32) -> Self {
        match code {
            status::NOT_SUPPORTED => Error::NotSupported,
            status::INVALID_PARAMETERS => Error::InvalidParameters,
            status::DENIED => Error::Denied,
            status::ALREADY_ON => Error::AlreadyOn,
            status::ON_PENDING => Error::OnPending,
            status::NOT_PRESENT => Error::NotPresent,
            status::DISABLED => Error::Disabled,
            status::INVALID_ADDRESS => Error::InvalidAddress,
            _ => Error::InternalFailure,
        }
    }
}

/// What can be answered in x0 or r0 as a signed number.
pub trait Code {
    /// Returns the number.
    fn code(&self) -> i32;
}

impl Code for Error {
    fn code(&self) -> i32 {
        *self as i32
    }
}

impl Code for i32 {
    fn code(&self) -> i32 {
        *self
    }
}

/// Success without more to say.
impl Code for () {
    fn code(&self) -> i32 {
        status::SUCCESS
    }
}

impl<T: Code, E: Code> Code for Result<T, E> {
    fn code(&self) -> i32 {
        match self {
            Ok(value) => value.code(),
            Err(error) => error.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_and_its_code_are_one() {
        for error in Error::ALL {
            assert_eq!(Error::from_code(error.code()), error);
        }
        for none in [0, 1, -10, i32::MIN] {
            assert_eq!(Error::from_code(none), Error::InternalFailure);
        }
    }

    #[test]
    fn success_is_0_and_a_result_is_what_it_holds() {
        assert_eq!(Ok::<(), Error>(()).code(), 0);
        assert_eq!(Ok::<i32, Error>(7).code(), 7);
        assert_eq!(Err::<(), Error>(Error::Denied).code(), -3);
    }
}
