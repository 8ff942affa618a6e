// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Guest programs and blobs in assembly, part of the test's own executable and copied from there.

/// Defines a function that returns the bytes of an assembly program.
///
/// The program must not depend on its address. It reports by storing to
/// [`REPORT`](crate::machine::REPORT) and ends by storing to [`END`](crate::machine::END). Numbers
/// of the ABI come in after a semicolon, as `NAME = value`, and stand in the text as `{NAME}`.
#[macro_export]
macro_rules! program {
    ($(#[$meta:meta])* $name:ident, $($line:expr),+ $(,)? $(; $($operand:ident = $value:expr),+ $(,)?)?) => {
        core::arch::global_asm!(
            concat!(".pushsection \".rodata.", module_path!(), "::", stringify!($name), "\", \"a\""),
            ".balign 8",
            concat!(".global \"", module_path!(), "::", stringify!($name), "\""),
            concat!("\"", module_path!(), "::", stringify!($name), "\":"),
            $($line,)+
            ".balign 8",
            concat!(".global \"", module_path!(), "::", stringify!($name), "::end\""),
            concat!("\"", module_path!(), "::", stringify!($name), "::end\":"),
            ".popsection",
            $($($operand = const $value,)+)?
        );
        $(#[$meta])*
        fn $name() -> &'static [u8] {
            unsafe extern "C" {
                #[link_name = concat!(module_path!(), "::", stringify!($name))]
                safe static START: u8;
                #[link_name = concat!(module_path!(), "::", stringify!($name), "::end")]
                safe static END: u8;
            }
            let start = &raw const START;
            let size = (&raw const END).addr() - start.addr();
            // SAFETY: both symbols delimit constant bytes that the assembly above puts into
            // .rodata.
            unsafe { core::slice::from_raw_parts(start, size) }
        }
    };
}

/// Makes a [`libtest_mimic::Trial`] of each function, under its name.
#[macro_export]
macro_rules! trials {
    ($($name:ident),+ $(,)?) => {
        vec![$(libtest_mimic::Trial::test(stringify!($name), || {
            $name();
            Ok(())
        })),+]
    };
}

program!(forever, "1: movz x0, #0xc300, lsl #16", "smc #0", "b 1b",);

/// A guest that calls [`FUNCTION`](crate::elf::FUNCTION) again and again and touches no register
/// but x0; the test hands over the inputs with [`Cpu::ask`](crate::machine::Cpu::ask).
pub fn caller() -> &'static [u8] {
    forever()
}
