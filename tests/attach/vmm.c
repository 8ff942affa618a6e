/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/*
 * A VMM of ioctls alone, which knows nothing of blobs and does what VMMs do, one thing at a time:
 *
 *     LD_PRELOAD=libfakemon_preload.so FAKEMON_BLOB=virt.elf vmm SCENARIO
 *
 * It prints what is not as it should be, and ends with 1 then.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM 0x40000000ul
#define MORE_RAM 0x50000000ul
#define SIZE 0x10000ul
/* Where the secondary CPU starts. */
#define ENTRY (RAM + 0x100)

#define VERSION 0x84000000u
#define CPU_OFF 0x84000002u
#define CPU_ON 0xc4000003u
#define AFFINITY_INFO 0xc4000004u
#define SYSTEM_OFF 0x84000008u
#define INVALID_ADDRESS 0xfffffff7u

#define CORE(word) (0x6030000000100000ul | (word))
#define X(n) CORE(2 * (n))
#define PC CORE(64)

/* Calls firmware with what the VMM has put into its registers, and tells the VMM the answer. */
static const uint32_t caller[] = {
    0xd4000003, /* smc #0 */
    0xb9000120, /* str w0, [x9] */
    0x17fffffe, /* b the smc */
    0xd4000002, /* hvc #0 */
    0xb9000120, /* str w0, [x9] */
    0x17fffffe, /* b the hvc */
};
#define BY_SMC RAM
#define BY_HVC (RAM + 12)

/* Tells the VMM what it was started with, and goes off. */
static const uint32_t secondary[] = {
    0xd2a12009, /* mov x9, #0x09000000 */
    0xb9000120, /* str w0, [x9] */
    0x52800040, /* mov w0, #2 */
    0x72b08000, /* movk w0, #0x8400, lsl #16 */
    0xd4000003, /* smc #0 */
    0x14000000, /* b . */
};
#define SECONDARY_OFF (ENTRY + 20)

static int failures;

#define HOLDS(what)                                                 \
    do {                                                            \
        if (!(what)) {                                              \
            printf("line %d: not so: %s\n", __LINE__, #what);       \
            failures++;                                             \
        }                                                           \
    } while (0)

struct cpu {
    int fd;
    struct kvm_run *run;
};

struct vm {
    int kvm, fd;
    uint8_t *ram;
};

static long sys(long result, const char *what)
{
    if (result == -1)
        err(2, "%s", what);
    return result;
}

static uint64_t get(const struct cpu *cpu, uint64_t id)
{
    uint64_t value = 0;
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};
    sys(ioctl(cpu->fd, KVM_GET_ONE_REG, &reg), "KVM_GET_ONE_REG");
    return value;
}

static void set(const struct cpu *cpu, uint64_t id, uint64_t value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (uintptr_t)&value};
    sys(ioctl(cpu->fd, KVM_SET_ONE_REG, &reg), "KVM_SET_ONE_REG");
}

