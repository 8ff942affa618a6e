/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Calls, descriptors, VMs and memory. */
#include "vm.h"

#include <fcntl.h>
#include <unistd.h>

/* Firmware answers, by SMC and by HVC, and nobody sees an exit for that. */
static void answers(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    for (int n = 0; n < 3; n++)
        HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    HOLDS(call_at(&cpu, BY_HVC, VERSION, 0, 0, 0) == 0x10001);
}

/* Nobody answers. */
static void denied(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == UINT32_MAX);
}

/* KVM_RUN that is to return at once does, and the call comes after it. */
static void interrupted(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    prepare(&cpu, VERSION, 0, 0, 0);
    for (int n = 0; n < 2; n++) {
        cpu.run->immediate_exit = 1;
        HOLDS(ioctl(cpu.fd, KVM_RUN, 0) == -1 && errno == EINTR);
        HOLDS(cpu.run->exit_reason == KVM_EXIT_INTR);
        HOLDS(cpu.run->immediate_exit == 1);
        HOLDS(get(&cpu, PC) == BY_SMC && get(&cpu, X(0)) == VERSION);
    }
    cpu.run->immediate_exit = 0;
    HOLDS(ioctl(cpu.fd, KVM_RUN, 0) == 0 && told(&cpu) == 0x10001);
}

/* Descriptors are duplicated and closed, and their numbers given away. */
static void descriptors(void)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    struct cpu first = cpu;
    /* What serves it has its own descriptors from here on. */
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    cpu.fd = sys(dup(cpu.fd), "dup");
    close(first.fd);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    int null = sys(open("/dev/null", O_RDWR), "/dev/null");
    HOLDS(null == first.fd);
    HOLDS(ioctl(null, KVM_RUN, 0) == -1 && errno == ENOTTY);
    struct cpu second = cpu;
    cpu.fd = sys(dup2(cpu.fd, null), "dup2");
    close(second.fd);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    cpu.fd = sys(fcntl(cpu.fd, F_DUPFD_CLOEXEC, 100), "F_DUPFD_CLOEXEC");
    HOLDS(cpu.fd >= 100 && call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    close(null);
    /* The VM is there as long as a vCPU. */
    close(vm.fd);
    close(vm.kvm);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
}

/* Several VMs at once, some of which are never run. */
static void several(void)
{
    for (int n = 0; n < 8; n++) {
        struct vm vm = make_vm();
        struct cpu cpu = make_cpu(&vm, 0);
        close(cpu.fd);
        close(vm.fd);
        close(vm.kvm);
    }
    struct vm one = make_vm(), two = make_vm();
    struct cpu first = make_cpu(&one, 0), other = make_cpu(&two, 0);
    for (int n = 0; n < 3; n++) {
        HOLDS(call(&first, VERSION, 0, 0, 0) == 0x10001);
        HOLDS(call(&other, VERSION, 0, 0, 0) == 0x10001);
    }
}

/* The machine is reset, and goes on from the beginning. */
static void lives(void)
{
    struct vm vm = make_vm();
    struct cpu cpus[] = {make_cpu(&vm, 0), make_cpu(&vm, 1)};
    for (int life = 0; life < 3; life++) {
        HOLDS(call(&cpus[0], AFFINITY_INFO, 1, 0, 0) == 1);
        HOLDS(call(&cpus[0], AFFINITY_INFO, 0, 0, 0) == 0);
        prepare(&cpus[0], SYSTEM_OFF, 0, 0, 0);
        set(&cpus[0], PC, BY_SMC);
        complete(&cpus[0]);
        prepare(&cpus[0], SYSTEM_OFF, 0, 0, 0);
        set(&cpus[0], PC, BY_SMC);
        HOLDS(ioctl(cpus[0].fd, KVM_RUN, 0) == 0);
        HOLDS(cpus[0].run->exit_reason == KVM_EXIT_SYSTEM_EVENT);
        HOLDS(cpus[0].run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN);
        struct kvm_mp_state state;
        sys(ioctl(cpus[0].fd, KVM_GET_MP_STATE, &state), "KVM_GET_MP_STATE");
        HOLDS(state.mp_state == KVM_MP_STATE_STOPPED);
        reset(&vm, &cpus[0], false);
        reset(&vm, &cpus[1], true);
    }
}

/* RAM comes and goes while the guest runs: a CPU starts only where there is some. */
static void slots(void)
{
    struct vm vm = make_vm();
    struct cpu cpus[] = {make_cpu(&vm, 0), make_cpu(&vm, 1)};
    const uint64_t entry = MORE_RAM + 0x100;
    for (int n = 0; n < 4; n++) {
        HOLDS(call(&cpus[0], CPU_ON, 1, entry, 0) == INVALID_ADDRESS);
        set_slot(&vm, 7, MORE_RAM, SIZE, 0);
        /* There it could; but nobody runs that CPU, so the call is made again, for ever. */
        complete(&cpus[0]);
        prepare(&cpus[0], CPU_ON, 1, entry, 0);
        set(&cpus[0], PC, BY_SMC);
        HOLDS(ioctl(cpus[0].fd, KVM_RUN, 0) == -1 && errno == EINTR);
        HOLDS(get(&cpus[0], PC) == BY_SMC && get(&cpus[0], X(0)) == CPU_ON);
        set_slot(&vm, 7, MORE_RAM, 0, 0);
    }
}

const struct scenario about_calls[] = {
    {"answers", answers},
    {"denied", denied},
    {"interrupted", interrupted},
    {"descriptors", descriptors},
    {"several", several},
    {"lives", lives},
    {"slots", slots},
    {0},
};
