// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSCI on plain registers: every function, both conventions, good and bad arguments.

use fakemon_abi::frame::REGS;
use fakemon_abi::status::{
    DENIED, INTERNAL_FAILURE, INVALID_ADDRESS, INVALID_PARAMETERS, NOT_SUPPORTED, SUCCESS,
};
use proptest::prelude::*;

use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::error::Error;
use crate::fake::{Asked, FakePlatform, properties};
use crate::lock::Lock;
use crate::platform::Platform;
use crate::power::PowerChange;
use fakemon_abi::Conduit;

const CPU_SUSPEND_64: FunctionId = FunctionId(0xc400_0001);
const CPU_ON_64: FunctionId = FunctionId(0xc400_0003);
const AFFINITY_INFO_64: FunctionId = FunctionId(0xc400_0004);
const SYSTEM_SUSPEND_64: FunctionId = FunctionId(0xc400_000e);
const SYSTEM_RESET2_64: FunctionId = FunctionId(0xc400_0012);

const STANDBY: u64 = 0;
const POWER_DOWN: u64 = 1 << 16;

/// Calls `id` with arguments `args` and returns x0. Nothing else may change.
#[track_caller]
fn call_from(width: Width, platform: &mut FakePlatform, id: FunctionId, args: &[u64]) -> u64 {
    let mut regs = [0x5555_5555_5555_5555; REGS];
    regs[0] = u64::from(id.0);
    regs[1..=args.len()].copy_from_slice(args);
    let before = regs;
    let trap = Trap {
        width,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    Psci::new().handle(&mut Call::new(
        &mut regs,
        trap,
        &mut Resume::default(),
        platform,
    ));
    assert_eq!(regs[1..], before[1..]);
    regs[0]
}

/// As [`call_from`] an AArch64 caller, for functions that return a code.
#[track_caller]
fn call(platform: &mut FakePlatform, id: FunctionId, args: &[u64]) -> i32 {
    let x0 = call_from(Width::AArch64, platform, id, args);
    i32::try_from(x0.cast_signed()).expect("a code is sign-extended")
}

/// Calls and expects a refusal that the platform never hears of.
#[track_caller]
fn refuses(id: FunctionId, args: &[u64], code: i32) {
    let mut platform = FakePlatform::new(4);
    assert_eq!(call(&mut platform, id, args), code);
    assert_eq!(platform.asked, []);
}

/// Calls and expects the code of a call that should not have returned, and that the platform was asked.
#[track_caller]
fn leaves(id: FunctionId, args: &[u64], asked: Asked) {
    let mut platform = FakePlatform::new(1);
    assert_eq!(call(&mut platform, id, args), INTERNAL_FAILURE);
    assert_eq!(platform.asked, [asked]);
    let mut platform = FakePlatform::new(1).answering(|_| Err(Error::Denied));
    assert_eq!(call(&mut platform, id, args), DENIED);
}

fn platform_that_says(error: Error) -> FakePlatform {
    FakePlatform::new(4).answering(move |_| Err(error))
}

#[test]
fn it_owns_its_numbers_in_both_conventions() {
    for number in 0..=0x1f {
        assert!(
            Psci::new().owns(FunctionId(0x8400_0000 | number)),
            "{number:#x}"
        );
        assert!(
            Psci::new().owns(FunctionId(0xc400_0000 | number)),
            "{number:#x}"
        );
    }
    for id in [
        0x8400_0020,
        0x8400_0050,
        0x8200_0000,
        0x0400_0000,
        0x8402_0000,
        0x8000_0000,
    ] {
        assert!(!Psci::new().owns(FunctionId(id)), "{id:#x}");
    }
}

#[test]
fn version_is_1_1() {
    assert_eq!(call(&mut FakePlatform::new(4), VERSION, &[]), 0x1_0001);
    assert_eq!(
        call_from(Width::AArch32, &mut FakePlatform::new(4), VERSION, &[]),
        0x1_0001
    );
}

#[test]
fn there_is_no_trusted_os_to_migrate() {
    assert_eq!(call(&mut FakePlatform::new(4), MIGRATE_INFO_TYPE, &[]), 2);
    for id in [0x8400_0005, 0xc400_0005, 0x8400_0007, 0xc400_0007] {
        refuses(FunctionId(id), &[0], NOT_SUPPORTED);
    }
}

#[test]
fn optional_functions_are_not_supported() {
    for number in (0x0b..=0x0d).chain(0x0f..=0x11).chain(0x13..=0x1f) {
        refuses(FunctionId(0x8400_0000 | number), &[0, 0], NOT_SUPPORTED);
        refuses(FunctionId(0xc400_0000 | number), &[0, 0], NOT_SUPPORTED);
    }
}

#[test]
fn functions_without_a_64_bit_form_are_not_supported_in_it() {
    for number in [0x00, 0x02, 0x06, 0x08, 0x09, 0x0a] {
        refuses(FunctionId(0xc400_0000 | number), &[0], NOT_SUPPORTED);
    }
}

#[test]
fn not_supported_is_minus_one_in_the_callers_width() {
    let id = FunctionId(0x8400_000b);
    assert_eq!(
        call_from(Width::AArch64, &mut FakePlatform::new(1), id, &[]),
        u64::MAX
    );
    assert_eq!(
        call_from(Width::AArch32, &mut FakePlatform::new(1), id, &[]),
        0xffff_ffff
    );
}

#[test]
fn features_lists_exactly_what_is_implemented() {
    let there = [
        0x8400_0000,
        0x8400_0001,
        0xc400_0001,
        0x8400_0002,
        0x8400_0003,
        0xc400_0003,
        0x8400_0004,
        0xc400_0004,
        0x8400_0006,
        0x8400_0008,
        0x8400_0009,
        0x8400_000a,
        0x8400_000e,
        0xc400_000e,
        0x8400_0012,
        0xc400_0012,
        0x8000_0000,
    ];
    for number in 0..=0x1f_u32 {
        for id in [
            0x8400_0000 | number,
            0xc400_0000 | number,
            0x8000_0000 | number,
            number,
        ] {
            let code = if there.contains(&id) {
                SUCCESS
            } else {
                NOT_SUPPORTED
            };
            let asked = call(&mut FakePlatform::new(1), FEATURES, &[u64::from(id)]);
            assert_eq!(asked, code, "{id:#x}");
        }
    }
    let from_aarch32 = |id| call_from(Width::AArch32, &mut FakePlatform::new(1), FEATURES, &[id]);
    assert_eq!(from_aarch32(0x8400_0003), 0);
    assert_eq!(
        from_aarch32(0xc400_0003),
        0xffff_ffff,
        "out of an AArch32 caller's reach"
    );
}

#[test]
fn cpu_on_starts_a_cpu() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(
        call(
            &mut platform,
            CPU_ON_64,
            &[0x1_0000_0002, 0xffff_0000_8000, u64::MAX]
        ),
        SUCCESS
    );
    assert_eq!(
        platform.asked,
        [Asked::CpuOn(0x1_0000_0002, 0xffff_0000_8000, u64::MAX)]
    );
}

