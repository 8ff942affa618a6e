// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How CPUs are named: the affinity fields of MPIDR, and the numbers that firmware counts by.

/// The affinity fields of an MPIDR (DEN 0022, 5.1.4). The other bits say nothing about which CPU it
/// is: bit 31 is one in every AArch32 MPIDR and in every AArch64 one.
pub const AFFINITY: u64 = 0xff_00ff_ffff;

/// Returns the affinity fields that KVM/arm64 gives vCPU `cpu`: sixteen to a cluster
/// (`reset_mpidr()` in Linux' sys_regs.c).
pub fn kvm(cpu: u32) -> u64 {
    let cpu = u64::from(cpu);
    (cpu & 0xf) | (cpu >> 4 & 0xff) << 8 | (cpu >> 12 & 0xff) << 16
}

/// Returns the number of the CPU that [`kvm`] has called `mpidr`, among the first `cpus`.
pub fn number(mpidr: u64, cpus: u32) -> Option<u32> {
    let mpidr = mpidr & AFFINITY;
    let cpu = (mpidr & 0xf) | (mpidr >> 8 & 0xff) << 4 | (mpidr >> 16 & 0xff) << 12;
    let cpu = u32::try_from(cpu).ok()?;
    (cpu < cpus && kvm(cpu) == mpidr).then_some(cpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_numbered_as_kvm_does() {
        for (cpu, mpidr) in [
            (0, 0),
            (15, 15),
            (16, 0x100),
            (511, 0x1f0f),
            (4096, 0x1_0000),
        ] {
            assert_eq!(kvm(cpu), mpidr, "{cpu}");
            assert_eq!(number(mpidr, cpu + 1), Some(cpu));
            assert_eq!(number(mpidr, cpu), None, "there are fewer");
            assert_eq!(number(mpidr | 1 << 31, cpu + 1), Some(cpu), "RES1");
        }
        for none in [0x10, 0x1_0000_0000, u64::MAX] {
            assert_eq!(number(none, 512), None, "{none:#x}");
        }
    }
}
