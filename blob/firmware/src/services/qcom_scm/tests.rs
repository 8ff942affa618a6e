// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of calls and the numbers by which it is asked.

use super::*;

/// The arguments of a call as a test makes them.
pub(super) const fn args<const N: usize>(given: [u64; N]) -> Args {
    let mut args = [0; MAX_ARGS];
    let mut n = 0;
    while n < N {
        args[n] = given[n];
        n += 1;
    }
    args
}

/// A board whose calls tell their arguments.
#[derive(Debug)]
pub(super) struct Echo;

/// One argument; none; seven; all ten.
pub(super) const ONE: Signature = Signature::new(Function::sip(5, 1), &[Kind::Value]);
pub(super) const NONE: Signature = Signature::new(Function::sip(5, 2), &[]);
pub(super) const SEVEN: Signature = Signature::new(Function::sip(0xc, 0x16), &[Kind::Value; 7]);
pub(super) const TEN: Signature = Signature::new(Function::sip(0x11, 1), &[Kind::Value; 10]);
/// Always fails.
pub(super) const BUSY: Signature = Signature::new(Function::sip(0x11, 2), &[]);

pub(super) const TABLE: &[Entry<Echo>] = &[
    ONE.by(|_, _, args| Ok([args[0], args[1], 1])),
    NONE.by(|_, _, args| Ok([args[0], 0, 0])),
    SEVEN.by(|_, _, args| Ok([args[2], args[3], args[6]])),
    TEN.by(|_, _, args| Ok([args[3], args[9], args.iter().sum()])),
    BUSY.by(|_, _, _| Err(Error::NoMemory)),
];

#[test]
fn signatures_are_the_numbers_that_linux_has() {
    assert_eq!(IS_CALL_AVAIL.arginfo, 1);
    assert_eq!(boot::SDI_CONFIG.arginfo, 2);
    assert_eq!(qseecom::APP_LOOKUP.arginfo, 0x22);
    assert_eq!(qseecom::APP_SEND.arginfo, 0x885);
    assert_eq!(assign::ASSIGN.arginfo, 0x1117);
    assert_eq!(TEN.arginfo, 10);
    assert_eq!(TEN.count(), 10);
}

#[test]
fn a_call_is_the_same_by_both_its_numbers() {
    let id = FunctionId(0x4200_0c16);
    assert_eq!(Function::from_smccc(id), SEVEN.function);
    assert_eq!(Function::from_legacy(0xc << 10 | 0x16), SEVEN.function);
    let id = FunctionId(0x7200_0103);
    assert_eq!(Function::from_smccc(id), qseecom::APP_LOOKUP.function);
}

#[test]
fn is_call_avail_tells_what_the_table_has() {
    let calls = Calls {
        board: &Echo,
        table: TABLE,
    };
    let mut platform = crate::fake::FakePlatform::new(1);
    let mut ask = |number| {
        calls.serve(
            &mut platform,
            IS_CALL_AVAIL.function,
            &args([number]),
            Function::from_legacy,
        )
    };
    assert_eq!(ask(6 << 10 | 1), Ok([1, 0, 0]), "the call itself");
    assert_eq!(ask(5 << 10 | 1), Ok([1, 0, 0]));
    assert_eq!(ask(5 << 10 | 3), Ok([0; 3]));
    for stray in [0xffff_ffff, 1 << 31 | 5 << 10 | 1, 1 << 26 | 5 << 10 | 1] {
        assert_eq!(ask(stray), Ok([0; 3]), "{stray:#x}");
    }
}

#[test]
fn no_bit_of_a_number_is_overlooked() {
    let read = io::READ.function;
    let same = |bit: u32| Function::from_legacy(5 << 10 | 1 | 1 << bit) == read;
    let bits: Vec<u32> = (0..32).filter(|&bit| same(bit)).collect();
    assert_eq!(bits, [0, 10, 12], "those that are set anyway");
    let same = |bit: u32| Function::from_smccc(FunctionId(0x0200_0501 | 1 << bit)) == read;
    let bits: Vec<u32> = (0..32).filter(|&bit| same(bit)).collect();
    assert_eq!(bits, [0, 8, 10, 25, 30, 31], "and width and kind");
}