#[test]
fn the_32_bit_cpu_on_sees_the_low_halves() {
    for width in [Width::AArch64, Width::AArch32] {
        let mut platform = FakePlatform::new(4);
        let args = [0xff_0000_0002, 0xff_0000_8000, 0xff_0000_0005];
        assert_eq!(call_from(width, &mut platform, CPU_ON, &args), 0);
        assert_eq!(platform.asked, [Asked::CpuOn(2, 0x8000, 5)]);
    }
}

#[test]
fn cpu_on_passes_the_hosts_code_on() {
    for error in [
        Error::AlreadyOn,
        Error::OnPending,
        Error::InvalidParameters,
        Error::InvalidAddress,
        Error::InternalFailure,
    ] {
        let code = error.code();
        assert_eq!(
            call(&mut platform_that_says(error), CPU_ON_64, &[1, 0x8000, 0]),
            code
        );
        assert_eq!(
            call(&mut platform_that_says(error), CPU_ON, &[1, 0x8000, 0]),
            code
        );
    }
}

#[test]
fn only_the_affinity_bits_of_a_target_are_looked_at() {
    // Bit 31 is one in every MPIDR; bit 30 says uniprocessor, bit 24 multithreading.
    for other in [1 << 31, 1 << 30, 1 << 24] {
        let mut platform = FakePlatform::new(4);
        assert_eq!(call(&mut platform, CPU_ON_64, &[other | 3, 0x8000, 0]), 0);
        assert_eq!(call(&mut platform, AFFINITY_INFO_64, &[other | 3, 0]), 0);
        assert_eq!(
            platform.asked,
            [Asked::CpuOn(3, 0x8000, 0), Asked::CpuAffinity(3, 0)]
        );
    }
    let mut platform = FakePlatform::new(4);
    assert_eq!(
        call(&mut platform, CPU_ON_64, &[0xff_00ff_ffff, 0x8000, 0]),
        0
    );
    assert_eq!(platform.asked, [Asked::CpuOn(0xff_00ff_ffff, 0x8000, 0)]);
}

