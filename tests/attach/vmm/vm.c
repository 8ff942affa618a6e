/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A VM of ioctls, and a guest of a few instructions. */
#include "vm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int failures;
uint32_t feature;

/* Calls firmware with what the VMM has put into its registers, and tells the VMM the answer. */
static const uint32_t caller[] = {
    0xd4000003, /* smc #0 */
    0xb9000120, /* str w0, [x9] */
    0x17fffffe, /* b the smc */
    0xd4000002, /* hvc #0 */
    0xb9000120, /* str w0, [x9] */
    0x17fffffe, /* b the hvc */
    0x14000000, /* b . */
};
/* Tells the VMM what it was started with, and goes off. */
static const uint32_t secondary[] = {
    0xd2a12009, /* mov x9, #0x09000000 */
    0xb9000120, /* str w0, [x9] */
    0x52800040, /* mov w0, #2 */
    0x72b08000, /* movk w0, #0x8400, lsl #16 */
    0xd4000003, /* smc #0 */
    0x14000000, /* b . */
};

long sys(long result, const char *what)
{
    if (result == -1)
        err(2, "%s", what);
    return result;
}

uint64_t get(const struct cpu *cpu, uint64_t id)
{
    uint64_t value = 0;
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};
    sys(ioctl(cpu->fd, KVM_GET_ONE_REG, &reg), "KVM_GET_ONE_REG");
    return value;
}

void set(const struct cpu *cpu, uint64_t id, uint64_t value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};
    sys(ioctl(cpu->fd, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

void set_slot(const struct vm *vm, uint32_t slot, uint64_t guest, uint64_t size, uint32_t flags)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot,
        .flags = flags,
        .guest_phys_addr = guest,
        .memory_size = size,
        .userspace_addr = (uintptr_t)vm->ram,
    };
    sys(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

struct vm make_vm(void)
{
    struct vm vm = {.kvm = sys(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm")};
    vm.fd = sys(ioctl(vm.kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    vm.ram = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sys((intptr_t)vm.ram, "mmap");
    memcpy(vm.ram, caller, sizeof(caller));
    memcpy(vm.ram + (ENTRY - RAM), secondary, sizeof(secondary));
    set_slot(&vm, 0, RAM, SIZE, 0);
    return vm;
}

void reset(const struct vm *vm, const struct cpu *cpu, bool off)
{
    struct kvm_vcpu_init init;
    sys(ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
    init.features[0] |= feature | 1 << KVM_ARM_VCPU_PSCI_0_2 | off << KVM_ARM_VCPU_POWER_OFF;
    sys(ioctl(cpu->fd, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    set(cpu, PC, BY_SMC);
    set(cpu, X(9), 0x09000000);
}

struct cpu make_cpu(const struct vm *vm, long number)
{
    struct cpu cpu = {.fd = sys(ioctl(vm->fd, KVM_CREATE_VCPU, number), "KVM_CREATE_VCPU")};
    size_t size = sys(ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    cpu.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu.fd, 0);
    sys((intptr_t)cpu.run, "mmap");
    reset(vm, &cpu, number > 0);
    return cpu;
}

/* The word that the guest has stored for the VMM; whatever else it exits for is a failure. */
uint32_t told(const struct cpu *cpu)
{
    uint32_t word = 0;
    HOLDS(cpu->run->exit_reason == KVM_EXIT_MMIO && cpu->run->mmio.is_write);
    memcpy(&word, cpu->run->mmio.data, sizeof(word));
    return word;
}

void prepare(const struct cpu *cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t args[] = {function, a, b, c};
    for (int n = 0; n < 4; n++)
        set(cpu, X(n), args[n]);
}

/* Has KVM complete what it has exited for. */
void complete(const struct cpu *cpu)
{
    cpu->run->immediate_exit = 1;
    HOLDS(ioctl(cpu->fd, KVM_RUN, 0) == -1 && errno == EINTR);
    cpu->run->immediate_exit = 0;
}

/* Runs the CPU until it exits for something, and tells for what. */
int run(const struct cpu *cpu)
{
    while (ioctl(cpu->fd, KVM_RUN, 0) == -1)
        if (errno != EINTR)
            err(2, "KVM_RUN");
    return cpu->run->exit_reason;
}

/* One call of the guest's at this address, from the registers to the answer. */
uint32_t call_at(const struct cpu *cpu, uint64_t pc, uint64_t function, uint64_t a, uint64_t b,
                        uint64_t c)
{
    complete(cpu);
    set(cpu, PC, pc);
    prepare(cpu, function, a, b, c);
    run(cpu);
    return told(cpu);
}

uint32_t call(const struct cpu *cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    return call_at(cpu, BY_SMC, function, a, b, c);
}
