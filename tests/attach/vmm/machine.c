/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The machine around the guest: its bus, the pages that were written, its sleep, and its debugger. */
#include "vm.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEVICE 0x0a000000ul

/* The access for which the CPU has exited. */
static bool is_access(const struct cpu *cpu, bool write)
{
    return cpu->run->exit_reason == KVM_EXIT_MMIO && cpu->run->mmio.phys_addr == DEVICE &&
           cpu->run->mmio.len == 4 && cpu->run->mmio.is_write == write;
}

/* What the blob loads and stores where there is no RAM is the VMM's to do. */
static void bus(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    uint32_t word = 0x1234;
    for (int n = 0; n < 2; n++) {
        prepare(&cpu, PROBE, LOAD, DEVICE, 0);
        set(&cpu, PC, BY_SMC);
        run(&cpu);
        HOLDS(is_access(&cpu, false));
        memcpy(cpu.run->mmio.data, &word, sizeof(word));
        run(&cpu);
        HOLDS(told(&cpu) == word);
        complete(&cpu);
        prepare(&cpu, PROBE, STORE, DEVICE, ++word);
        set(&cpu, PC, BY_SMC);
        run(&cpu);
        HOLDS(is_access(&cpu, true) && !memcmp(cpu.run->mmio.data, &word, sizeof(word)));
        run(&cpu);
        HOLDS(told(&cpu) == 0);
        complete(&cpu);
    }
    /* A VMM that stops after an access finds the call over. */
    prepare(&cpu, PROBE, LOAD, DEVICE, 0);
    set(&cpu, PC, BY_SMC);
    run(&cpu);
    HOLDS(is_access(&cpu, false));
    memcpy(cpu.run->mmio.data, &word, sizeof(word));
    complete(&cpu);
    HOLDS(get(&cpu, PC) == BY_SMC + 4 && get(&cpu, X(0)) == word);
}

/* RAM that comes and goes is the blob's to reach while it is there, and the bus before and after. */
static void plugged(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    uint32_t word = 0x1234;
    for (int n = 0; n < 3; n++) {
        complete(&cpu);
        prepare(&cpu, PROBE, LOAD, MORE_RAM, 0);
        set(&cpu, PC, BY_SMC);
        HOLDS(run(&cpu) == KVM_EXIT_MMIO && cpu.run->mmio.phys_addr == MORE_RAM);
        memcpy(cpu.run->mmio.data, &word, sizeof(word));
        run(&cpu);
        HOLDS(told(&cpu) == word);
        set_slot(&vm, 7, MORE_RAM, SIZE, n == 2 ? KVM_MEM_READONLY : 0);
        /* What the guest cannot write is the VMM's to read as well: flash is no RAM. */
        if (n < 2) {
            HOLDS(probe(&cpu, LOAD, MORE_RAM, 0) == 0xd4000003);
            HOLDS(probe(&cpu, STORE, MORE_RAM + SIZE - 4, n + 5) == 0);
            HOLDS(probe(&cpu, LOAD, RAM + SIZE - 4, 0) == (uint32_t)n + 5);
        }
        set_slot(&vm, 7, MORE_RAM, 0, 0);
    }
}

/* A guest of 32 bits. */
static void narrow(void)
{
    static const uint32_t code[] = {
        0xe1600070, /* smc #0 */
        0xe5890000, /* str r0, [r9] */
        0xe1400070, /* hvc #0 */
        0xe5890000, /* str r0, [r9] */
    };
    struct vm vm = make_vm();
    if (ioctl(vm.kvm, KVM_CHECK_EXTENSION, KVM_CAP_ARM_EL1_32BIT) != 1) {
        printf("this host has no guests of 32 bits\n");
        exit(77);
    }
    feature = 1 << KVM_ARM_VCPU_EL1_32BIT;
    memcpy(vm.ram, code, sizeof(code));
    struct cpu cpu = make_cpu(&vm, 0);
    for (int n = 1; n <= 4; n++) {
        HOLDS(call_at(&cpu, RAM + 8 * (n % 2), PROBE, COUNT, 0, 0) == (uint32_t)n);
        HOLDS(get(&cpu, PC) == (uint64_t)RAM + 8 * (n % 2) + 4);
    }
}

/* A blob that is for guests of 32 bits alone. */
static void wide(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    HOLDS(run(&cpu) == KVM_EXIT_INTERNAL_ERROR);
    HOLDS(get(&cpu, PC) == BY_SMC);
}

static uint64_t written(const struct vm *vm)
{
    uint64_t pages[SIZE / 4096 / 64 + 1] = {0};
    struct kvm_dirty_log log = {.slot = 0, .dirty_bitmap = pages};
    sys(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log), "KVM_GET_DIRTY_LOG");
    return pages[0];
}