static void set_slot(const struct vm *vm, uint32_t slot, uint64_t guest, uint64_t size)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot,
        .guest_phys_addr = guest,
        .memory_size = size,
        .userspace_addr = (uintptr_t)vm->ram,
    };
    sys(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

static struct vm make_vm(void)
{
    struct vm vm = {.kvm = sys(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm")};
    vm.fd = sys(ioctl(vm.kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    vm.ram = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sys((intptr_t)vm.ram, "mmap");
    memcpy(vm.ram, caller, sizeof(caller));
    memcpy(vm.ram + (ENTRY - RAM), secondary, sizeof(secondary));
    set_slot(&vm, 0, RAM, SIZE);
    return vm;
}

static void reset(const struct vm *vm, const struct cpu *cpu, bool off)
{
    struct kvm_vcpu_init init;
    sys(ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init), "KVM_ARM_PREFERRED_TARGET");
    init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2 | off << KVM_ARM_VCPU_POWER_OFF;
    sys(ioctl(cpu->fd, KVM_ARM_VCPU_INIT, &init), "KVM_ARM_VCPU_INIT");
    set(cpu, PC, BY_SMC);
    set(cpu, X(9), 0x09000000);
}

static struct cpu make_cpu(const struct vm *vm, long number)
{
    struct cpu cpu = {.fd = sys(ioctl(vm->fd, KVM_CREATE_VCPU, number), "KVM_CREATE_VCPU")};
    size_t size = sys(ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
    cpu.run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu.fd, 0);
    sys((intptr_t)cpu.run, "mmap");
    reset(vm, &cpu, number > 0);
    return cpu;
}

/* The word that the guest has stored for the VMM; whatever else it exits for is a failure. */
static uint32_t told(const struct cpu *cpu)
{
    uint32_t word = 0;
    HOLDS(cpu->run->exit_reason == KVM_EXIT_MMIO && cpu->run->mmio.is_write);
    memcpy(&word, cpu->run->mmio.data, sizeof(word));
    return word;
}

static void prepare(const struct cpu *cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t args[] = {function, a, b, c};
    for (int n = 0; n < 4; n++)
        set(cpu, X(n), args[n]);
}

/* One call of the guest's at this address, from the registers to the answer. */
static uint32_t call_at(const struct cpu *cpu, uint64_t pc, uint64_t function, uint64_t a, uint64_t b,
                        uint64_t c)
{
    /* What the last store has exited for is complete only now. */
    cpu->run->immediate_exit = 1;
    HOLDS(ioctl(cpu->fd, KVM_RUN, 0) == -1 && errno == EINTR);
    cpu->run->immediate_exit = 0;
    set(cpu, PC, pc);
    prepare(cpu, function, a, b, c);
    while (ioctl(cpu->fd, KVM_RUN, 0) == -1)
        if (errno != EINTR)
            err(2, "KVM_RUN");
    return told(cpu);
}

static uint32_t call(const struct cpu *cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    return call_at(cpu, BY_SMC, function, a, b, c);
}

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
        cpus[0].run->immediate_exit = 1;
        HOLDS(ioctl(cpus[0].fd, KVM_RUN, 0) == -1 && errno == EINTR);
        cpus[0].run->immediate_exit = 0;
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
        set_slot(&vm, 7, MORE_RAM, SIZE);
        /* There it could; but nobody runs that CPU, so the call is made again, for ever. */
        cpus[0].run->immediate_exit = 1;
        HOLDS(ioctl(cpus[0].fd, KVM_RUN, 0) == -1 && errno == EINTR);
        cpus[0].run->immediate_exit = 0;
        prepare(&cpus[0], CPU_ON, 1, entry, 0);
        set(&cpus[0], PC, BY_SMC);
        HOLDS(ioctl(cpus[0].fd, KVM_RUN, 0) == -1 && errno == EINTR);
        HOLDS(get(&cpus[0], PC) == BY_SMC && get(&cpus[0], X(0)) == CPU_ON);
        set_slot(&vm, 7, MORE_RAM, 0);
    }
}

/* A vCPU that is made when the guest runs is served if there is room, and else cannot run. */
static void late(bool room)
{
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
    struct cpu second = make_cpu(&vm, 1);
    reset(&vm, &second, false);
    prepare(&second, VERSION, 0, 0, 0);
    HOLDS(ioctl(second.fd, KVM_RUN, 0) == 0);
    if (room)
        HOLDS(told(&second) == 0x10001);
    else
        HOLDS(second.run->exit_reason == KVM_EXIT_INTERNAL_ERROR);
    HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
}

static void late_with_room(void)
{
    late(true);
}

static void late_without_room(void)
{
    late(false);
}

#define STARTS 100

struct target {
    struct cpu cpu;
    _Atomic uint32_t started;
    _Atomic bool over;
};

static void nothing(int signal)
{
    (void)signal;
}

/* Runs the secondary CPU, and looks at its state whenever it was interrupted. */
static void *run_target(void *argument)
{
    struct target *target = argument;
    const struct cpu *cpu = &target->cpu;
    while (!target->over) {
        if (ioctl(cpu->fd, KVM_RUN, 0) == 0) {
            target->started = told(cpu);
            continue;
        }
        if (errno != EINTR)
            err(2, "KVM_RUN");
        uint64_t x0 = get(cpu, X(0)), pc = get(cpu, PC), x9 = get(cpu, X(9));
        if (pc == ENTRY)
            /* All of a start: from nothing, with its context. */
            HOLDS(x9 == 0 && x0 >= 1 && x0 <= STARTS);
        else if (pc == SECONDARY_OFF)
            HOLDS(x9 == 0x09000000 && x0 == CPU_OFF);
    }
    return NULL;
}

static void *kick_target(void *argument)
{
    struct target *target = ((void **)argument)[0];
    pthread_t *thread = ((void **)argument)[1];
    while (!target->over) {
        pthread_kill(*thread, SIGUSR1);
        usleep(100);
    }
    return NULL;
}

/* CPUs start and go off while somebody interrupts them and looks at their state all the time. */
static void starts(void)
{
    struct sigaction action = {.sa_handler = nothing};
    sys(sigaction(SIGUSR1, &action, NULL), "sigaction");
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    static struct target target;
    target.cpu = make_cpu(&vm, 1);
    pthread_t runner, kicker;
    void *both[] = {&target, &runner};
    pthread_create(&runner, NULL, run_target, &target);
    pthread_create(&kicker, NULL, kick_target, both);
    for (uint32_t n = 1; n <= STARTS; n++) {
        HOLDS(call(&cpu, CPU_ON, 1, ENTRY, n) == 0);
        while (target.started != n)
            usleep(100);
        while (call(&cpu, AFFINITY_INFO, 1, 0, 0) != 1)
            ;
    }
    target.over = true;
    pthread_join(kicker, NULL);
    pthread_kill(runner, SIGUSR1);
    pthread_join(runner, NULL);
}

/* A thread that blocks all signals, and a vCPU with a mask of its own that does. */
static void masked(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    struct vm vm = make_vm();
    struct cpu cpu = make_cpu(&vm, 0);
    /* struct kvm_signal_mask with its array. */
    struct {
        uint32_t len;
        uint8_t set[8];
    } mask = {.len = sizeof(mask.set)};
    memset(mask.set, 0xff, sizeof(mask.set));
    sys(ioctl(cpu.fd, KVM_SET_SIGNAL_MASK, &mask), "KVM_SET_SIGNAL_MASK");
    for (int n = 0; n < 3; n++)
        HOLDS(call(&cpu, VERSION, 0, 0, 0) == 0x10001);
}

static const struct {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"answers", answers},
    {"denied", denied},
    {"interrupted", interrupted},
    {"descriptors", descriptors},
    {"several", several},
    {"lives", lives},
    {"slots", slots},
    {"late_with_room", late_with_room},
    {"late_without_room", late_without_room},
    {"starts", starts},
    {"masked", masked},
};

int main(int argc, char **argv)
{
    /* Whatever waits for ever, waits no longer than that. */
    alarm(300);
    for (size_t n = 0; argc == 2 && n < sizeof(scenarios) / sizeof(*scenarios); n++) {
        if (strcmp(argv[1], scenarios[n].name))
            continue;
        scenarios[n].run();
        printf("%s: %d failures\n", argv[1], failures);
        return failures != 0;
    }
    errx(2, "there is no such scenario");
}