#[test]
fn an_entry_point_is_aligned_for_its_instructions() {
    for entry in [0x8001, 0x8002, 0x8003] {
        refuses(CPU_ON_64, &[1, entry, 0], INVALID_ADDRESS);
        refuses(CPU_ON, &[1, entry, 0], INVALID_ADDRESS);
        refuses(CPU_SUSPEND_64, &[POWER_DOWN, entry, 0], INVALID_ADDRESS);
        refuses(SYSTEM_SUSPEND_64, &[entry, 0], INVALID_ADDRESS);
        refuses(SYSTEM_SUSPEND, &[entry, 0], INVALID_ADDRESS);
    }
    // Bit 0 asks for Thumb, whose instructions have two bytes.
    for (entry, code) in [(0x8000, 0), (0x8001, 0), (0x8002, 0xffff_fff7), (0x8003, 0)] {
        let mut platform = FakePlatform::new(4);
        assert_eq!(
            call_from(Width::AArch32, &mut platform, CPU_ON, &[1, entry, 0]),
            code
        );
    }
}

#[test]
fn cpu_off_that_comes_back_is_denied() {
    let mut platform = FakePlatform::new(4);
    assert_eq!(call(&mut platform, CPU_OFF, &[]), DENIED);
    assert_eq!(platform.asked, [Asked::CpuOff]);
    assert_eq!(
        call(
            &mut platform_that_says(Error::InternalFailure),
            CPU_OFF,
            &[]
        ),
        DENIED
    );
}

#[test]
fn affinity_info_is_the_hosts_answer() {
    for id in [AFFINITY_INFO, AFFINITY_INFO_64] {
        for state in 0..=2 {
            let mut platform = FakePlatform::new(4).answering(move |_| Ok([state, 9, 9, 9]));
            assert_eq!(call(&mut platform, id, &[3, 1]), state as i32);
            assert_eq!(platform.asked, [Asked::CpuAffinity(3, 1)]);
        }
        let mut platform = FakePlatform::new(4).answering(|_| Ok([3, 0, 0, 0]));
        assert_eq!(
            call(&mut platform, id, &[3, 0]),
            INTERNAL_FAILURE,
            "there is no state 3"
        );
        assert_eq!(
            call(
                &mut platform_that_says(Error::InvalidParameters),
                id,
                &[9, 0]
            ),
            INVALID_PARAMETERS
        );
        refuses(id, &[0, 4], INVALID_PARAMETERS);
    }
    refuses(AFFINITY_INFO_64, &[0, 1 << 32], INVALID_PARAMETERS);
}

#[test]
fn standby_waits_for_an_interrupt_and_returns() {
    for id in [CPU_SUSPEND, CPU_SUSPEND_64] {
        let mut platform = FakePlatform::new(4);
        let no_entry_needed = 0x8001;
        assert_eq!(
            call(&mut platform, id, &[STANDBY | 0x1234, no_entry_needed, 0]),
            SUCCESS
        );
        assert_eq!(platform.asked, [Asked::WaitForInterrupt]);
        assert_eq!(
            call(&mut platform_that_says(Error::NotSupported), id, &[STANDBY]),
            INTERNAL_FAILURE
        );
    }
}