/* Pages that the blob has written are told with those that the guest has. */
static void dirty(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    const uint64_t page = getpagesize(), at = RAM + SIZE - page;
    HOLDS(probe(&cpu, STORE, at, 1) == 0);
    set_slot(&vm, 0, RAM, SIZE, KVM_MEM_LOG_DIRTY_PAGES);
    written(&vm);
    HOLDS(written(&vm) == 0);
    HOLDS(probe(&cpu, LOAD, RAM, 0) != 0);
    HOLDS(written(&vm) == 0);
    HOLDS(probe(&cpu, STORE, at, 2) == 0);
    HOLDS(written(&vm) == 1ul << (SIZE / page - 1));
    HOLDS(written(&vm) == 0);
    /* One of the guest's own. */
    complete(&cpu);
    set(&cpu, X(9), at);
    set(&cpu, PC, BY_SMC + 4);
    struct kvm_guest_debug step = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
    sys(ioctl(cpu.fd, KVM_SET_GUEST_DEBUG, &step), "KVM_SET_GUEST_DEBUG");
    HOLDS(run(&cpu) == KVM_EXIT_DEBUG);
    HOLDS(written(&vm) == 1ul << (SIZE / page - 1));
    /* A ring would not have them. */
    struct kvm_enable_cap ring = {.cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL, .args = {4096}};
    HOLDS(ioctl(vm.fd, KVM_ENABLE_CAP, &ring) == -1 && errno == EINVAL);
}

static void set_interrupt(const struct vm *vm, bool level)
{
    struct kvm_irq_level irq = {
        .irq = KVM_ARM_IRQ_TYPE_CPU << KVM_ARM_IRQ_TYPE_SHIFT | KVM_ARM_IRQ_CPU_IRQ,
        .level = level,
    };
    sys(ioctl(vm->fd, KVM_IRQ_LINE, &irq), "KVM_IRQ_LINE");
}

static void nothing(int signal)
{
    (void)signal;
}

/* Interrupts this thread again and again. */
static timer_t interrupt_often(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sys(sigaction(SIGUSR1, &action, NULL), "sigaction");
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    const struct itimerspec often = {{0, 10000000}, {0, 10000000}};
    timer_t timer;
    sys(timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
    sys(timer_settime(timer, 0, &often, NULL), "timer_settime");
    return timer;
}

/* A guest that is suspended goes on where it wanted when an interrupt comes. */
static void suspended(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    for (int n = 5; n < 8; n++) {
        set_interrupt(&vm, true);
        HOLDS(call(&cpu, SYSTEM_SUSPEND, ENTRY, n, 0) == (uint32_t)n);
        HOLDS(get(&cpu, PC) == ENTRY + 4);
        set_interrupt(&vm, false);
        set(&cpu, X(9), 0x09000000);
    }
    /* Without an interrupt a VMM that looks after something else finds the call still to be made. */
    complete(&cpu);
    prepare(&cpu, SYSTEM_SUSPEND, ENTRY, 9, 0);
    set(&cpu, PC, BY_SMC);
    timer_t timer = interrupt_often();
    HOLDS(ioctl(cpu.fd, KVM_RUN, 0) == -1 && errno == EINTR);
    timer_delete(timer);
    HOLDS(get(&cpu, PC) == BY_SMC && get(&cpu, X(0)) == SYSTEM_SUSPEND);
    set_interrupt(&vm, true);
    HOLDS(run(&cpu) == KVM_EXIT_MMIO && told(&cpu) == 9);
}

/* A VMM that suspends the system itself is told where it is to go on. */
static void suspends(void)
{
    struct vm vm = make_vm();
    struct kvm_enable_cap cap = {.cap = KVM_CAP_ARM_SYSTEM_SUSPEND};
    sys(ioctl(vm.fd, KVM_ENABLE_CAP, &cap), "KVM_CAP_ARM_SYSTEM_SUSPEND");
    struct cpu cpu = make_cpu(&vm, 0);
    prepare(&cpu, SYSTEM_SUSPEND, ENTRY, 5, 0);
    HOLDS(run(&cpu) == KVM_EXIT_SYSTEM_EVENT);
    HOLDS(cpu.run->system_event.type == KVM_SYSTEM_EVENT_SUSPEND);
    HOLDS(get(&cpu, X(1)) == ENTRY && get(&cpu, X(2)) == 5);
}

/* As gdb does it: one instruction at a time, and a breakpoint right after a call. */
static void debugged(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP};
    for (int n = 0; n < 2; n++) {
        const uint64_t at[] = {BY_SMC, BY_HVC};
        sys(ioctl(cpu.fd, KVM_SET_GUEST_DEBUG, &debug), "KVM_SET_GUEST_DEBUG");
        prepare(&cpu, VERSION, 0, 0, 0);
        set(&cpu, PC, at[n]);
        HOLDS(run(&cpu) == KVM_EXIT_DEBUG);
        HOLDS(get(&cpu, PC) == at[n] + 4 && get(&cpu, X(0)) == 0x10001);
        HOLDS(run(&cpu) == KVM_EXIT_MMIO && told(&cpu) == 0x10001);
        HOLDS(run(&cpu) == KVM_EXIT_DEBUG);
        HOLDS(get(&cpu, PC) == at[n] + 8);
    }
    static const uint32_t brk = 0xd4200000;
    memcpy(vm.ram + 4, &brk, sizeof(brk));
    debug.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP;
    sys(ioctl(cpu.fd, KVM_SET_GUEST_DEBUG, &debug), "KVM_SET_GUEST_DEBUG");
    prepare(&cpu, VERSION, 0, 0, 0);
    set(&cpu, PC, BY_SMC);
    HOLDS(run(&cpu) == KVM_EXIT_DEBUG);
    HOLDS(get(&cpu, PC) == BY_SMC + 4 && get(&cpu, X(0)) == 0x10001);
}

const struct scenario about_machines[] = {
    {"bus", bus},
    {"plugged", plugged},
    {"narrow", narrow},
    {"wide", wide},
    {"dirty", dirty},
    {"suspended", suspended},
    {"suspends", suspends},
    {"debugged", debugged},
    {0},
};
