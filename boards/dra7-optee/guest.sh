# SPDX-License-Identifier: Apache-2.0 OR MIT
# ES2_PM_MODE, bit 5 of AMBA_IF_MODE, which the kernel has asked the secure world to set.
expect amba-if-mode 0x00000020 "$(devmem 0x4828180c 32)"