#[test]
fn power_down_waits_and_resumes_at_the_entry() {
    for (id, entry, context) in [
        (CPU_SUSPEND, 0x8000, 0xffff_ffff),
        (CPU_SUSPEND_64, 0xff_0000_8000, u64::MAX),
    ] {
        for level in 0..=3 {
            let mut platform = FakePlatform::new(4);
            let code = call(
                &mut platform,
                id,
                &[POWER_DOWN | level << 24, entry, context],
            );
            assert_eq!(
                code, INTERNAL_FAILURE,
                "on a real host it does not come back"
            );
            assert_eq!(
                platform.asked,
                [Asked::WaitForInterrupt, Asked::CpuResume(entry, context)]
            );
        }
    }
}

#[test]
fn a_power_state_has_its_reserved_bits_zero() {
    for id in [CPU_SUSPEND, CPU_SUSPEND_64] {
        for bit in (17..24).chain(26..32) {
            refuses(id, &[1 << bit, 0x8000, 0], INVALID_PARAMETERS);
        }
    }
}

#[test]
fn the_machine_goes_off() {
    leaves(SYSTEM_OFF, &[], Asked::SystemOff);
}

#[test]
fn the_machine_is_reset() {
    leaves(SYSTEM_RESET, &[9, 9], Asked::SystemReset(0, 0));
    for id in [SYSTEM_RESET2, SYSTEM_RESET2_64] {
        for kind in [0, 0x8000_0000, 0xffff_ffff] {
            leaves(id, &[kind, 5], Asked::SystemReset(kind, 5));
        }
        refuses(id, &[1, 0], INVALID_PARAMETERS);
        refuses(id, &[0x7fff_ffff, 0], INVALID_PARAMETERS);
    }
    leaves(
        SYSTEM_RESET2_64,
        &[0, 1 << 40],
        Asked::SystemReset(0, 1 << 40),
    );
}

#[test]
fn the_last_cpu_suspends_the_machine() {
    for (id, entry) in [
        (SYSTEM_SUSPEND, 0x8000),
        (SYSTEM_SUSPEND_64, 0xff_0000_8000),
    ] {
        leaves(id, &[entry, 5], Asked::SystemSuspend(entry, 5));
        let mut platform = FakePlatform::new(3).answering(|_| Ok([1, 0, 0, 0]));
        assert_eq!(call(&mut platform, id, &[entry, 5]), INTERNAL_FAILURE);
        assert_eq!(
            platform.asked,
            [
                Asked::CpuAffinity(1, 0),
                Asked::CpuAffinity(2, 0),
                Asked::SystemSuspend(entry, 5)
            ]
        );
    }
}

#[test]
fn the_machine_is_not_suspended_while_another_cpu_is_on() {
    for state in [Ok([0; 4]), Ok([2, 0, 0, 0]), Err(Error::InvalidParameters)] {
        let mut platform = FakePlatform::new(3).answering(move |asked| match asked {
            Asked::CpuAffinity(1, _) => Ok([1, 0, 0, 0]),
            _ => state,
        });
        assert_eq!(call(&mut platform, SYSTEM_SUSPEND_64, &[0x8000, 5]), DENIED);
        assert_eq!(platform.asked.len(), 2, "the host is not asked to suspend");
    }
}

#[test]
fn a_board_may_number_its_cpus_itself() {
    fn boards_own(cpu: u32) -> u64 {
        0x900 + u64::from(cpu)
    }
    let mut platform = FakePlatform::new(2);
    let mut regs = [0; REGS];
    regs[0] = u64::from(SYSTEM_SUSPEND_64.0);
    let trap = Trap {
        width: Width::AArch64,
        conduit: Conduit::Smc,
        immediate: 0,
    };
    Psci::with_mpidr(boards_own).handle(&mut Call::new(
        &mut regs,
        trap,
        &mut Resume::default(),
        &mut platform,
    ));
    assert_eq!(platform.asked, [Asked::CpuAffinity(0x901, 0)]);
}

#[test]
fn a_board_may_have_extended_power_states() {
    let mut board = Watched::default();
    let extended = Psci::new().with_states(StateFormat::Extended);
    let feature = 0xc400_0001;
    assert_eq!(board.call(extended, &[0x8400_000a, feature]), 1 << 1);
    assert_eq!(board.call(Psci::new(), &[0x8400_000a, feature]), 0);
    let down = [0xc400_0001, 0x4000_0002, 0x8000, 7];
    assert_eq!(board.call(extended, &down), INTERNAL_FAILURE);
    assert_eq!(
        board.platform.asked,
        [Asked::WaitForInterrupt, Asked::CpuResume(0x8000, 7)]
    );
    assert_eq!(board.call(Psci::new(), &down), INVALID_PARAMETERS);
    let standby = [0xc400_0001, 2, 0, 0];
    assert_eq!(board.call(extended, &standby), SUCCESS);
}

/// A board with another service that keeps something for each CPU.
struct Watched {
    platform: FakePlatform,
    keeper: Keeper,
}

/// Remembers what it has heard of, and of which CPU.
struct Keeper(Lock<Vec<(u32, PowerChange)>>);

impl Service for Keeper {
    fn owns(&self, _: FunctionId) -> bool {
        false
    }

    fn handle(&self, _: &mut Call<'_>) {}

    fn cpu_power(&self, platform: &mut dyn Platform, change: PowerChange) {
        self.0.with(|heard| heard.push((platform.cpu(), change)));
    }
}

impl Default for Watched {
    fn default() -> Self {
        Watched {
            platform: FakePlatform::new(4).answering(|asked| match asked {
                Asked::CpuAffinity(..) => Ok([1, 0, 0, 0]),
                _ => Ok([0; 4]),
            }),
            keeper: Keeper(Lock::new(Vec::new())),
        }
    }
}

impl Watched {
    fn call(&mut self, psci: Psci, args: &[u64]) -> i32 {
        let mut regs = [0; REGS];
        regs[..args.len()].copy_from_slice(args);
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut resume = Resume::default();
        let mut call = Call::new(&mut regs, trap, &mut resume, &mut self.platform);
        crate::dispatch::smccc(&[&psci, &self.keeper], &mut call);
        regs[0] as i32
    }

    /// What the other service has heard since the last time.
    fn heard(&self) -> Vec<(u32, PowerChange)> {
        self.keeper.0.with(std::mem::take)
    }
}

#[test]
fn other_services_hear_of_a_cpus_power() {
    use PowerChange::{Off, PowerDown, Refused};

    let mut board = Watched::default();
    board.platform.cpu = 3;
    for (args, heard) in [
        // The platform here comes back from all that it should not come back from.
        (&[0x8400_0002][..], &[(3, Off), (3, Refused)][..]),
        (
            &[0xc400_0001, POWER_DOWN, 0x8000, 0],
            &[(3, PowerDown), (3, Refused)],
        ),
        (&[0xc400_0001, STANDBY, 0, 0], &[]),
        (&[0xc400_0001, POWER_DOWN, 0x8001, 0], &[]),
        (&[0xc400_000e, 0x8000, 0], &[(3, PowerDown), (3, Refused)]),
        (&[0xc400_0003, 1, 0x8000, 0], &[]),
    ] {
        board.call(Psci::new(), args);
        assert_eq!(board.heard(), heard, "{args:x?}");
    }
}

proptest! {
    #[test]
    fn any_registers_do_no_harm(
        mut regs in any::<[u64; REGS]>(),
        number in 0_u64..0x20,
        wide in any::<bool>(),
        aarch32 in any::<bool>(),
        answer in properties::answer(),
    ) {
        regs[0] = 0x8400_0000 | number | u64::from(wide) << 30;
        let before = regs;
        let width = if aarch32 { Width::AArch32 } else { Width::AArch64 };
        let trap = Trap { width, conduit: Conduit::Smc, immediate: 0 };
        let mut platform = FakePlatform::new(8).answering(move |_| answer);
        Psci::new().handle(&mut Call::new(&mut regs, trap, &mut Resume::default(), &mut platform));
        prop_assert_eq!(&regs[1..], &before[1..]);
        prop_assert!(!aarch32 || regs[0] >> 32 == 0);
    }
}
